"""The SCL flights the tests run on: the real file where it is at hand, or generated ones of the same shape.

The generated year has structure a model can learn (airline, hour, route, month) and shocks that only the
state of the airport can tell (a bad day, a bad hour of it), so a live state helps. It holds one repeated
flight, like the real file, and no row of it.
"""

from __future__ import annotations

import atexit
import csv
import gzip
import io
import os
import shutil
import tempfile
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np

REAL_FILE_VARIABLE = "ATRASO_SCL_DATA"
BESIDE_THE_REPOSITORY = Path(__file__).parents[2] / "shared" / "data" / "scl_2017.csv.gz"

# fmt: off
HEADER = [
    "Fecha-I", "Vlo-I", "Ori-I", "Des-I", "Emp-I", "Fecha-O", "Vlo-O", "Ori-O", "Des-O", "Emp-O",
    "DIA", "MES", "AÑO", "DIANOM", "TIPOVUELO", "OPERA", "SIGLAORI", "SIGLADES",
]
# fmt: on
WEEKDAYS = ("Lunes", "Martes", "Miercoles", "Jueves", "Viernes", "Sabado", "Domingo")

HOME = {
    "SCFA": "Antofagasta",
    "SCCF": "Calama",
    "SCTE": "Puerto Montt",
    "SCIE": "Concepcion",
    "SCDA": "Iquique",
    "SCQP": "Temuco",
    "SCSE": "La Serena",
    "SCCI": "Punta Arenas",
}
ABROAD = {
    "SPJC": "Lima",
    "SAEZ": "Buenos Aires",
    "SBGR": "Sao Paulo",
    "SAME": "Mendoza",
    "MPTO": "Ciudad de Panama",
    "SKBO": "Bogota",
    "KMIA": "Miami",
    "LEMD": "Madrid",
}
# Airline, its name in OPERA, departures a day, latent minutes it adds, the kinds of flight it has.
CARRIERS = (
    ("LAN", "Grupo LATAM", 26, -1.0, "NI"),
    ("SKU", "Sky Airline", 11, 2.0, "NI"),
    ("TAM", "Grupo LATAM", 3, 1.0, "I"),
    ("ARG", "Aerolineas Argentinas", 2, 3.0, "I"),
    ("CMP", "Copa Air", 2, -4.0, "I"),
    ("LAW", "Latin American Wings", 1.5, 9.0, "NI"),
    ("AVA", "Avianca", 1, 3.0, "I"),
    ("JAT", "JetSmart SPA", 1, 0.0, "N"),
    ("GLO", "Gol Trans", 1, 4.0, "I"),
    ("AAL", "American Airlines", 1, -4.0, "I"),
    ("ACA", "Air Canada", 0.6, 5.0, "I"),
    ("IBE", "Iberia", 0.5, 2.0, "I"),
    ("AFR", "Air France", 0.5, 4.0, "I"),
    ("DAL", "Delta Air", 0.5, -5.0, "I"),
    ("AMX", "Aeromexico", 0.5, 2.0, "I"),
    ("UAL", "United Airlines", 0.5, -3.0, "I"),
    ("ONE", "Oceanair Linhas Aereas", 0.5, 2.0, "I"),
    ("AZA", "Alitalia", 0.5, 0.0, "I"),
    ("KLM", "K.L.M.", 0.5, 2.0, "I"),
    ("LAP", "Grupo LATAM", 0.4, 1.0, "I"),
    ("BAW", "British Airways", 0.4, 1.0, "I"),
    ("QFU", "Qantas Airways", 0.4, 12.0, "I"),
    ("JMR", "Latin American Wings", 0.3, 9.0, "I"),
    ("LRC", "Lacsa", 0.2, 2.0, "I"),
    ("AUT", "Austral", 0.2, 3.0, "I"),
    ("PUE", "Plus Ultra Lineas Aereas", 0.2, 12.0, "I"),
    ("LXP", "Grupo LATAM", 0.1, 0.0, "N"),
    ("LPE", "Grupo LATAM", 0.1, 0.0, "I"),
    ("LNE", "Grupo LATAM", 0.05, 0.0, "I"),
    ("DSM", "Grupo LATAM", 0.05, 0.0, "I"),
)
MONTH_MINUTES = (1.0, 0.0, -4.0, -2.0, 0.0, 2.0, 7.0, 0.0, -1.0, 2.0, 1.0, 4.0)


