"""Lets `python -m atraso` do what `atraso` does."""

from atraso.cli.main import main

main()
