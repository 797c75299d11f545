"""Who is measured: a name, and the command that starts it on a port."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.rivals import nginx

WORKERS = 2
OURS, NGINX, FASTAPI = "atraso", "nginx", "fastapi"
NAMES = (NGINX, OURS, FASTAPI)
WHAT = {
    NGINX: "nginx, a constant of the same size",
    OURS: "Atraso",
    FASTAPI: "FastAPI on uvicorn, the same scorer",
}
# FastAPI stays out of the product's environment; `make bench` fills this one.
FASTAPI_PYTHON = ROOT / ".venv-bench" / "bin" / "python"


def command_of(name: str, port: int, answer: bytes, folder: Path) -> list[str]:
    """Return the command of a contender; *answer* is what nginx repeats, *folder* is for files of its own."""
    if name == NGINX:
        return nginx.command(port, WORKERS, answer, folder)
    if name == OURS:
        atraso = Path(sys.executable).with_name("atraso")
        return [str(atraso), "serve", "--port", str(port), "--workers", str(WORKERS)]
    return [
        str(FASTAPI_PYTHON), "-m", "uvicorn", "--factory", "benchmarks.rivals.fastapi_service:create_app",
        "--port", str(port), "--workers", str(WORKERS),
        "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
