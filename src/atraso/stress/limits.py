"""Limits of the machine that a load meets first: open files of a process, and local ports between two addresses."""

from __future__ import annotations

import resource
from pathlib import Path

PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
# Of a process that holds connections: its own files, and some that others hold for a moment.
OWN_FILES = 64
# Ports that are taken, or that wait a minute before they are free again, are left alone.
USED_PART_OF_PORTS = 0.8


def raise_open_files() -> tuple[int, str]:
    """Let this process, and what it starts, open as many files as it may; return how many, and what was done."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard, f"open files of a process: raised from {soft:,} to {hard:,}, which is the hard limit"
    return hard, f"open files of a process: {hard:,}, which is the hard limit"


def ports_of_an_address() -> int:
    """Return how many connections one local address may have to the same server."""
    try:
        low, high = map(int, PORTS.read_text(encoding="ascii").split())
    except (OSError, ValueError):
        low, high = 32768, 60999
    return high - low + 1


def spread(connections: int, open_files: int) -> tuple[int, list[str]]:
    """Return over how many processes, each with addresses of its own, *connections* are spread, and why.

    A process needs a file for each connection, and an address a port.
    """
    ports = int(ports_of_an_address() * USED_PART_OF_PORTS)
    each = max(min(open_files - OWN_FILES, ports), 1)
    count = -(-connections // each)
    told = [
        f"local ports: {ports_of_an_address():,} an address, of which {ports:,} are used",
        f"{connections:,} connections are spread over {count} client process{'es' if count > 1 else ''}, each with "
        "loopback addresses of its own (127.0.0.2 and on)",
    ]
    return count, told
