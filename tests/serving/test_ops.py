"""What operators and machines ask."""

from __future__ import annotations

from atraso.serving.app import create_app
from tests.serving.asgi import get
from tests.serving.fakes import scorer

# fmt: off
TOLD = (
    "airport", "version", "trained_from", "trained_to", "n_departures", "base_rate", "decision_threshold",
    "decision_reason", "scores", "checksum", "created_at",
)
# fmt: on


def test_live_and_ready() -> None:
    """The service says that it is alive, and that it is ready with which model."""
    app = create_app(scorer())
    assert get(app, "/health/live").json == {"status": "alive"}
    name = {"airport": "SCEL", "version": "2017.1+abcdef"}
    assert get(app, "/health/ready").json == {"status": "ready", "model": name}


def test_card() -> None:
    """The card tells what the manifest says: airport, version, training, threshold, scores and checksum."""
    model = scorer()
    card = get(create_app(model), "/v1/model").json
    for name in TOLD:
        assert card[name] == getattr(model.manifest, name)
    assert card["leads"] == ["schedule"]


def test_models() -> None:
    """The list of models holds the one in use."""
    app = create_app(scorer())
    assert get(app, "/v1/models").json == {"models": [get(app, "/v1/model").json]}
