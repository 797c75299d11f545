"""Where a request is wrong: every place, as a JSON Pointer with a sentence.

The usual request is decoded in one go and never comes here. One that does not fit is read again piece by piece, so
that all its wrong places are told and not only the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar, get_origin

import msgspec

from atraso.core.errors import AtrasoError, FieldError
from atraso.serving.problems import NotJsonError
from atraso.serving.wire import Place

Shape = TypeVar("Shape", bound=msgspec.Struct)

MAX_PLACES = 100
MAX_DEPTH = 8
_LONGEST_NAME = 80

# Possessive, so that a string cut off or full of escapes costs no more than one pass over it.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")

# What 10,000 flights with all their fields may have of each mark, twice over.
_MOST_MARKS = {b"{": 20_000, b"[": 20_000, b",": 200_000, b'"': 600_000}
_DEEP = re.compile(rb"(?:[\[{][^\[\]{}]*+){%d}" % (MAX_DEPTH + 1))
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")

_any_json = msgspec.json.Decoder(msgspec.Raw)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a fraction",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class Places:
    """The wrong places found so far, at most `MAX_PLACES`."""

    def __init__(self) -> None:
        self.found: list[Place] = []

    @property
    def full(self) -> bool:
        """Whether no further place will be told."""
        return len(self.found) >= MAX_PLACES

    def told(self) -> list[Place]:
        """Return the wrong places of a request that was refused."""
        # Of a name given twice the decoder sees both values, and reading piece by piece only the last.
        return self.found or [Place("", "one object holds the same name twice, once with a value that does not fit")]

    def add(self, pointer: str, detail: str) -> None:
        """Tell one more place."""
        if not self.full:
            self.found.append(Place(pointer, detail))


class CrowdedError(AtrasoError):
    """A request that does not fit and has more parts than any that does: only its first wrong place is told."""

    def __init__(self, first: Place) -> None:
        super().__init__(f"{first.pointer}: {first.detail}")
        self.first = first


def decoded(body: bytes, decoder: msgspec.json.Decoder[Shape]) -> Shape | None:
    """Return *body* as the decoder's struct, or None where it is JSON that does not fit.

    Raises NotJsonError where it is not JSON, or nested deeper than `MAX_DEPTH` levels, and CrowdedError where a closer
    look would cost more than an honest request may.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # the decoder stops at the first thing that does not fit: what follows may not even be JSON
        first = error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(error, body) from None
    if any(body.count(mark) > most for mark, most in _MOST_MARKS.items()):
        if _DEEP.search(body):
            raise NotJsonError(f"the body is nested deeper than {MAX_DEPTH} levels")
        raise CrowdedError(_place_of(first))
    unclosed = unclosed_after(MAX_DEPTH, body)
    if len(unclosed) > 2 * MAX_DEPTH:  # too deep to be given to any parser
        raise NotJsonError(f"the body is nested deeper than {MAX_DEPTH} levels, or its brackets do not match")
    try:
        body.decode()
        _any_json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _not_json(error, body) from None
    if unclosed:
        raise NotJsonError(f"the body is nested deeper than {MAX_DEPTH} levels")
    return None


def unclosed_after(levels: int, body: bytes) -> bytes:
    """Return the brackets of *body* that are left once its innermost *levels* levels are taken away.

    Brackets in strings do not count. Nothing is left of a well-formed body of at most so many levels.
    """
    if body.count(b"[") + body.count(b"{") <= levels:
        return b""  # without a closer look: there are not enough of them, wherever they stand
    brackets = _STRING.sub(b"", body).translate(_AS_SQUARE, _NO_BRACKETS)
    for _ in range(levels):
        brackets = brackets.replace(b"[]", b"")
    return brackets


def read_fields(raw: bytes | msgspec.Raw, shape: type[msgspec.Struct], pointer: str, places: Places) -> dict[str, Any]:
    """Return the usable fields of the JSON object *raw* by their public names, and tell the others as places.

    Fields left out have their defaults; a list of objects comes as a list of undecoded ones.
    """
    try:
        parts = _object.decode(raw)
    except msgspec.ValidationError as error:
        places.add(pointer, in_words(error))
        return {}
    fields = _fields(shape)
    for name in parts:
        if places.full:
            break
        if name not in fields:
            places.add(pointer_to(pointer, name), f"is not a field here; the fields are {', '.join(fields)}")
    usable: dict[str, Any] = {}
    for name, (decoder, default) in fields.items():
        part = parts.get(name)
        if part is not None:
            try:
                usable[name] = decoder.decode(part)
            except msgspec.ValidationError as error:
                places.add(pointer_to(pointer, name), in_words(error))
        elif default is msgspec.NODEFAULT:
            places.add(pointer_to(pointer, name), "is missing")
        else:
            usable[name] = default
    return usable


def check_values(
    ask: Callable[..., object], usable: Mapping[str, Any], good: Mapping[str, Any], pointer: str, places: Places
) -> None:
    """Tell every field among *usable* that *ask* refuses with a FieldError.

    It stops at the first one it meets; the *good* value put in its stead lets it see the next. Fields that are not
    usable were told before.
    """
    asked = {name: usable.get(name, value) for name, value in good.items()}
    replaced = good.keys() - usable.keys()
    while True:
        try:
            ask(**asked)
            return
        except FieldError as error:
            if error.field in replaced or error.field not in good:
                return
            places.add(pointer_to(pointer, error.field), error.detail)
            replaced.add(error.field)
            asked[error.field] = good[error.field]


def pointer_to(parent: str, name: str) -> str:
    """Return the JSON Pointer of member *name* of *parent*; a very long name is cut."""
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}…"
    return f"{parent}/{name.replace('~', '~0').replace('/', '~1')}"


def in_words(error: msgspec.ValidationError) -> str:
    """Return what a decoder found wrong with one value, without the names of programming types."""
    told = str(error).split(" - at ")[0]
    told = re.sub(r"`(\w+)( \| null)?`", lambda m: _WORDS.get(m[1], m[1]) + (" or null" if m[2] else ""), told)
    told = re.sub(r"of length >= 1$", "that is not empty", told)
    told = re.sub(r"of length <= (\d+)$", r"of at most \1 characters", told)
    return told[:1].lower() + told[1:]


def _place_of(error: msgspec.ValidationError) -> Place:
    told = str(error).rsplit(" - at `$", 1)
    steps = _STEP.findall(told[1]) if len(told) > 1 else []
    return Place("".join(pointer_to("", name or index) for name, index in steps), in_words(error))


@cache
def _fields(shape: type[msgspec.Struct]) -> Mapping[str, tuple[msgspec.json.Decoder[Any], Any]]:
    return {
        field.encode_name: (
            msgspec.json.Decoder(list[msgspec.Raw] if get_origin(field.type) is tuple else field.type),
            field.default,
        )
        for field in msgspec.structs.fields(shape)
    }


def _not_json(error: Exception, body: bytes) -> NotJsonError:
    if not body.strip():
        return NotJsonError("the body is empty; send a JSON object")
    if isinstance(error, UnicodeDecodeError):
        return NotJsonError("the body is not UTF-8")
    if isinstance(error, RecursionError):
        return NotJsonError(f"the body is nested deeper than {MAX_DEPTH} levels")
    return NotJsonError(f"the body is not JSON: {str(error).removeprefix('JSON is malformed: ')}")
