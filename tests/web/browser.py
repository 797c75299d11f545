"""A real browser looking at the page: Debian's Chromium, driven by playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, NARROW = (1440, 900), (360, 780)
# Build artefacts, ignored by git: a pipeline may keep them.
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS") or Path(__file__).parents[2] / "screenshots")
MOST_TABS = 90
QUIET_LOOKS = 6


@dataclass
class Looked:
    """What the browser did and said while a page was open."""

    page: Any
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    waiting: int = 0
    finished: list[Any] = field(default_factory=list)

    def text(self, selector: str) -> str:
        """Return the text of the one element there, as it is written in the page."""
        return " ".join(self.page.locator(selector).inner_text().split())

    def settled(self) -> None:
        """Wait until the page is ready and asks for nothing more."""
        self.page.wait_for_selector("html[data-ready]")
        quiet = 0
        while quiet < QUIET_LOOKS:
            self.page.wait_for_timeout(10)
            quiet = quiet + 1 if self.waiting == 0 else 0

    def tab_to(self, selector: str, key: str = "Tab") -> None:
        """Press Tab until the element there has the focus, and see that this can be seen."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press(key)
            if self.page.evaluate("(s) => document.activeElement.matches(s)", selector):
                seen = self.page.evaluate(_FOCUS_IS_SEEN)
                assert seen, f"the focus on {selector} cannot be seen"
                return
        raise AssertionError(f"the keyboard does not lead to {selector}")

    def type(self, text: str) -> None:
        """Type where the focus is, in the place of what stands there."""
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)


_FOCUS_IS_SEEN = """() => {
  const element = document.activeElement;
  const host = element.type === "file" ? element.nextElementSibling : element;
  const style = getComputedStyle(host);
  const box = host.getBoundingClientRect();
  return box.width > 0 && (style.outlineStyle !== "none" || parseFloat(style.borderBottomWidth) >= 2);
}"""


@contextmanager
def looking(
    chromium: Any,
    size: tuple[int, int] = WIDE,
    language: str = "en",
    scheme: str = "light",
    *,
    expected: tuple[str, ...] = (),
) -> Iterator[Looked]:
    """Open a page of its own; at the end nothing may have been asked of another host, nor complained of.

    *expected* are parts of complaints that belong to what is tried, as a refusal is.
    """
    context = chromium.new_context(
        viewport={"width": size[0], "height": size[1]}, locale=language, color_scheme=scheme, accept_downloads=True
    )
    page = context.new_page()
    looked = Looked(page)

    def heard(said: Any) -> None:
        if said.type in ("error", "warning"):
            looked.complaints.append(f"{said.text} {said.location.get('url', '')}")

    def begun(request: Any) -> None:
        looked.waiting += 1
        looked.hosts.add(urlsplit(request.url).hostname or urlsplit(request.url).scheme)

    def ended(request: Any) -> None:
        looked.waiting -= 1

    page.on("console", heard)
    page.on("request", begun)
    page.on("requestfinished", ended)
    page.on("requestfinished", lambda request: looked.finished.append(request))  # noqa: PLW0108 - needs a function
    page.on("requestfailed", ended)
    page.on("pageerror", lambda error: looked.complaints.append(str(error)))
    try:
        yield looked
        assert [c for c in looked.complaints if not any(part in c for part in expected)] == []
        assert looked.hosts <= {"127.0.0.1", "blob"}
    finally:
        context.close()
