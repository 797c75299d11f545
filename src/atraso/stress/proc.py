"""What /proc tells of processes (descendants, processor time, memory) and of connections."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
ESTABLISHED = "01"  # include/net/tcp_states.h


def children_of(pid: int) -> list[int]:
    """Return the living descendants of a process."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    direct = [int(word) for word in text.split()]
    return [*direct, *(pid for child in direct for pid in children_of(child))]


def cpu_seconds_of(pid: int) -> float:
    """Return the user and system time of one process; 0 for one that is gone."""
    try:
        # The name in parentheses may hold spaces; utime and stime are the 14th and 15th fields of the whole.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def nice_of(pid: int) -> int:
    """Return how far one process gives way to others; 0 for one that is gone."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except OSError:
        return 0


def memory_of(pid: int) -> dict[str, float]:
    """Return `rss_mb` and `pss_mb` (millions of bytes) of one process; zeros for one that is gone."""
    found = {"rss_mb": 0.0, "pss_mb": 0.0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                found[f"{name.lower()}_mb"] = int(rest.split()[0]) * 1024 / 1e6
    return found


def established(port: int) -> int:
    """Return how many connections to the local *port* are established, by the kernel's own tables."""
    count = 0
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), Path("/proc/net", table).open(encoding="ascii") as lines:
            next(lines)
            for line in lines:
                fields = line.split(maxsplit=4)
                count += fields[3] == ESTABLISHED and int(fields[1].rpartition(":")[2], 16) == port
    return count
