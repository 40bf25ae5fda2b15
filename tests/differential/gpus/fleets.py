"""Random clusters of mixed GPU nodes, some of them in use, and workloads that want GPUs.

A fleet is known by its seed and its index, so that any one of them can be made again. It is plain Kubernetes
JSON: pools of a100, h100, t4, amd and intel nodes with the labels and taints of different labellers and
people, pods that hold some of the GPUs, and two or three workloads: a job with 4 GPUs, 8 workers with 8 GPUs
each, a service, and others between.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

Object = dict[str, Any]

_POOLS: tuple[tuple[str, str, int, int, Object, str], ...] = (
    # resource, type, GPUs, cores, what labellers write, taint
    ("nvidia.com/gpu", "a100", 8, 96, {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB"}, "nvidia.com/gpu"),
    ("nvidia.com/gpu", "a100", 4, 48, {"cloud.google.com/gke-accelerator": "nvidia-tesla-a100"}, "nvidia.com/gpu"),
    ("nvidia.com/gpu", "h100", 8, 192, {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}, "nvidia.com/gpu"),
    ("nvidia.com/gpu", "t4", 4, 32, {"karpenter.k8s.aws/instance-gpu-name": "t4"}, "nvidia.com/gpu"),
    ("nvidia.com/gpu", "t4", 1, 8, {"nvidia.com/gpu.product": "Tesla-T4"}, "nvidia.com/gpu"),
    ("amd.com/gpu", "mi300x", 8, 96, {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}, "amd.com/gpu"),
    ("gpu.intel.com/xe", "max-1550", 4, 64, {"gpu.intel.com/product": "Max_1550"}, "gpu.intel.com/xe"),
    ("habana.ai/gaudi", "gaudi-2", 8, 96, {"habana.ai/product.name": "Intel-Gaudi-2-96GB"}, "habana.ai/gaudi"),
)
_TEAMS = ("research", "serving")


@dataclass(frozen=True, slots=True)
class Fleet:
    """One cluster and what is wanted in it.

    Attributes:
        name: Seed and index.
        nodes: Node objects.
        pods: Pods on them.
        others: Namespaces, Services and selectors.
        workloads: What is wanted, in turn.
    """

    name: str
    nodes: list[Object]
    pods: list[Object]
    others: list[Object]
    workloads: list[Object]


def fleet(seed: int, index: int) -> Fleet:
    """Makes one cluster."""
    random = Random(f"gpus {seed}/{index}")
    roomy = random.random() < 0.4
    nodes = _nodes(random, roomy)
    pods = _pods(random, nodes, roomy)
    there = sorted({gpus[0] for node in nodes if (gpus := _gpus(node)) is not None})
    workloads = [_workload(random, f"job-{rank}", there) for rank in range(random.choice((2, 2, 3)))]
    service = {"kind": "Service", "metadata": {"name": "old", "namespace": "default"}}
    service["spec"] = {"selector": {"app": "old"}}
    return Fleet(f"{seed}/{index}", nodes, pods, [service], workloads)


def _nodes(random: Random, roomy: bool) -> list[Object]:
    labelled = random.choice((0.0, 0.8, 1.0, 1.0))
    tainted = random.choice((0.0, 0.5, 0.9, 1.0))
    found: list[Object] = []
    # most jobs can only be placed where there are many nodes of a type, so pools are large or small
    for pool in random.sample(_POOLS, random.randint(1, 4)):
        for _ in range(random.choice((12, 16, 20) if roomy else (1, 2, 4, 10, 16, 20, 20))):
            found.append(_node(random, f"node-{len(found)}", pool, labelled, tainted))
    for _ in range(random.choice((0, 1, 3))):
        found.append(_node(random, f"node-{len(found)}", None, 0.0, 0.0))
    random.shuffle(found)
    return found


def _node(random: Random, name: str, pool: Any, labelled: float, tainted: float) -> Object:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    if random.random() < 0.8:
        labels["topology.kubernetes.io/zone"] = random.choice(("zone-a", "zone-b"))
    taints: list[Object] = []
    cores = 16 if pool is None else pool[3]
    allocatable = {"cpu": f"{cores * 1000 - 110}m", "memory": f"{cores * 8}Gi", "pods": "110"}
    if pool is not None:
        resource, kind, gpus, _, written, taint = pool
        broken = gpus > 1 and random.random() < 0.05
        allocatable[resource] = str(gpus - broken)
        labels |= written
        if random.random() < labelled:
            labels["gpu-type"] = kind
        if random.random() < tainted:
            value = random.choice(({}, {"value": "present"}))
            taints.append({"key": taint, "effect": "NoSchedule", **value})
    if random.random() < 0.12:
        taints.append({"key": "team", "value": random.choice(_TEAMS), "effect": "NoSchedule"})
    if random.random() < 0.1:
        taints.append({"key": "spot", "value": "true", "effect": random.choice(("NoSchedule", "PreferNoSchedule"))})
    if random.random() < 0.04:
        taints.append({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})
    spec: Object = {"taints": taints}
    if random.random() < 0.06:
        spec["unschedulable"] = True
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }


def _pods(random: Random, nodes: list[Object], roomy: bool) -> list[Object]:
    """Pods that hold some of the GPUs, by services, jobs and DaemonSets."""
    used = random.choice((0.0, 0.1, 0.2) if roomy else (0.0, 0.1, 0.3, 0.6, 0.9))
    found: list[Object] = []
    for node in nodes:
        gpus = _gpus(node)
        if random.random() < 0.5:
            found.append(_running(random, node, f"agent-{len(found)}", "DaemonSet", None, 0))
        if gpus is None:
            continue
        resource, left = gpus
        while left > 0 and random.random() < used:
            count = min(left, random.choice((1, 1, 2, 4, 8)))
            left -= count
            kind = random.choice(("ReplicaSet", "Job", ""))
            found.append(_running(random, node, f"old-{len(found)}", kind, resource, count))
    return found


def _gpus(node: Object) -> tuple[str, int] | None:
    for name, amount in node["status"]["allocatable"].items():
        if "/" in name:
            return name, int(amount)
    return None


def _running(
    random: Random, node: Object, name: str, kind: str, resource: str | None, count: int
) -> Object:
    cores = max(count * random.choice((1, 2, 4)), 1)
    amounts = {"cpu": str(cores), "memory": f"{cores * 4}Gi"}
    limits = {**amounts, **({resource: str(count)} if resource else {})}
    metadata: Object = {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "old"}}
    if kind:
        metadata["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": kind, "name": "old", "uid": "uid-old", "controller": True}
        ]
    if random.random() < 0.04:
        metadata["deletionTimestamp"] = "2026-11-20T00:00:00Z"
    second = int(name.rpartition("-")[2]) * 7919 % 86400
    return {
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": node["metadata"]["name"],
            "priority": random.choice((-10, 0, 0, 0, 100)) if kind != "DaemonSet" else 2_000_001_000,
            "containers": [{"name": "main", "image": "i", "resources": {"requests": amounts, "limits": limits}}],
        },
        "status": {
            "phase": "Running",
            "startTime": f"2026-11-1{random.randint(0, 9)}"
            f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z",
        },
    }


def _workload(random: Random, name: str, there: list[str]) -> Object:
    """One workload; jobs with 4 GPUs and 8 workers of 8 are the most frequent."""
    count, gpus = random.choice(((1, 4), (1, 4), (2, 4), (8, 8), (8, 8), (4, 8), (3, 2), (2, 1)))
    kind = random.choice(
        ("Job", "Job", "PyTorchJob", "Deployment", "LeaderWorkerSet", "TrainingJob", "TrainingJob", "ModelService")
    )
    if kind in ("TrainingJob", "ModelService"):
        return _document(random, name, kind, count, gpus, there)
    template = _template(random, name, gpus, there)
    metadata = {"name": name, "namespace": "default"}
    if kind == "Job":
        spec: Object = {"parallelism": count, "completions": count, "completionMode": "Indexed"}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": {**spec, "template": template}}
    if kind == "PyTorchJob":
        roles = {"Master": {"replicas": 1, "template": template}}
        if count > 1:
            roles["Worker"] = {"replicas": count - 1, "template": template}
        spec = {"pytorchReplicaSpecs": roles, "runPolicy": {"schedulingPolicy": {"minAvailable": count}}}
        return {"apiVersion": "kubeflow.org/v1", "kind": kind, "metadata": metadata, "spec": spec}
    if kind == "LeaderWorkerSet":
        inner = {"size": count, "workerTemplate": template}
        return {
            "apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": kind, "metadata": metadata,
            "spec": {"replicas": 1, "leaderWorkerTemplate": inner},
        }  # fmt: skip
    selector = {"matchLabels": {"app": name}}
    if random.random() < 0.5:
        template["spec"]["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": random.choice(("DoNotSchedule", "ScheduleAnyway")),
                "labelSelector": selector,
                "matchLabelKeys": ["pod-template-hash"],
            }
        ]
    if random.random() < 0.5:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": selector}
        required = "requiredDuringSchedulingIgnoredDuringExecution"
        template["spec"].setdefault("affinity", {})["podAntiAffinity"] = {required: [term]}
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": metadata,
        "spec": {"replicas": count, "selector": selector, "template": template},
    }  # fmt: skip


def _document(random: Random, name: str, kind: str, count: int, gpus: int, there: list[str]) -> Object:
    """One of our own documents; it tolerates its vendor's taint by itself."""
    vendors = {"nvidia.com/gpu": "nvidia", "amd.com/gpu": "amd", "gpu.intel.com/xe": "intel", "habana.ai/gaudi": "intel"}
    resource, wanted = random.choice([pool[:2] for pool in _POOLS if pool[0] in there] or [_POOLS[0][:2]])
    gpu: Object = {"vendor": vendors[resource], "count": gpus}
    if vendors[resource] == "intel":
        gpu["resourceName"] = resource
    if random.random() < 0.5:
        gpu |= random.choice(({"type": wanted}, {"types": [wanted, "other"]}))
    each = random.choice((2, 4, 8))
    resources = {"cpu": each * gpus, "memory": f"{each * gpus * 4}Gi", "gpu": gpu}
    metadata = {"name": name, "namespace": "default"}
    if kind == "TrainingJob":
        spec: Object = {
            "framework": "pytorch", "image": "i", "command": ["python", "t.py"], "workers": count,
            "resources": resources,
        }  # fmt: skip
    else:
        model = {"format": "onnx", "path": "m.onnx"}
        spec = {"model": model, "replicas": count, "resources": resources}
    if random.random() < 0.2:
        spec["scheduling"] = {"tolerations": [{"key": "team", "operator": "Exists"}]}
    return {"apiVersion": "tonnage.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _template(random: Random, name: str, gpus: int, there: list[str]) -> Object:
    """A pod; it mostly asks for what the cluster has, at times for what it has not."""
    kinds = [pool[:2] for pool in _POOLS if pool[0] in there or random.random() < 0.05]
    resource, kind = random.choice(kinds or [_POOLS[0][:2]])
    each = random.choice((2, 4, 4, 8, 8, 12))
    amounts = {"cpu": str(each * gpus), "memory": f"{each * gpus * 4}Gi"}
    container = {"name": "main", "image": "i", "resources": {"requests": amounts, "limits": {**amounts, resource: str(gpus)}}}
    spec: Object = {"containers": [container], "priority": random.choice((-20, 0, 0, 0, 1000))}
    if random.random() < 0.85:
        spec["tolerations"] = [{"key": resource, "operator": "Exists", "effect": "NoSchedule"}]
    if random.random() < 0.15:
        spec.setdefault("tolerations", []).append({"key": "team", "value": "research", "effect": "NoSchedule"})
    asks = random.random()
    if asks < 0.3:
        spec["nodeSelector"] = {"gpu-type": kind}
    elif asks < 0.5:
        wanted = [{"key": "gpu-type", "operator": "In", "values": [kind, "h100"]}]
        first = {"weight": 100, "preference": {"matchExpressions": [{"key": "gpu-type", "operator": "In", "values": [kind]}]}}
        spec["affinity"] = {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": wanted}]},
                "preferredDuringSchedulingIgnoredDuringExecution": [first],
            }
        }
    if random.random() < 0.1:
        spec.setdefault("nodeSelector", {})["topology.kubernetes.io/zone"] = "zone-a"
    if random.random() < 0.1:
        spec["preemptionPolicy"] = "Never"
    return {"metadata": {"labels": {"app": name}}, "spec": spec}
