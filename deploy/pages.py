"""The commands of a page of docs/, as a reader would type them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from deploy.checks import ROOT

DEPLOY = ROOT / "docs" / "deploy.md"
HEADING = re.compile(r"^## (.*)$")
REMARK = re.compile(r" {2,}# (.*)$")


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be typed, below which heading it stands, and what the page remarks beside it."""

    section: str
    text: str
    remark: str


def commands(page: Path = DEPLOY) -> list[Command]:
    """Return the commands of all code blocks of *page*; one that goes on over lines is one. Raises ValueError."""
    found: list[Command] = []
    section, inside, said, remark = "", False, "", ""
    for line in page.read_text("utf-8").splitlines():
        if line.startswith("```"):
            inside = not inside
            if said:
                raise ValueError(f"{page.name} has a command without an end: {said}")
        elif heading := HEADING.match(line):
            section = heading[1]
        elif inside and line.strip():
            beside = REMARK.search(line)
            remark = beside[1] if beside else remark
            said += REMARK.sub("", line).rstrip() + "\n"
            if _is_whole(said):
                found.append(Command(section, said.strip(), remark))
                said, remark = "", ""
    return found


def typed(text: str) -> str:
    """Return *text*, which docs/deploy.md has among its commands; raises AssertionError where it no longer has."""
    assert text in [command.text for command in commands()], f"docs/deploy.md no longer says {text!r}"
    return text


def _is_whole(said: str) -> bool:
    if said.rstrip("\n").endswith("\\"):
        return False
    try:
        shlex.split(said)
    except ValueError:
        return False  # a quote is still open
    return True
