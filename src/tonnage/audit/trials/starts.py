"""Trials of starts: whether pods find a node, and whether their containers live until the model is loaded."""

from __future__ import annotations

from typing import Any, Final

from tonnage.audit.trials.case import DEPLOYMENT, Case, Trial, happening, steps
from tonnage.audit.trials.telling import HAPPENS_S, told_loss, told_start
from tonnage.kube.paths import format_path
from tonnage.twin.wording import counted, show_number, show_span

_PROBES_S: Final = 10


def killed_while_loading(case: Case) -> Trial:
    """TNG033 and TNG034: the Deployment is created, and its model takes as long to load as it does."""
    failures = -(-3 * int(case.ready_s + 1) // _PROBES_S)
    path, probe = _container(case), {"periodSeconds": _PROBES_S, "failureThreshold": failures}
    action = _action(case)
    repair = [case.change(DEPLOYMENT, {f"{path}.startupProbe": {**action, **probe}})]
    spec = _created(case, max(600.0, 4 * case.ready_s))
    return Trial(
        f"{counted(case.replicas, 'replica')} created, whose start takes {show_span(case.ready_s)}",
        spec,
        {**spec, "changes": repair},
        f"with a startup probe that waits for {show_span(failures * _PROBES_S)}",
        told_start,
        nodes=case.replicas,
        knows_nodes=False,
    )


def not_tolerated(case: Case) -> Trial | str:
    """TNG020: the Deployment is created on nodes with the taint."""
    if not case.finding.changes:
        return "the finding comes with no toleration"
    toleration = case.finding.changes[0].value
    listed = [dict(one) for _, one in case.workload.listed("tolerations")]
    fields = {f"{format_path((*case.workload.path, 'tolerations'))}": [*listed, toleration]}
    spec = _created(case, max(300.0, 2 * case.ready_s))
    return Trial(
        f"{counted(case.replicas, 'replica')} created on nodes with the taint {toleration['key']}",
        spec,
        {**spec, "changes": [case.change(DEPLOYMENT, fields)]},
        "with the toleration",
        told_start,
        nodes=case.replicas,
        taint=toleration["key"],
    )


def impatient(case: Case) -> Trial:
    """TNG036: twice the load that the replicas carry, for two minutes, with probes behind the requests."""
    spec = case.base(900.0)
    usual, much = case.rate_per_s, 2 * case.known.capacity_per_s * case.replicas
    spec["traffic"] = steps((0, usual), (HAPPENS_S, much), (HAPPENS_S + 120, usual))
    spec["pod"] = {**spec["pod"], "livenessUnderLoad": "queues"}
    path = f"{_container(case)}.livenessProbe"
    fields = {f"{path}.timeoutSeconds": 5, f"{path}.periodSeconds": 10, f"{path}.failureThreshold": 6}
    return Trial(
        f"{show_number(usual)} requests/s, {show_number(much)} for two minutes, "
        f"to {counted(case.replicas, 'replica')}",
        spec,
        {**spec, "changes": [case.change(DEPLOYMENT, fields)]},
        "with a liveness probe that waits 5 s, six times",
        told_loss,
        nodes=case.replicas,
        knows_nodes=False,
        assumed=("a liveness probe waits behind requests",),
    )


def one_replica(case: Case) -> Trial:
    """TNG066: the one replica that is left at little load is deleted, as an eviction does."""
    rate = 0.3 * case.known.capacity_per_s
    spec = case.base(max(300.0, HAPPENS_S + 2 * case.ready_s), case.known.rate_per_s or rate)
    spec["happenings"] = [happening("podKilled", HAPPENS_S)]
    return Trial(
        f"one pod evicted at {show_number(case.known.rate_per_s or rate)} requests/s, with one replica",
        {**spec, "start": {"replicas": 1}},
        {**spec, "start": {"replicas": 2}},
        "with two replicas",
        told_loss,
        nodes=3,
        knows_nodes=False,
    )


def _created(case: Case, duration_s: float) -> dict[str, Any]:
    spec = case.base(duration_s, 1.0)
    spec["start"] = {"ready": False}
    return spec


def _container(case: Case) -> str:
    """The container that has probes, else the first."""
    containers = case.workload.containers
    probed = next((one for one in containers if one.probe("startup") or one.probe("liveness")), containers[0])
    return format_path(probed.path)


def _action(case: Case) -> dict[str, Any]:
    """What the container's probe asks, so that the repaired one asks the same."""
    for one in case.workload.containers:
        probe = one.probe("startup") or one.probe("readiness") or one.probe("liveness")
        if probe is not None:
            names = ("httpGet", "grpc", "tcpSocket", "exec")
            return {name: probe.value[name] for name in names if name in probe.value}
    return {"tcpSocket": {"port": 8080}}

