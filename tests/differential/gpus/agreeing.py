"""Lets upstream's scheduler place the pods that ``gpus fit`` has answered about, and compares.

Twice for each workload: first it is told after each pod that it went where we said, so that each decision is
compared in the same state; then it goes its own way among equally good nodes, and what is compared is whether
all pods found one.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.differential.gpus.fleets import Fleet
from tests.differential.gpus.obeying import obeyed
from tests.differential.scheduling.oracle import Oracle
from tonnage.gpus import Fit, Workload, fit, workload_of, workload_of_job, workload_of_service
from tonnage.spec.load import parse_model_service, parse_training_job

Object = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """What was compared.

    Attributes:
        workloads: Answers.
        fitting: Of them, those that said yes.
        pods: Decisions for one pod.
        placed: Of them, those that found a node.
        choices: Equally good nodes over all placed pods: 1 each leaves no choice.
        alone: Workloads of which upstream, left alone, placed all pods or not as we had said.
        reasons: Why nodes were rejected, in the scheduler's words.
        kinds: Workloads by kind.
        gangs: Workloads of 8 workers with 8 GPUs that fit, and that do not.
        changes: Changes that were offered, by kind, and tried by upstream.
    """

    workloads: int = 0
    fitting: int = 0
    pods: int = 0
    placed: int = 0
    choices: int = 0
    alone: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    gangs: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Seen) -> None:
        """Adds another one up."""
        for name in ("workloads", "fitting", "pods", "placed", "choices", "alone"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("reasons", "kinds", "gangs", "changes"):
            getattr(self, name).update(getattr(other, name))

    def document(self) -> Object:
        """Says it for a result file."""
        numbers = {name: getattr(self, name) for name in ("workloads", "fitting", "pods", "placed", "choices", "alone")}
        counters = {name: dict(sorted(getattr(self, name).items())) for name in ("kinds", "gangs", "reasons", "changes")}
        return {**numbers, **counters}


def workload_in(value: Object) -> Workload:
    """The workload of a fleet's object or document."""
    if value["kind"] == "TrainingJob":
        return workload_of_job(parse_training_job(json.dumps(value)))
    if value["kind"] == "ModelService":
        return workload_of_service(parse_model_service(json.dumps(value)))
    found = workload_of(value)
    assert found is not None
    return found


def play(one: Fleet, oracle: Oracle, seen: Seen) -> list[str]:
    """Places the workloads of a fleet with both; what fits stays for the next one.

    Returns:
        The differences, in words.
    """
    running = list(one.pods)
    differences: list[str] = []
    for value in one.workloads:
        workload = workload_in(value)
        wanted = [_with_uid(pod) for pod in workload.pods]
        others = [*one.others, *workload.objects]
        answer = fit(
            wanted, one.nodes, running, objects=others, gang=True, divisible=workload.divisible
        )
        where = f"fleet {one.name}, {workload.kind}/{workload.name}"
        _tell(oracle, one.nodes, running, others)
        differences += [f"{where}: {text}" for text in _step_by_step(answer, wanted, oracle, seen)]
        _tell(oracle, one.nodes, running, others)
        alone = _alone(wanted, oracle)
        if alone is None == answer.fits:
            differences.append(f"{where}: left alone, upstream places {'not all' if answer.fits else 'all'}")
        seen.alone += (alone is not None) == answer.fits
        seen.workloads += 1
        seen.fitting += answer.fits
        seen.kinds[workload.kind] += 1
        if len(wanted) == 8:
            seen.gangs["fit" if answer.fits else "do not fit"] += 1
        differences += [f"{where}: {text}" for text in _obey_all(answer, one, running, wanted, others, oracle, seen)]
        if answer.fits:
            running += [_bound(pod, answer.placed[pod["metadata"]["name"]]) for pod in wanted]
    return differences


