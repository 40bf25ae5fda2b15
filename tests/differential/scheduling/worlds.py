"""Random clusters with services on them, biased towards machine learning and towards the edges.

A world is known by its seed and its index, so that any one of them can be made again. It is plain Kubernetes
JSON: what the scheduler's informers would hear of, and the pods that are to be placed, in turn.
"""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from tests.differential.scheduling.templates import NAMESPACES, Template, template

Object = dict[str, Any]

_GPUS = (
    ("nvidia.com/gpu", (1, 2, 4, 8), ("a100", "h100", "t4", "l4")),
    ("amd.com/gpu", (4, 8), ("mi250", "mi300x")),
    ("gpu.intel.com/i915", (1, 2), ("flex140",)),
    ("habana.ai/gaudi", (8,), ("gaudi2",)),
    ("nvidia.com/mig-1g.10gb", (7, 14), ("a100",)),
)
IMAGES = (
    ("registry.example/serve:1", 900), ("registry.example/serve:2", 4000), ("registry.example/tiny:1", 20),
    ("registry.example/sidecar:latest", 150), ("cuda:12", 8000),
)  # fmt: skip


def world(seed: int, index: int) -> Object:
    """Makes one world: the objects of a cluster, and the pods to be placed."""
    random = Random(f"{seed}/{index}")
    zones = [f"zone-{letter}" for letter in "abcd"[: random.randint(1, 4)]]
    size = random.choice((1, 2, 3, 5, 8, 12, 20, 30, 60))
    nodes = [_node(random, f"node-{rank}", zones) for rank in range(size)]
    uniform = random.random() < 0.3
    if uniform:  # a pool of equal nodes, with many pods of few services to come
        nodes = [_like(random, nodes[0], f"node-{rank}", zones) for rank in range(size)]
    strict = random.choice((0.1, 0.3, 0.6, 1.0))
    templates = [template(random, f"app-{rank}", strict) for rank in range(random.randint(1, 6))]
    contended = random.random() < 0.3
    pods = _placed(random, nodes, templates, 1.0 if contended else random.choice((0.2, 0.6, 1.0, 1.0)))
    pending = [
        random.choice(templates[:2] if uniform else templates).pod(random, f"pending-{rank}")
        for rank in range(random.randint(12, 24) if uniform else random.randint(6, 14))
    ]
    if contended:  # full nodes, and pods that matter more
        _contend(random, pods, pending)
    return {
        "name": f"{seed}/{index}",
        "cluster": {
            "nodes": nodes,
            "pods": pods,
            "namespaces": [
                {"metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}}}
                for name, labels in NAMESPACES.items()
            ],
            "services": [one.service for one in templates if one.service is not None],
            "replicaSets": [one.controller for one in templates if one.kind == "ReplicaSet"],
            "statefulSets": [one.controller for one in templates if one.kind == "StatefulSet"],
            "budgets": _budgets(random, templates),
        },
        "pending": pending,
    }


def wide_world(seed: int, index: int) -> Object:
    """Makes a cluster of 100 nodes or more, where not all of them are looked at; nobody preempts there."""
    random = Random(f"wide {seed}/{index}")
    zones = [f"zone-{letter}" for letter in "abcd"[: random.randint(1, 4)]]
    nodes = [_node(random, f"node-{rank}", zones) for rank in range(random.choice((100, 130, 210, 260)))]
    templates = [template(random, f"app-{rank}", 0.1) for rank in range(3)]
    pending = [random.choice(templates).pod(random, f"pending-{rank}") for rank in range(30)]
    for pod in pending:
        pod["spec"]["preemptionPolicy"] = "Never"
    made = world(seed, index)
    objects = {**made["cluster"], "nodes": nodes, "pods": [], "budgets": [], "parallelism": 1}
    return {"name": f"wide {seed}/{index}", "cluster": objects, "pending": pending}


def _contend(random: Random, pods: list[Object], pending: list[Object]) -> None:
    for pod in pods:
        pod["spec"]["priority"] = random.choice((-10, 0, 0, 100))
    for pod in pending:
        spec = pod["spec"]
        spec["priority"] = random.choice((0, 100, 1_000_000, 1_000_000, 2_000_000))
        spec["containers"] = spec["containers"][:1]
        for drop in ("initContainers", "resources", "overhead"):
            spec.pop(drop, None)
        if random.random() < 0.6:
            amounts = {"cpu": random.choice(("1", "1500m", "3")), "memory": random.choice(("1Gi", "6Gi"))}
            spec["containers"][0]["resources"] = {"requests": amounts}


def _like(random: Random, node: Object, name: str, zones: list[str]) -> Object:
    labels = {**node["metadata"]["labels"], "kubernetes.io/hostname": name}
    labels["topology.kubernetes.io/zone"] = random.choice(zones)
    copied: Object = copy.deepcopy(node)
    copied["metadata"] = {"name": name, "labels": labels}
    return copied


def _node(random: Random, name: str, zones: list[str]) -> Object:
    labels = {"kubernetes.io/os": "linux", "generation": str(random.choice((1, 2, 3, 10)))}
    if random.random() < 0.95:
        labels["kubernetes.io/hostname"] = name
    if random.random() < 0.9:
        labels["topology.kubernetes.io/zone"] = random.choice(zones)
        labels["topology.kubernetes.io/region"] = "region-1"
    if random.random() < 0.3:
        labels["capacity-type"] = random.choice(("spot", "on-demand"))
    cores = random.choice((2, 4, 4, 8, 8, 16, 64, 96))
    allocatable = {
        "cpu": random.choice((str(cores), f"{cores * 1000 - 70}m", f"{cores - 0.5}")),
        "memory": random.choice((f"{cores * 4}Gi", f"{cores * 4 * 1024 * 1024 - 10_001}Ki", f"{cores * 2}G")),
        "pods": str(random.choice((110, 110, 110, 110, 110, 5, 3))),
    }
    if random.random() < 0.5:
        allocatable["ephemeral-storage"] = random.choice(("100Gi", "20G"))
    taints: list[Object] = []
    if random.random() < 0.65:
        _add_gpus(random, labels, allocatable, taints)
    if random.random() < 0.15:
        taints.append({"key": "capacity", "value": "spot", "effect": "PreferNoSchedule"})
    if random.random() < 0.05:
        taints.append({"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"})
    if random.random() < 0.1:
        taints.append({"key": "team", "value": random.choice(("a", "b")), "effect": "NoSchedule"})
    images = [
        {"names": [image, f"{image}@sha256:{rank}"], "sizeBytes": mib * 1024 * 1024 + random.choice((0, 0, 7))}
        for rank, (image, mib) in enumerate(IMAGES)
        if random.random() < 0.4
    ]
    spec: Object = {"taints": taints}
    if random.random() < 0.06:
        spec["unschedulable"] = True
        if random.random() < 0.5:
            taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": allocatable, "images": images},
    }


