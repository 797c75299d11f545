"""`atraso keys`: the API keys that systems come in with, and the keys that sign tokens."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from atraso.identity.principal import ROLES

if TYPE_CHECKING:
    from atraso.ledger.accounts import KeyRow
    from atraso.settings import Settings

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_data = click.option(
    "--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]"
)
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


class Span(click.ParamType[int]):
    """A time such as 90d, 12h, 30m or 45s, as seconds."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds that *value* means."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,6})([smhd])", value.strip())
        if found is None or int(found[1]) == 0:
            self.fail(f"{value!r} is no time such as 90d, 12h, 30m or 45s.", param, ctx)
        return int(found[1]) * _SPANS[found[2]]


@click.group(epilog="Example: atraso keys create --name operations-desk --role predict")
def keys() -> None:
    """Make, list and revoke API keys for systems that may ask.

    A running service with ATRASO_AUTH=keys and the same data folder or database follows within seconds. Systems send
    a key as `Authorization: Bearer KEY`.
    """


@keys.command(epilog="Example: atraso keys create --name operations-desk --role predict --expires 90d --json")
@click.option("--name", required=True, help="Whose key it is; it stands beside what is done with it.")
@click.option("--role", "roles", required=True, multiple=True, type=click.Choice(ROLES), help="May be repeated.")
@click.option("--expires", type=Span(), metavar="TIME", help="When it ends, such as 90d.  [default: never]")
@_data
@_json
def create(name: str, roles: tuple[str, ...], expires: int | None, data: Path | None, as_json: bool) -> None:
    """Make a key and show it, this once: only its SHA-256 is kept."""
    _make(_settings(data), name, roles, expires, as_json, overlap_s=None)


@keys.command(name="list", epilog="Example: atraso keys list --json")
@_data
@_json
def list_(data: Path | None, as_json: bool) -> None:
    """List all keys that were ever made, with when they were last used."""
    import msgspec

    rows = _desk(_settings(data)).list_keys()
    if as_json:
        click.echo(msgspec.json.encode([_shown(row) for row in rows]).decode())
        return
    if not rows:
        click.echo("no keys yet: atraso keys create --name operations-desk --role predict", err=True)
    for row in rows:
        shown = _shown(row)
        used = shown["last_used_at"] or "never used"
        click.echo(f"{row.prefix}  {shown['status']:8}  {row.name}  {'+'.join(row.roles)}  last used: {used}")


@keys.command(epilog="Example: atraso keys revoke atraso_1a2b3c4d")
@click.argument("prefix")
@_data
def revoke(prefix: str, data: Path | None) -> None:
    """Revoke the key that begins with PREFIX; it counts no more within 5 seconds."""
    from atraso.identity.keys import prefix_of

    row = _desk(_settings(data)).revoke_key(prefix_of(prefix))
    click.echo(f"{row.prefix}… of {row.name!r} counts no more", err=True)


@keys.command(epilog="Example: atraso keys rotate --name operations-desk --overlap 24h")
@click.option("--name", help="Whose API key is replaced; without it the key that signs tokens is.")
@click.option(
    "--overlap", type=Span(), metavar="TIME", help="How long the old one counts.  [default: 24h, or a token's life]"
)
@_data
@_json
def rotate(name: str | None, overlap: int | None, data: Path | None, as_json: bool) -> None:
    """Replace a key by a new one, while the old one still counts for some time.

    Without --name that is the key that signs tokens: the old one still proves those it signed until they expire.
    """
    settings = _settings(data)
    if name is None:
        from atraso.identity.signing import SigningKeys

        if settings.signing_key:
            raise click.ClickException("the key that signs is ATRASO_SIGNING_KEY: give the service another one there")
        kid = SigningKeys(settings.data).rotate(overlap_s=overlap or settings.token_life_s + 300)
        click.echo(kid)
        return
    old = next((row for row in _desk(settings).list_keys() if row.name == name and _status(row) == "active"), None)
    if old is None:
        raise click.ClickException(
            f"there is no key named {name!r} that counts: `atraso keys list` shows those there are"
        )
    life = None if old.expires_s is None else old.expires_s - old.created_s  # the new one lives as long as the old
    _make(settings, name, old.roles, life, as_json, overlap_s=overlap or 86400)


def _make(
    settings: Settings, name: str, roles: tuple[str, ...], expires: int | None, as_json: bool, *, overlap_s: int | None
) -> None:
    import time

    import msgspec

    from atraso.identity.keys import new_key
    from atraso.ledger.accounts import KeyRow

    made = new_key(name, roles)
    now_s = int(time.time())
    row = KeyRow(made.prefix, name, made.sha256, made.roles, now_s, None if expires is None else now_s + expires)
    desk = _desk(settings)
    if overlap_s is None:
        desk.create_key(row)
    else:
        desk.rotate_key(row, overlap_s)
    if as_json:
        content: dict[str, Any] = {"name": name, "prefix": made.prefix, "roles": made.roles, "key": made.key}
        if row.expires_s is not None:
            content["expires_at"] = _moment(row.expires_s)
        click.echo(msgspec.json.encode(content).decode())
        return
    click.echo(made.key)
    click.echo(f"{made.prefix}… of {name!r} is kept as its digest; it will not be shown again", err=True)


def _settings(data: Path | None) -> Settings:
    from atraso.settings import load_settings

    return load_settings(os.environ, flags={} if data is None else {"data": data})


def _desk(settings: Settings) -> Any:
    from atraso.ledger.desk import Desk

    return Desk(settings.data, settings.ledger_url.reveal() if settings.ledger_url else None)


def _shown(row: KeyRow) -> dict[str, Any]:
    return {
        "prefix": row.prefix,
        "name": row.name,
        "roles": row.roles,
        "status": _status(row),
        "created_at": _moment(row.created_s),
        "expires_at": _moment(row.expires_s),
        "revoked_at": _moment(row.revoked_s),
        "last_used_at": _moment(row.last_used_s),
    }


def _status(row: KeyRow) -> str:
    import time

    if row.revoked_s is not None:
        return "revoked"
    return "expired" if row.expires_s is not None and row.expires_s <= time.time() else "active"


def _moment(seconds: int | None) -> str | None:
    from datetime import UTC, datetime

    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
