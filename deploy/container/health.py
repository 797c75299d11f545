#!/opt/atraso/bin/python -IS
"""Exit with 0 where the service in this container is ready, with 1 where it is not; says what it was told."""

import http.client
import json
import os
import ssl
import sys

TIMEOUT_S = 2.5


def ready() -> tuple[bool, str]:
    """Ask `/health/ready` on the port that the settings name, by TLS where they name a certificate."""
    port = int(os.environ.get("ATRASO_PORT") or 5000)
    if os.environ.get("ATRASO_TLS_CERTIFICATE"):
        # It is this very container: whose name the certificate has does not matter.
        door: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1",
            port,
            timeout=TIMEOUT_S,
            context=ssl._create_unverified_context(),  # noqa: S323
        )
    else:
        door = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        door.request("GET", "/health/ready", headers={"connection": "close"})
        answer = door.getresponse()
        return answer.status == 200, json.dumps(json.load(answer))
    except (OSError, ValueError, http.client.HTTPException) as error:
        return False, f"no answer: {error}"


if __name__ == "__main__":
    well, told = ready()
    sys.stdout.write(told + "\n")
    sys.exit(not well)
