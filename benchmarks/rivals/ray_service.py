"""The same answers from Ray Serve: two replicas behind its proxy, with the settings documented for throughput.

Its other documented step, HAProxy before the replicas, listens on every address of the machine and is left out.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import ray
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.schema import LoggingConfig
from starlette.requests import Request

from benchmarks.rivals.answers import Answers

# More than the connections of a run, so that no request waits for a replica that would take it.
ONGOING = 100


@serve.deployment(max_ongoing_requests=ONGOING, ray_actor_options={"num_cpus": 1})
class Predictions:
    """Answers flights."""

    def __init__(self) -> None:
        self._answers = Answers()

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Return the answers to the flights of *request*."""
        return self._answers.to((await request.json())["flights"])


def main() -> None:
    """Serve on a port until told to stop."""
    port, workers = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ray.init(
        num_cpus=workers, _temp_dir=sys.argv[3], include_dashboard=False, log_to_driver=False, configure_logging=False
    )
    quiet = LoggingConfig(enable_access_log=False)
    serve.start(http_options=HTTPOptions(host="127.0.0.1", port=port), logging_config=quiet)
    app = Predictions.options(num_replicas=workers).bind()
    serve.run(app, route_prefix="/v1/predictions", logging_config=quiet)
    signal.pause()


if __name__ == "__main__":
    main()
