"""Trials of rollouts, drains and ends: what becomes of requests when pods are replaced."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from tonnage.audit.trials.case import DEPLOYMENT, Case, Trial, happening, span_text
from tonnage.audit.trials.stage import POOL
from tonnage.audit.trials.telling import HAPPENS_S, told_drain, told_rollout
from tonnage.kube.paths import format_path
from tonnage.twin.wording import counted, show_latency, show_number

_SLOTS: Final = 32
"""Long requests that one replica answers at a time."""
_BUSY: Final = 0.5
"""Share of these that are in use."""
_DURATION_S_MAX: Final = 1800.0
_ONE_BY_ONE: Final = {"maxSurge": 0, "maxUnavailable": 1}


def spare_gpu(case: Case) -> Trial:
    """TNG040: a rollout on nodes that hold the replicas and no more."""
    fields = {"spec.strategy.type": "RollingUpdate", "spec.strategy.rollingUpdate": _ONE_BY_ONE}
    return _rollout(case, [case.change(DEPLOYMENT, fields)], "with maxSurge 0 and maxUnavailable 1")


def all_at_once(case: Case) -> Trial:
    """TNG045: a rollout that takes all replicas away first."""
    return spare_gpu(case)


def leaves_at_once(case: Case) -> Trial:
    """TNG042: a rollout whose pods stop before they have left the endpoints."""
    hook = {"spec.template.spec.containers[0].lifecycle.preStop": {"sleep": {"seconds": 5}}}
    repair = [case.change(DEPLOYMENT, hook)]
    # A spare node each, so that the rollout goes through and only the ends are looked at.
    return _rollout(case, repair, "with a preStop sleep of 5 s", nodes=2 * case.replicas)


def killed_early(case: Case) -> Trial:
    """TNG041: a rollout while every request is as long as the longest."""
    sleep_s = max((one.pre_stop_sleep_s for one in case.workload.containers), default=0.0)
    grace_s = int(sleep_s + case.longest_s) + 10
    fields = {"spec.template.spec.terminationGracePeriodSeconds": grace_s}
    rate_per_s = _BUSY * _SLOTS * case.replicas / case.longest_s
    trial = _rollout(case, [], f"with a grace of {grace_s} s", nodes=2 * case.replicas, rate_per_s=rate_per_s)
    slow = {"serviceTime": {"perItem": span_text(case.longest_s)}, "parallel": _SLOTS}
    pod = {**trial.spec["pod"], "load": [span_text(case.ready_s)]}
    # The twin's plain server answers a probe behind its requests; that is not what this is about.
    patient = [
        case.change(DEPLOYMENT, {f"{format_path(one.path)}.readinessProbe.failureThreshold": 1000})
        for one in case.workload.containers
        if one.probe("readiness") is not None
    ]
    spec = {**trial.spec, "server": slow, "pod": pod, "changes": patient}
    return dataclasses.replace(
        trial,
        spec=spec,
        repaired={**spec, "changes": [*patient, case.change(DEPLOYMENT, fields)]},
        is_measured=False,
        assumed=(f"every request takes {show_latency(case.longest_s)}, {_SLOTS} at a time in a replica",),
    )


def blocked_drain(case: Case) -> Trial:
    """TNG054: a node with a replica on it is drained."""
    duration_s = 600.0
    spec = case.base(duration_s)
    spec["happenings"] = [happening("nodeDrained", HAPPENS_S, node=f"{POOL}-a-1")]
    budget = case.finding.object.name
    fields = {"spec.maxUnavailable": 1, "spec.minAvailable": None}
    repair = [{"target": f"PodDisruptionBudget/{budget}", "set": fields}]
    return Trial(
        f"kubectl drain of a node of {counted(case.replicas, 'replica')}, at {_rate(case)} requests/s",
        spec,
        {**spec, "changes": repair},
        "with maxUnavailable 1",
        told_drain,
        nodes=case.replicas + 1,
        knows_nodes=False,
    )


def _rollout(
    case: Case,
    repair: list[dict[str, Any]],
    said: str,
    *,
    nodes: int | None = None,
    rate_per_s: float | None = None,
) -> Trial:
    count = case.replicas
    duration_s = min(_DURATION_S_MAX, max(300.0, HAPPENS_S + 1.3 * count * (case.ready_s + 20)))
    spec = case.base(duration_s, rate_per_s)
    spec["happenings"] = [happening("rolloutRestart", HAPPENS_S)]
    room = "" if nodes is not None else ", on nodes that hold no more"
    return Trial(
        f"kubectl rollout restart of {counted(count, 'replica')}{room}, at "
        f"{show_number(rate_per_s or case.rate_per_s)} requests/s",
        spec,
        {**spec, "changes": repair},
        said,
        told_rollout,
        nodes=nodes if nodes is not None else count,
        knows_nodes=nodes is None,
    )


def _rate(case: Case) -> str:
    return show_number(case.rate_per_s)