def _step_by_step(answer: Fit, wanted: list[Object], oracle: Oracle, seen: Seen) -> list[str]:
    found = []
    for pod in wanted:
        name = pod["metadata"]["name"]
        upstream = oracle.ask("schedule", pod=pod)
        seen.pods += 1
        ours = answer.partial.get(name)
        if bool(upstream["host"]) != (ours is not None):
            return [*found, f"{name}: upstream goes to {upstream['host'] or 'no node'}, ours to {ours}"]
        if ours is not None:
            seen.placed += 1
            seen.choices += len(answer.equals[name])
            if upstream["host"] not in answer.equals[name]:
                return [*found, f"{name}: {upstream['host']} is not among {answer.equals[name]}"]
            oracle.ask("bind", pod=_bound(pod, ours))
        elif name == answer.stuck:
            found += _same_words(answer, upstream)
            for one in (upstream["rejections"] or {}).values():
                seen.reasons.update(one["reasons"])
    return found


def _same_words(answer: Fit, upstream: Object) -> list[str]:
    theirs = {node: tuple(one["reasons"]) for node, one in (upstream["rejections"] or {}).items()}
    plugins = {node: one["plugin"] for node, one in (upstream["rejections"] or {}).items()}
    pairs = [
        ("rejections", {node: sorted(why) for node, why in theirs.items()},
         {node: sorted(why) for node, why in answer.rejected.items()}),
        ("plugins", plugins, dict(answer.plugins)),
    ]  # fmt: skip
    # among equally good nodes for a preemption upstream takes any
    if upstream["nominated"]:
        pairs.append(("message", *(text.partition(" preemption: ")[0] for text in (upstream["message"], answer.message))))
    else:
        pairs.append(("message", upstream["message"], answer.message))
    return [f"{what}: {said} and {own}" for what, said, own in pairs if said != own]


def _alone(wanted: list[Object], oracle: Oracle) -> dict[str, str] | None:
    """Where upstream puts the pods by itself; None when one finds no node."""
    found = {}
    for pod in wanted:
        host = oracle.ask("schedule", pod=pod)["host"]
        if not host:
            return None
        found[pod["metadata"]["name"]] = host
        oracle.ask("bind", pod=_bound(pod, host))
    return found


def _obey_all(
    answer: Fit, one: Fleet, running: list[Object], wanted: list[Object], others: list[Object],
    oracle: Oracle, seen: Seen,
) -> list[str]:  # fmt: skip
    """Makes each change to the objects, as its reader would, and asks upstream whether all pods fit then."""
    found = []
    for change in answer.changes:
        nodes, left, pods = obeyed(change, one.nodes, running, wanted)
        _tell(oracle, nodes, left, others)
        if _alone(pods, oracle) is None:
            found.append(f"it does not help to {change.text}")
        seen.changes[change.kind] += 1
    return found


def _tell(oracle: Oracle, nodes: list[Object], pods: list[Object], others: list[Object]) -> None:
    def of(kind: str) -> list[Object]:
        return [one for one in others if one["kind"] == kind]

    oracle.ask(
        "cluster",
        nodes=nodes,
        pods=pods,
        namespaces=[{"metadata": {"name": "default"}}],
        services=of("Service"),
        replicaSets=of("ReplicaSet"),
        statefulSets=of("StatefulSet"),
        budgets=[],
    )


def _with_uid(pod: Any) -> Object:
    value: Object = copy.deepcopy(dict(pod))
    value["metadata"]["uid"] = f"uid-{value['metadata']['name']}"
    for owner in value["metadata"].get("ownerReferences", ()):
        owner.setdefault("apiVersion", "apps/v1")
        owner.setdefault("uid", "uid-owner")
    return value


def _bound(pod: Object, node: str) -> Object:
    status = {"phase": "Running", "startTime": "2026-11-25T00:00:00Z"}
    return {**pod, "spec": {**pod["spec"], "nodeName": node}, "status": status}
