"""Terraform: written in order, valid, its promises tested, and applied, compared and destroyed on a stand-in for AWS."""

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

SOURCE = ROOT / "deploy" / "terraform"
ROOTS = ("module", "staging", "production")
TOOLS = ROOT / ".venv-deploy"
INSTALL = "run `make deploy-tools`"
PROVIDER = "hashicorp/aws/5.100.0"
# Where packages and images put providers; a machine that can reach the registry needs none of them.
SHELVES = ("/opt", "/usr/local", "/usr/share", "/var/lib", str(Path.home() / ".terraform.d"))
BUCKET, DOMAIN, REGION = "atraso-states", "example.org", "sa-east-1"
IMAGE = "registry.example.org/atraso@sha256:" + "0123456789abcdef" * 4
MOST_SKIPS = 5


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
    python = TOOLS / "terraform" / "bin" / "python"
    if not python.exists():
        raise NotRun(f"moto is not installed: {INSTALL}")
    server = subprocess.Popen(
        [python, ROOT / "deploy/checks/tools/aws.py", BUCKET, DOMAIN],
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


def check_format() -> None:
    """Every file of Terraform is written as `terraform fmt` writes it."""
    bench().run(".", "fmt", "-check", "-recursive", "-diff")


def check_valid() -> str:
    """The module and both environments are valid, with the provider's own schemas."""
    for root in ROOTS:
        bench().start(root, "-backend=false")
        bench().run(root, "validate", "-no-color")
    return ", ".join(ROOTS)


def check_promises() -> str:
    """`terraform test` with a mock provider: what an installation has, may have more of, and is refused."""
    bench().start("module")
    said = bench().run("module", "test", "-no-color")
    return next(line for line in said.splitlines() if line.startswith("Success!"))


def check_apply() -> str:
    """Staging is applied, shows no drift, is locked while somebody applies, keeps no secret in its state, and goes."""
    with aws() as cloud:
        bench().start("staging", f"-backend-config=bucket={BUCKET}", f"-backend-config=region={REGION}", env=cloud.env)
        plan = ["-no-color", "-input=false"]

        def apply(**more: object) -> str:
            return bench().run("staging", "apply", "-auto-approve", *plan, *cloud.variables(**more), env=cloud.env)

        made = re.search(r"Resources: (\d+) added, 0 changed, 0 destroyed", apply())
        assert made, "not everything was made in one apply"
        # 2 would mean that a second apply has something to do.
        bench().run("staging", "plan", "-detailed-exitcode", *plan, *cloud.variables(), env=cloud.env)
        _refused_while_locked(cloud)
        _keeps_no_secret(cloud)
        apply(database_password_version=2)
        _keeps_no_secret(cloud)
        apply(database_password_version=2, protect=False)
        bench().run(
            "staging",
            "destroy",
            "-auto-approve",
            *plan,
            *cloud.variables(database_password_version=2, protect=False),
            env=cloud.env,
        )
        left = bench().run("staging", "state", "list", env=cloud.env).split()
        assert not left, f"after destroy there still are {left}"
        return f"{made[1]} resources"


def check_production() -> str:
    """Production is planned against the same stand-in: three zones, and the ledger protected."""
    with aws() as cloud:
        bench().start(
            "production", f"-backend-config=bucket={BUCKET}", f"-backend-config=region={REGION}", env=cloud.env
        )
        bench().run("production", "plan", "-no-color", "-input=false", "-out=plan", *cloud.variables(), env=cloud.env)
        plan = json.loads(bench().run("production", "show", "-json", "plan", env=cloud.env))
        found = {change["address"]: change["change"]["after"] for change in plan["resource_changes"]}
        ledger = found["module.atraso.aws_db_instance.ledger"]
        assert ledger["deletion_protection"] and ledger["multi_az"] and ledger["storage_encrypted"], ledger
        zones = {subnet["availability_zone"] for name, subnet in found.items() if "aws_subnet.tasks" in name}
        assert len(zones) == 3, zones
        return f"{len(found)} resources"


def check_checkov() -> str:
    """checkov finds nothing in Terraform, and at most five checks are skipped, each with a reason."""
    program = tool("checkov", INSTALL, beside=TOOLS / "checkov" / "bin")
    skips = [
        (file, reason)
        for file in sorted(SOURCE.rglob("*.tf"))
        for reason in re.findall(r"checkov:skip=[A-Z0-9_]+:?(.*)", file.read_text("utf-8"))
    ]
    assert len(skips) <= MOST_SKIPS, f"{len(skips)} checks are skipped"
    assert all(len(reason.split()) > 3 for _, reason in skips), "a skip without a reason"
    said = run(
        program, "-d", SOURCE, "--framework", "terraform", "--compact", "--quiet", "--skip-download", "-o", "json"
    )
    summary = json.loads(said)["summary"]
    assert summary["failed"] == 0 and summary["passed"] > 100 and not summary["parsing_errors"], summary
    return f"{summary['passed']} passed, 0 failed, {len(skips)} skipped"


def _refused_while_locked(cloud: Aws) -> None:
    """Put the lock there that another apply would hold, and see that a plan is refused."""
    lock = "import boto3,os,sys; s3 = boto3.client('s3', endpoint_url=os.environ['AWS_ENDPOINT_URL']);"
    name = f"Bucket='{BUCKET}', Key='atraso/staging.tfstate.tflock'"
    held = json.dumps({"ID": "another", "Operation": "OperationTypeApply", "Who": "another", "Version": "1.11.4"})
    python = TOOLS / "terraform" / "bin" / "python"
    run(python, "-c", f"{lock} s3.put_object({name}, Body=sys.stdin.read())", env=cloud.env, feed=held)
    try:
        bench().run("staging", "plan", "-no-color", "-input=false", *cloud.variables(), env=cloud.env)
    except CommandFailed as refused:
        assert "Error acquiring the state lock" in refused.said, refused.said
    else:
        raise AssertionError("a plan went ahead while the state was locked")
    finally:
        run(python, "-c", f"{lock} s3.delete_object({name})", env=cloud.env)


def _keeps_no_secret(cloud: Aws) -> None:
    """Compare the password that Secrets Manager holds with the whole state, as it lies in the bucket."""
    code = (
        "import boto3, json, os; at = {'endpoint_url': os.environ['AWS_ENDPOINT_URL']};"
        "password = boto3.client('secretsmanager', **at).get_secret_value(SecretId='atraso-staging/ledger')['SecretString'];"
        f"state = boto3.client('s3', **at).get_object(Bucket='{BUCKET}', Key='atraso/staging.tfstate')['Body'].read().decode();"
        "print(json.dumps([len(password), password in state, len(state)]))"
    )
    length, kept, size = json.loads(run(TOOLS / "terraform" / "bin" / "python", "-c", code, env=cloud.env))
    assert length == 40 and size > 10_000, (length, size)
    assert not kept, "the ledger's password is in the state"
