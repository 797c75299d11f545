"""Every part of the chart's objects taken out, or said the other way round, in turn: which of them nobody would miss.

Whatever is not listed here as harmless is a control: without it the rules of deploy/chart_rules.py must be red.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from deploy.chart_rules import violations

Object = dict[str, Any]
Path = tuple[str | int, ...]

# Kinds whose objects watch and guard nothing; those of the Prometheus operator have rules of their own.
NO_CONTROL = {"PrometheusRule", "ServiceMonitor"}
# Where an object lies and what is in it -> why the service is no less safe without it.
POD, CONTAINER = "Deployment/spec/template/spec", "Deployment/spec/template/spec/containers/0"
PROBER = f"{POD}/initContainers(/0)?"
HARMLESS = {
    rf"\w+/(metadata.*|apiVersion)|Deployment/spec/template/metadata/labels/.*|{CONTAINER}/name": (
        "names that nothing chooses by"
    ),
    r"NetworkPolicy/spec/podSelector/matchLabels/.*": "the other label still chooses these pods",
    rf"(Deployment|Service)/spec/selector.*|{CONTAINER}(/image)?|{POD}/topologySpreadConstraints/\d/.*": (
        "the cluster refuses a Deployment without it; spreading has a rule as a whole"
    ),
    r"(ServiceAccount|Service|Ingress|HorizontalPodAutoscaler)": "a whole object that opens something is gone",
    r"Service/spec.*|Ingress/spec/(ingressClassName|rules/.*/(path|pathType|name))": "what leads nowhere is closed",
    r"NetworkPolicy/spec/(in|e)gress(/\d+)?|NetworkPolicy/spec/egress/0/to/0/namespaceSelector": "fewer may pass",
    r"NetworkPolicy/spec/(egress/0|ingress/1)/ports/\d": "fewer may pass",
    r"NetworkPolicy/.*/protocol": "it is TCP then",
    r"PodDisruptionBudget/spec/(maxUnavailable|unhealthyPodEvictionPolicy|selector/matchLabels/.*)": (
        "one replica must stay then; who is chosen has a rule"
    ),
    r"Deployment/spec/(revisionHistoryLimit|minReadySeconds|strategy/type|strategy/rollingUpdate/maxSurge)": (
        "Kubernetes' own defaults keep the service up, more slowly"
    ),
    rf"{POD}/(serviceAccountName|terminationGracePeriodSeconds|securityContext/fsGroupChangePolicy)": (
        "no account's token is mounted; 30 s are left to stop; only a start is slower"
    ),
    rf"{CONTAINER}/(imagePullPolicy|ports/0|ports/\d/protocol)": "the image is named by digest; a port is no rule",
    rf"{CONTAINER}/\w+Probe/(periodSeconds|failureThreshold|timeoutSeconds)": "Kubernetes' own pace then",
    rf"{PROBER}(/(name|image|\w+Policy|(args|ports|env|livenessProbe|volumeMounts).*))?": (
        "it asks and guards nothing; that it is silent is told by an alert"
    ),
    rf"{CONTAINER}/env/\d+(/value|/valueFrom.*)?": "a setting; those that guard something have rules of their own",
    rf"{CONTAINER}/volumeMounts(/\d(/name|/mountPath)?)?|{POD}/volumes(/\d(/name)?)?": "there is less to write to",
    rf"{POD}/volumes/\d/persistentVolumeClaim/claimName": "the cluster refuses it",
    r"HorizontalPodAutoscaler/spec/(scaleTargetRef|maxReplicas|behavior|metrics/\d).*": (
        "it is refused or scales otherwise; at least two replicas and a look at requests have rules"
    ),
}


def parts(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of every part below *value*, whole ones before those in them."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from parts(inner, (*path, key))


def without(objects: list[Object], path: Path) -> Iterator[tuple[str, list[Object]]]:
    """Yield copies of *objects* without the part at *path*, and where it is true or false, with the contrary."""
    for turned in (False, True):
        changed = copy.deepcopy(objects)
        place: Any = changed
        for key in path[:-1]:
            place = place[key]
        if not turned:
            del place[path[-1]]
            yield "without", changed
        elif isinstance(place[path[-1]], bool):
            place[path[-1]] = not place[path[-1]]
            yield "turned", changed


def unguarded(objects: list[Object]) -> tuple[int, list[str]]:
    """Return how many changes were tried, and the parts that no rule misses and that are not known as harmless."""
    looked = [one for one in objects if one["kind"] not in NO_CONTROL]
    found, tried = [], 0
    for path in parts(looked):
        for how, changed in without(looked, path):
            tried += 1
            name = "/".join(map(str, (looked[int(path[0])]["kind"], *path[1:])))
            if not _is_red(changed) and not any(re.fullmatch(pattern, name) for pattern in HARMLESS):
                found.append(f"{how} {name}")
    return tried, found


def _is_red(objects: list[Object]) -> bool:
    try:
        return bool(violations(objects))
    except (KeyError, TypeError, AttributeError):
        return True  # what is not whole cannot be installed
