"""What docs/deploy.md tells a stranger to type, typed as it stands there."""

from __future__ import annotations

import contextlib
import json
import re
import secrets

from deploy.checks import ROOT, CommandFailed, run, tool
from deploy.checks.image import image
from deploy.containers import free_port

PAGE = ROOT / "docs" / "deploy.md"
MARK = "As production runs it"
# A stranger takes longer to type the next line than the service to be ready.
PREAMBLE = """
set -euo pipefail
docker() { command "$ENGINE" "$@"; }
curl() { command curl --fail --retry 30 --retry-delay 1 --retry-all-errors "$@"; }
"""


def _commands(name: str, port: int) -> str:
    """Return the commands of the page on a container called *name* and a free port, the key kept as the page says."""
    block = re.search(r"```\n(.*?)```", PAGE.read_text("utf-8").split(MARK, 1)[1], re.DOTALL)
    assert block is not None, f"the page has no commands after {MARK!r}"
    text = re.sub(r" {2,}# .*$", "", block[1], flags=re.MULTILINE)
    replaced = {
        "127.0.0.1:5000": f"127.0.0.1:{port}",
        "--name atraso": f"--name {name}",
        "--volume atraso:": f"--volume {name}:",
        "docker exec atraso": f"docker exec {name}",
        "docker stop -t 10 atraso": f"docker stop -t 10 {name}",
    }
    for told, here in replaced.items():
        assert told in text, f"the page no longer says {told!r}"
        text = text.replace(told, here)
    return re.sub(r"^(docker exec .*keys create .*)$", r"KEY=$(\1)", text, flags=re.MULTILINE)


def check_a_stranger_gets_an_answer() -> str:
    """The commands for the image, from run to stop, give a prediction and end with exit code 0."""
    at, _ = image()
    bash = tool("bash", "apt-get install bash")
    tool("curl", "apt-get install curl")
    name = f"atraso-page-{secrets.token_hex(3)}"
    # Where there is no systemd podman has nothing that asks the image's health check.
    env = {**at.env, "ENGINE": at.runner, "DISABLE_HC_SYSTEMD": "true"}
    try:
        said = run(bash, "-c", PREAMBLE + _commands(name, free_port()), env=env, timeout_s=180.0)
        answer, _ = json.JSONDecoder().raw_decode(said, said.index('{"model"'))  # no line break follows it
        code = int(at.run("inspect", name, "--format", "{{.State.ExitCode}}"))
    finally:
        with contextlib.suppress(CommandFailed):
            at.run("rm", "-f", "-v", name)
        with contextlib.suppress(CommandFailed):
            at.run("volume", "rm", "-f", name)
    probability = answer["predictions"][0]["delay_probability"]
    assert 0 < probability < 1, answer
    assert code == 0, f"exit code {code}"
    return f"answered {probability:.4f}, stopped with exit code {code}"
