"""Every setting of the service: read once, from ATRASO_* variables and a TOML file, into one frozen value."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from atraso.core.errors import SettingsError
from atraso.serving.gate import ServerLimits

PREFIX = "ATRASO_"
CONFIG_VARIABLE = "ATRASO_CONFIG"
_LIMITS = ServerLimits()

Seconds = Annotated[float, Meta(ge=0.1, le=3600.0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the service runs; times in seconds, sizes in bytes."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 5000
    workers: Annotated[int, Meta(ge=1, le=256, description="Worker processes; one per core is plenty.")] = 2
    insecure: Annotated[
        bool, Meta(description="Allow a host that other machines can reach, although nobody has to log in.")
    ] = False
    model: Annotated[
        Path | None,
        Meta(description="Folder of the artefact to serve; none is the data folder's active one, else the bundled."),
    ] = None
    model_verify_key: Annotated[
        Path | None,
        Meta(description="Public key (Ed25519, PEM) that must have signed the artefact; none asks for no signature."),
    ] = None
    data: Annotated[Path, Meta(description="Folder of keys, spools and models at hand.")] = Path(".atraso")
    auth: Annotated[
        Literal["none", "keys"],
        Meta(
            description="How systems show who they are; `keys` takes API keys (`atraso keys create`) as bearer tokens."
        ),
    ] = "none"
    ledger: Annotated[
        Literal["off", "spool"],
        Meta(
            description="Whether each answer of /v1/predictions is appended to a file in the data folder before it is "
            "given; files are begun anew at 64 MiB, and nothing removes them yet."
        ),
    ] = "off"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least severe messages that are logged.")
    ] = "warning"
    head_timeout_s: Annotated[
        Seconds, Meta(description="Time for a request's head, and for a new connection to send its first byte.")
    ] = _LIMITS.head_timeout_s
    body_timeout_s: Annotated[
        Seconds, Meta(description="Time for a request's body; each 256 KiB that arrived add a second.")
    ] = _LIMITS.body_timeout_s
    keep_alive_timeout_s: Annotated[Seconds, Meta(description="Rest allowed to a connection between requests.")] = (
        _LIMITS.keep_alive_timeout_s
    )
    write_timeout_s: Annotated[
        Seconds, Meta(description="Time in which a client must read at least 4 KiB of its answer.")
    ] = _LIMITS.write_timeout_s
    shutdown_timeout_s: Annotated[
        float,
        Meta(ge=0.5, le=3600.0, description="Time for work in flight when the service stops; stuck clients get half."),
    ] = _LIMITS.shutdown_timeout_s
    max_head_bytes: Annotated[int, Meta(ge=1024, le=1 << 20, description="Largest request head.")] = (
        _LIMITS.max_head_bytes
    )
    max_body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30, description="Largest request body.")] = (
        _LIMITS.max_body_bytes
    )
    max_buffered_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 40, description="Memory that all request bodies of a worker may hold together.")
    ] = _LIMITS.max_buffered_bytes
    max_connections: Annotated[int, Meta(ge=1, le=1 << 20, description="Connections per worker.")] = (
        _LIMITS.max_connections
    )
    max_concurrency: Annotated[
        int, Meta(ge=1, le=1 << 20, description="Complete requests at work per worker; more are told to come back.")
    ] = _LIMITS.max_concurrency


def load_settings(
    environ: Mapping[str, str], file: Path | None = None, flags: Mapping[str, object] | None = None
) -> Settings:
    """Return the settings: *flags* before ATRASO_* of *environ* before the TOML *file* before the defaults.

    The file is ATRASO_CONFIG's where none is given. An empty variable counts as not set; an unknown one is left to
    `unknown_variables`. Raises SettingsError for an unknown name in the file and for a value that cannot be used,
    saying where it stands and what would do.
    """
    if file is None and environ.get(CONFIG_VARIABLE):
        file = Path(environ[CONFIG_VARIABLE])
    found: dict[str, tuple[object, str]] = {}
    if file is not None:
        found.update((name, (value, f"{name} in {file}")) for name, value in _read(file).items())
    for variable, value in environ.items():
        if variable.startswith(PREFIX) and variable != CONFIG_VARIABLE:
            name = variable.removeprefix(PREFIX).lower()
            if value and name in Settings.__struct_fields__:
                found[name] = (value, variable)
    for name, flag in (flags or {}).items():
        found[name] = (flag, f"--{name.replace('_', '-')}")
    types = get_type_hints(Settings, include_extras=True)
    settings = Settings(**{name: _convert(value, types[name], where) for name, (value, where) in found.items()})
    if settings.max_buffered_bytes < settings.max_body_bytes:
        raise SettingsError(
            f"max_buffered_bytes is {settings.max_buffered_bytes}, but must have room for at least one body of "
            f"max_body_bytes, {settings.max_body_bytes}."
        )
    return settings


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each ATRASO_* variable of *environ* that is no setting, naming the nearest that is.

    Not an error: an environment is shared, and some platforms put variables of a service's name into it.
    """
    known = [CONFIG_VARIABLE, *(PREFIX + field.upper() for field in Settings.__struct_fields__)]
    return [
        _unknown(f"the variable {variable}", variable, known)
        for variable in environ
        if variable.startswith(PREFIX) and variable not in known
    ]


def takes(type_: Any) -> str:
    """Return in words what a setting of *type_* takes."""
    info = msgspec.inspect.type_info(type_)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    match info:
        case msgspec.inspect.IntType():
            return f"a whole number from {info.ge} to {info.le}"
        case msgspec.inspect.FloatType():
            return f"a number from {info.ge:g} to {info.le:g}"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(map(str, info.values))
        case msgspec.inspect.StrType():
            return "text"
        case _:
            return "a path"


def _read(file: Path) -> dict[str, object]:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}.") from None
    for name in content:
        if name not in Settings.__struct_fields__:
            raise SettingsError(_unknown(f"{name!r} in {file}", name, Settings.__struct_fields__))
    return content


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, list(known), 1, cutoff=0.0)[0]
    return f"There is no setting for {what}; the nearest name is {nearest} (docs/settings.md lists all)."


def _convert(value: object, type_: Any, where: str) -> Any:
    try:
        return msgspec.convert(value, type_, strict=False, dec_hook=_decode)
    except msgspec.ValidationError:
        raise SettingsError(f"{where} is {value!r}, but takes {takes(type_)}.") from None


def _decode(type_: type, value: object) -> object:
    if type_ is Path and isinstance(value, str | Path) and str(value):
        return Path(value)
    raise ValueError
