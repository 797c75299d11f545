"""Make the checks of this folder and print one line each: `python -m deploy.checks [NAME...]`."""

from __future__ import annotations

import sys
from collections import Counter

import click

from deploy.checks import Check, Result, all_checks, chosen, made

EXAMPLE = """\b
Example:
  python -m deploy.checks image compose.notebook_refuses_without_its_token

\b
Exit codes: 0 nothing failed; 1 something failed; 2 there is no such check; 130 interrupted.
"""


def line_of(result: Result) -> str:
    """Return what is printed of *result*: its outcome, name and promise, and below it what it said."""
    head = f"{result.outcome:<8} {result.check.full_name} ({result.took_s:.1f} s): {result.check.promise}"
    return "\n".join([head, *(f"         {line}" for line in result.said.splitlines())])


def _show_under_way(check: Check) -> None:
    """Show on a terminal what is being checked; the result's line takes its place."""
    if sys.stderr.isatty():
        click.echo(f"... {check.full_name}\r", nl=False, err=True)


@click.command(epilog=EXAMPLE)
@click.argument("names", nargs=-1)
@click.option("--list", "list_only", is_flag=True, help="Print the checks and make none.")
def main(names: tuple[str, ...], list_only: bool) -> None:
    """Make all checks, or those of the NAMEd groups or names; the last line counts them."""
    try:
        checks = chosen(names, all_checks())
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from None
    if list_only:
        for check in checks:
            click.echo(f"{check.full_name}: {check.promise}")
        return
    outcomes: Counter[str] = Counter()
    interrupted = False
    for result in made(checks, _show_under_way):
        if sys.stderr.isatty():
            click.echo("\033[K", nl=False, err=True)
        click.echo(line_of(result))
        outcomes[result.outcome] += 1
        interrupted |= result.said == "interrupted"
    click.echo(f"{outcomes['passed']} passed, {outcomes['failed']} failed, {outcomes['not run']} not run")
    sys.exit(130 if interrupted else bool(outcomes["failed"]))


if __name__ == "__main__":
    main()
