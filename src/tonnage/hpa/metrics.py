"""From the specs of all metrics to the one count that they propose.

Each metric gives a count or fails with a reason. The largest count wins; failures are overlooked as long as
something valid does not ask for fewer replicas than there are.

Source: pkg/controller/podautoscaler/horizontal.go (computeReplicasForMetrics, computeReplicasForMetric and
the computeStatusFor... functions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tonnage.hpa.calculator import (
    Count,
    Plain,
    Tolerances,
    Utilization,
    count_by_average,
    count_by_pods,
    count_by_value,
    external_shared_total_milli,
    external_total_milli,
    remaining_values_milli,
)
from tonnage.hpa.facts import (
    ExternalValues,
    MetricError,
    MetricsSnapshot,
    ObjectValue,
    PodFact,
    PodSamples,
)
from tonnage.hpa.outcome import Step
from tonnage.hpa.pods import CannotCount, group_pods, requests_milli
from tonnage.hpa.selectors import printed
from tonnage.hpa.spec import Hpa, MetricQuery, MetricSpec
from tonnage.hpa.state import ControllerConfig, MetricStatus


@dataclass(frozen=True, slots=True)
class Scene:
    """What all metrics of one reconciliation are computed from.

    Attributes:
        hpa: The autoscaler.
        spec_replicas: What the target should have now.
        status_replicas: What exists.
        pods: The pods that the target selects.
        snapshot: The metrics APIs' answers.
        tolerances: When not to act.
        config: The controller's flags.
        now_s: Now [s].
    """

    hpa: Hpa
    spec_replicas: int
    status_replicas: int
    pods: Sequence[PodFact]
    snapshot: MetricsSnapshot
    tolerances: Tolerances
    config: ControllerConfig
    now_s: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A metric that gives no count.

    Attributes:
        reason: Of the condition and the event, such as FailedGetPodsMetric.
        message: Of the event; the condition says more around it.
        error: What the reconciliation's error says.
    """

    reason: str
    message: str
    error: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What all metrics together say.

    Attributes:
        replicas: The winning count; None when nothing may be done.
        metric: The winner, as upstream names it; empty when no valid metric asked for anything but 0.
        statuses: One per metric of the spec.
        failures: Of the metrics that gave no count, in the spec's order.
        error: What the reconciliation's error says about failures; None without any.
        steps: How it came about.
    """

    replicas: int | None
    metric: str
    statuses: tuple[MetricStatus, ...]
    failures: tuple[Failure, ...]
    error: str | None
    steps: tuple[Step, ...]


def propose(scene: Scene) -> Proposal:
    """Computes every metric and picks the largest count (rule E6)."""
    replicas = 0
    metric = ""
    statuses: list[MetricStatus] = []
    failures: list[Failure] = []
    steps: list[Step] = []
    specs = scene.hpa.metrics
    for spec in specs:
        label = f"{spec.query.type} {spec.query.name}"
        outcome = count_metric(spec, scene)
        if isinstance(outcome, Failure):
            failures.append(outcome)
            statuses.append(MetricStatus())
            steps.append(Step("E6", f"{label}: no count, {outcome.message}"))
            continue
        statuses.append(outcome.status)
        steps.extend(Step(step.rule, f"{label}: {step.text}") for step in outcome.steps)
        if replicas == 0 or outcome.replicas > replicas:
            replicas = outcome.replicas
            metric = _winner_name(spec)
    error = None
    if failures:
        counted = f"invalid metrics ({len(failures)} invalid out of {len(specs)})"
        error = f"{counted}, first error is: {failures[0].error}"
    if len(failures) >= len(specs) or (failures and replicas < scene.spec_replicas):
        steps.append(Step("E6", f"{len(failures)} of {len(specs)} metrics failed: nothing is changed"))
        return Proposal(None, "", tuple(statuses), tuple(failures), error, tuple(steps))
    if len(specs) > 1:
        steps.append(Step("E6", f"the largest of {len(specs) - len(failures)} valid counts is {replicas}"))
    return Proposal(replicas, metric, tuple(statuses), tuple(failures), error, tuple(steps))


def count_metric(spec: MetricSpec, scene: Scene) -> Count | Failure:
    """Computes one metric.

    Raises:
        TypeError: The snapshot's answer is of another kind than the query, or a Pods metric has no target.
    """
    try:
        if spec.query.type in ("Resource", "ContainerResource"):
            return _count_resource(spec, scene)
        if spec.query.type == "Pods":
            return _count_samples(spec, scene)
        if spec.query.type == "Object":
            return _count_object(spec, scene)
        return _count_external(spec, scene)
    except CannotCount as error:
        return _failure(spec, str(error))


def _count_resource(spec: MetricSpec, scene: Scene) -> Count:
    """Resource and ContainerResource: an average value wins over a utilization."""
    query, target = spec.query, spec.target
    if target.average_value_milli is not None:
        return _count_samples(spec, scene)
    if target.average_utilization_percent is None:
        raise CannotCount(
            "invalid resource metric source: neither an average utilization target nor an average value "
            "(usage) target was set"
        )
    answer = _samples(query, scene, f"unable to get metrics for resource {query.name}")
    samples = answer.samples
    groups = group_pods(
        scene.pods, samples, is_cpu=query.name == "cpu", config=scene.config, now_s=scene.now_s
    )
    values_milli = remaining_values_milli(samples, groups)
    requested_milli = requests_milli(scene.pods, query.name, query.container)
    count = count_by_pods(
        values_milli,
        groups,
        Utilization(target.average_utilization_percent, requested_milli),
        spec_replicas=scene.spec_replicas,
        tolerances=scene.tolerances,
    )
    return replace(count, timestamp_s=answer.timestamp_s)


def _count_samples(spec: MetricSpec, scene: Scene) -> Count:
    """A value per pod: Pods metrics, and resources with an average value."""
    query = spec.query
    is_resource = query.type != "Pods"
    what = f"metrics for resource {query.name}" if is_resource else f"metric {query.name}"
    answer = _samples(query, scene, f"unable to get {what}")
    is_cpu = is_resource and query.name == "cpu"
    groups = group_pods(scene.pods, answer.samples, is_cpu=is_cpu, config=scene.config, now_s=scene.now_s)
    count = count_by_pods(
        remaining_values_milli(answer.samples, groups),
        groups,
        Plain(_required(spec.target.average_value_milli)),
        spec_replicas=scene.spec_replicas,
        tolerances=scene.tolerances,
    )
    return replace(count, timestamp_s=answer.timestamp_s)


def _samples(query: MetricQuery, scene: Scene, what: str) -> PodSamples:
    answer = scene.snapshot.answer_to(query)
    if isinstance(answer, MetricError):
        raise CannotCount(f"{what}: {answer.message}")
    if not isinstance(answer, PodSamples):
        raise TypeError(f"a {query.type} query must be answered with PodSamples, got {answer!r}")
    if not scene.pods:
        raise CannotCount("no pods returned by selector while calculating replica count")
    return answer


def _count_object(spec: MetricSpec, scene: Scene) -> Count:
    """Object: here upstream does look at the target's type."""
    query, target = spec.query, spec.target
    is_value = target.type == "Value" and target.value_milli is not None
    is_average = target.type == "AverageValue" and target.average_value_milli is not None
    if not (is_value or is_average):
        raise CannotCount(
            "invalid object metric source: neither a value target nor an average value target was set"
        )
    answer = scene.snapshot.answer_to(query)
    if isinstance(answer, MetricError):
        described = query.described
        where = f"{described.kind} {scene.hpa.namespace}/{described.name}" if described else ""
        raise CannotCount(f"unable to get metric {query.name} on {where}: {answer.message}")
    if not isinstance(answer, ObjectValue):
        raise TypeError(f"an Object query must be answered with ObjectValue, got {answer!r}")
    if is_value:
        return count_by_value(
            answer.value_milli,
            _required(target.value_milli),
            spec_replicas=scene.spec_replicas,
            pods=scene.pods,
            tolerances=scene.tolerances,
        )
    count = count_by_average(
        answer.value_milli,
        _required(target.average_value_milli),
        status_replicas=scene.status_replicas,
        tolerances=scene.tolerances,
        is_external=False,
    )
    return replace(count, timestamp_s=answer.timestamp_s)


