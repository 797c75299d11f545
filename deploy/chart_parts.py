"""Every part of the chart's objects taken out, or said the other way round, in turn: which of them nobody would miss.

Whatever is not listed here as harmless is a control: without it the rules of deploy/chart_rules.py must be red.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from deploy.chart_rules import violations

Object = dict[str, Any]
Path = tuple[str | int, ...]

# Kinds whose objects watch and guard nothing; those of the Prometheus operator have rules of their own.
NO_CONTROL = {"PrometheusRule", "ServiceMonitor"}
# Where an object lies and what is in it -> why the service is no less safe without it.
HARMLESS = {
    r"\w+(/kind|/apiVersion|)": "without these there is nothing to install, or the object as a whole has a rule",
    r"\w+/metadata/.*|\w+/metadata": "names; what chooses by them has a rule where it chooses too much",
    r"(Deployment|Service)/spec/selector.*": "the cluster refuses such a Deployment; such a Service leads nowhere",
}


def parts(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every part below *value*, whole ones before those in them."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from parts(inner, (*path, key))


def without(objects: list[Object], path: Path) -> Iterator[tuple[str, list[Object]]]:
    """Yield copies of *objects* without the part at *path*, and where it is true or false, with the contrary."""
    for turned in (False, True):
        changed = copy.deepcopy(objects)
        place: Any = changed
        for key in path[:-1]:
            place = place[key]
        if not turned:
            del place[path[-1]]
            yield "without", changed
        elif isinstance(place[path[-1]], bool):
            place[path[-1]] = not place[path[-1]]
            yield "turned", changed


def unguarded(objects: list[Object]) -> tuple[int, list[str]]:
    """Return how many changes were tried, and the parts that no rule misses and that are not known as harmless."""
    looked = [one for one in objects if one["kind"] not in NO_CONTROL]
    found, tried = [], 0
    for path in parts(looked):
        for how, changed in without(looked, path):
            tried += 1
            name = "/".join(map(str, (looked[int(path[0])]["kind"], *path[1:])))
            if not _is_red(changed) and not any(re.fullmatch(pattern, name) for pattern in HARMLESS):
                found.append(f"{how} {name}")
    return tried, found


def _is_red(objects: list[Object]) -> bool:
    try:
        return bool(violations(objects))
    except (KeyError, TypeError, AttributeError):
        return True  # what is not whole cannot be installed
