"""The command line's door: finds the verb, and turns errors into a sentence and an exit code."""

from __future__ import annotations

import importlib
import sys

import click

from atraso import __version__
from atraso.core.errors import AtrasoError

# Verb -> module that holds a click command of the same name. Modules load when their verb is called, so that
# `atraso --help` and `atraso serve` stay light.
VERBS = (
    "serve", "train", "evaluate", "predict", "model", "ledger", "quality", "replay", "probe", "keys", "stress", "slo",
    "notebook", "publish",
)  # fmt: skip

EXIT_USER_ERROR = 2


class LazyVerbs(click.Group):
    """A click group that imports a verb's module only when that verb is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the path."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the verb's command, or None for an unknown one."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(f"atraso.cli.{cmd_name}"), cmd_name)
        return command


@click.command(
    cls=LazyVerbs,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done; 1 it ran and the answer is no; 2 something to correct; 130 interrupted.",
)
@click.version_option(__version__, prog_name="atraso")
def cli() -> None:
    """How likely is this departure to leave late, how late, and why?"""


def main() -> None:
    """Run the command line; a user's mistake ends with one sentence on standard error and exit code 2."""
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Abort:
        print("atraso: interrupted", file=sys.stderr)  # noqa: T201 - the command line's own voice
        sys.exit(130)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
    except AtrasoError as error:
        print(f"atraso: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_USER_ERROR)
