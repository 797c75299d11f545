"""The tables of docs/security.md: who may use which route, and what each way in cost in the run that is kept."""

from __future__ import annotations

import re
from pathlib import Path

from atraso.serving.policy import METRICS, NAMED_ONLY, VIEWS, role_of
from atraso.stress.record import Record, Row, read_record
from atraso.stress.report import markdown

PAGE = Path("docs/security.md")
KEPT = Path("docs/records/auth.json")
PATHS = (
    "/v1/predictions", "/predict", "/v2/models/{model}/infer", "/v1/model", "/v1/models", "/v1/models/{version}",
    "/v1/state", "/v1/schedule", "/v1/quality", "/v1/objectives", "/v1/departures", "/v1/models/{version}/activate",
    "/v1/revocations", "/metrics", "/v1/token", "/.well-known/jwks.json", ", ".join((*VIEWS, "static files")),
    "/health, /health/live, /health/ready", "/v2, /v2/health/…, /v2/models/{model}", "/openapi.json, /docs",
)  # fmt: skip
# Why each way costs what it does, in the order of the page.
REASONS = {
    "again": "the same service once more, in a process of its own: what differs here this run cannot tell apart.",
    "key": "the header was understood before and is looked up in a dictionary by its bytes. The SHA-256 is made once a "
    "minute, and nothing is asked of anybody.",
    "jwt": "the same look-up: a token is proved when it is first seen and remembered until it ends, is revoked, or a "
    "minute is over.",
    "jwt-fresh": "a head that no request had before is parsed, the token's three parts are decoded, and its Ed25519 "
    "signature is proved. That is processor time of the service; no network is in it. A client pays it once per token, "
    "thus once in 15 minutes.",
    "basic": "the password was proved before, which a salted digest tells; but the request takes the ordinary way "
    "through a task instead of the short one.",
    "basic-bind": "each request waits for the directory: a connection, StartTLS with a handshake, a bind of the "
    "service account, a search, a bind with the password, and the question whom the directory takes this for: seven "
    "round trips. This is the latency that people expect of LDAP, and why it is not on the way of a request by "
    "default. The directory here is on the same machine: at a distance of 1 ms it takes 7 ms more.",
    "tls": "each request and answer is encrypted, as in any service. It does not depend on who asks.",
    "mtls": "the certificate is proved in the handshake; with each request its subject is compared with the names that "
    "come in, on the ordinary way.",
    "open-connect": "a connection begins with a round trip of TCP and takes work at both ends, and a head that comes "
    "with it is known all the same. Keep connections open.",
    "tls-connect": "the handshake, with a signature and a key exchange, and one or two round trips more. It is what "
    "most clients take for the cost of authentication; it is paid once per connection.",
    "login": "the same seven round trips, and a signature. A client does this once in 15 minutes.",
}


def render() -> str:
    """Return the page as it is, with its tables made anew."""
    text = PAGE.read_text(encoding="utf-8")
    record = read_record(KEPT)
    for name, content in (("policy", _policy()), ("measured", markdown(record)), ("why", _why(record))):
        block = re.compile(rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)", re.DOTALL)
        assert len(block.findall(text)) == 1, f"{PAGE} has one place for the block {name!r}"
        text = block.sub(lambda found, content=content: f"{found[1]}\n{content}\n{found[2]}", text)  # type: ignore[misc]
    return text


def _policy() -> str:
    lines = ["| route | with authentication | without (loopback only) |", "| --- | --- | --- |"]
    for path in PATHS:
        role = role_of(path.split(", ")[0])
        guarded = f"role `{role}`" if role else "open"
        if path == METRICS:
            guarded = "internal port (`ATRASO_METRICS_PORT`), or open by `ATRASO_METRICS_OPEN=true`"
        shown = ", ".join(f"`{part}`" if part.startswith("/") else part for part in path.split(", "))
        lines.append(f"| {shown} | {guarded} | {'refused' if role in NAMED_ONLY else 'open'} |")
    return "\n".join(lines) + "\n"


def _why(record: Record) -> str:
    rows = {row.name: row for row in record.rows}
    return (
        "\n".join(
            f"- **{rows[name].label}** ({_cost(rows[name])}): {REASONS[name]}" for name in REASONS if name in rows
        )
        + "\n"
    )


def _cost(row: Row) -> str:
    if row.added is None:
        return f"{_time(row.took.p50)} at the median"
    if row.added.p50_low <= 0 <= row.added.p50_high or abs(row.added.p50) < 0.05:
        return "nothing that can be told at the median"
    return f"{_time(row.added.p50)} {'more' if row.added.p50 > 0 else 'less'} at the median"


def _time(microseconds: float) -> str:
    size = abs(microseconds)
    if size >= 1000:
        return f"{size / 1000:.1f} ms"
    return f"{size:.1f} µs" if size < 10 else f"{size:.0f} µs"
