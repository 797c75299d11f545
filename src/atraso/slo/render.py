"""All that is generated from the promise, as files: written, or compared with what stands there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from atraso.core.errors import MissingExtraError
from atraso.slo.config import alertmanager_config, prometheus_config
from atraso.slo.objectives import Promise
from atraso.slo.page import slo_page
from atraso.slo.rules import rule_file, service_rules

MONITORING = Path("deploy/monitoring")
RULES, PAGE = MONITORING / "rules", Path("docs/slo.md")
HEAD = "# Generated from src/atraso/slo/slo.yaml by `atraso slo render`: edit that.\n"


def rendered(promise: Promise) -> dict[Path, str]:
    """Return what belongs into each file, by its path in the repository.

    Raises MissingExtraError where the dashboard's library is not installed.
    """
    try:
        from atraso.slo.dashboard import dashboard_json  # noqa: PLC0415 - for developers
    except ModuleNotFoundError:
        raise MissingExtraError("writing the dashboard", "dev") from None
    return {
        **{RULES / name: text for name, text in rule_files(promise).items()},
        MONITORING / "prometheus" / "prometheus.yml": as_yaml(prometheus_config()),
        MONITORING / "alertmanager" / "alertmanager.yml": as_yaml(alertmanager_config(promise)),
        MONITORING / "dashboards" / "atraso.json": dashboard_json(promise),
        PAGE: slo_page(promise),
    }


def rule_files(promise: Promise, faster: int = 1) -> dict[str, str]:
    """Return the files of rules by name, with all durations divided by *faster*."""
    files = {f"{one.name}.yml": rule_file(one, promise, faster) for one in promise.objectives}
    return {name: as_yaml(rules) for name, rules in (files | {"service.yml": service_rules(promise, faster)}).items()}


def differences(promise: Promise, root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each file below *root* that is not as the promise says, and how: it differs, is missing, or left over."""
    files = rendered(promise)
    for path, text in files.items():
        place = root / path
        if not place.is_file():
            yield path, "is missing"
        elif place.read_text(encoding="utf-8") != text:
            yield path, "differs"
    for place in sorted((root / RULES).glob("*.y*ml")):
        if RULES / place.name not in files:
            yield RULES / place.name, "is left over: no objective is called so, and Prometheus would load it"


def write(promise: Promise, root: Path) -> Iterator[Path]:
    """Write below *root* what differs and remove left-over rules; yield the paths that were changed."""
    files = rendered(promise)
    for path, _ in list(differences(promise, root)):
        place = root / path
        if path in files:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(files[path], encoding="utf-8")
        else:
            place.unlink()
        yield path


class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # it comes without types
    """Writes what has several lines as such, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:
        """Write what is said twice twice."""
        return True

    def text(self, string: str) -> yaml.ScalarNode:
        """Return a string as people would write it."""
        return self.represent_scalar("tag:yaml.org,2002:str", string, style="|" if "\n" in string else None)


Dumper.add_representer(str, Dumper.text)


def as_yaml(value: dict[str, Any]) -> str:
    """Return *value* as YAML that people read: in its own order, long queries as blocks."""
    written: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return HEAD + written
