"""A trial as documents, and the run of them: objects as they were written, nodes for them, a Simulation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tonnage.audit.pods import is_extended
from tonnage.audit.trials.case import DEPLOYMENT, HPA, Case, Trial
from tonnage.kube.dump import dump_documents
from tonnage.kube.objects import KubeObject
from tonnage.kube.quantity import Quantity
from tonnage.scheduling import Node
from tonnage.twin import Result, Simulation
from tonnage.twin.inputs import InputTexts, Options, TextFile, read

_OURS: Final = "tonnage.dev/v1alpha1"
_ZONES: Final = ("a", "b", "c")
_CPU_CORES_MIN: Final = 8
_GIB: Final = 1024**3
POOL: Final = "node"


def played(case: Case, trial: Trial, *, repaired: bool) -> tuple[Result, tuple[str, ...]]:
    """Runs a trial.

    Args:
        case: Whose.
        trial: It.
        repaired: Whether the repair is made before.

    Returns:
        The run, and what the twin assumed.

    Raises:
        SpecError: The twin cannot run these objects.
    """
    known = case.known
    spec = trial.repaired if repaired else trial.spec
    simulation = {
        "apiVersion": _OURS, "kind": "Simulation", "metadata": {"name": "trial"}, "spec": spec
    }  # fmt: skip
    documents = [*_objects(case, trial), *_nodes(case, trial), simulation]
    measured = trial.is_measured and known.profile_text
    profile = TextFile("profile", known.profile_text) if measured else None
    texts = InputTexts((TextFile("trial", dump_documents(documents)),), profile)
    options = Options(traffic=known.traffic, workload=case.workload.item.name)
    experiment = read(texts, options)
    return Simulation(experiment.scenario).run(), experiment.assumed


def _objects(case: Case, trial: Trial) -> list[dict[str, Any]]:
    """The Deployment and what belongs to it; the autoscaler only where it takes part."""
    workload, context = case.workload, case.workload.context
    kept: list[KubeObject] = [workload.item]
    kept += [one.item for one in workload.services]
    kept += [one.item for one in workload.budgets]
    kept += [item for item in context.items if item.kind == "PriorityClass"]
    if trial.is_scaled and case.autoscaler is not None:
        kept.append(case.autoscaler.item)
    made = [item.plain() for item in kept]
    if not trial.is_scaled:
        made[0]["spec"]["replicas"] = case.replicas
    return made


def _nodes(case: Case, trial: Trial) -> Iterable[dict[str, Any]]:
    if trial.knows_nodes and case.known.nodes:
        return [_node(node) for node in case.known.nodes]
    return [_pool(case, trial)]


def _node(node: Node) -> dict[str, Any]:
    """A Node object of what the scheduler knows of it."""
    amounts = node.allocatable
    allocatable = {
        "cpu": f"{amounts.cpu_millicores}m",
        "memory": str(amounts.memory_bytes),
        "pods": str(node.pods_max),
        **({"ephemeral-storage": str(amounts.storage_bytes)} if amounts.storage_bytes else {}),
        **{name: str(count) for name, count in amounts.scalars},
    }
    taints = [{"key": one.key, "value": one.value, "effect": one.effect} for one in node.taints]
    spec: dict[str, Any] = {"taints": taints} if taints else {}
    if node.unschedulable:
        spec["unschedulable"] = True
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": dict(node.labels)},
        "spec": spec,
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }


def _pool(case: Case, trial: Trial) -> dict[str, Any]:
    """A pool whose nodes hold one replica each, or, without devices, as many as they have CPUs for."""
    cores, memory = Quantity.of(0), Quantity.of(0)
    devices: dict[str, int] = {}
    for one in case.workload.containers:
        cores = cores + max(_amount(one.amount("limits", "cpu")), _amount(one.requested("cpu")))
        memory = memory + max(_amount(one.amount("limits", "memory")), _amount(one.requested("memory")))
        for name in {*one.amounts("limits"), *one.amounts("requests")}:
            if is_extended(name):
                devices[name] = devices.get(name, 0) + _amount(one.requested(name)).value
    capacity = {
        "cpu": str(max(_CPU_CORES_MIN, cores.value + 1)),
        "memory": f"{max(32, memory.value // _GIB + 8)}Gi",
        **{name: str(count) for name, count in sorted(devices.items())},
    }
    pool: dict[str, Any] = {"name": POOL, "count": trial.nodes, "capacity": capacity, "zones": list(_ZONES)}
    labels = dict(_labels(case))
    if labels:
        pool["labels"] = labels
    if trial.taint is not None:
        pool["taints"] = [{"key": trial.taint, "value": "present", "effect": "NoSchedule"}]
    return {
        "apiVersion": _OURS,
        "kind": "NodePools",
        "metadata": {"name": "assumed"},
        "spec": {"pools": [pool]},
    }


def _amount(amount: Quantity | None) -> Quantity:
    return amount if amount is not None else Quantity.of(0)


def _labels(case: Case) -> Iterable[tuple[str, str]]:
    """Labels that let the pods onto a node: their selector's, and the first that their affinity takes."""
    selector = case.workload.at("nodeSelector")
    if isinstance(selector, Mapping):
        yield from ((str(name), str(value)) for name, value in selector.items())
    required = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for _, expression in case.workload.listed(*required, "nodeSelectorTerms", 0, "matchExpressions"):
        values = expression.get("values")
        if expression.get("operator") == "In" and isinstance(values, list) and values:
            yield str(expression.get("key")), str(values[0])
        elif expression.get("operator") == "Exists":
            yield str(expression.get("key")), "present"


def obstacle(case: Case) -> str | None:
    """Why the twin cannot show this case whatever the trial; None where it can."""
    workload = case.workload
    if workload.item.kind != DEPLOYMENT:
        return f"the twin knows Deployments, and this is a {workload.item.kind}"
    if workload.claims_devices:
        return "the twin's nodes are not known to have devices of a claim"
    if case.autoscaler is not None and (
        case.autoscaler.item.kind != HPA or case.autoscaler.item.reference.api_version != "autoscaling/v2"
    ):
        return "the twin knows autoscaling/v2 HorizontalPodAutoscalers only"
    return None
