"""`atraso notebook`: the notebook that looks at the flights, compares leads and trains."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click

from atraso.core.errors import MissingExtraError, SettingsError

LOOPBACK = "127.0.0.1"
SHORTEST_TOKEN = 20


@click.command(epilog="Example: atraso notebook --port 8881")
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on; another needs a token given.")
@click.option("--port", type=click.IntRange(1, 65535), default=8881, show_default=True, help="Port to listen on.")
@click.option("--folder", type=click.Path(path_type=Path), default="notebooks", show_default=True, help="Where it is.")
@click.option("--token", envvar="JUPYTER_TOKEN", help="Token to log in with; default: a new one, printed.")
def notebook(host: str, port: int, folder: Path, token: str | None) -> None:
    """Open the notebook in JupyterLab; nobody gets in without the token.

    The notebook reads the departures from the file that ATRASO_SCL_DATA names.
    """
    import importlib.util

    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError("The notebook", "train")
    if not (folder / "model.ipynb").is_file():
        raise SettingsError(
            f"there is no model.ipynb in {folder}: run this in a clone of the repository, or say --folder"
        )
    if host == LOOPBACK:
        token = token or secrets.token_urlsafe(24)
        click.echo(f"The notebook: http://{host}:{port}/lab/tree/model.ipynb?token={token}")
    elif not token or len(token) < SHORTEST_TOKEN:
        # A token made here would have to be printed, where other machines' logs keep it.
        raise SettingsError(
            f"listening on {host} lets other machines in: give a token of at least {SHORTEST_TOKEN} characters in "
            "JUPYTER_TOKEN, such as `openssl rand -hex 24` prints"
        )
    else:
        click.echo(f"The notebook: port {port} on {host}, with the token that was given")
    # In the environment, not on the command line, where every user of the machine could read the token.
    environment = {**os.environ, "JUPYTER_TOKEN": token}
    arguments = ["-m", "jupyterlab", "--no-browser", f"--ip={host}", f"--port={port}", "--ServerApp.port_retries=0"]
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *arguments, f"--ServerApp.root_dir={folder.resolve()}"], environment)
