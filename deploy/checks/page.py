"""What docs/deploy.md tells a stranger to type for the image, typed as it stands there."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shlex

from deploy.checks import CommandFailed, run, tool
from deploy.checks.image import image
from deploy.containers import free_port
from deploy.engine import Engine
from deploy.image import build_options, image_name
from deploy.pages import commands

SECTION = "The image"
BUILT = "docker build -f deploy/container/Dockerfile -t"
# `docker` is whatever builds and runs images here; a stranger takes longer to type a line than the service to be ready.
PREAMBLE = """
set -euo pipefail
docker() {
  if [ "$1" = build ]; then shift; command "$BUILDER" build %s "$@"; else command "$ENGINE" "$@"; fi
}
curl() { command curl --fail --retry 30 --retry-delay 1 --retry-all-errors "$@"; }
"""


def script(at: Engine, name: str, port: int) -> str:
    """Return the section's commands with a container called *name* on a free *port*, and the key kept as it says."""
    replaced = {
        "127.0.0.1:5000": f"127.0.0.1:{port}",
        "--name atraso ": f"--name {name} ",
        "--volume atraso:": f"--volume {name}:",
        "docker exec atraso ": f"docker exec {name} ",
        "docker stop -t 10 atraso": f"docker stop -t 10 {name}",
        f"{BUILT} {image_name('service')}": f"{BUILT} localhost/{name}",
    }
    lines = []
    for command in commands():
        if command.section == SECTION:
            line = re.sub(r"^(docker exec .*keys create .*)$", r"KEY=$(\1)", command.text)
            code = re.search(r"exit code (\d+)", command.remark)
            lines.append(f"code=0; {line} || code=$?; test $code = {code[1]}" if code else line)
    text = "\n".join(lines)
    for told, here in replaced.items():
        assert told in text, f"the page no longer says {told!r}"
        text = text.replace(told, here)
    extra = build_options(at) if at.builder != "docker" else []
    return PREAMBLE % shlex.join(map(str, extra)) + text


def check_a_stranger_gets_an_answer() -> str:
    """Every command for the image, from make to stop, in its order: built, refused, asked, stopped with code 0."""
    at, _ = image()
    bash = tool("bash", "apt-get install bash")
    tool("curl", "apt-get install curl")
    name = f"atraso-page-{secrets.token_hex(3)}"
    # Where there is no systemd podman has nothing that asks the image's health check; make is not to be told by make.
    env = {**at.env, "ENGINE": at.runner, "BUILDER": at.builder, "DISABLE_HC_SYSTEMD": "true", "MAKEFLAGS": ""}
    try:
        said = run(bash, "-c", script(at, name, free_port()), env=env, timeout_s=1200.0)
        answer, _ = json.JSONDecoder().raw_decode(said, said.index('{"model"'))  # no line break follows it
        code = int(at.run("inspect", name, "--format", "{{.State.ExitCode}}"))
    finally:
        for left in (("rm", "-f", "-v", name), ("volume", "rm", "-f", name), ("image", "rm", f"localhost/{name}")):
            with contextlib.suppress(CommandFailed):
                at.run(*left)
    probability = answer["predictions"][0]["delay_probability"]
    assert 0 < probability < 1, answer
    assert code == 0, f"exit code {code}"
    return f"{len([c for c in commands() if c.section == SECTION])} commands; answered {probability:.4f}"
