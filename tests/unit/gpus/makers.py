"""Objects of a cluster for these tests, and strategies for random ones."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Object = dict[str, Any]

GPU = "nvidia.com/gpu"


def node(
    name: str, gpus: int = 8, *, resource: str = GPU, kind: str | None = "a100", taints: tuple[str, ...] = (),
    cordoned: bool = False, cpu: str = "96", memory: str = "1Ti", pods: str = "110", healthy: int | None = None,
    ready: bool | None = True, **labels: str,
) -> Object:  # fmt: skip
    """A node; taints are ``key=value`` or ``key``, with effect NoSchedule."""
    held = {"kubernetes.io/hostname": name, **({"gpu-type": kind} if kind else {}), **labels}
    capacity = {"cpu": cpu, "memory": memory, "pods": pods, **({resource: str(gpus)} if gpus else {})}
    allocatable = {**capacity, **({resource: str(healthy)} if healthy is not None else {})}
    spec: Object = {"taints": [_taint(one) for one in taints]}
    if cordoned:
        spec["unschedulable"] = True
        spec["taints"].append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    status: Object = {"capacity": capacity, "allocatable": allocatable}
    if ready is not None:
        status["conditions"] = [{"type": "Ready", "status": str(ready)}]
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": held}, "spec": spec, "status": status}


def _taint(text: str) -> Object:
    key, _, value = text.partition("=")
    return {"key": key, "effect": "NoSchedule", **({"value": value} if value else {})}


def pod(
    name: str, gpus: int = 1, *, on: str | None = None, resource: str = GPU, cpu: str = "1", memory: str = "1Gi",
    tolerates: tuple[str, ...] = (GPU,), owner: str = "", priority: int = 0, phase: str = "", **spec: Any,
) -> Object:  # fmt: skip
    """A pod, on a node or waiting."""
    limits = {"cpu": cpu, "memory": memory, **({resource: str(gpus)} if gpus else {})}
    held: Object = {
        "containers": [{"name": "main", "image": "i", "resources": {"limits": limits}}],
        "tolerations": [{"key": key, "operator": "Exists"} for key in tolerates],
        "priority": priority,
        **spec,
    }
    if on:
        held["nodeName"] = on
    metadata: Object = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "its", "controller": True}]
    status = {"phase": phase or ("Running" if on else "Pending"), "startTime": "2026-11-20T00:00:00Z"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": held, "status": status}


def gang(count: int, gpus: int, **spec: Any) -> list[Object]:
    """Like workers."""
    return [pod(f"w-{rank}", gpus, **spec) for rank in range(count)]


nodes = st.lists(
    st.builds(
        lambda gpus, kind, taint, cordoned, cpu: (gpus, kind, taint, cordoned, cpu),
        st.sampled_from((0, 1, 2, 4, 8)),
        st.sampled_from((None, "a100", "t4")),
        st.sampled_from(((), (GPU,), ("team=a",), (GPU, "team=a"))),
        st.booleans(),
        st.sampled_from(("4", "32", "96")),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda found: [
        node(f"n{rank}", gpus, kind=kind, taints=taint, cordoned=cordoned, cpu=cpu)
        for rank, (gpus, kind, taint, cordoned, cpu) in enumerate(found)
    ]
)
"""Small clusters."""


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Object], list[Object]]:
    """Nodes, and pods on them that were placed somehow."""
    made = draw(nodes)
    running = []
    for one in made:
        name = one["metadata"]["name"]
        for rank in range(draw(st.integers(0, 3))):
            gpus, priority = draw(st.sampled_from((0, 1, 2, 4))), draw(st.sampled_from((-5, 0, 5)))
            owner = draw(st.sampled_from(("", "Job", "DaemonSet")))
            running.append(pod(f"{name}-{rank}", gpus, on=name, priority=priority, owner=owner))
    return made, running


wanted = st.builds(
    gang,
    st.integers(1, 4),
    st.sampled_from((1, 2, 4, 8)),
    tolerates=st.sampled_from(((), (GPU,))),
    cpu=st.sampled_from(("1", "8", "48")),
    nodeSelector=st.sampled_from(({}, {"gpu-type": "a100"})),
)
"""Workers that are to be placed."""
