"""Rules with one thing changed: a threshold, a window, an operator, a function, a matcher, a label, a wait."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

RuleFile = dict[str, Any]
_STRING = r'"[^"]*"'
_WINDOW = re.compile(r"(?<=\[)(\w+)(?=[\]:])|(?<=:)(\d+[smhd])(?=\])|(?<=ratio_rate)(\w+)|(?<=:rate)(\d+m)")
_NUMBER = re.compile(r"(?<![\w.\[:\"])\d+(?:\.\d+)?(?![\w\]:.\"])")
_OPERATORS = {
    ">": (">=", "<"), ">=": (">", "<="), "==": ("!=",), "/": ("*",), "*": ("/",), "-": ("+",),
    "and": ("or", "unless"),
}  # fmt: skip
_OPERATOR = re.compile(r"(?<=[\s)])(>=|>|==|/|\*|-|and)(?=[\s(])")
_FUNCTIONS = {
    "sum": "max", "max": "min", "min": "max", "rate": "increase", "absent": "count", "clamp_min": "clamp_max",
    "clamp_max": "clamp_min", "avg_over_time": "max_over_time", "sum_over_time": "avg_over_time",
    "count_over_time": "sum_over_time",
}  # fmt: skip
_FUNCTION = re.compile(rf"\b({'|'.join(_FUNCTIONS)})(?=\()")
_MATCHER = re.compile(rf"(\w+)(=~|!~|!=|=)({_STRING})")
_NEGATED = {"=~": "!~", "!~": "=~", "=": "!=", "!=": "="}
_WORD = re.compile(r"\bbool\b")
LONGER = {"m": "h", "h": "d", "s": "m", "d": "w"}


def mutants(rules: RuleFile) -> Iterator[tuple[str, RuleFile]]:
    """Yield copies of a rule file with one change each, and what was changed."""
    for group_at, group in enumerate(rules["groups"]):
        for rule_at, rule in enumerate(group["rules"]):
            for what, changed in _of_rule(rule):
                mutant = copy.deepcopy(rules)
                mutant["groups"][group_at]["rules"][rule_at] = changed
                name = rule.get("record") or f"{rule['alert']} {rule['labels'].get('burn', '')}"
                yield f"{name}: {what}", mutant


def _of_rule(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for what, expr in _of_expression(rule["expr"]):
        yield what, {**rule, "expr": expr}
    for label, value in rule.get("labels", {}).items():
        yield f"label {label} changed", {**rule, "labels": {**rule["labels"], label: f"{value}x"}}
        yield (
            f"label {label} left out",
            {**rule, "labels": {k: v for k, v in rule.get("labels", {}).items() if k != label}},
        )
    for key in ("record", "alert"):
        if key in rule:
            yield f"{key} renamed", {**rule, key: f"{rule[key]}x"}
    if "for" in rule:
        yield "no wait", {key: value for key, value in rule.items() if key != "for"}
        yield "ten times the wait", {**rule, "for": f"{rule['for'][:-1]}0{rule['for'][-1]}"}
    elif "alert" in rule:
        yield "a wait", {**rule, "for": "1h"}


def _of_expression(expr: str) -> Iterator[tuple[str, str]]:
    def at(found: re.Match[str], new: str) -> tuple[str, str]:
        changed = expr[: found.start()] + new + expr[found.end() :]
        return f"{found[0]!r} at {found.start()} becomes {new!r}", changed

    for found in _WINDOW.finditer(expr):
        number, unit = int(found[0][:-1]), found[0][-1]
        yield at(found, f"{number * 2}{unit}")
        if not found[0].startswith("1") or number > 1:
            yield at(found, f"{max(1, number // 2)}{unit}")
    for found in _OPERATOR.finditer(expr):
        for new in _OPERATORS[found[0]]:
            yield at(found, new)
    for found in _FUNCTION.finditer(expr):
        yield at(found, _FUNCTIONS[found[0]])
    for found in _WORD.finditer(expr):
        yield at(found, "")
    quoted = [found.span() for found in re.finditer(_STRING, expr)]
    if expr.startswith("vector(1)"):
        return  # the watchdog has to fire, whatever its value
    for found in _NUMBER.finditer(expr):
        if any(start <= found.start() < end for start, end in quoted):
            continue
        value = float(found[0])
        for new in (value * 1.1, value * 0.9) if value else (1.0, -1.0):
            yield at(found, f"{new:.9f}")
    for found in _MATCHER.finditer(expr):
        label, operator, value = found.groups()
        yield at(found, f"{label}{_NEGATED[operator]}{value}")
        parts = value.strip('"').split("|")
        for part in parts:
            others = [other for other in parts if other != part] or [f"{part}x"]
            yield at(found, f'{label}{operator}"{"|".join(others)}"')
