"""`/predict` as the challenge's first page sent it: 36 numbers, 0 or 1 each; answered with a page for people.

`var1` to `var23` stand for the airlines (OPERA in alphabetical order), `var24` is 1 for an international flight and 0
for a national one, `var25` to `var36` stand for the months. The model behind had a 37th column, national, which is 1
less `var24`. What is not sent, or sent empty, is 0, as in a form whose boxes are empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.types import Scope

from atraso.artefact.scorer import Scorer
from atraso.serving.front import Page
from atraso.serving.problems import ChallengeRefusedError
from atraso.serving.rendering import Pages, language_asked
from atraso.serving.wire import Place
from atraso.serving.words import words_of

AIRLINES, MONTHS = 23, 12
INTERNATIONAL = AIRLINES + 1
FIELDS = AIRLINES + 1 + MONTHS
MOST_FIELDS_SENT = 100
NAMES = tuple(f"var{i}" for i in range(1, FIELDS + 1))


class OldForm:
    """Answers the 36 numbers with one scorer, on one of its *pages*."""

    def __init__(self, scorer: Scorer, pages: Pages) -> None:
        self._scorer = scorer
        self._pages = pages
        self._airlines = scorer.manifest.challenge_airlines

    async def get(self, scope: Scope, body: bytes) -> Page:
        """Answer `GET /predict` from its query; raises ChallengeRefusedError."""
        return await self._page(scope, scope["query_string"])

    async def post(self, scope: Scope, body: bytes) -> Page:
        """Answer `POST /predict` of a form; raises ChallengeRefusedError."""
        return await self._page(scope, body)

    async def _page(self, scope: Scope, encoded: bytes) -> Page:
        airline, international, month = self._facts(_values(encoded))
        answer = self._scorer.challenge(airline, "I" if international else "N", month)
        words = words_of(language_asked(Request({**scope, "query_string": b""})))
        told: dict[str, Any] = {
            "airline": airline,
            "kind": words("kind.international" if international else "kind.national"),
            "month": words(f"month.{month}"),
            "predicted": answer.predict,
            "probability": words.percent(answer.probability),
        }
        return Page((await self._pages.render("class.html", words.language, **told)).encode())

    def _facts(self, values: dict[str, int]) -> tuple[str, int, int]:
        """Return airline, international (0 or 1) and month (1 to 12)."""
        if len(self._airlines) != AIRLINES:
            raise _refusal("", f"this model has no table of the challenge's {AIRLINES} airlines: use /v1/predictions")
        airline = _the_one(values, NAMES[:AIRLINES], "airline")
        month = _the_one(values, NAMES[INTERNATIONAL:], "month")
        return self._airlines[airline], values.get(NAMES[INTERNATIONAL - 1], 0), month + 1


def _values(encoded: bytes) -> dict[str, int]:
    try:
        sent = parse_qsl(
            encoded.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS_SENT
        )
    except UnicodeDecodeError:
        raise _refusal("", "the fields are not percent-encoded UTF-8") from None
    except ValueError:
        raise _refusal("", f"there are more than {MOST_FIELDS_SENT} fields") from None
    values: dict[str, int] = {}
    for name, value in sent:
        if name not in NAMES:
            raise _refusal(name, f"is not one of var1 to var{FIELDS}")
        if name in values:
            raise _refusal(name, "is given twice")
        if value not in ("0", "1", ""):
            raise _refusal(name, f"must be 0 or 1, not {value[:40]!r}")
        values[name] = int(value or 0)
    return values


def _the_one(values: dict[str, int], names: Sequence[str], what: str) -> int:
    """Return the place of the one name of *names* whose value is 1."""
    chosen = [place for place, name in enumerate(names) if values.get(name)]
    if not chosen:
        raise _refusal(names[0], f"one of {names[0]} to {names[-1]} must be 1: there is no {what}")
    if len(chosen) > 1:
        first, second = names[chosen[0]], names[chosen[1]]
        raise _refusal(second, f"{first} and {second} are both 1: there can be one {what} only")
    return chosen[0]


def _refusal(name: str, detail: str) -> ChallengeRefusedError:
    pointer = "/" + name[:60].replace("~", "~0").replace("/", "~1") if name else ""
    return ChallengeRefusedError([Place(pointer, detail)])
