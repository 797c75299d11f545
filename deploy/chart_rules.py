"""What must be true of the chart's objects whatever the values are; each rule names what it misses.

The restricted profile of Pod Security (https://kubernetes.io/docs/concepts/security/pod-security-standards/), and what
this service stands on beyond it: nothing to write to, no rights in the cluster, bounds, probes, closed networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
PROBES = {"startupProbe": "/health/ready", "readinessProbe": "/health/ready", "livenessProbe": "/health/live"}


def at(value: Object, *names: str) -> Any:
    """Return what lies below *value* by *names*, an empty object where a place is missing or empty."""
    for name in names:
        value = value.get(name) or {} if isinstance(value, dict) else {}
    return value


def violations(objects: list[Object]) -> list[str]:
    """Return what is wrong with the *objects* of one release, one sentence each."""
    by_kind: dict[str, list[Object]] = {}
    for one in objects:
        by_kind.setdefault(one["kind"], []).append(one)
    found = [] if by_kind.get("Deployment") else ["there is no Deployment"]
    for deployment in by_kind.get("Deployment", ()):
        found += _deployment(deployment, by_kind)
    found += list(_closed(by_kind.get("NetworkPolicy", [])))
    for account in by_kind.get("ServiceAccount", ()):
        if account.get("automountServiceAccountToken") is not False:
            found.append("the ServiceAccount gives its token to every pod")
    for service in by_kind.get("Service", ()):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            found.append("the Service is reachable from outside without an Ingress")
    for ingress in by_kind.get("Ingress", ()):
        tls = {host for one in ingress["spec"].get("tls", ()) if one.get("secretName") for host in one.get("hosts", ())}
        if not {rule.get("host") for rule in ingress["spec"]["rules"]} <= tls:
            found.append("the Ingress has a host without TLS")
        ports = {
            p["backend"]["service"]["port"].get("name") for r in ingress["spec"]["rules"] for p in r["http"]["paths"]
        }
        if ports != {"http"}:
            found.append("the Ingress leads to another port than http")
    for scaler in by_kind.get("HorizontalPodAutoscaler", ()):
        if scaler["spec"].get("minReplicas", 1) < 2:
            found.append("the HorizontalPodAutoscaler may leave a single replica")
        if not any(metric["type"] == "Pods" for metric in scaler["spec"]["metrics"]):
            found.append("the HorizontalPodAutoscaler does not look at requests")
    return found


def _deployment(deployment: Object, by_kind: dict[str, list[Object]]) -> list[str]:
    spec = deployment["spec"]
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    found = list(_pod(pod))
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        found += [
            f"container {container['name']}: {what}" for what in _container(container, pod.get("securityContext", {}))
        ]
    serving = [one for one in pod["containers"] if any(port["name"] == "http" for port in one.get("ports", ()))]
    found += [] if serving else ["no container of its pods answers requests"]
    for container in serving:
        found += [f"container {container['name']}: {what}" for what in _life(container)]
    chosen = [at(one, "spec", "podSelector", "matchLabels") for one in by_kind.get("NetworkPolicy", ())]
    if not any(choice and choice.items() <= labels for choice in chosen):
        found.append("no NetworkPolicy chooses its pods, and them alone")
    budgets = [one["spec"] for one in by_kind.get("PodDisruptionBudget", ())]
    if not any(budget["selector"]["matchLabels"].items() <= labels for budget in budgets):
        found.append("no PodDisruptionBudget holds its pods while nodes are emptied")
    if not by_kind.get("HorizontalPodAutoscaler") and spec.get("replicas", 1) < 2:
        found.append("there is a single replica")
    if at(spec, "strategy", "rollingUpdate").get("maxUnavailable") != 0:
        found.append("a rolling update takes replicas away before there are new ones")
    return found


def _pod(pod: Object) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(name) is not False:
            yield f"{name} is not switched off"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod has a token for the cluster"
    if pod.get("enableServiceLinks") is not False:
        yield "other services' addresses become settings of this one"
    yield from _volumes(pod)
    if len(pod.get("topologySpreadConstraints", ())) < 2:
        yield "replicas are not spread over nodes and zones"
    context = at(pod, "securityContext")
    if context.get("runAsNonRoot") is not True:
        yield "the pod may run as root"
    if at(context, "seccompProfile").get("type") not in ("RuntimeDefault", "Localhost"):
        yield "the pod has no seccomp profile"
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        if context.get(name, 0) < 10_000:
            yield f"{name} of the pod is not above 10000"


def _volumes(pod: Object) -> Iterator[str]:
    for volume in pod.get("volumes", ()):
        if not set(volume) - {"name"}:
            yield f"volume {volume['name']} is of no kind, which is an emptyDir without a bound"
        if kinds := set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is of a forbidden kind: {', '.join(kinds)}"
        if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
            yield f"volume {volume['name']} can fill the node's disk"
        if "persistentVolumeClaim" in volume and not (
            at(volume, "persistentVolumeClaim").get("readOnly") and _only_read(pod, volume["name"])
        ):
            yield f"volume {volume['name']} is shared by replicas, and can be written to"


def _only_read(pod: Object, volume: str) -> bool:
    containers = [*pod.get("initContainers", ()), *pod["containers"]]
    mounts = [mount for container in containers for mount in container.get("volumeMounts", ())]
    return all(mount.get("readOnly") for mount in mounts if mount["name"] == volume)


def _container(container: Object, of_pod: Object) -> Iterator[str]:
    context = at(container, "securityContext")
    if context.get("allowPrivilegeEscalation") is not False:
        yield "it may gain privileges"
    if context.get("privileged") is not False:
        yield "it is not said to be unprivileged"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root can be written to"
    if context.get("runAsNonRoot") is not True:
        yield "it may run as root"
    if context.get("runAsUser", of_pod.get("runAsUser", 0)) < 10_000 or "runAsUser" not in context:
        yield "its user is not above 10000"
    capabilities = at(context, "capabilities")
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield "it keeps capabilities"
    if at(context, "seccompProfile").get("type") not in ("RuntimeDefault", "Localhost"):
        yield "it has no seccomp profile"
    for name in ("requests", "limits"):
        if {"cpu", "memory"} - set(at(container, "resources", name)):
            yield f"it has no {name} of processor and memory"
    for variable in container.get("env") or ():
        if (
            any(word in variable["name"] for word in ("PASSWORD", "SIGNING_KEY", "LEDGER_URL", "ATRASO_KEY"))
            and "value" in variable
        ):
            yield f"{variable['name']} stands in the manifest instead of a Secret"
        if variable["name"] == "ATRASO_INSECURE" or variable == {"name": "ATRASO_AUTH", "value": "none"}:
            yield "it asks nobody who calls"


def _life(container: Object) -> Iterator[str]:
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    for probe, path in PROBES.items():
        asked = at(container, probe, "httpGet")
        if asked.get("path") != path or asked.get("port") not in ports:
            yield f"its {probe} does not ask {path}"
    if not at(container, "lifecycle", "preStop", "sleep").get("seconds"):
        yield "it stops before balancers have learnt of it"
    said = {variable["name"]: variable for variable in container.get("env") or ()}
    ways = set(at(said, "ATRASO_AUTH").get("value", "").split(",")) - {""}
    if not ways:
        yield "ATRASO_AUTH names no way in"
    from_secrets = {name for name, variable in said.items() if at(variable, "valueFrom", "secretKeyRef").get("name")}
    if "ATRASO_LEDGER_URL" not in from_secrets:
        yield "no Secret says where the ledger is: replicas would not know each other's keys and revocations"
    if ways & {"jwt", "ldap"} and "ATRASO_SIGNING_KEY" not in from_secrets:
        yield "no Secret has a key for tokens: each replica would refuse those of the others"


def _closed(policies: list[Object]) -> Iterator[str]:
    if not policies:
        yield "no NetworkPolicy closes the network"
    for policy in policies:
        spec = policy["spec"]
        if set(spec.get("policyTypes", ())) != {"Ingress", "Egress"}:
            yield "the NetworkPolicy leaves a direction open"
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for rule in spec.get(direction, ()):
                if not rule.get(peers) or not all(map(_is_somebody, rule[peers])):
                    yield f"the NetworkPolicy has an {direction} rule for everybody"
                if not rule.get("ports") or not all(one.get("port") for one in rule["ports"]):
                    yield f"the NetworkPolicy has an {direction} rule for every port"
                if any(peer.get("ipBlock", {}).get("cidr") in ("0.0.0.0/0", "::/0") for peer in rule.get(peers, ())):
                    yield f"the NetworkPolicy has an {direction} rule for the whole internet"
                if direction == "egress" and any(set(peer) == {"namespaceSelector"} for peer in rule.get(peers, ())):
                    yield "the NetworkPolicy has an egress rule for all pods of a namespace"


def _is_somebody(peer: Object) -> bool:
    """Tell whether a peer chooses anybody in particular: an empty selector is everybody of its kind."""
    return bool(peer) and all(chosen and any(chosen.values()) for chosen in peer.values())
