"""Lets upstream's scheduler and ours place the same pods in the same cluster, and compares all that they say.

After each pod, both bind it to the node that ours chose, or both make room for it as the preemption says, so
that the state that grew step by step is compared as well.
"""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from tests.differential.scheduling.oracle import Oracle
from tonnage.scheduling import (
    Cluster,
    Owner,
    Placement,
    Pod,
    Sampling,
    budget_from_object,
    devices_from_claim,
    node_from_object,
    pod_from_object,
    schedule,
    selector_from_object,
)
from tonnage.scheduling.scores import WEIGHTS

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that the two say differently."""

    pod: str
    what: str
    upstream: Any
    ours: Any


@dataclass(slots=True)
class Tally:
    """What was compared.

    Attributes:
        pods: Decisions.
        placed: Of them, those that found a node.
        preempting: Of them, those that preempt.
        hopeless: The others.
        candidates: Nodes with victims.
        victims: Pods that were preempted.
        node_scores: Scores of one node by one plugin.
        reasons: Reasons of rejections of nodes, by plugin and text.
        telling: Decisions in which a plugin's scores told nodes apart, by plugin.
    """

    pods: int = 0
    placed: int = 0
    preempting: int = 0
    hopeless: int = 0
    candidates: int = 0
    victims: int = 0
    node_scores: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    telling: Counter[str] = field(default_factory=Counter)

    def count(self, ours: Placement, upstream: Object) -> None:
        """Counts one decision."""
        self.pods += 1
        self.placed += bool(upstream["host"])
        self.preempting += bool(upstream["nominated"])
        self.hopeless += not upstream["host"] and not upstream["nominated"]
        self.candidates += len(upstream["candidates"] or ())
        self.victims += len(ours.nomination.victims) if ours.nomination else 0
        for one in (upstream["rejections"] or {}).values():
            self.reasons.update(f"{one['plugin']}: {reason}" for reason in one["reasons"])
        for plugin, scores in (upstream["scores"] or {}).items():
            self.node_scores += len(scores)
            self.telling[plugin] += len(set(scores.values())) > 1

    def add(self, other: Tally) -> None:
        """Adds another one up."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons.update(other.reasons)
        self.telling.update(other.telling)

    def document(self) -> Object:
        """Says it for a result file."""
        return {
            **{name: getattr(self, name) for name in _NUMBERS},
            "reasons": dict(sorted(self.reasons.items())),
            "scores that told nodes apart": dict(sorted(self.telling.items())),
        }


_NUMBERS = ("pods", "placed", "preempting", "hopeless", "candidates", "victims", "node_scores")


def cluster_of(objects: Object) -> Cluster:
    """Builds our state of a cluster from its objects."""
    cluster = Cluster()
    for one in objects["namespaces"]:
        cluster.set_namespace(one["metadata"]["name"], one["metadata"].get("labels", {}))
    for one in objects["services"]:
        cluster.set_service(one["metadata"]["namespace"], one["metadata"]["name"], one["spec"]["selector"])
    for kind, key in (("ReplicaSet", "replicaSets"), ("StatefulSet", "statefulSets")):
        for one in objects[key]:
            owner = Owner(kind, one["metadata"]["name"])
            cluster.set_controller(one["metadata"]["namespace"], owner, selector_from_object(one))
    for one in objects["budgets"]:
        cluster.set_budget(budget_from_object(one))
    for one in objects["nodes"]:
        cluster.add_node(node_from_object(one))
    for one in objects["pods"]:
        cluster.add_pod(pod_from_object(one))
    return cluster


def play(world: Object, oracle: Oracle, tally: Tally) -> list[Difference]:
    """Places the pods of a world with both.

    Returns:
        The differences at the first pod at which there are any.
    """
    random = Random(world["name"])
    cluster = cluster_of(world["cluster"])
    oracle.ask("cluster", **world["cluster"])
    objects = {one["metadata"]["uid"]: one for one in world["cluster"]["pods"]}
    waiting = list(world["pending"])
    retries = len(waiting)
    while waiting:
        value = waiting.pop(0)
        pod = pod_from_object(value)
        upstream = oracle.ask("schedule", pod=value)
        ours = schedule(pod, cluster, choose=random.choice)
        found = _differences(ours, upstream)
        tally.count(ours, upstream)
        if found:
            return found
        objects[pod.uid] = value
        _act(random, ours, cluster, oracle, objects)
        if ours.node is None and retries and random.random() < 0.4:
            retries -= 1
            waiting.append(value)
        if random.random() < 0.15:
            _disturb(random, cluster, oracle, world, objects)
    return []


