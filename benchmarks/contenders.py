"""Who is measured: the lines of the table, each a question put to a running service, and what was promised of them."""

from __future__ import annotations

from dataclasses import dataclass

from atraso.stress.questions import CHALLENGE_PATH, PREDICTIONS
from benchmarks.rivals import mlserver
from benchmarks.wrk import CONNECTIONS

WORKERS = 2
NGINX, OURS, FASTAPI, FLASK, FLASK_THREADS = "nginx", "atraso", "fastapi", "flask", "flask-threads"
CONSTANT, NEW, BATCH = "atraso-constant", "atraso-new", "atraso-batch"
CHALLENGE, FLASK_SCORER = "atraso-predict", "flask-scorer"
BENTOML, MLSERVER, LITSERVE, RAY = "bentoml", "mlserver", "litserve", "ray"
# Files of bodies that wrk sends over and over.
FLIGHTS, ONE_FLIGHT, NEW_FLIGHTS, BATCHES = "flights", "one-flight", "new-flights", "batches"
FACTS, TENSORS = "facts", "tensors"
BATCH_FLIGHTS = 10_000
# Each holds a megabyte of question and four of answer; more would only wait.
BATCH_CONNECTIONS = 4
BATCH_FLIGHTS_PER_S = 100_000


@dataclass(frozen=True)
class Contender:
    """A line of the table; *sign* stands in each right answer, *at_least* times its speed is promised.

    A request is about so many *flights*.
    """

    name: str
    what: str
    service: str
    path: str = PREDICTIONS
    bodies: str = FLIGHTS
    sign: str = '"delay_probability"'
    at_least: float | None = None
    connections: int = CONNECTIONS
    flights: int = 1


_CHALLENGE = (CHALLENGE_PATH, FACTS, '"predict"')
MODEL_SERVERS = (
    Contender(BENTOML, "BentoML, the same scorer", BENTOML, at_least=18),
    Contender(MLSERVER, "MLServer, the same scorer (`/v2`, tensors)", MLSERVER, mlserver.PATH, TENSORS, at_least=18),
    Contender(LITSERVE, "LitServe, the same scorer", LITSERVE, at_least=18),
    Contender(RAY, "Ray Serve, the same scorer", RAY, at_least=18),
)
CONTENDERS = (
    Contender(NGINX, "nginx, a constant of the same size", NGINX, sign="", at_least=0.35),
    Contender(OURS, "Atraso", OURS),
    Contender(CONSTANT, "Atraso, one constant body", OURS, bodies=ONE_FLIGHT),
    Contender(NEW, "Atraso, each flight new to it", OURS, bodies=NEW_FLIGHTS),
    Contender(CHALLENGE, "Atraso `/predict`", OURS, *_CHALLENGE),
    Contender(
        BATCH,
        f"Atraso, {BATCH_FLIGHTS:,} flights a request: flights/s",
        OURS,
        bodies=BATCHES,
        connections=BATCH_CONNECTIONS,
        flights=BATCH_FLIGHTS,
    ),
    Contender(FASTAPI, "FastAPI on uvicorn, the same scorer", FASTAPI, at_least=3.5),
    Contender(FLASK, "Flask on gunicorn, `/predict`, pickled logistic regression", FLASK, *_CHALLENGE, at_least=9),
    Contender(FLASK_SCORER, "Flask on gunicorn, the same scorer", FLASK, at_least=9),
    Contender(FLASK_THREADS, "Flask on gunicorn, the same scorer, threads and keep-alive", FLASK_THREADS, at_least=9),
    *MODEL_SERVERS,
)
BY_NAME = {contender.name: contender for contender in CONTENDERS}
OPTIONAL = tuple(contender.name for contender in MODEL_SERVERS)
USUAL = tuple(name for name in BY_NAME if name not in OPTIONAL)