@cache
def scl_file() -> tuple[Path, bool]:
    """Return the file of SCL departures the tests run on, and whether its flights are real."""
    named = os.environ.get(REAL_FILE_VARIABLE)
    if named:
        return Path(named), True
    if BESIDE_THE_REPOSITORY.is_file():
        return BESIDE_THE_REPOSITORY, True
    return generated_scl_file(), False


@cache
def generated_scl_file(seed: int = 2017) -> Path:
    """Return a gz file of some 20,000 generated flights, written once a run and removed at its end."""
    folder = Path(tempfile.mkdtemp(prefix="atraso-flights-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(generated_rows(seed))
    path = folder / "scl_generated.csv.gz"
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    return path


def generated_rows(seed: int = 2017) -> list[list[str]]:
    """Return a year of rows of the 18 columns, grouped by month and airline; the last one is a repeat."""
    random = np.random.default_rng(seed)
    timetable = _timetable(random)
    rows: list[list[str]] = []
    bad_day = 0.0
    for ordinal in range(365):
        day = datetime(2017, 1, 1) + timedelta(days=ordinal)  # noqa: DTZ001 - the file's clock is naive
        # A bad day casts a shadow on the next; within the day the trouble drifts from hour to hour.
        bad_day = 0.4 * bad_day + random.normal(0.0, 4.5)
        bad_hour = bad_day + np.cumsum(random.normal(0.0, 1.2, 24))
        for flight in timetable:
            if random.random() > flight["frequency"]:
                continue
            scheduled = day + timedelta(minutes=int(flight["minute"]))
            latent = (
                flight["minutes"]
                + MONTH_MINUTES[scheduled.month - 1]
                + (4.0 if scheduled.weekday() == 4 else 0.0)
                + bad_hour[scheduled.hour]
                + 0.5 * (scheduled.hour - 12)
            )
            tail = random.exponential(22.0) if random.random() < 0.10 else 0.0
            delay = int(np.clip(round(latent + random.normal(0.0, 7.0) + tail), -14, 161))
            rows.append(_row(flight, scheduled, delay, with_point=random.random() < 0.06))
    rows.sort(key=lambda row: (row[0][:7], row[4]))  # stable: by day and time within
    return [*rows, list(rows[-1])]


def _timetable(random: np.random.Generator) -> list[dict]:
    """Return the flights of a day, each with its number, route, time, frequency and latent minutes."""
    places = {**HOME, **ABROAD}
    route_minutes = {place: float(random.normal(0.0, 2.5)) for place in places}
    timetable = []
    for carrier, (airline, name, a_day, minutes, kinds) in enumerate(CARRIERS):
        for n in range(max(1, int(np.ceil(a_day)))):
            kind = kinds[n % len(kinds)]
            destination = str(random.choice(sorted(HOME if kind == "N" else ABROAD)))
            timetable.append(
                {
                    "airline": airline,
                    "name": name,
                    "number": str(100 + 37 * carrier + n) + ("P" if (airline, n) == ("LAN", 7) else ""),
                    "destination": destination,
                    "place": places[destination],
                    "kind": kind,
                    "minute": 5 * int(random.integers(5 * 12, 287)),
                    "frequency": min(1.0, a_day / np.ceil(a_day)) * 0.93,
                    "minutes": minutes + route_minutes[destination],
                }
            )
    return timetable


def _row(flight: dict, scheduled: datetime, delay: int, with_point: bool) -> list[str]:
    """Return one flight and its departure as the 18 cells of the file."""
    actual = scheduled + timedelta(minutes=delay)
    number, destination, airline = flight["number"], flight["destination"], flight["airline"]
    return [
        f"{scheduled:%Y-%m-%d %H:%M:%S}",
        number,
        "SCEL",
        destination,
        airline,
        f"{actual:%Y-%m-%d %H:%M:%S}",
        f"{number}.0" if with_point else number,
        "SCEL",
        destination,
        airline,
        str(actual.day),
        str(actual.month),
        str(actual.year),
        WEEKDAYS[actual.weekday()],
        flight["kind"],
        flight["name"],
        "Santiago",
        flight["place"],
    ]
