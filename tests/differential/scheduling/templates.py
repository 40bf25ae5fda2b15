"""Random pod templates of services: requests, tolerations, affinity, spreading, priorities."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from random import Random
from typing import Any

Object = dict[str, Any]

NAMESPACES: dict[str, dict[str, str]] = {"default": {}, "ml": {"team": "a"}, "batch": {"team": "b", "tier": "low"}}
_KEYS = ("kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/zone", "gpu-type")
_GPUS = ("nvidia.com/gpu",) * 5 + ("amd.com/gpu", "gpu.intel.com/i915", "habana.ai/gaudi", "nvidia.com/mig-1g.10gb")
_PAIRS = (("kubernetes.io/os", "linux"), ("gpu-type", "a100"), ("generation", "2"), ("capacity-type", "spot"))
_CPUS = ("100m", "250m", "0.5", "1", "100m", "200m", "1500m", "2", "4", "8", "0.1005", "0")
_MEMORY = ("64Mi", "128M", "512Mi", "1Gi", "1.5Gi", "64Mi", "200M", "4Gi", "16Gi", "30G", "100000k", "0")
_IMAGES = ("registry.example/serve:1", "registry.example/serve:2", "registry.example/tiny:1",
           "registry.example/sidecar", "cuda:12", "absent:1")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Template:
    """One application: its pod, its Service and its controller."""

    name: str
    namespace: str
    kind: str
    base: Object
    service: Object | None
    controller: Object | None

    def pod(self, random: Random, name: str) -> Object:
        """Makes a pod of one of two revisions."""
        pod = copy.deepcopy(self.base)
        pod["metadata"]["name"] = name
        pod["metadata"]["uid"] = f"uid-{name}"
        pod["metadata"]["labels"]["pod-template-hash"] = random.choice(("1", "2"))
        return pod


def template(random: Random, name: str, strict: float) -> Template:
    """Makes an application.

    Args:
        random: Where chance comes from.
        name: Its name.
        strict: How often it states demands that a node may fail [0 to 1].
    """
    namespace = random.choice(("default", "ml", "ml", "batch"))
    labels = {"app": name, "tier": random.choice(("front", "back"))}
    kind = random.choice(("", "ReplicaSet", "ReplicaSet", "StatefulSet", "Job"))
    metadata: Object = {"namespace": namespace, "labels": labels}
    if kind:
        api = "batch/v1" if kind == "Job" else "apps/v1"
        metadata["ownerReferences"] = [
            {"apiVersion": api, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}
        ]
    here = {"name": name, "namespace": namespace}
    service = {"metadata": here, "spec": {"selector": {"app": name}}} if random.random() < 0.6 else None
    wanted = {"matchLabels": {"app": name}}
    if random.random() < 0.3:
        wanted["matchExpressions"] = [{"key": "tier", "operator": "Exists"}]  # type: ignore[assignment]
    controller = {"metadata": here, "spec": {"selector": wanted}} if kind in ("ReplicaSet", "StatefulSet") else None
    base = {"metadata": metadata, "spec": _spec(random, name, strict)}
    return Template(name, namespace, kind, base, service, controller)


def _spec(random: Random, name: str, strict: float) -> Object:
    spec: Object = {"containers": [_container(random, f"main-{rank}") for rank in range(random.choice((1, 1, 1, 2)))]}
    if random.random() < 0.2 + 0.3 * strict:
        gpus = str(random.choice((1, 1, 1, 2, 4, 8)))
        resources = spec["containers"][0].setdefault("resources", {})
        resources.setdefault("limits", {})[random.choice(_GPUS)] = gpus
    if random.random() < 0.2:
        spec["initContainers"] = [_container(random, f"init-{rank}") for rank in range(random.randint(1, 3))]
        for container in spec["initContainers"]:
            if random.random() < 0.5:
                container["restartPolicy"] = "Always"
    if random.random() < 0.08:
        spec["overhead"] = {"cpu": "250m", "memory": "120Mi"}
    if random.random() < 0.12:
        _add_pod_level(random, spec)
    if random.random() < 0.1 + 0.2 * strict:
        pair = random.choice(_PAIRS)
        spec["nodeSelector"] = dict([pair])
    spec["tolerations"] = _tolerations(random)
    affinity = _affinity(random, name, strict)
    if affinity:
        spec["affinity"] = affinity
    if random.random() < 0.4:
        spec["topologySpreadConstraints"] = _spread(random, name, strict)
    if random.random() < 0.9:
        spec["priority"] = random.choice((-10, 0, 0, 100, 1000, 2_000_000))
    if random.random() < 0.08:
        spec["preemptionPolicy"] = "Never"
    if random.random() < 0.02:
        spec["hostNetwork"] = True
    if random.random() < 0.05:
        image = {"reference": random.choice(_IMAGES), "pullPolicy": "IfNotPresent"}
        spec["volumes"] = [{"name": "weights", "image": image}]
    if "overhead" in spec and "resources" in spec:
        # See "Deviation" in tonnage.scheduling.requests.
        for place in (spec, *spec["containers"], *spec.get("initContainers", ())):
            for amounts in place.get("resources", {}).values():
                if amounts.get("memory") == "1.5Gi":
                    amounts["memory"] = "1536Mi"
    return spec


def _container(random: Random, name: str) -> Object:
    resources: Object = {}
    for kind in ("requests", "limits"):
        amounts = {}
        if random.random() < 0.6:
            amounts["cpu"] = random.choice(_CPUS)
        if random.random() < 0.6:
            amounts["memory"] = random.choice(_MEMORY)
        if random.random() < 0.03:
            amounts["ephemeral-storage"] = random.choice(("1Gi", "30Gi"))
        if amounts:
            resources[kind] = amounts
    container: Object = {"name": name, "image": random.choice(_IMAGES)}
    if resources:
        container["resources"] = resources
    if random.random() < 0.06:
        container["ports"] = [_port(random)]
    return container


def _port(random: Random) -> Object:
    port: Object = {"containerPort": 8080}
    if random.random() < 0.8:
        port["hostPort"] = random.choice((8080, 9090))
    if random.random() < 0.3:
        port["hostIP"] = random.choice(("10.0.0.1", "10.0.0.2", "0.0.0.0"))
    if random.random() < 0.2:
        port["protocol"] = "UDP"
    return port


def _add_pod_level(random: Random, spec: Object) -> None:
    resources: Object = {}
    if random.random() < 0.7:
        resources["requests"] = {"cpu": random.choice(_CPUS[1:6])}
    if random.random() < 0.5:
        resources.setdefault("requests", {})["memory"] = random.choice(_MEMORY[2:7])
    if random.random() < 0.5:
        resources["limits"] = {random.choice(("cpu", "memory")): "8" if random.random() < 0.5 else "9000000000"}
    if resources:
        spec["resources"] = resources


def _tolerations(random: Random) -> list[Object]:
    found: list[Object] = []
    if random.random() < 0.7:
        found.append({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"})
    if random.random() < 0.2:
        found.append({"key": "nvidia.com/gpu", "operator": "Equal", "value": "present"})
    if random.random() < 0.15:
        found.append({"operator": "Exists"})
    if random.random() < 0.1:
        found.append({"key": "team", "value": "a", "effect": "NoSchedule"})
    if random.random() < 0.1:
        found.append({"key": "capacity", "operator": "Exists", "effect": "PreferNoSchedule"})
    if random.random() < 0.1:
        found.append({"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300})
    if random.random() < 0.3:
        found.append({"key": "amd.com/gpu", "operator": "Exists"})
    return found


def _affinity(random: Random, name: str, strict: float) -> Object:
    affinity: Object = {}
    required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
    if random.random() < 0.25:
        node: Object = {}
        if random.random() < 0.6 * strict:
            node[required] = {"nodeSelectorTerms": [_node_term(random) for _ in range(random.choice((1, 1, 2)))]}
        if random.random() < 0.6:
            node[preferred] = [
                {"weight": random.randint(1, 100), "preference": _node_term(random)}
                for _ in range(random.choice((1, 2)))
            ]
        affinity["nodeAffinity"] = node
    for kind, often in (("podAffinity", 0.2), ("podAntiAffinity", 0.4)):
        if random.random() < often:
            terms: Object = {}
            if random.random() < 0.5 * strict:
                terms[required] = [_term(random, name) for _ in range(random.choice((1, 1, 2)))]
            if random.random() < 0.6:
                terms[preferred] = [
                    {"weight": random.randint(1, 100), "podAffinityTerm": _term(random, name)}
                    for _ in range(random.choice((1, 1, 2)))
                ]
            affinity[kind] = terms
    return affinity


def _node_term(random: Random) -> Object:
    if random.random() < 0.06:
        names = [f"node-{random.randint(0, 5)}"]
        field = {"key": "metadata.name", "operator": random.choice(("In", "In", "NotIn")), "values": names}
        return {"matchFields": [field]}
    choices: tuple[Object, ...] = (
        {"key": "gpu-type", "operator": "In", "values": ["a100", "h100", "t4"]},
        {"key": "gpu-type", "operator": "NotIn", "values": ["t4"]},
        {"key": "gpu-type", "operator": "Exists"},
        {"key": "capacity-type", "operator": "DoesNotExist"},
        {"key": "gpu-count", "operator": "Gt", "values": ["1"]},
        {"key": "generation", "operator": "Lt", "values": ["3"]},
        {"key": "generation", "operator": "Gt", "values": ["1"]},
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["zone-a", "zone-b"]},
    )
    return {"matchExpressions": random.sample(choices, random.choice((1, 1, 2)))}


def _selector(random: Random, name: str) -> Object:
    choices: tuple[tuple[int, Object], ...] = (
        (10, {"matchLabels": {"app": name}}),
        (2, {"matchLabels": {"app": f"app-{random.randint(0, 5)}"}}),
        (2, {"matchLabels": {"tier": random.choice(("front", "back"))}}),
        (1, {"matchExpressions": [{"key": "app", "operator": "In", "values": [name, "app-0"]}]}),
        (1, {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["back"]}]}),
        (1, {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
        (1, {}),
    )
    return random.choices([one for _, one in choices], [weight for weight, _ in choices])[0]


def _term(random: Random, name: str) -> Object:
    term: Object = {"topologyKey": random.choice(_KEYS), "labelSelector": _selector(random, name)}
    if random.random() < 0.03:
        del term["labelSelector"]
    elif random.random() < 0.25:
        key = random.choice(("pod-template-hash", "tier", "absent"))
        term[random.choice(("matchLabelKeys", "matchLabelKeys", "mismatchLabelKeys"))] = [key]
    if random.random() < 0.15:
        term["namespaces"] = random.sample(("default", "ml", "batch"), random.choice((1, 2)))
    if random.random() < 0.15:
        choices = ({}, {"matchLabels": {"team": "a"}}, {"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]})
        term["namespaceSelector"] = random.choice(choices)
    return term


def _spread(random: Random, name: str, strict: float) -> list[Object]:
    constraints = []
    pairs: set[tuple[str, str]] = set()
    for _ in range(random.choice((1, 1, 2, 3))):
        constraint: Object = {
            "maxSkew": random.choice((1, 1, 2, 5)),
            "topologyKey": random.choice(_KEYS),
            "whenUnsatisfiable": "DoNotSchedule" if random.random() < 0.7 * strict else "ScheduleAnyway",
            "labelSelector": _selector(random, name),
        }
        pair = (constraint["topologyKey"], constraint["whenUnsatisfiable"])
        if pair in pairs:  # the API server refuses two of a kind
            continue
        pairs.add(pair)
        if random.random() < 0.05:
            del constraint["labelSelector"]
        elif random.random() < 0.35:
            constraint["matchLabelKeys"] = ["pod-template-hash"]
        if constraint["whenUnsatisfiable"] == "DoNotSchedule" and random.random() < 0.25:
            constraint["minDomains"] = random.choice((1, 2, 3, 5))
        if random.random() < 0.5:
            constraint["nodeAffinityPolicy"] = random.choice(("Honor", "Ignore"))
        if random.random() < 0.3:
            constraint["nodeTaintsPolicy"] = random.choice(("Honor", "Ignore"))
        constraints.append(constraint)
    return constraints
