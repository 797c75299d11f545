"""Every setting of the service: read once, from ATRASO_* variables and a TOML file, into one frozen value."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

from atraso.core.errors import SettingsError
from atraso.core.secret import Secret
from atraso.serving.gate import ServerLimits
from atraso.serving.processors import Affinity

PREFIX = "ATRASO_"
CONFIG_VARIABLE = "ATRASO_CONFIG"
# Of the commands that ask a service, and of the notebook; a service that is started beside them may find them set.
OTHER_VARIABLES = ("ATRASO_KEY", "ATRASO_SCL_DATA", "ATRASO_MODEL_OUT")
WAYS = ("keys", "jwt", "ldap", "basic", "mtls", "oidc")
_LIMITS = ServerLimits()

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(ge=0.1, le=3600.0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How the service runs; times in seconds, sizes in bytes."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 5000
    workers: Annotated[int, Meta(ge=1, le=256, description="Worker processes; one per core is plenty.")] = 2
    cpu_affinity: Annotated[
        Affinity,
        Meta(
            description="Whether each worker keeps to a processor of its own: `auto` where there are as many workers "
            "as processors that may be used, `off` never."
        ),
    ] = "auto"
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
    challenger: Annotated[
        str,
        Meta(
            description="Artefact that answers every flight of /v1/predictions as well, off the answers' path and "
            "for the ledger alone: a folder, or a version in the data folder. Needs `ledger = spool`; "
            "`atraso model compare` says whether to change to it."
        ),
    ] = ""
    data: Annotated[Path, Meta(description="Folder of keys, spools and models at hand.")] = Path(".atraso")
    auth: Annotated[
        str,
        Meta(
            description="How systems show who they are: `none`, or any of `keys` (API keys), `jwt` (tokens of this "
            "service), `ldap` (tokens for directory log-ins), `basic` (name and password with each request, "
            "asked of the directory), `mtls` (client certificates), `oidc` (another issuer's tokens), joined by commas."
        ),
    ] = "none"
    ledger: Annotated[
        Literal["off", "spool"],
        Meta(
            description="Whether each answer of /v1/predictions is appended to a file in the data folder before it is "
            "given, from where the ledger's writer moves it into the database."
        ),
    ] = "off"
    ledger_fsync: Annotated[
        Literal["off", "batch", "each"],
        Meta(
            description="When what is spooled is forced to the disk. Always it outlives any kill of processes. `off`: "
            "never, so a power cut may take the latest; `batch`: within 100 ms and without making answers wait, so a "
            "power cut takes what those 100 ms (and a disk that stalls) held; `each`: before the answers that it is "
            "of leave, so a power cut takes nothing that was answered."
        ),
    ] = "off"
    ledger_when_full: Annotated[
        Literal["shed", "refuse"],
        Meta(
            description="What becomes of an answer that cannot be kept, on a full disk or a folder that cannot be "
            "written: `shed` gives it and counts its rows as shed, `refuse` gives 503 with Retry-After instead."
        ),
    ] = "shed"
    ledger_url: Annotated[
        Secret | None,
        Meta(
            description="Database of keys, revocations and ledger, such as postgresql://user:password@host/name; "
            "none is an SQLite file in the data folder."
        ),
    ] = None
    ledger_keep_days: Annotated[
        int, Meta(ge=0, le=36_500, description="Days that predictions are kept in the ledger at least; 0 keeps all.")
    ] = 90
    state_stale_minutes: Annotated[
        int,
        Meta(
            ge=1,
            le=10_080,
            description="Minutes after the last reported departure from which answers are those of the schedule again.",
        ),
    ] = 360
    quality_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3660,
            description="How many days of scheduled departures /v1/quality and the gauges of quality and drift cover.",
        ),
    ] = 28
    tls_certificate: Annotated[
        Path | None, Meta(description="Certificate chain (PEM) to serve HTTPS with; needs tls_key.")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="Private key (PEM) of tls_certificate.")] = None
    tls_client_ca: Annotated[
        Path | None, Meta(description="Authorities (PEM) whose client certificates are believed, for `mtls`.")
    ] = None
    mtls_subjects: Annotated[
        str,
        Meta(
            description="Whose certificates come in, and as what: `NAME=ROLES:SUBJECT` joined by semicolons, roles "
            "joined by plus signs, the subject a DN or a subject alternative name, such as "
            "`desk=predict:CN=desk,O=Airport; feed=predict+report:URI:spiffe://airport/feed`."
        ),
    ] = ""
    mtls_header: Annotated[
        str, Meta(description="Header in which a gateway names the subject of a certificate that it verified.")
    ] = ""
    mtls_gateways: Annotated[
        str, Meta(description="Addresses or networks of the gateways whose mtls_header is believed, joined by commas.")
    ] = ""
    metrics_port: Annotated[
        Port | None, Meta(description="Port on the same host for /metrics and /health alone; 0 takes a free one.")
    ] = None
    metrics_open: Annotated[
        bool, Meta(description="Whether /metrics answers on the main port although systems have to log in.")
    ] = False
    prometheus_url: Annotated[
        Secret | None,
        Meta(
            description="Prometheus server with the rules of deploy/monitoring, such as http://prometheus:9090 or "
            "https://name:password@host: asked how much of each error budget is left, for /v1/objectives and the page; "
            "none tells what this service has counted itself since it started."
        ),
    ] = None
    token_life_s: Annotated[int, Meta(ge=10, le=86400, description="Life of a token of /v1/token, in seconds.")] = 900
    token_issuer: Annotated[str, Meta(min_length=1, description="`iss` and `aud` of this service's tokens.")] = "atraso"  # noqa: S105 - a name
    signing_key: Annotated[
        Secret | None,
        Meta(description="Private key (Ed25519, PEM) that signs tokens; none takes those in the data folder."),
    ] = None
    ldap_url: Annotated[
        str,
        Meta(description="The directory's servers, ldap:// (StartTLS) or ldaps://, joined by spaces, tried in turn."),
    ] = ""
    ldap_ca: Annotated[Path | None, Meta(description="Authorities (PEM) that the directory's certificates need.")] = (
        None
    )
    ldap_plain: Annotated[
        bool, Meta(description="Allow a directory without TLS: passwords can be read on the way.")
    ] = False
    ldap_bind_dn: Annotated[str, Meta(description="Account that searches for people; none binds as them directly.")] = (
        ""
    )
    ldap_bind_password: Annotated[Secret | None, Meta(description="Password of ldap_bind_dn.")] = None
    ldap_base: Annotated[str, Meta(description="Where people are searched, such as ou=people,dc=example,dc=org.")] = ""
    ldap_filter: Annotated[str, Meta(description="How they are found; Active Directory: (sAMAccountName={user}).")] = (
        "(uid={user})"
    )
    ldap_user_dn: Annotated[
        str, Meta(description="For direct binds, such as uid={user},ou=people,dc=example,dc=org.")
    ] = ""
    ldap_name: Annotated[
        str, Meta(description="Attribute that names people here; Active Directory: sAMAccountName.")
    ] = "uid"
    ldap_groups: Annotated[
        str,
        Meta(
            description="What members of groups may do: `ROLE=DN` joined by semicolons, such as "
            "`predict=cn=desk,ou=groups,dc=example,dc=org; admin=cn=ops,ou=groups,dc=example,dc=org`."
        ),
    ] = ""
    ldap_group_attribute: Annotated[str, Meta(description="Attribute of a person that names their groups.")] = (
        "memberOf"
    )
    ldap_group_base: Annotated[
        str,
        Meta(description="Where groups are searched that people's entries do not name; none takes the entries' word."),
    ] = ""
    ldap_group_filter: Annotated[
        str,
        Meta(
            description="How groups of a DN are found, such as (member={dn}); Active Directory walks nested ones "
            "itself with (member:1.2.840.113556.1.4.1941:={dn})."
        ),
    ] = ""
    ldap_nested_depth: Annotated[
        int, Meta(ge=0, le=10, description="How many levels of groups in groups are walked; needs ldap_group_base.")
    ] = 0
    ldap_timeout_s: Annotated[
        Seconds, Meta(description="Time for a whole log-in: a third of it to connect, two thirds for each step.")
    ] = 1.5
    ldap_max_binds: Annotated[int, Meta(ge=1, le=256, description="Log-ins at work at once per worker.")] = 8
    basic_cache_s: Annotated[
        float, Meta(ge=0.0, le=3600.0, description="How long a password of `basic` is believed without asking again.")
    ] = 30.0
    oidc_issuer: Annotated[str, Meta(description="`iss` of another issuer's tokens, exactly.")] = ""
    oidc_audience: Annotated[str, Meta(description="`aud` that they must name.")] = ""
    oidc_jwks: Annotated[str, Meta(description="Where its keys are: an https:// URL, or a file.")] = ""
    oidc_claim: Annotated[str, Meta(description="Claim that names roles or groups.")] = "roles"
    oidc_roles: Annotated[
        str, Meta(description="Role for each value of the claim: `ROLE=VALUE` joined by semicolons.")
    ] = ""
    rate_per_s: Annotated[
        float, Meta(ge=0.0, le=1e9, description="Requests a second that each principal may make; 0 is no limit.")
    ] = 0.0
    rate_burst: Annotated[int, Meta(ge=1, le=10**9, description="Requests that may come at once beyond that.")] = 100
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least severe messages that are logged.")
    ] = "warning"
    log_requests: Annotated[
        Literal["off", "failures", "all"],
        Meta(
            description="Which requests become an event of the log, a line of JSON on standard error: none, those that "
            "did not end well (at most 50 a second and worker), or also `request_sample` of the others."
        ),
    ] = "off"
    request_sample: Annotated[
        float,
        Meta(ge=0.0, le=1.0, description="Share of requests told by `log_requests = all`, and as spans."),
    ] = 0.01
    otel_endpoint: Annotated[
        str,
        Meta(
            description="Where spans are sent by OTLP/HTTP, such as http://localhost:4318/v1/traces: those of "
            "`request_sample`, and of requests whose `traceparent` says that they are sampled. Needs the extra `otel`; "
            "empty sends none."
        ),
    ] = ""
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

    @property
    def ways(self) -> frozenset[str]:
        """The ways in: none of `WAYS` where nobody has to log in. Raises SettingsError for one that there is not."""
        named = [name.strip().lower() for name in self.auth.split(",")]
        if named == ["none"]:
            return frozenset()
        for name in named:
            if name not in WAYS:
                raise SettingsError(
                    f"auth is {self.auth!r}, but takes none, or any of {', '.join(WAYS)} joined by commas."
                )
        return frozenset(named)


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
    settings.ways  # noqa: B018 - raises for a way in that there is not
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
    known = [CONFIG_VARIABLE, *OTHER_VARIABLES, *(PREFIX + field.upper() for field in Settings.__struct_fields__)]
    return [
        _unknown(f"the variable {variable}", variable, known)
        for variable in environ
        if variable.startswith(PREFIX) and variable not in known
    ]


def takes(type_: Any) -> str:
    """Return in words what a setting of *type_* takes."""
    info = msgspec.inspect.type_info(type_)
    while isinstance(info, msgspec.inspect.Metadata | msgspec.inspect.UnionType):
        info = info.type if isinstance(info, msgspec.inspect.Metadata) else info.types[0]
    match info:
        case msgspec.inspect.IntType():
            return f"a whole number from {info.ge} to {info.le}"
        case msgspec.inspect.FloatType():
            return f"a number from {info.ge:g} to {info.le:g}"
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.LiteralType():
            return "one of " + ", ".join(map(str, info.values))
        case msgspec.inspect.CustomType() if info.cls is Path:
            return "a path"
        case _:
            return "text"


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
        if Secret in get_args(get_args(type_)[0]):  # of Annotated[Secret | None, …]
            raise SettingsError(f"{where} is not usable: it takes text.") from None
        raise SettingsError(f"{where} is {value!r}, but takes {takes(type_)}.") from None


def _decode(type_: type, value: object) -> object:
    if type_ is Secret and isinstance(value, str):
        return Secret(value)
    if type_ is Path and isinstance(value, str | Path) and str(value):
        return Path(value)
    raise ValueError
