"""The templates of all pages, loaded when the first page is asked for: a worker that nobody looks at stays small."""

from __future__ import annotations

import asyncio
import re
from functools import cached_property
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from atraso.artefact.manifest import Manifest
from atraso.serving.static_files import StaticFiles
from atraso.serving.words import COOKIE, WEB, Words, language_of, words_of

if TYPE_CHECKING:
    import jinja2
    from markupsafe import Markup

# The views of the page, by name and path; the last is not in its bar.
PAGE_VIEWS = (("flight", "/"), ("board", "/board"), ("airport", "/airport"), ("model", "/model"), ("form", "/form"))
# What a first page needs.
PARTS = ("layout.html", *(f"{name}.html" for name, _ in PAGE_VIEWS), "login.html", "page.html")


class Pages:
    """Renders pages about the model of *manifest*, which load *files*."""

    def __init__(self, manifest: Manifest, files: StaticFiles) -> None:
        self._manifest, self.files = manifest, files
        self._loaded = False

    async def render(self, name: str, language: str, **values: Any) -> str:
        """Return the page of template *name* in a *language*; the first one takes a moment, in small steps."""
        if not self._loaded:
            # Not in a thread: its memory would be 4 MB more for good. Others are answered between the steps.
            for template in PARTS:
                self._templates.get_template(template)
                await asyncio.sleep(0)
            self._loaded = True
        return self._render(name, words_of(language), values)

    def _render(self, name: str, words: Words, values: dict[str, Any]) -> str:
        manifest = self._manifest
        shared = {
            "t": words,
            "lang": words.language,
            "number": words.number,
            "usual": words.percent(manifest.base_rate),
            "threshold": words.percent(manifest.decision_threshold),
            "views": PAGE_VIEWS,
        }
        return self._templates.get_template(name).render(shared | values)

    @cached_property
    def _templates(self) -> jinja2.Environment:
        import jinja2  # noqa: PLC0415 - 3 MB that a worker without a visitor does without

        loader = jinja2.FileSystemLoader(WEB / "templates")
        templates = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
        templates.trim_blocks = templates.lstrip_blocks = True
        templates.filters["coded"] = coded
        templates.globals |= {
            "model": self._manifest,
            "files_version": self.files.version,
            "view": "",
            "other_lang": "",
        }
        return templates


def language_asked(request: Request) -> str:
    """Return the language that a request is to be answered in."""
    accepted = request.headers.get("accept-language", "")
    return language_of(request.query_params.get(COOKIE), request.cookies.get(COOKIE), accepted)


def coded(text: str) -> Markup:
    """Return *text* escaped, with what stands between backticks as code."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - with the templates

    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped on this line
