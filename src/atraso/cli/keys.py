"""`atraso keys`: the API keys that systems come in with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from atraso.identity.principal import ROLES


@click.group(epilog="Example: atraso keys create --name operations-desk --role predict")
def keys() -> None:
    """Make API keys for systems that may ask."""


@keys.command(epilog="Example: atraso keys create --name operations-desk --role predict --json")
@click.option("--name", required=True, help="Whose key it is; it stands beside what is done with it.")
@click.option("--role", "roles", required=True, multiple=True, type=click.Choice(ROLES), help="May be repeated.")
@click.option("--data", type=click.Path(path_type=Path), metavar="FOLDER", help="Data folder.  [default: ATRASO_DATA]")
@click.option("--json", "as_json", is_flag=True, help="Print name, prefix, roles and key as JSON.")
def create(name: str, roles: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Make a key and show it, this once: only its SHA-256 is kept.

    A running service with ATRASO_AUTH=keys and the same data folder knows it within a second. Systems send it as
    `Authorization: Bearer KEY`.
    """
    import msgspec

    from atraso.identity.keys import KeyFile
    from atraso.settings import load_settings

    settings = load_settings(os.environ, flags={} if data is None else {"data": data})
    key, record = KeyFile(settings.data).create(name, roles)
    if as_json:
        made = {"name": record.name, "prefix": record.prefix, "roles": record.roles, "key": key}
        click.echo(msgspec.json.encode(made).decode())
        return
    click.echo(key)
    where = KeyFile(settings.data).path
    click.echo(f"{record.prefix}… of {record.name!r} is kept in {where}; it will not be shown again", err=True)
