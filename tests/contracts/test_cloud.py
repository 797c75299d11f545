"""What README, image, compose, Terraform and chart say of the service is the same, as the service itself says it."""

import re
from pathlib import Path

import pytest
import yaml

from atraso.settings import OTHER_VARIABLES, Settings
from atraso.telemetry.names import REQUESTS, ROUTES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "atraso"
MODULE = DEPLOY / "terraform" / "module"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
RULES = DEPLOY / "monitoring" / "rules"
SLO = ROOT / "src/atraso/slo/slo.yaml"


def default_of(variable: str) -> str:
    """Return the default of a variable of the Terraform module, as it is written."""
    found = re.search(
        rf'variable "{variable}" \{{.*?default\s+= (\S+)', (MODULE / "variables.tf").read_text(), re.DOTALL
    )
    assert found is not None, variable
    return found[1]


def test_the_port_is_the_same_everywhere() -> None:
    """README, settings, image, compose, Terraform and chart name one port, 5000."""
    said = {
        "settings": {str(Settings().port)},
        "README": set(re.findall(r"(?:localhost|127\.0\.0\.1):(\d{4,5})", (ROOT / "README.md").read_text())),
        "Makefile": set(re.findall(r"^PORT \?= (\d+)", (ROOT / "Makefile").read_text(), re.MULTILINE)),
        "terraform": {default_of("port")},
        "chart": {str(VALUES["service"]["port"])},
    }
    if (file := DEPLOY / "container" / "Dockerfile").exists():
        service = file.read_text().rpartition("\nFROM ")[2]
        said["image"] = set(re.findall(r"^EXPOSE (\d+)", service, re.MULTILINE))
    if (file := DEPLOY / "compose.yaml").exists():
        ports = [str(port) for port in yaml.safe_load(file.read_text())["services"]["api"]["ports"]]
        said["compose"] = {found for port in ports for found in re.findall(r":-?(\d{4,5})\b", port)}

    assert said == {where: {"5000"} for where in said}


def test_the_internal_port_is_the_same_everywhere() -> None:
    """Terraform and chart name one internal port, which is not the service's."""
    assert default_of("metrics_port") == str(VALUES["service"]["metricsPort"]) != str(Settings().port)


def test_the_folder_and_user_are_those_of_the_image() -> None:
    """What is written goes into the image's folder, by the image's user."""
    deployment = (CHART / "templates/deployment.yaml").read_text()

    assert "{name: ATRASO_DATA, value: /data}" in deployment and "mountPath: /data}" in deployment
    assert 'data      = "/data"' in (MODULE / "locals.tf").read_text()
    if (file := DEPLOY / "container" / "Dockerfile").exists():
        image = file.read_text()
        assert "ATRASO_DATA=/data" in image and 'VOLUME ["/data"]' in image and "USER 10001:10001" in image
        assert "atraso-health" in image and "atraso-health" in (MODULE / "service.tf").read_text()


@pytest.mark.parametrize("file", ["helm/atraso/templates/deployment.yaml", "terraform/module/service.tf"])
def test_every_setting_that_is_given_exists(file: str) -> None:
    """No variable of the environment is misspelt: the service, or a client such as the prober, knows each."""
    known = {f"ATRASO_{name.upper()}" for name in Settings.__struct_fields__} | set(OTHER_VARIABLES)
    given = set(re.findall(r"\bATRASO_[A-Z_]+\b", (DEPLOY / file).read_text()))

    assert len(given) >= 8
    assert given - known == {"ATRASO_PORT"} - known


def test_gateways_never_meet_a_connection_that_the_service_closed() -> None:
    """The balancer and the usual Ingress keep idle connections for less long than the service does."""
    kept = re.search(r'KEEP_ALIVE_TIMEOUT_S\s+= "(\d+)"', (MODULE / "service.tf").read_text())
    idle = re.search(r"idle_timeout\s+= (\d+)", (MODULE / "balancer.tf").read_text())
    assert kept is not None and idle is not None

    assert int(idle[1]) < int(kept[1])
    assert f'ATRASO_KEEP_ALIVE_TIMEOUT_S, value: "{kept[1]}"' in (CHART / "templates/deployment.yaml").read_text()


def test_the_time_to_stop_is_enough() -> None:
    """Draining and ending what is under way fit into the time before SIGKILL, with as much again to spare."""
    stop_s = Settings().shutdown_timeout_s
    timeout = re.search(r"stopTimeout\s+= (\d+)", (MODULE / "service.tf").read_text())
    assert timeout is not None

    assert VALUES["drainSeconds"] + 2 * stop_s < VALUES["terminationGracePeriodSeconds"]
    assert 2 * stop_s < int(timeout[1])


def test_the_autoscaler_counts_requests_that_exist() -> None:
    """The adapter's rule asks for the service's own counter, leaves out routes it has, and gives the chart's metric."""
    rule = yaml.safe_load((DEPLOY / "helm" / "prometheus-adapter.yaml").read_text())["rules"]["custom"][0]

    assert REQUESTS.name in rule["seriesQuery"] and REQUESTS.name in rule["metricsQuery"]
    assert rule["name"]["as"] == VALUES["autoscaling"]["metric"]
    left_out = re.search(r'route!~"([^"]+)"', rule["metricsQuery"])
    assert left_out is not None and set(left_out[1].split("|")) <= set(ROUTES)


@pytest.mark.skipif(not RULES.exists(), reason="deploy/monitoring/rules is not in this checkout")
def test_the_charts_rules_are_the_generated_ones() -> None:
    """The chart ships every file of deploy/monitoring/rules as it is: `make generate` copies them."""
    assert {f.name: f.read_text() for f in (CHART / "rules").iterdir()} == {
        f.name: f.read_text() for f in RULES.iterdir()
    }


@pytest.mark.skipif(not SLO.exists(), reason="src/atraso/slo/slo.yaml is not in this checkout")
def test_cloudwatchs_alarms_have_the_objectives_of_the_service() -> None:
    """Targets and limits in alarms.tf are those of slo.yaml."""
    objectives = {
        one["metadata"]["name"]: one["spec"]["objectives"][0]["target"]
        for one in yaml.safe_load_all(SLO.read_text("utf-8"))
        if one["kind"] == "SLO"
    }
    alarms = (MODULE / "alarms.tf").read_text()
    mirrored = dict(re.findall(r"^\s+([\w-]+)\s+= \{ target = ([\d.]+)", alarms, re.MULTILINE))

    assert set(mirrored) == {"availability", "latency-50ms", "latency-250ms"}
    assert {name: float(target) for name, target in mirrored.items()} == {name: objectives[name] for name in mirrored}
    for name, within in re.findall(r"(latency-\w+)\s+= \{ target = [\d.]+, within_s = ([\d.]+)", alarms):
        assert name == f"latency-{float(within) * 1000:.0f}ms"
