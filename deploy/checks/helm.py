"""The chart: linted, valid against Kubernetes' own schemas, closed, and red as soon as one control is gone."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from deploy.chart import CHART, VALUES, Object, helm, objects, rendered
from deploy.chart_parts import unguarded
from deploy.chart_rules import violations
from deploy.checks import CommandFailed, NotRun, run, tool
from deploy.environments import own_tool
from deploy.scanners import checkov, misconfigured

KUBERNETES = "1.37"
# Kinds of the Prometheus operator: no schema of Kubernetes knows them, so they have rules of their own here.
OWN_RULES = {"ServiceMonitor", "PrometheusRule"}
# Scanners' checks that are left out, and why.
LEFT_OUT = {
    "CKV_K8S_15": "what is named by digest needs no second look; pullPolicy is a value",
    "CKV_K8S_35": "the service reads its settings from the environment, in one place, and shows secrets as stars",
    "CKV_K8S_43": "the default values name no registry, so they can know no digest; values-production.yaml has one",
}
TRIVY_LEFT_OUT = {
    "KSV-0125": "where images come from is the cluster's own policy; values name a registry by digest",
}
REFUSED = {
    "replicas=1": "/replicas",
    "autoscaling.minReplicas=1": "/autoscaling/minReplicas",
    'auth="none"': "/auth",
    'auth="keys,jwt"': "ATRASO_SIGNING_KEY",
    'image.digest="latest"': "/image/digest",
    'settings={"ATRASO_LDAP_BIND_PASSWORD":"x"}': "ATRASO_LDAP_BIND_PASSWORD",
    'settings={"ATRASO_INSECURE":"true"}': "ATRASO_INSECURE",
    "ingress.enabled=true": "/ingress/host",
    'networkPolicy.database.cidr="everywhere"': "/networkPolicy/database/cidr",
    "resources.limits=null": "/resources",
    'podSecurity="none"': "podSecurity",
    "probe.every=0": "/probe/every",
}
# A line of a template, or a value, without which something is less safe: each is taken out in turn.
CONTROLS = (
    "automountServiceAccountToken: false", "enableServiceLinks: false", "hostNetwork: false", "hostPID: false",
    "hostIPC: false", "runAsNonRoot: true", "runAsUser: 10001", "runAsGroup: 10001", "fsGroup: 10001",
    "seccompProfile: {type: RuntimeDefault}", "allowPrivilegeEscalation: false", "privileged: false",
    "readOnlyRootFilesystem: true", "capabilities: {drop: [ALL]}", "policyTypes: [Ingress, Egress]",
    "preStop: ", "httpGet: {path: /health/ready", "httpGet: {path: /health/live", "rollingUpdate: {maxSurge",
    "resources: {{-", "- {name: ATRASO_AUTH",
)  # fmt: skip
FILES = ("networkpolicy.yaml", "poddisruptionbudget.yaml", "deployment.yaml")


def check_lint() -> None:
    """`helm lint --strict` has nothing to say to default and production values."""
    for files in VALUES.values():
        run(helm(), "lint", "--strict", CHART, *(f"--values={file}" for file in files))


def check_schemas() -> str:
    """Every object is valid against Kubernetes' schemas, strictly; those of other kinds against rules of their own."""
    program = own_tool("helm", "kubernetes-validate")
    checked = 0
    for name, files in VALUES.items():
        found = objects(rendered(files))
        with tempfile.TemporaryDirectory() as folder:
            for number, one in enumerate(found):
                if one["kind"] in OWN_RULES:
                    _by_own_rule(one, found, Path(folder))
                else:
                    file = Path(folder) / f"{number}.yaml"
                    file.write_text(yaml.safe_dump(one), "utf-8")
                    said = run(program, "-k", KUBERNETES, "--strict", file)
                    assert "passed" in said.lower(), f"{name}: {said}"
                checked += 1
    return f"{checked} objects"


def check_refused_values() -> str:
    """Values that would make a worse installation are refused by the chart's schema, which names the place."""
    for setting, place in REFUSED.items():
        try:
            rendered(settings=[setting])
        except CommandFailed as refused:
            assert place in refused.said, f"{setting}: {refused.said}"
        else:
            raise AssertionError(f"{setting} was taken")
    return f"{len(REFUSED)} refused"


def check_values_are_described() -> str:
    """Every value has its place in the schema, and every top-level value a comment."""
    schema = yaml.safe_load((CHART / "values.schema.json").read_text("utf-8"))
    lines = (CHART / "values.yaml").read_text("utf-8")
    values = yaml.safe_load(lines)

    def missing(value: object, rule: Object, path: str) -> Iterator[str]:
        for name, inner in value.items() if isinstance(value, dict) and "properties" in rule else ():
            if name not in rule["properties"]:
                yield f"{path}/{name}"
            else:
                yield from missing(inner, rule["properties"][name], f"{path}/{name}")

    unknown = list(missing(values, schema, ""))
    assert not unknown, f"not in the schema: {unknown}"
    assert schema["additionalProperties"] is False
    return f"{len(values)} groups of values"


