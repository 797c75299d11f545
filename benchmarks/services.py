"""How each service is started: its command and its environment, in the settings its documentation gives production."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from atraso.artefact.bundle import BUNDLED, read_manifest
from benchmarks.contenders import (
    BENTOML,
    FASTAPI,
    FLASK,
    FLASK_THREADS,
    LITSERVE,
    MLSERVER,
    NGINX,
    OURS,
    RAY,
    WORKERS,
)
from benchmarks.processes import HOST, ROOT, Service, clean_environment
from benchmarks.rivals import mlserver, nginx

# Rivals stay out of the product's environment, and out of each other's; make fills them.
ENVIRONMENTS = ROOT / ".venv-peers"
ENVIRONMENT_OF = {
    FASTAPI: "fastapi",
    FLASK: "flask",
    FLASK_THREADS: "flask",
    BENTOML: "bentoml",
    MLSERVER: "mlserver",
    LITSERVE: "litserve",
    RAY: "ray",
}
ATRASO = Path(sys.executable).with_name("atraso")
THREADS_A_WORKER = 4  # gunicorn advises two to four times the cores, and the run's two workers are for two


@dataclass(frozen=True)
class Launch:
    """What starts a service: a command, variables beside the usual ones, and the headers its clients send."""

    command: list[str]
    variables: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def python_of(service: str) -> Path:
    """Return the interpreter of a rival's environment, whether or not it is there."""
    return ENVIRONMENTS / ENVIRONMENT_OF[service] / "bin" / "python"


def launch(service: str, port: int, folder: Path, answer: bytes = b"") -> Launch:
    """Return how *service* is started on *port*; *folder* is for files of its own, *answer* is what nginx repeats."""
    if service == NGINX:
        return Launch(nginx.command(port, WORKERS, answer, folder))
    return _LAUNCHES[service](port, folder)


def queued_bytes(service: Service) -> float:
    """Return how much of what Atraso kept its writer has not moved into the ledger's database yet."""
    with urllib.request.urlopen(f"http://{HOST}:{service.port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return float(text.partition("\natraso_ledger_queued_bytes ")[2].split("\n", 1)[0])


def _atraso(port: int, folder: Path) -> Launch:
    """Everything on: keys are asked for, and each answer is kept before it is given; metrics always are."""
    data = folder / "data"
    make_key = [str(ATRASO), "keys", "create", "--name", "bench", "--role", "predict", "--json", "--data", str(data)]
    made = subprocess.run(make_key, env=clean_environment(), capture_output=True, text=True, check=True).stdout
    return Launch(
        [str(ATRASO), "serve", "--port", str(port), "--workers", str(WORKERS)],
        {"ATRASO_AUTH": "keys", "ATRASO_METRICS_OPEN": "true", "ATRASO_LEDGER": "spool", "ATRASO_DATA": str(data)},
        {"Authorization": f"Bearer {json.loads(made)['key']}"},
    )


def _fastapi(port: int, folder: Path) -> Launch:
    return _rival(
        FASTAPI, "uvicorn", "--factory", "benchmarks.rivals.fastapi_service:create_app",
        "--port", str(port), "--workers", str(WORKERS),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    )  # fmt: skip


def _flask(port: int, folder: Path, *options: str) -> Launch:
    """Write the pickle, if it is not there yet, and start gunicorn on it."""
    pickle = folder / "model.pickle"
    if not pickle.exists():
        airlines = json.dumps(list(read_manifest(BUNDLED).challenge_airlines))
        fit = [str(python_of(FLASK)), "-m", "benchmarks.rivals.logistic", str(pickle), airlines]
        subprocess.run(fit, cwd=ROOT, env=clean_environment(), check=True)
    return _rival(
        FLASK, "gunicorn", "--workers", str(WORKERS), "--bind", f"{HOST}:{port}", "--no-control-socket", *options,
        "benchmarks.rivals.flask_service:create_app()", BENCH_PICKLE=str(pickle),
    )  # fmt: skip


def _flask_threads(port: int, folder: Path) -> Launch:
    return _flask(port, folder, "--worker-class", "gthread", "--threads", str(THREADS_A_WORKER))


def _bentoml(port: int, folder: Path) -> Launch:
    return _rival(
        BENTOML, "bentoml", "serve", "benchmarks.rivals.bentoml_service:Predictions",
        "--host", HOST, "--port", str(port),
        BENCH_WORKERS=str(WORKERS), BENTOML_HOME=str(folder / "bentoml"), BENTOML_DO_NOT_TRACK="true",
    )  # fmt: skip


def _mlserver(port: int, folder: Path) -> Launch:
    command = [str(python_of(MLSERVER).with_name("mlserver")), "start"]
    return Launch([*command, str(mlserver.write_settings(folder, port, WORKERS))], {"PYTHONPATH": str(ROOT)})


def _litserve(port: int, folder: Path) -> Launch:
    return _rival(LITSERVE, "benchmarks.rivals.litserve_service", str(port), str(WORKERS))


def _ray(port: int, folder: Path) -> Launch:
    return _rival(
        RAY, "benchmarks.rivals.ray_service", str(port), str(WORKERS), str(folder / "ray"),
        RAY_SERVE_THROUGHPUT_OPTIMIZED="1", RAY_USAGE_STATS_ENABLED="0", RAY_AUTH_TOKEN=token_hex(),
    )  # fmt: skip


def _rival(service: str, module: str, *words: str, **variables: str) -> Launch:
    return Launch([str(python_of(service)), "-m", module, *words], {"PYTHONPATH": str(ROOT), **variables})


_LAUNCHES: dict[str, Callable[[int, Path], Launch]] = {
    OURS: _atraso,
    FASTAPI: _fastapi,
    FLASK: _flask,
    FLASK_THREADS: _flask_threads,
    BENTOML: _bentoml,
    MLSERVER: _mlserver,
    LITSERVE: _litserve,
    RAY: _ray,
}
