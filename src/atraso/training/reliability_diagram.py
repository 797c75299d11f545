"""The reliability diagram of a model card: what was said across, what came upwards, a line per lead."""

from __future__ import annotations

from pathlib import Path

from atraso.training.card_records import Record


def diagram_of(card: Path) -> Path:
    """Return where the diagram of a *card* is: beside it, under its name."""
    return card.with_name(f"{card.stem}-reliability.svg")


def reliability_svg(record: Record) -> str:
    """Return the reliability diagram of *record*, a line per lead: said across, came upwards, both 0 to 60 %."""
    colours = ("#8a8a8a", "#b07aa1", "#4e79a7", "#59a14f", "#f28e2b", "#e15759")
    side, left, top, most = 400, 60, 20, 0.6

    def place(said: float, came: float) -> str:
        return f"{left + min(said, most) / most * side:.1f},{top + side - min(came, most) / most * side:.1f}"

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + side + 130} {top + side + 60}" '
        'font-family="sans-serif" font-size="13" role="img" aria-label="Reliability by lead">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<rect x="{left}" y="{top}" width="{side}" height="{side}" fill="none" stroke="#444"/>',
        f'<polyline points="{place(0, 0)} {place(most, most)}" stroke="#bbb" stroke-dasharray="5 5" fill="none"/>',
    ]
    for tick in range(0, 61, 10):
        x, y = place(tick / 100, tick / 100).split(",")
        lines.append(f'<text x="{x}" y="{top + side + 18}" text-anchor="middle">{tick} %</text>')
        lines.append(f'<text x="{left - 8}" y="{float(y) + 4:.1f}" text-anchor="end">{tick} %</text>')
    lines.append(f'<text x="{left + side / 2}" y="{top + side + 42}" text-anchor="middle">said</text>')
    lines.append(f'<text x="14" y="{top + side / 2}" transform="rotate(-90 14 {top + side / 2})">came</text>')
    for i, (name, scores) in enumerate(record["leads"].items()):
        colour = colours[i % len(colours)]
        points = " ".join(place(b["said"], b["late"]) for b in scores["reliability"])
        lines.append(f'<polyline points="{points}" stroke="{colour}" stroke-width="2" fill="none"/>')
        row = top + 14 + 20 * i
        lines.append(f'<rect x="{left + side + 14}" y="{row - 8}" width="22" height="4" fill="{colour}"/>')
        lines.append(f'<text x="{left + side + 44}" y="{row}">{name}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
