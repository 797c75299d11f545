"""The challenge's original design, Flask with a pickled logistic regression, and beside it the scorer of the others.

It runs on gunicorn, whose workers each answer one request after the other, in an environment of its own.
"""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

from flask import Flask, request

from atraso.core.errors import FieldError
from benchmarks.rivals.answers import Answers
from benchmarks.rivals.logistic import Encoder

PICKLE_VARIABLE = "BENCH_PICKLE"


def create_app() -> Flask:
    """Return the service, with both models loaded."""
    app = Flask(__name__)
    kept = pickle.loads(Path(os.environ[PICKLE_VARIABLE]).read_bytes())
    model, encoder = kept["model"], Encoder(kept["airlines"])
    answers = Answers()

    @app.post("/predict")
    def predict() -> Any:
        try:
            rows = encoder.rows(request.get_json()["flights"])
        except KeyError as error:
            return {"error": f"unknown: {error}"}, 400
        return {"predict": [int(found) for found in model.predict(rows)]}

    @app.post("/v1/predictions")
    def predictions() -> Any:
        try:
            return answers.to(request.get_json()["flights"])
        except (FieldError, KeyError, TypeError) as error:
            return {"error": str(error)}, 400

    return app
