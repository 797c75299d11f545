"""Terraform with its provider at hand, and what stands in for AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deploy.checks import ROOT, CommandFailed, NotRun, run, tool
from deploy.environments import FOLDER, INSTALL

SOURCE = ROOT / "deploy" / "terraform"
PROVIDER = "hashicorp/aws/5.100.0"
# Where packages and images put providers; a machine that can reach the registry needs none of them.
SHELVES = ("/opt", "/usr/local", "/usr/share", "/var/lib", str(Path.home() / ".terraform.d"))
PYTHON = FOLDER / "terraform" / "bin" / "python"
BUCKET, DOMAIN, REGION = "atraso-states", "example.org", "sa-east-1"
IMAGE = "registry.example.org/atraso@sha256:" + "0123456789abcdef" * 4


@dataclass(frozen=True, slots=True)
class Bench:
    """A copy of the configuration with the provider at hand."""

    program: str
    folder: Path
    plugins: Path | None

    def run(self, root: str, *words: str, env: dict[str, str] | None = None) -> str:
        """Return what terraform says to *words* in the folder of *root*."""
        quiet = {
            "TF_CLI_CONFIG_FILE": str(self.folder / "none.tfrc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        return run(self.program, f"-chdir={self.folder / root}", *words, env=quiet | (env or {}), timeout_s=1500)

    def start(self, root: str, *words: str, env: dict[str, str] | None = None) -> None:
        """Get the provider of *root*; raises NotRun where it is not to be had."""
        where = [f"-plugin-dir={self.plugins}"] if self.plugins else []
        try:
            self.run(root, "init", "-input=false", "-no-color", *where, *words, env=env)
        except CommandFailed as error:
            if self.plugins:
                raise
            raise NotRun(f"the provider {PROVIDER} is not on this machine, and not to be had: {error}") from None


@cache
def bench() -> Bench:
    """Return the bench of this run; raises NotRun without terraform. It is removed when Python ends."""
    program = tool("terraform", "https://developer.hashicorp.com/terraform/install, version 1.11 or newer")
    version = json.loads(run(program, "version", "-json", env={"CHECKPOINT_DISABLE": "1"}))["terraform_version"]
    if tuple(int(n) for n in re.findall(r"\d+", version)[:2]) < (1, 11):
        raise NotRun(f"terraform here is {version}; write-only arguments need 1.11 or newer")
    folder = Path(_kept().name)
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    (folder / "none.tfrc").touch()
    return Bench(program, folder, _plugins())


@cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="atraso-terraform-")


def _plugins() -> Path | None:
    for shelf in SHELVES:
        for top, folders, _ in os.walk(shelf):
            if top.endswith(PROVIDER) and folders:
                return Path(top).parents[3]
            if top.count("/") > shelf.count("/") + 7:
                folders.clear()
    return None


@dataclass(frozen=True, slots=True)
class Aws:
    """A stand-in for AWS: what terraform's environment needs to be, and the zone that is there."""

    env: dict[str, str]
    zone_id: str
    port: int

    def variables(self, **more: object) -> list[str]:
        """Return the arguments that give every variable of an environment a value."""
        given = {
            "domain_name": f"delays.{DOMAIN}", "zone_id": self.zone_id, "image": IMAGE,
            "alarm_emails": ["ops@example.org"], "egress": {"directory": {"cidr": "192.0.2.0/24", "port": 636}},
            "pipeline": {"owner": "example", "repository": "atraso", "state_bucket": BUCKET},
            "wait_until_steady": False,  # a stand-in runs no tasks
        }  # fmt: skip
        return [
            f"-var={name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in {**given, **more}.items()
        ]


@contextmanager
def aws() -> Iterator[Aws]:
    """Yield a fresh stand-in for AWS; raises NotRun where moto is not installed."""
    if not PYTHON.exists():
        raise NotRun(f"moto is not installed: {INSTALL}")
    server = subprocess.Popen(
        [PYTHON, ROOT / "deploy/checks/tools/aws.py", BUCKET, DOMAIN],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise RuntimeError(f"the stand-in for AWS ended with {server.wait()}")
        told = json.loads(line)
        env = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{told['port']}", "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true", "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        yield Aws(env, told["zone_id"], told["port"])
    finally:
        server.terminate()
        server.wait()
