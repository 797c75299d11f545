"""Small files of the SCL shape, written by the tests."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from tests.flights_at_hand import HEADER

A_FLIGHT = {
    "Fecha-I": "2017-07-14 08:30:00",
    "Vlo-I": "282",
    "Ori-I": "SCEL",
    "Des-I": "SPJC",
    "Emp-I": "LAN",
    "Fecha-O": "2017-07-14 08:50:00",
    "Vlo-O": "282.0",
    "Ori-O": "SCEL",
    "Des-O": "SPJC",
    "Emp-O": "LAN",
    "DIA": "14",
    "MES": "7",
    "AÑO": "2017",
    "DIANOM": "Viernes",
    "TIPOVUELO": "I",
    "OPERA": "Grupo LATAM",
    "SIGLAORI": "Santiago",
    "SIGLADES": "Lima",
}


def row(**changes: str) -> list[str]:
    """Return one made-up row; a changed column is named as in the file with _ for -: Fecha_I="..."."""
    return list((A_FLIGHT | {name.replace("_", "-"): value for name, value in changes.items()}).values())


def scl_text(*rows: list[str], header: list[str] = HEADER, line_end: str = "\n") -> str:
    """Return the text of a file with *rows*."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end).writerows([header, *rows])
    return text.getvalue()


def scl_path(folder: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    """Write *rows* to a file in *folder* and return its path."""
    path = folder / "flights.csv"
    path.write_text(scl_text(*rows, header=header), encoding="utf-8")
    return path