def play_devices(world: Object, oracle: Oracle, tally: Tally) -> list[Difference]:
    """Asks where the pods of a world with claimed devices would go; each by itself, nothing is bound."""
    claims = {one["metadata"]["name"]: devices_from_claim(one) for one in world["cluster"]["claims"]}
    cluster = cluster_of({**world["cluster"], "pods": []})
    for name, devices in world["devices"].items():
        cluster.update_node(replace(cluster.node(name), devices=devices))
    for value in world["cluster"]["pods"]:
        cluster.add_pod(pod_from_object(value, claims=claims))
    oracle.ask("cluster", **world["cluster"])
    for value in world["pending"]:
        upstream = oracle.ask("schedule", pod=value)
        ours = schedule(pod_from_object(value, claims=claims), cluster)
        tally.count(ours, upstream)
        found = _differences(ours, upstream)
        if found:
            return found
    return []


def play_wide(world: Object, oracle: Oracle, tally: Tally) -> list[Difference]:
    """Places the pods of a world so large that upstream stops at enough feasible nodes.

    Upstream filters one node after the other here, so that it is certain which ones it looks at.
    """
    random = Random(world["name"])
    cluster = cluster_of(world["cluster"])
    oracle.ask("cluster", **world["cluster"])
    start = 0
    for value in world["pending"]:
        pod = pod_from_object(value)
        upstream = oracle.ask("schedule", pod=value)
        ours = schedule(pod, cluster, choose=random.choice, sampling=Sampling(0, start))
        tally.count(ours, upstream)
        pairs = [("message", upstream["message"], ours.message)]
        if upstream["host"]:
            pairs += [
                ("found", upstream["found"], len(ours.feasible)),
                ("evaluated", upstream["evaluated"], len(ours.feasible) + len(ours.rejections)),
                ("best", True, upstream["host"] in ours.best),
            ]
        found = [Difference(pod.name, what, theirs, own) for what, theirs, own in pairs if theirs != own]
        if found:
            return found
        start = ours.next_start
        if ours.node is not None:
            cluster.add_pod(pod, ours.node)
            value["spec"]["nodeName"] = ours.node
            oracle.ask("bind", pod=value)
    return []


def _act(random: Random, ours: Placement, cluster: Cluster, oracle: Oracle, objects: dict[str, Object]) -> None:
    """Binds the pod, or makes room for it and nominates it."""
    pod, value = ours.pod, objects[ours.pod.uid]
    if ours.node is not None:
        cluster.add_pod(pod, ours.node)
        value["spec"]["nodeName"] = ours.node
        value["status"] = {"startTime": f"2026-11-21T00:00:{random.randint(10, 59)}.{len(objects):06}Z"}
        oracle.ask("bind", pod=value)
        started = pod_from_object(value).started_s
        cluster.update_pod(replace(pod, started_s=started))
    elif ours.nomination is not None and random.random() < 0.8:
        for victim in ours.nomination.victims:
            if random.random() < 0.8:
                _remove(victim, cluster, oracle, objects)
        value.setdefault("status", {})["nominatedNodeName"] = ours.nomination.node
        oracle.ask("nominate", pod=value)
        cluster.nominate(pod, ours.nomination.node)


def _remove(pod: Pod, cluster: Cluster, oracle: Oracle, objects: dict[str, Object]) -> None:
    cluster.remove_pod(pod.uid)
    oracle.ask("remove", pod=objects[pod.uid])


