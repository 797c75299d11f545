"""The family of errors a user can cause. They carry data; the door (HTTP or command line) renders them."""

from __future__ import annotations


class AtrasoError(Exception):
    """Anything a user can act upon; `str(error)` is a sentence that says what is wrong and what to do."""


class FieldError(AtrasoError):
    """One field of a flight or of a request holds something that cannot be used.

    *field* is the field's public name, *detail* the sentence. An `index` says which flight of a list.
    """

    def __init__(self, field: str, detail: str, index: int | None = None) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.detail = detail
        self.index = index

    def __reduce__(self) -> tuple[type[FieldError], tuple[object, ...]]:
        """Travel between processes whole."""
        return type(self), (self.field, self.detail, self.index)


class SourceError(AtrasoError):
    """A file of flights cannot be read as a whole (a missing column, an unknown format, no such file)."""


class ArtefactError(AtrasoError):
    """An artefact is refused: changed, incomplete, of another format or of other features."""


class MissingExtraError(AtrasoError):
    """A part is asked for whose optional packages are not installed; the sentence names the extra."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'atraso[{extra}]'")
        self.what = what
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        """Travel between processes whole."""
        return type(self), (self.what, self.extra)


class SettingsError(AtrasoError):
    """A setting has a value that cannot be used; the sentence names the setting and what it takes."""


class LedgerError(AtrasoError):
    """The ledger cannot be used as asked; the sentence says why and what to do, and holds no password."""


class LedgerUnavailableError(LedgerError):
    """The ledger or its writer cannot be used now: the same may be asked again."""
