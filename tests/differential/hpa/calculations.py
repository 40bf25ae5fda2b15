"""Random questions to upstream's ReplicaCalculator, biased towards the edges, and our own answers.

A question is known by its seed and its index, so that any one of millions can be made again.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

from tests.differential.hpa.wire import NS, answer_of, pod_of, seconds
from tonnage.hpa import ControllerConfig, Hpa, MetricQuery, MetricSpec, MetricsSnapshot, MetricTarget
from tonnage.hpa import ObjectReference as Reference
from tonnage.hpa.calculator import Tolerances
from tonnage.hpa.metrics import Failure, Scene, count_metric
from tonnage.hpa.pods import CannotCount, requests_milli

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
METHODS = ("resource", "raw_resource", "pods", "object", "object_per_pod", "external", "external_per_pod")
_TOLERANCES = (0.0, 0.01, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 3.0)
_TARGETS = (1, 2, 7, 50, 70, 80, 99, 100, 101, 120, 150, 200, 333, 1000)
_FIELDS = ("replicas", "utilization", "usage", "timestamp_ns", "error")


def calculation(seed: int, index: int) -> dict[str, Any]:
    """Makes one question."""
    random = Random(f"{seed}/{index}")
    method = random.choices(METHODS, (30, 20, 30, 8, 6, 8, 6))[0]
    target = _target(random, method)
    question: dict[str, Any] = {
        "method": method,
        "target": target,
        "metric": random.choice(("cpu", "cpu", "memory")) if "resource" in method else "load",
        "container": _container(random) if "resource" in method else "",
        "tolerance_down": random.choice(_TOLERANCES) if random.random() < 0.4 else 0.1,
        "tolerance_up": random.choice(_TOLERANCES) if random.random() < 0.4 else 0.1,
        "cpu_init_ns": random.choice((300, 120, 0)) * NS,
        "readiness_delay_ns": random.choice((30, 10, 0)) * NS,
    }
    count = random.choices((0, 1, random.randrange(2, 13), random.randrange(13, 60)), (4, 10, 80, 6))[0]
    question["pods"] = [_pod(random, question, f"pod-{number}") for number in range(count)]
    around = random.choice((count, count, count, count + 1, count - 1, random.randrange(0, 60)))
    rare = random.random()
    question["spec_replicas"] = 0 if rare < 0.06 else INT32_MAX if rare > 0.99 else max(0, around)
    question["status_replicas"] = 0 if rare < 0.06 else max(0, count + random.choice((0, 0, 0, 1, -1)))
    question["reply"] = _reply(random, question)
    return question


def _container(random: Random) -> str:
    return random.choices(("", "server", "more-sidecar", "absent"), (80, 17, 2, 1))[0]


def _target(random: Random, method: str) -> int:
    if random.random() < 0.02:
        return random.randrange(1, INT32_MAX if method == "resource" else 2**62)
    return random.choice(_TARGETS) if random.random() < 0.7 else random.randrange(1, 500)


def _pod(random: Random, question: dict[str, Any], name: str) -> dict[str, Any]:
    start_ns = None
    if random.random() < 0.95:
        edge_ns = -question["cpu_init_ns"] + random.choice((-1, 0, 1))
        start_ns = edge_ns if random.random() < 0.25 else -random.randrange(0, 600) * NS
    since_ns = -random.randrange(0, 700) * NS
    if start_ns is not None and random.random() < 0.3:
        since_ns = start_ns + question["readiness_delay_ns"] + random.choice((-1, 0, 1))
    pod: dict[str, Any] = {
        "name": name,
        "phase": random.choices(("Running", "Pending", "Failed", "Succeeded", "Unknown"), (80, 9, 5, 3, 3))[0],
        "deleted": random.random() < 0.06,
        "start_ns": start_ns,
        "ready": random.choices(("True", "False", "Unknown", ""), (70, 20, 4, 6))[0],
        "since_ns": since_ns,
        "containers": [],
    }
    if question["method"] == "resource":
        _add_requests(random, question["metric"], pod)
    return pod


def _add_requests(random: Random, resource: str, pod: dict[str, Any]) -> None:
    def requests() -> dict[str, int]:
        if random.random() < 0.004:
            return {}
        return {resource: random.choice((0, 1, 100, 250, 1000, 3333, random.randrange(1, 5000)))}

    pod["containers"].append({"name": "server", "role": "container", "requests": requests()})
    for role in ("container", "sidecar", "init"):
        if random.random() < 0.15:
            part = {"name": f"more-{role}", "role": role, "requests": requests()}
            pod["containers"].insert(random.randrange(0, 2), part)
    if random.random() < 0.08:
        pod["requests"] = {random.choice((resource, "memory", "hugepages-2Mi", "nvidia.com/gpu")): 700}
    if random.random() < 0.05:
        pod["overhead"] = {resource: 50}


def _ratio(random: Random, question: dict[str, Any]) -> float:
    """A ratio of usage to target, near an edge more often than not."""
    kind = random.random()
    if kind < 0.45:
        edge = random.choice((1 - question["tolerance_down"], 1 + question["tolerance_up"], 1.0))
        return edge + random.choice((0, 0, 0.001, -0.001, 0.01, -0.01))
    return random.uniform(0, 3) if kind < 0.9 else random.choice((0.0, 10.0, 1000.0, -0.5))


def _near(random: Random, exact: float) -> int:
    """A whole number around the exact one, within int64."""
    value = math.floor(exact) if random.random() < 0.8 else math.ceil(exact)
    return max(-(2**63), min(INT64_MAX, value + random.choice((0, 0, 0, 1, -1))))


def _reply(random: Random, question: dict[str, Any]) -> dict[str, Any]:
    if random.random() < 0.02:
        return {"error": "the metrics API is away"}
    timestamp_ns = -random.randrange(0, 120) * NS
    target, pods, method = question["target"], question["pods"], question["method"]
    ratio = _ratio(random, question)
    if method.startswith("object"):
        count = question["status_replicas"] if method.endswith("per_pod") else 1
        value = _near(random, ratio * target * count)
        if random.random() < 0.02:
            value = random.choice((INT64_MAX, -(2**63), 0))
        return {"value": value, "timestamp_ns": timestamp_ns}
    if method.startswith("external"):
        count = question["status_replicas"] if method.endswith("per_pod") else 1
        series = random.choices((1, 2, 5, 0), (70, 15, 10, 5))[0]
        values = [_near(random, ratio * target * count / series) for _ in range(series)]
        if values and random.random() < 0.05:
            values[random.randrange(series)] = random.choice((INT64_MAX, INT64_MAX - 1, -(2**63), -5))
        return {"values": values, "timestamp_ns": timestamp_ns}
    samples = {}
    spread = random.choice((0.0, 0.0, 0.05, 0.5, 2.0))
    for pod in pods:
        if random.random() < (0.12 if spread else 0.04):
            continue
        per_pod = float(target)
        if method == "resource":
            request = sum(part["requests"].get(question["metric"], 0) for part in pod["containers"])
            per_pod = request * target / 100
        samples[pod["name"]] = _sample(random, pod, _near(random, per_pod * (ratio + random.uniform(0, spread))))
    if random.random() < 0.1:
        gone = {"since_ns": 0}
        samples["gone-1"] = _sample(random, gone, _near(random, target * ratio))
    if samples and random.random() < 0.01:
        name = random.choice(sorted(samples))
        samples[name]["value"] = random.choice((INT64_MAX, -(2**63), 2**40, 2**53 + 1))
    return {"samples": samples, "timestamp_ns": timestamp_ns}


def _sample(random: Random, pod: dict[str, Any], value: int) -> dict[str, int]:
    window_ns = random.choice((60, 30, 10)) * NS
    timestamp_ns = -random.randrange(0, 120) * NS
    if random.random() < 0.3:
        timestamp_ns = pod["since_ns"] + window_ns + random.choice((-1, 0, 1))
    return {"value": value, "timestamp_ns": timestamp_ns, "window_ns": window_ns}


def our_answer(question: dict[str, Any]) -> dict[str, Any]:
    """Answers a question with our own code, in the oracle's form."""
    spec = _spec(question)
    scene = Scene(
        hpa=Hpa(Reference("Deployment", "web"), 10, metrics=(spec,)),
        spec_replicas=question["spec_replicas"],
        status_replicas=question["status_replicas"],
        pods=[pod_of(wire) for wire in question["pods"]],
        snapshot=MetricsSnapshot({spec.query: answer_of(spec.query.type, question["reply"])}),
        tolerances=Tolerances(question["tolerance_down"], question["tolerance_up"]),
        config=ControllerConfig(
            cpu_initialization_period_s=seconds(question["cpu_init_ns"]),
            initial_readiness_delay_s=seconds(question["readiness_delay_ns"]),
        ),
        now_s=0.0,
    )
    outcome = count_metric(spec, scene)
    if isinstance(outcome, Failure):
        metric = question["metric"]
        message = outcome.message.removeprefix(f"failed to get {metric} utilization: ")
        return _answer(error=message.removeprefix(f"failed to get {metric} usage: "))
    status = outcome.status
    usage = status.value_milli if status.average_value_milli is None else status.average_value_milli
    return _answer(
        replicas=outcome.replicas,
        utilization=status.average_utilization_percent or 0,
        usage=usage,
        timestamp_ns=None if outcome.timestamp_s is None else round(outcome.timestamp_s * NS),
    )


