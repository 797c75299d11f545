"""`atraso notebook`: the notebook that looks at the flights, compares leads and trains."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click

from atraso.core.errors import MissingExtraError, SettingsError


@click.command(epilog="Example: atraso notebook --port 8881")
@click.option("--port", type=click.IntRange(1, 65535), default=8881, show_default=True, help="Port to listen on.")
@click.option("--folder", type=click.Path(path_type=Path), default="notebooks", show_default=True, help="Where it is.")
@click.option("--token", envvar="JUPYTER_TOKEN", help="Token to log in with; default: a new one, printed.")
def notebook(port: int, folder: Path, token: str | None) -> None:
    """Open the notebook in JupyterLab on 127.0.0.1; nobody gets in without the token.

    The notebook reads the departures from the file that ATRASO_SCL_DATA names.
    """
    import importlib.util

    if importlib.util.find_spec("jupyterlab") is None:
        raise MissingExtraError("The notebook", "train")
    if not (folder / "model.ipynb").is_file():
        raise SettingsError(
            f"there is no model.ipynb in {folder}: run this in a clone of the repository, or say --folder"
        )
    token = token or secrets.token_urlsafe(24)
    click.echo(f"The notebook: http://127.0.0.1:{port}/lab/tree/model.ipynb?token={token}")
    # In the environment, not on the command line, where every user of the machine could read the token.
    environment = {**os.environ, "JUPYTER_TOKEN": token}
    arguments = ["-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    if os.geteuid() == 0:
        arguments.append("--allow-root")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *arguments, f"--ServerApp.root_dir={folder.resolve()}"], environment)
