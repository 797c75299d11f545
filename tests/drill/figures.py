"""A promised figure: printed with its bound, and failed when beyond it."""

from __future__ import annotations


def show(name: str, value: float, unit: str, *, at_most: float) -> None:
    """Print one figure and fail when it is more than *at_most*."""
    shown = f"DRILL {name}: {value:,.4g} {unit} (bound {at_most:g} {unit})"
    print(f"\n{shown}", flush=True)  # noqa: T201 - showing is what a drill is for
    assert value <= at_most, shown


def tell(name: str, value: float, unit: str) -> None:
    """Print a figure that helps to read another and has no bound of its own."""
    print(f"\nDRILL {name}: {value:,.4g} {unit} (no bound)", flush=True)  # noqa: T201


def at_least(name: str, value: float, unit: str, bound: float) -> None:
    """Print one figure and fail when it is less than *bound*."""
    shown = f"DRILL {name}: {value:,.4g} {unit} (at least {bound:,.4g} {unit})"
    print(f"\n{shown}", flush=True)  # noqa: T201
    assert value >= bound, shown


def say(words: str) -> None:
    """Print what is no single figure."""
    print(f"\nDRILL {words}", flush=True)  # noqa: T201
