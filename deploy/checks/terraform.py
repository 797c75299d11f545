"""Terraform: in order, valid, its promises tested; applied, compared and destroyed on a stand-in for AWS."""

from __future__ import annotations

import json
import re

from deploy.checks import CommandFailed, run
from deploy.scanners import checkov
from deploy.terraform_bench import BUCKET, PYTHON, REGION, SOURCE, Aws, aws, bench

ROOTS = ("module", "staging", "production")
MOST_SKIPS = 5
BACKEND = (f"-backend-config=bucket={BUCKET}", f"-backend-config=region={REGION}")


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
        bench().start("staging", *BACKEND, env=cloud.env)
        plan = ["-no-color", "-input=false"]

        def apply(**more: object) -> str:
            return bench().run("staging", "apply", "-auto-approve", *plan, *cloud.variables(**more), env=cloud.env)

        made = re.search(r"Resources: (\d+) added, 0 changed, 0 destroyed", apply())
        assert made, "not everything was made in one apply"
        _shows_no_drift(cloud)
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
        bench().start("production", *BACKEND, env=cloud.env)
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
    skips = [
        reason
        for file in sorted(SOURCE.rglob("*.tf"))
        for reason in re.findall(r"checkov:skip=[A-Z0-9_]+:?(.*)", file.read_text("utf-8"))
    ]
    assert len(skips) <= MOST_SKIPS, f"{len(skips)} checks are skipped"
    assert all(len(reason.split()) > 3 for reason in skips), "a skip without a reason"
    passed = checkov("terraform", SOURCE)
    assert passed > 100, f"only {passed} checks were made"
    return f"{passed} passed, 0 failed, {len(skips)} skipped"


def _shows_no_drift(cloud: Aws) -> None:
    """See that a second apply would have nothing to do."""
    plan = ["plan", "-detailed-exitcode", "-no-color", "-input=false", *cloud.variables()]
    try:
        bench().run("staging", *plan, env=cloud.env)
    except CommandFailed as drift:
        if drift.code != 2:
            raise
        changes = re.findall(r"^  # (.*)$|^ +([~+-] .*)$", drift.said, re.MULTILINE)
        raise AssertionError("a second apply would change\n" + "\n".join(a or b for a, b in changes)) from None


def _refused_while_locked(cloud: Aws) -> None:
    """Put the lock there that another apply would hold, and see that a plan is refused."""
    lock = "import boto3,os,sys; s3 = boto3.client('s3', endpoint_url=os.environ['AWS_ENDPOINT_URL']);"
    name = f"Bucket='{BUCKET}', Key='atraso/staging.tfstate.tflock'"
    held = json.dumps({"ID": "another", "Operation": "OperationTypeApply", "Who": "another", "Version": "1.11.4"})
    run(PYTHON, "-c", f"{lock} s3.put_object({name}, Body=sys.stdin.read())", env=cloud.env, feed=held)
    try:
        bench().run("staging", "plan", "-no-color", "-input=false", *cloud.variables(), env=cloud.env)
    except CommandFailed as refused:
        assert "Error acquiring the state lock" in refused.said, refused.said
    else:
        raise AssertionError("a plan went ahead while the state was locked")
    finally:
        run(PYTHON, "-c", f"{lock} s3.delete_object({name})", env=cloud.env)


def _keeps_no_secret(cloud: Aws) -> None:
    """Compare the password that Secrets Manager holds with the whole state, as it lies in the bucket."""
    code = f"""
import boto3, json, os
at = {{"endpoint_url": os.environ["AWS_ENDPOINT_URL"]}}
password = boto3.client("secretsmanager", **at).get_secret_value(SecretId="atraso-staging/ledger")["SecretString"]
state = boto3.client("s3", **at).get_object(Bucket="{BUCKET}", Key="atraso/staging.tfstate")["Body"].read().decode()
print(json.dumps([len(password), password in state, len(state)]))
"""
    length, kept, size = json.loads(run(PYTHON, "-c", code, env=cloud.env))
    assert length == 40 and size > 10_000, (length, size)
    assert not kept, "the ledger's password is in the state"
