"""What the chart's rules see: an installation without any one of its controls is red."""

from collections.abc import Callable
from typing import Any

import pytest

from deploy.chart_parts import unguarded
from deploy.chart_rules import violations

Object = dict[str, Any]
SECCOMP = {"type": "RuntimeDefault"}
AUTH = {"name": "ATRASO_AUTH", "value": "keys"}
LEDGER = {"name": "ATRASO_LEDGER_URL", "valueFrom": {"secretKeyRef": {"name": "ledger", "key": "url"}}}


def good() -> list[Object]:
    """Return the objects of an installation that has every control."""
    container = {
        "name": "atraso",
        "securityContext": {
            "allowPrivilegeEscalation": False, "privileged": False, "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "runAsUser": 10001, "capabilities": {"drop": ["ALL"]}, "seccompProfile": dict(SECCOMP),
        },
        "ports": [{"name": "http", "containerPort": 5000}, {"name": "metrics", "containerPort": 5001}],
        "env": [AUTH, LEDGER],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "models", "readOnly": True}],
        "startupProbe": {"httpGet": {"path": "/health/ready", "port": "metrics"}},
        "readinessProbe": {"httpGet": {"path": "/health/ready", "port": "metrics"}},
        "livenessProbe": {"httpGet": {"path": "/health/live", "port": "metrics"}},
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        "resources": {name: {"cpu": "1", "memory": "512Mi"} for name in ("requests", "limits")},
    }  # fmt: skip
    pod = {
        "automountServiceAccountToken": False, "enableServiceLinks": False, "hostNetwork": False, "hostPID": False,
        "hostIPC": False, "topologySpreadConstraints": [{"topologyKey": "host"}, {"topologyKey": "zone"}],
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001,
            "seccompProfile": dict(SECCOMP),
        },
        "volumes": [
            {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}},
            {"name": "models", "persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        ],
        "containers": [container],
    }  # fmt: skip
    labels = {"app": "atraso"}
    spec = {
        "replicas": 2,
        "strategy": {"rollingUpdate": {"maxUnavailable": 0}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    there = [{"podSelector": {"matchLabels": {"app": "x"}}}]
    policy = {
        "podSelector": {"matchLabels": labels},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": there, "ports": [{"port": "http"}]}],
        "egress": [{"to": list(there), "ports": [{"port": 5432}]}],
    }
    path = {"backend": {"service": {"name": "atraso", "port": {"name": "http"}}}}
    return [
        {"kind": "Deployment", "spec": spec},
        {"kind": "PodDisruptionBudget", "spec": {"selector": {"matchLabels": labels}}},
        {"kind": "NetworkPolicy", "spec": policy},
        {"kind": "ServiceAccount", "automountServiceAccountToken": False},
        {"kind": "Service", "spec": {"type": "ClusterIP"}},
        {
            "kind": "Ingress",
            "spec": {
                "tls": [{"hosts": ["a"], "secretName": "tls"}],
                "rules": [{"host": "a", "http": {"paths": [path]}}],
            },
        },
    ]


POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", 0)
CONTROLS = [
    ("spec", "strategy"), ("spec", "strategy", "rollingUpdate"),
    ("spec", "strategy", "rollingUpdate", "maxUnavailable"),
    *((*POD, name) for name in (
        "automountServiceAccountToken", "enableServiceLinks", "hostNetwork", "hostPID", "hostIPC", "securityContext",
        "topologySpreadConstraints",
    )),
    (*POD, "topologySpreadConstraints", 0),
    *((*POD, "securityContext", name) for name in (
        "runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile",
    )),
    *((*CONTAINER, name) for name in (
        "securityContext", "startupProbe", "readinessProbe", "livenessProbe", "lifecycle", "resources", "env", "ports",
    )),
    *((*CONTAINER, "securityContext", name) for name in (
        "allowPrivilegeEscalation", "privileged", "readOnlyRootFilesystem", "runAsNonRoot", "runAsUser", "capabilities",
        "seccompProfile",
    )),
    *((*CONTAINER, "resources", kind, what) for kind in ("requests", "limits") for what in ("cpu", "memory")),
    (*CONTAINER, "livenessProbe", "httpGet", "path"), (*CONTAINER, "lifecycle", "preStop", "sleep", "seconds"),
    (*POD, "volumes", 0, "emptyDir", "sizeLimit"),
]  # fmt: skip


def at(place: Any, path: tuple[Any, ...]) -> Any:
    """Return what lies below *place* by *path*."""
    for key in path:
        place = place[key]
    return place


def test_a_whole_installation_is_green() -> None:
    """An installation that has every control is not complained of."""
    assert violations(good()) == []


@pytest.mark.parametrize("path", CONTROLS, ids=lambda path: ".".join(map(str, path)))
def test_one_control_less_is_red(path: tuple[Any, ...]) -> None:
    """Whatever part of the Deployment's safety is taken out, a rule says so."""
    objects = good()
    del at(objects[0], path[:-1])[path[-1]]

    assert violations(objects) != []


def test_every_part_is_taken_out_in_turn() -> None:
    """A part that no rule misses is found, unless it is known as harmless; true is turned to false, too."""
    whole = good()
    whole[0]["spec"]["template"]["spec"]["unheard"] = True

    tried, found = unguarded(whole)

    assert tried > 150
    assert found == [f"{how} Deployment/spec/template/spec/unheard" for how in ("without", "turned")]


def put(*path: Any, value: Any) -> Callable[[list[Object]], None]:
    """Return what puts *value* at *path* of the objects."""

    def change(objects: list[Object]) -> None:
        at(objects, path[:-1])[path[-1]] = value

    return change


ROUTE = (5, "spec", "rules", 0, "http", "paths", 0, "backend", "service", "port", "name")
SECRET = [AUTH, {"name": "ATRASO_LEDGER_URL", "value": "postgresql://u:p@h/n"}]
TOKENS = [{"name": "ATRASO_AUTH", "value": "keys,jwt"}, LEDGER]
KEY, MODELS = {"name": "ATRASO_KEY", "value": "atraso_x"}, {"name": "models", "mountPath": "/models"}
ALL_OF_THEM = [{"namespaceSelector": {"matchLabels": {"name": "kube-system"}}}]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda objects: objects.pop(0), "no Deployment"),
        (lambda objects: objects.pop(1), "PodDisruptionBudget"),
        (lambda objects: objects.pop(2), "NetworkPolicy"),
        (put(0, "spec", "replicas", value=1), "single replica"),
        (put(1, "spec", "selector", "matchLabels", value={"app": "other"}), "PodDisruptionBudget"),
        (put(2, "spec", "policyTypes", value=["Ingress"]), "direction open"),
        (put(2, "spec", "ingress", 0, "from", value=[]), "ingress rule for everybody"),
        (put(2, "spec", "egress", 0, "to", value=[{"ipBlock": {"cidr": "0.0.0.0/0"}}]), "whole internet"),
        (put(2, "spec", "egress", 0, "ports", value=[]), "every port"),
        (put(2, "spec", "egress", 0, "ports", value=[{"protocol": "TCP"}]), "every port"),
        (put(2, "spec", "ingress", 0, "from", value=[{"namespaceSelector": {}}]), "ingress rule for everybody"),
        (put(2, "spec", "ingress", 0, "from", 0, "podSelector", "matchLabels", value={}), "rule for everybody"),
        (put(2, "spec", "egress", 0, "to", value=ALL_OF_THEM), "all pods of a namespace"),
        (put(2, "spec", "podSelector", "matchLabels", value={"app": "other"}), "chooses its pods"),
        (put(2, "spec", "podSelector", value={}), "chooses its pods"),
        (put(3, "automountServiceAccountToken", value=True), "token"),
        (put(4, "spec", "type", value="LoadBalancer"), "without an Ingress"),
        (put(5, "spec", "tls", value=[]), "without TLS"),
        (put(5, "spec", "tls", 0, "secretName", value=""), "without TLS"),
        (put(0, *POD, "volumes", 0, value={"name": "data"}), "of no kind"),
        (put(*ROUTE, value="metrics"), "another port"),
        (put(0, *CONTAINER, "securityContext", "privileged", value=True), "unprivileged"),
        (put(0, *CONTAINER, "securityContext", "runAsUser", value=0), "user"),
        (put(0, *CONTAINER, "securityContext", "capabilities", "add", value=["NET_ADMIN"]), "capabilities"),
        (put(0, *CONTAINER, "env", 0, "value", value="none"), "asks nobody"),
        (put(0, *CONTAINER, "env", value=SECRET), "Secret"),
        (put(0, *CONTAINER, "env", value=[AUTH]), "where the ledger is"),
        (put(0, *CONTAINER, "env", value=TOKENS), "key for tokens"),
        (put(0, *POD, "volumes", 1, "persistentVolumeClaim", "readOnly", value=False), "can be written to"),
        (put(0, *CONTAINER, "volumeMounts", 1, "readOnly", value=False), "can be written to"),
        (put(0, *POD, "volumes", 0, value={"name": "x", "hostPath": {"path": "/"}}), "forbidden"),
        (put(0, *POD, "initContainers", value=[{"name": "x"}]), "container x"),
        (put(0, *POD, "initContainers", value=[{"name": "x", "env": [KEY]}]), "ATRASO_KEY stands in the manifest"),
        (put(0, *POD, "initContainers", value=[{"name": "x", "volumeMounts": [MODELS]}]), "can be written to"),
        (put(0, *CONTAINER, "ports", value=[{"name": "metrics", "containerPort": 5001}]), "answers requests"),
    ],
)
def test_what_is_worse_is_named(change: Callable[[list[Object]], object], says: str) -> None:
    """Each way to be less safe is told in words that name it."""
    objects = good()
    change(objects)

    assert any(says in found for found in violations(objects)), violations(objects)