def _count_external(spec: MetricSpec, scene: Scene) -> Count:
    """External: an average value wins over a value."""
    query, target = spec.query, spec.target
    if target.average_value_milli is None and target.value_milli is None:
        raise CannotCount(
            "invalid external metric source: neither a value target nor an average value target was set"
        )
    answer = scene.snapshot.answer_to(query)
    if isinstance(answer, MetricError):
        where = f"{scene.hpa.namespace}/{query.name}/{printed(query.selector)}"
        raise CannotCount(f"unable to get external metric {where}: {answer.message}")
    if not isinstance(answer, ExternalValues):
        raise TypeError(f"an External query must be answered with ExternalValues, got {answer!r}")
    if target.average_value_milli is not None:
        count = count_by_average(
            external_shared_total_milli(answer.values_milli),
            target.average_value_milli,
            status_replicas=scene.status_replicas,
            tolerances=scene.tolerances,
            is_external=True,
        )
        return replace(count, timestamp_s=answer.timestamp_s)
    return count_by_value(
        external_total_milli(answer.values_milli),
        _required(target.value_milli),
        spec_replicas=scene.spec_replicas,
        pods=scene.pods,
        tolerances=scene.tolerances,
    )


def _required(value: int | None) -> int:
    if value is None:
        raise TypeError("a Pods metric must have an average value as its target")
    return value


