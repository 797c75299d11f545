"""What must be true of every service of the compose file; each rule names what it misses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Service = dict[str, Any]

SMALL = {"api", "postgres", "notebook"}
# Who may be reached from this machine; the rest is reached by the others of the project alone.
REACHED = {"api": "5000", "notebook": "8881", "grafana": "3000"}
HOME = "${ATRASO_ADDRESS:-127.0.0.1}:"
HIDDEN = ("PASSWORD", "TOKEN", "SECRET", "KEY")
FORBIDDEN = ("privileged", "cap_add", "devices", "pid", "ipc", "userns_mode")


def violations(file: dict[str, Any]) -> list[str]:
    """Return what is wrong with a compose *file* as it is written, its variables not replaced; one sentence each."""
    services: dict[str, Service] = file["services"]
    small = {name for name, service in services.items() if not service.get("profiles")}
    found = [] if small == SMALL else [f"without a profile there would be {', '.join(sorted(small))}"]
    for name, service in services.items():
        found += [f"{name}: {what}" for what in (*_locked(service), *_closed(name, service), *_secret(service))]
    if not services.get("api", {}).get("mem_limit"):
        found.append("api: it may take all memory")
    return found


def _locked(service: Service) -> Iterator[str]:
    if service.get("read_only") is not True:
        yield "its root can be written to"
    if service.get("cap_drop") != ["ALL"]:
        yield "it keeps capabilities"
    if service.get("security_opt") != ["no-new-privileges:true"]:
        yield "it may gain privileges"
    for name in FORBIDDEN:
        if name in service:
            yield f"{name} gives it more than it needs"
    for volume in service.get("volumes", ()):
        source, target, *mode = re.sub(r"\$\{[^}]*\}", "./named", volume).split(":")
        if source.startswith((".", "/")) and mode != ["ro"]:
            yield f"{target} is a folder of this machine that it can write to"
        if "docker.sock" in volume:
            yield "it commands the machine's containers"


def _closed(name: str, service: Service) -> Iterator[str]:
    if service.get("network_mode", "service:api") != "service:api":
        yield "it shares a network with the machine"
    ports = [str(port) for port in service.get("ports", ())]
    if name not in REACHED and ports:
        yield "it can be reached from outside"
        return
    for port in ports:
        if not port.startswith(HOME):
            yield f"{port} is open to other machines"
        if not port.endswith(f":{REACHED[name]}"):
            yield f"{port} leads to another port than {REACHED[name]}"


def _secret(service: Service) -> Iterator[str]:
    if ":latest" in service["image"] or ":" not in service["image"]:
        yield f"{service['image']} can be another image tomorrow"
    for variable, value in service.get("environment", {}).items():
        if any(word in variable for word in HIDDEN) and not re.fullmatch(r"\$\{\w+:\?[^}]+\}", str(value)):
            yield f"{variable} is in the file, or may be empty"
        if re.search(r"://[^@/]*:[^@/]+@", re.sub(r"\$\{[^}]*\}", "", str(value))):
            yield f"{variable} has a password in it"
    if service.get("environment", {}).get("ATRASO_AUTH") == "none" or "ATRASO_INSECURE" in service.get(
        "environment", {}
    ):
        yield "it asks nobody who calls"
