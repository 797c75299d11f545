"""What people wait for: the first paint of each view, and a board of a thousand flights; and all looks at full size."""

from __future__ import annotations

import itertools
import statistics
from typing import Any

import pytest

from atraso.serving.rendering import PAGE_VIEWS
from tests.drill.figures import show
from tests.serving.processes import Service
from tests.web.browser import NARROW, WIDE, looking
from tests.web.conftest import chromium, running
from tests.web.test_board import HEAD, file_of, has_rows, opened
from tests.web.test_views import TRANSFERRED_MOST, look_at_all

__all__ = ["chromium", "running"]
FIRST_PAINT_MS = 300
LONGEST_TASK_MS = 200
TIMES = 7
LOOKS = list(itertools.product((WIDE, NARROW), ("en", "es"), ("light", "dark")))
PAINT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  const found = list.getEntries().find((entry) => entry.name === "first-contentful-paint");
  if (found) resolve(found.startTime);
}).observe({ type: "paint", buffered: true }))"""


@pytest.mark.parametrize("path", [path for _, path in PAGE_VIEWS])
def test_the_first_paint(chromium: Any, running: Service, path: str) -> None:
    """Under 300 ms at the median of seven fresh browsers' visits, and at most 120 KB sent."""
    paints, sent = [], []
    for _ in range(TIMES):
        with looking(chromium, expected=("/v1/quality",)) as looked:
            looked.page.goto(f"http://127.0.0.1:{running.port}{path}")
            paints.append(looked.page.evaluate(PAINT))
            looked.settled()
            sizes = [request.sizes() for request in looked.finished]
            sent.append(sum(s["responseBodySize"] + s["responseHeadersSize"] for s in sizes))
    show(f"first contentful paint of {path}", statistics.median(paints), "ms", at_most=FIRST_PAINT_MS)
    show(f"sent for the first view of {path}", max(sent) / 1000, "KB", at_most=TRANSFERRED_MOST / 1000)


def test_a_thousand_flights_without_a_stutter(chromium: Any, running: Service) -> None:
    """Sorting, filtering and scrolling a thousand rows never holds the page for long."""
    rows = [f"LAN,{n % 900 + 1},SPJC,2026-12-{n % 9 + 1:02d}T{n % 24:02d}:{n % 60:02d}" for n in range(1000)]
    assert HEAD
    with looking(chromium) as looked:
        page = looked.page
        opened(looked, running)
        page.set_input_files("#board-file", file_of(*rows))
        has_rows(looked, 1000)
        page.evaluate(
            """() => {
              window.tasks = [0];
              new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((e) => e.duration)))
                .observe({ type: "longtask" });
            }"""
        )
        for column in ("risk", "flight", "by", "time"):
            page.click(f"#board button[data-sort={column}]")
            page.wait_for_timeout(150)
        page.select_option("#board-from", "12")
        page.wait_for_timeout(150)
        page.select_option("#board-from", "0")
        for _ in range(10):
            page.mouse.wheel(0, 3000)
            page.wait_for_timeout(50)
        show("longest task on a board of 1,000", max(page.evaluate("window.tasks")), "ms", at_most=LONGEST_TASK_MS)
        # It would have been seen.
        page.evaluate("() => { const end = performance.now() + 300; while (performance.now() < end); }")
        page.wait_for_function("() => Math.max(...window.tasks) >= 300")


@pytest.mark.parametrize("how", LOOKS, ids=lambda how: f"{how[0][0]}-{how[1]}-{how[2]}")
def test_all_looks(chromium: Any, running: Service, how: Any) -> None:
    """Both sizes, both languages, light and dark, each with axe."""
    size, language, scheme = how
    look_at_all(chromium, running.port, f"{size[0]}-{scheme}-{language}", how, with_axe=True)