def _failure(spec: MetricSpec, message: str) -> Failure:
    """Wraps an error as upstream does on the way up: differently for every source."""
    query, target = spec.query, spec.target
    name = query.name
    if query.type == "Pods":
        return Failure("FailedGetPodsMetric", message, f"failed to get pods metric value: {message}")
    if query.type == "Object":
        inner = message
        if target.type == "AverageValue" and target.average_value_milli is not None:
            inner = f"failed to get {name} object metric: {message}"
        return Failure("FailedGetObjectMetric", message, f"failed to get object metric value: {inner}")
    if query.type == "External":
        inner = message
        if target.average_value_milli is not None:
            inner = f"failed to get {name} external metric: {message}"
        elif target.value_milli is not None:
            inner = f"failed to get external metric {name}: {message}"
        return Failure(
            "FailedGetExternalMetric", message, f"failed to get {name} external metric value: {inner}"
        )
    if target.average_value_milli is not None:
        message = f"failed to get {name} usage: {message}"
    elif target.average_utilization_percent is not None:
        message = f"failed to get {name} utilization: {message}"
    if query.type == "Resource":
        return Failure(
            "FailedGetResourceMetric", message, f"failed to get {name} resource metric value: {message}"
        )
    error = f"failed to get {query.container} container metric value: {message}"
    return Failure("FailedGetContainerResourceMetric", message, error)


def _winner_name(spec: MetricSpec) -> str:
    """Names a metric as upstream's reason for a rescale does, its slips included."""
    query, target = spec.query, spec.target
    if query.type == "Pods":
        return f"pods metric {query.name}"
    if query.type == "Object" and target.type == "Value":
        return f"{query.described.kind if query.described else ''} metric {query.name}"
    if query.type in ("Object", "External"):
        return f"external metric {query.name}({printed(query.selector)})"
    if target.average_value_milli is not None:
        return f"{query.name} resource"
    source = "resource" if query.type == "Resource" else "container resource"
    return f"{query.name} {source} utilization (percentage of request)"
