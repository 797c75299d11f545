"""The page's words in each language, from one table of strings; and what the API says, in the page's language.

`web/words.json` has four parts: `page` (what templates show), `script` (what scripts say, and templates too), `api`
(sentences of the API as English templates) and `places` (what people call an airport whose town has another name).
Each entry is a pair: English, Spanish. `web/static/words.js` reads the same table and follows the same rules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from math import floor
from pathlib import Path
from typing import Any

WEB = Path(__file__).parents[1] / "web"
LANGUAGES = ("en", "es")
COOKIE = "lang"
MAX_HEADER = 1000
_BLANK = re.compile(r"\{(\w+)\}")
_FRACTION = re.compile(r"\d+\.\d+", re.ASCII)


class Words:
    """The words of one language; call it with the key of a string and the values that stand in it."""

    def __init__(self, language: str, table: Mapping[str, Any]) -> None:
        self.language = language
        at = LANGUAGES.index(language)
        self.page: dict[str, str] = {key: pair[at] for key, pair in table["page"].items()}
        self.script: dict[str, str] = {key: pair[at] for key, pair in table["script"].items()}
        self.api: list[tuple[str, str]] = [(pair[0], pair[at]) for pair in table["api"]]
        self.places: dict[str, str] = {code: pair[at] for code, pair in table["places"].items()}
        self._patterns = [(_pattern(english), told) for english, told in self.api] if at else []

    def __call__(self, key: str, **values: object) -> str:
        """Return the string of *key* with its blanks filled; a key that nobody wrote is a KeyError."""
        text = self.page[key] if key in self.page else self.script[key]
        return _BLANK.sub(lambda blank: str(values[blank[1]]), text)

    def from_api(self, text: str) -> str:
        """Return a sentence of the API in this language, its numbers too; one that the table has not stays as it is."""
        for pattern, told in self._patterns:
            found = pattern.fullmatch(text)
            if found:
                parts = [self.from_api(part) for part in found.groups()]
                return _BLANK.sub(lambda blank, parts=parts: str(parts[int(blank[1])]), told)  # type: ignore[misc]
        return self.decimal(text) if _FRACTION.fullmatch(text) else text

    def percent(self, probability: float) -> str:
        """Return a whole percent, but never 0 % or 100 % for what is not certain."""
        sign = "\u202f%" if self.language == "es" else "%"
        if 0 < probability < 0.01:
            return f"<1{sign}"
        if 0.99 < probability < 1:
            return f">99{sign}"
        return f"{half_up(100 * probability)}{sign}"

    def number(self, count: int) -> str:
        """Return a whole number with its thousands apart."""
        return f"{count:,}".replace(",", "." if self.language == "es" else ",")

    def decimal(self, text: str) -> str:
        """Return a decimal number, written with a point, as this language writes it."""
        return text.replace(".", ",") if self.language == "es" else text

    def for_scripts(self) -> str:
        """Return, as JSON, what the page's scripts need of the table; English needs no templates of the API."""
        api = self.api if self.language != LANGUAGES[0] else []
        return json.dumps({"script": self.script, "api": api}, ensure_ascii=False, separators=(",", ":"))


def half_up(number: float) -> int:
    """Return the nearest whole number, halves upwards: as the page's script rounds."""
    return floor(number + 0.5)


@cache
def words_of(language: str) -> Words:
    """Return the words of a language, read once."""
    return Words(language, json.loads((WEB / "words.json").read_text(encoding="utf-8")))


def language_of(asked: str | None, cookie: str | None, accepted: str) -> str:
    """Return the language to answer in: the one *asked* for, or chosen before, or the first that a browser names."""
    for chosen in (asked, cookie):
        if chosen in LANGUAGES:
            return str(chosen)
    ranges = []
    for place, part in enumerate(accepted[:MAX_HEADER].split(",")):
        name, *parameters = part.strip().lower().split(";")
        try:
            quality = next((float(p.strip()[2:]) for p in parameters if p.strip().startswith("q=")), 1.0)
        except ValueError:
            quality = 0.0
        ranges.append((-quality, place, name[:2]))
    return next((name for quality, _, name in sorted(ranges) if quality and name in LANGUAGES), LANGUAGES[0])


def _pattern(english: str) -> re.Pattern[str]:
    parts = _BLANK.split(english)
    return re.compile("".join("(.*?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.DOTALL)