def check_controls() -> str:
    """Taking out any one security control, line by line or part by part, makes the chart's rules red."""
    whole = {name: rendered(files) for name, files in VALUES.items()}
    wrong = [what for manifests in whole.values() for what in violations(objects(manifests))]
    assert not wrong, "\n".join(wrong)
    tried = 0
    for file, what, text in _without_one_control():
        changed = 0
        with _changed(file, text) as chart:
            for name, files in VALUES.items():
                try:
                    manifests = rendered(files, chart)
                    red = bool(violations(objects(manifests)))
                except (CommandFailed, yaml.YAMLError):
                    red = True  # what cannot be rendered cannot be installed
                else:
                    if manifests == whole[name]:
                        continue  # it stands in what these values leave out
                changed += 1
                assert red, f"{file} without {what!r}: nothing is red with {name} values"
        assert changed, f"{file} without {what!r} changes nothing with any values"
        tried += 1
    parts = 0
    for name, files in VALUES.items():
        count, missed = unguarded(objects(rendered(files)))
        assert not missed, f"with {name} values nothing is red {', '.join(missed)}"
        parts += count
    return f"{tried} controls taken out of the templates, {parts} parts of the objects taken out or turned round"


def check_checkov() -> str:
    """checkov finds nothing in the rendered objects, default and production, beyond what is left out with a reason."""
    passed = 0
    for files in VALUES.values():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "all.yaml").write_text(rendered(files), "utf-8")
            passed += checkov("kubernetes", Path(folder), "--skip-check", ",".join(LEFT_OUT))
    assert passed > 50, f"only {passed} checks were made"
    return f"{passed} passed, {len(LEFT_OUT)} left out"


def check_trivy() -> str:
    """trivy finds no misconfiguration in the rendered objects beyond what is left out with a reason."""
    for files in VALUES.values():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "all.yaml").write_text(rendered(files), "utf-8")
            found = [one for one in misconfigured(Path(folder)) if one.split()[0] not in TRIVY_LEFT_OUT]
            assert not found, "\n".join(found)
            # It must be able to see: the same without one control is found.
            (Path(folder) / "all.yaml").write_text(
                rendered(files).replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"), "utf-8"
            )
            assert any("root file" in one.lower() for one in misconfigured(Path(folder))), "trivy sees nothing"
    return f"{len(TRIVY_LEFT_OUT)} left out"


def _by_own_rule(one: Object, found: list[Object], folder: Path) -> None:
    """Raise AssertionError where an object of the Prometheus operator would not do what it is for."""
    if one["kind"] == "PrometheusRule":
        _rules_are_valid(one, folder)
        return
    services = [service for service in found if service["kind"] == "Service"]
    chosen = [s for s in services if one["spec"]["selector"]["matchLabels"].items() <= s["metadata"]["labels"].items()]
    assert len(chosen) == 1, "the ServiceMonitor chooses no Service, or several"
    ports = {port["name"] for port in chosen[0]["spec"]["ports"]}
    for endpoint in one["spec"]["endpoints"]:
        assert endpoint["port"] in ports and endpoint["path"] == "/metrics", endpoint
        job = {"metrics": "atraso", "probe": "atraso-probe"}[endpoint["port"]]
        assert {"targetLabel": "job", "replacement": job} in endpoint["relabelings"], "the rules ask for this job"


def _rules_are_valid(one: Object, folder: Path) -> None:
    groups = one["spec"]["groups"]
    kept = sum(len(yaml.safe_load(file.read_text("utf-8"))["groups"]) for file in (CHART / "rules").glob("*.yml"))
    assert len(groups) == kept > 0, f"{len(groups)} groups in the object, {kept} in its files"
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups}), "utf-8")
    try:
        promtool = tool("promtool", "apt-get install prometheus")
    except NotRun:
        for rule in (rule for group in groups for rule in group["rules"]):
            assert rule["expr"] and ("record" in rule) != ("alert" in rule), rule
    else:
        run(promtool, "check", "rules", file)


def _without_one_control() -> Iterator[tuple[str, str, str]]:
    """Yield template, control and the template's text without it, for each place where a control stands."""
    for path in sorted((CHART / "templates").glob("*.yaml")):
        text = path.read_text("utf-8")
        if path.name in FILES:
            yield path.name, "the file", ""
        for control in CONTROLS:
            for place in re.finditer(rf"^.*{re.escape(control)}.*\n", text, re.MULTILINE):
                yield path.name, control, text[: place.start()] + text[place.end() :]


@contextmanager
def _changed(file: str, text: str) -> Iterator[Path]:
    """Yield a copy of the chart in which the template *file* has another text."""
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / "atraso"
        shutil.copytree(CHART, chart)
        (chart / "templates" / file).write_text(text, "utf-8")
        yield chart