def _answer(**fields: Any) -> dict[str, Any]:
    return {"replicas": 0, "utilization": 0, "usage": 0, "timestamp_ns": None, "error": "", **fields}


def _spec(question: dict[str, Any]) -> MetricSpec:
    method, metric, target = question["method"], question["metric"], question["target"]
    if "resource" in method:
        kind = "ContainerResource" if question["container"] else "Resource"
        query = MetricQuery(kind, metric, question["container"])
        if method == "resource":
            return MetricSpec(query, MetricTarget("Utilization", average_utilization_percent=target))
        return MetricSpec(query, MetricTarget("AverageValue", average_value_milli=target))
    if method == "pods":
        return MetricSpec(MetricQuery("Pods", metric), MetricTarget("AverageValue", average_value_milli=target))
    if method.startswith("object"):
        query = MetricQuery("Object", metric, described=Reference("Service", "front"))
    else:
        query = MetricQuery("External", metric)
    if method.endswith("per_pod"):
        return MetricSpec(query, MetricTarget("AverageValue", average_value_milli=target))
    return MetricSpec(query, MetricTarget("Value", value_milli=target))


def difference(question: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Says how our answer differs from the oracle's; None when it does not."""
    ours = our_answer(question)
    if ours == theirs or _names_another_pod(question, ours["error"], theirs["error"]):
        return None
    wrong = [
        f"{name}: ours {ours[name]!r}, upstream {theirs[name]!r}"
        for name in _FIELDS
        if ours[name] != theirs[name]
    ]
    return "; ".join(wrong)


def _names_another_pod(question: dict[str, Any], ours: str, theirs: str) -> bool:
    """Whether both errors are about a missing request, and upstream may have looked at any pod first."""
    possible = set()
    for wire in question["pods"]:
        try:
            requests_milli([pod_of(wire)], question["metric"], question["container"])
        except CannotCount as error:
            possible.add(str(error))
    return ours in possible and theirs in possible