def _disturb(
    random: Random, cluster: Cluster, oracle: Oracle, world: Object, objects: dict[str, Object]
) -> None:
    """Changes a node or a pod, or lets a node join or leave."""
    nodes = world["cluster"]["nodes"]
    node = random.choice(nodes)
    name = node["metadata"]["name"]
    kind = random.choice(("change", "change", "join", "leave", "pod"))
    if kind == "pod":
        for pod in cluster.pods_on(name)[:1]:
            old = objects[pod.uid]
            new = copy.deepcopy(old)
            new["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
            new["metadata"]["labels"]["tier"] = "gone"
            oracle.ask("update", old=old, pod=new)
            cluster.update_pod(pod_from_object(new))
            objects[pod.uid] = new
        return
    # Nodes come and go without images: upstream notices late how many have one, see tonnage.scheduling.nodefit.
    if kind == "leave" and len(nodes) > 1 and not node["status"]["images"]:
        for pod in cluster.pods_on(name):
            _remove(pod, cluster, oracle, objects)
        oracle.ask("removeNode", node=node)
        cluster.remove_node(name)
        nodes.remove(node)
        return
    if kind == "change":
        node["metadata"]["labels"]["gpu-type"] = random.choice(("a100", "t4"))
        node["spec"]["taints"] = random.choice(([], [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]))
        oracle.ask("updateNode", node=node)
        cluster.update_node(node_from_object(node))
        return
    name = f"joined-{random.randrange(10**9)}"
    labels = {**node["metadata"]["labels"], "kubernetes.io/hostname": name}
    status = {**node["status"], "images": []}
    joined = {"metadata": {"name": name, "labels": labels}, "spec": dict(node["spec"]), "status": status}
    nodes.append(joined)
    oracle.ask("addNode", node=joined)
    cluster.add_node(node_from_object(joined))


def _differences(ours: Placement, upstream: Object) -> list[Difference]:
    if ours.node is not None and ours.node == ours.pod.nominated:
        # Neither looks further then; what upstream says of the other nodes was asked for separately.
        where = f"{ours.pod.namespace}/{ours.pod.name}"
        same = upstream["host"] == ours.node
        return [] if same else [Difference(where, "nominated host", upstream["host"], ours.node)]
    nominated, message = upstream["nominated"] or None, upstream["message"]
    if ours.nomination is not None and nominated in ours.nomination.tied:
        # Among equally good nodes upstream takes any; ours is as right.
        message = message.replace(f"on node {nominated},", f"on node {ours.nomination.node},")
        nominated = ours.nomination.node
    pairs: list[tuple[str, Any, Any]] = [
        ("rejections", _upstream_rejections(upstream), _rejections(ours)),
        ("message", message, ours.message),
        ("nominated", nominated, ours.nomination and ours.nomination.node),
        ("candidates", _upstream_candidates(upstream), _candidates(ours)),
        ("placed", bool(upstream["host"]), ours.node is not None),
    ]
    if upstream["picks"] and ours.nomination is not None:
        pairs.append(("equally good preemptions", upstream["picks"], sorted(ours.nomination.tied)))
    if upstream["host"]:
        pairs += [
            ("feasible", sorted(upstream["feasible"] or []), sorted(ours.feasible)),
            ("scores", _upstream_scores(upstream), _scores(ours)),
            ("totals", upstream["totals"] or {}, dict(ours.totals)),
            ("best", True, upstream["host"] in ours.best),
        ]
    name = f"{ours.pod.namespace}/{ours.pod.name}"
    return [Difference(name, what, theirs, own) for what, theirs, own in pairs if theirs != own]


def _rejections(ours: Placement) -> Object:
    return {
        node: (one.plugin, sorted(one.reasons), one.resolvable) for node, one in ours.rejections.items()
    }


def _upstream_rejections(upstream: Object) -> Object:
    return {
        node: (one["plugin"], sorted(one["reasons"]), one["resolvable"])
        for node, one in (upstream["rejections"] or {}).items()
    }


def _candidates(ours: Placement) -> Object:
    return {one.node: ([pod.uid for pod in one.victims], one.violations) for one in ours.candidates}


def _upstream_candidates(upstream: Object) -> Object:
    return {
        node: (one["victims"], one["violations"]) for node, one in (upstream["candidates"] or {}).items()
    }


def _scores(ours: Placement) -> Object:
    """Weighted scores that are not 0: a plugin without anything to say may be absent or say 0."""
    return {
        (plugin, node): score * WEIGHTS[plugin]
        for plugin, scores in ours.scores.items()
        for node, score in scores.items()
        if score
    }


def _upstream_scores(upstream: Object) -> Object:
    return {
        (plugin, node): score
        for plugin, scores in (upstream["scores"] or {}).items()
        for node, score in scores.items()
        if score
    }