def _add_gpus(random: Random, labels: Object, allocatable: Object, taints: list[Object]) -> None:
    resource, counts, types = random.choices(_GPUS, (6, 2, 1, 1, 1))[0]
    count = random.choice(counts)
    allocatable[resource] = str(count)
    labels["gpu-type"] = random.choice(types)
    labels["gpu-count"] = str(count)
    if random.random() < 0.6:
        value = random.choice(("", "present"))
        taints.append({"key": resource.partition("/")[0] + "/gpu", "value": value, "effect": "NoSchedule"})


def _placed(
    random: Random, nodes: list[Object], templates: list[Template], fullness: float
) -> list[Object]:
    """Pods that are there already: wherever, as earlier rules or people put them."""
    pods = []
    for node in nodes:
        count = 0
        while random.random() < fullness and count < random.choice((2, 4, 8, 16)):
            pod = random.choice(templates).pod(random, f"pod-{len(pods)}")
            pod["spec"]["nodeName"] = node["metadata"]["name"]
            pod["spec"].pop("schedulingGates", None)
            # Every start is another second: the order of victims that started together is upstream's secret.
            second = len(pods) * 7919 % 86400
            pod["status"] = {
                "startTime": f"2026-11-{random.randint(10, 19)}"
                f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z"
            }
            if random.random() < 0.06:
                pod["metadata"]["deletionTimestamp"] = "2026-11-20T00:00:00Z"
                if random.random() < 0.5:
                    pod["status"]["conditions"] = [
                        {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
                    ]
            pods.append(pod)
            count += 1
    return pods


def _budgets(random: Random, templates: list[Template]) -> list[Object]:
    """At most one budget per application, as the order of several is not defined."""
    return [
        {
            "metadata": {"name": one.name, "namespace": one.namespace},
            "spec": {"selector": {"matchLabels": {"app": one.name}} if random.random() < 0.9 else {}},
            "status": {"disruptionsAllowed": random.choice((0, 0, 1, 2))},
        }
        for one in templates
        if random.random() < 0.5
    ]
