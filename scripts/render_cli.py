"""Write docs/cli.md from the command line itself; run it after changing a verb."""

from __future__ import annotations

from pathlib import Path

import click

from atraso.cli.main import cli

PAGE = Path("docs/cli.md")
HEAD = """# The command line

<!-- Written by scripts/render_cli.py from src/atraso/cli; change it there. -->

What `--help` says of every verb. Exit codes: 0 done, 1 it ran and the answer is no, 2 something to correct, 130
interrupted.
"""


def render() -> str:
    """Return the page."""
    return HEAD + "".join(_section(cli, "atraso", None))


def _section(command: click.Command, words: str, parent: click.Context | None) -> list[str]:
    name = words if parent is None else words.rsplit(maxsplit=1)[-1]
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    context.terminal_width = context.max_content_width = 100
    sections = [f"\n## `{words}`\n\n```text\n{command.get_help(context).rstrip()}\n```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            verb = command.get_command(context, name)
            if verb is not None:
                sections += _section(verb, f"{words} {name}", context)
    return sections
