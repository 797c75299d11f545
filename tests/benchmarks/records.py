"""Made-up records of the benchmark."""

from __future__ import annotations

from typing import Any


def record(speeds: dict[str, float], **more: Any) -> dict[str, Any]:
    """Return a record in which each contender of *speeds* had three rounds around its requests per second."""
    return {
        "machine": {
            "processor": "a processor",
            "cores": 2,
            "memory_gb": 8.0,
            "system": "a system",
            "kernel": "1.0",
            "date": "2026-11-23T00:00:00+00:00",
            "load_before": 0.5,
            "commit": "abc",
            "command": "python -m benchmarks.run",
            "versions": {"python": "3.11"},
        },
        "model": "SCEL 1",
        "settings": {
            "seconds": 8,
            "rounds": 3,
            "warm_up_s": 2,
            "threads": 2,
            "connections": 64,
            "workers": 2,
            "bodies": 2000,
            "challenge_bodies": 552,
            "ours_on": "bearer token checked",
        },
        "scoring": {"resolve_us": 5.0, "predict_us": 12.0, "predict_many_10000_s": 0.03},
        "contenders": {name: contender(speed) for name, speed in speeds.items()},
        "left_out": {},
        **more,
    }


def contender(speed: float) -> dict[str, Any]:
    """Return what was found of a contender of this *speed* (requests per second)."""
    turn = {"requests_per_s": speed, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_s_per_1000": 0.1, "errors": 0}
    return {
        "warm_up": {"wrong": 0},
        "rounds": [turn | {"requests_per_s": speed * factor} for factor in (0.9, 1.0, 1.2)],
        "memory": [{"rss_mb": 60.0, "pss_mb": 30.0}],
        "memory_all_mb": 95.0,
        "start_s": 0.75,
        "installed_mb": 132.1,
        "versions": {"numpy": "2.4.6"},
    }


def old_record() -> dict[str, Any]:
    """Return a record from before Atraso was measured with everything on."""
    made = record({"nginx": 100.0, "atraso": 20.0, "fastapi": 10.0})
    del made["left_out"], made["settings"]["ours_on"], made["settings"]["challenge_bodies"]
    for found in made["contenders"].values():
        for name in ("memory_all_mb", "start_s", "installed_mb", "versions"):
            del found[name]
    made["machine"]["rival_versions"] = {"fastapi": "0.165.0"}
    return made
