"""Reads a HorizontalPodAutoscaler from Kubernetes' JSON, with the API server's defaulting and validation.

What the API server would refuse is refused here, all of it at once and each with its path.

Source: pkg/apis/autoscaling/v2/defaults.go, v1/conversion.go, validation/validation.go and
pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go (the options for a new object).

Deviations: a metric selector with an unknown operator is refused, where the API server lets it pass and the
controller then fails the metric for ever; annotations through which ``autoscaling/v1`` objects carry
metrics and behavior of later versions are refused instead of read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tonnage.errors import Problem, SpecError
from tonnage.hpa.metric_objects import read_metric, read_reference
from tonnage.hpa.reading import Reader
from tonnage.hpa.spec import (
    DEFAULT_METRICS,
    Behavior,
    Hpa,
    MetricQuery,
    MetricSpec,
    MetricTarget,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from tonnage.kube.quantity import Quantity

PERIOD_S_MAX: Final = 1800
STABILIZATION_WINDOW_S_MAX: Final = 3600
_VERSIONS: Final = ("autoscaling/v2", "autoscaling/v1")
_FROM_ZERO: Final = ("Object", "External")
_POLICY_TYPES: Final[tuple[PolicyType, ...]] = ("Pods", "Percent")
_SELECT_POLICIES: Final[tuple[SelectPolicy, ...]] = ("Max", "Min", "Disabled")
_V1_ANNOTATIONS: Final = (
    "autoscaling.alpha.kubernetes.io/metrics",
    "autoscaling.alpha.kubernetes.io/behavior",
)
_PARTS: Final = re.compile(
    r"-?(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?(?P<suffix>[numkMGTPE]|[KMGTPE]i|e[0-9-]+)?"
)
_EXPONENTS: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def hpa_from_object(document: Mapping[str, object]) -> Hpa:
    """Reads an ``autoscaling/v2`` or ``autoscaling/v1`` HorizontalPodAutoscaler.

    Args:
        document: The object as parsed from JSON or YAML.

    Returns:
        Its spec after defaulting.

    Raises:
        SpecError: The API server would refuse it, or a part of it is not modelled; carries all problems.
    """
    problems: list[Problem] = []
    root = Reader(document, "", problems)
    version = root.choice("apiVersion", _VERSIONS)
    root.choice("kind", ("HorizontalPodAutoscaler",))
    name, namespace = _read_metadata(root, version)
    spec = root.part("spec")
    root.finish("status")
    if spec is None:
        root.problem("spec", "must be set")
    hpa = None if spec is None else _read_spec(spec, version, name, namespace)
    if problems or hpa is None:
        raise SpecError(problems)
    return hpa


def _read_metadata(root: Reader, version: str | None) -> tuple[str, str]:
    metadata = root.part("metadata")
    if metadata is None:
        root.problem("metadata.name", "must be set")
        return "", ""
    if version == "autoscaling/v1":
        for annotation in _V1_ANNOTATIONS:
            if annotation in metadata.text_map("annotations"):
                metadata.problem(
                    "annotations",
                    f"{annotation} is not read",
                    "write the autoscaler as autoscaling/v2, with the same in its spec",
                )
    return metadata.text("name"), metadata.text("namespace", required=False) or "default"


def _read_spec(spec: Reader, version: str | None, name: str, namespace: str) -> Hpa | None:
    target = spec.part("scaleTargetRef")
    if target is None:
        spec.problem("scaleTargetRef", "must be set")
    reference = None if target is None else read_reference(target, needs_group=True)
    lowest = spec.integer("minReplicas", lowest=0)
    highest = spec.integer("maxReplicas", lowest=1)
    if highest is None and not spec.has("maxReplicas"):
        spec.problem("maxReplicas", "must be set")
    lowest = 1 if lowest is None else lowest
    if highest is not None and highest < lowest:
        spec.problem("maxReplicas", f"must be >= minReplicas ({lowest}), got {highest}")
    behavior = None
    if version == "autoscaling/v1":
        metrics = _read_v1_metrics(spec)
    else:
        metrics = tuple(metric for part in spec.parts("metrics") if (metric := read_metric(part)))
        behavior = _read_behavior(spec)
    _check_zero(spec, lowest, metrics)
    spec.finish()
    if reference is None or highest is None or highest < lowest:
        return None
    return Hpa(reference, highest, lowest, metrics or DEFAULT_METRICS, behavior, name, namespace)


def _read_v1_metrics(spec: Reader) -> tuple[MetricSpec, ...]:
    percent = spec.integer("targetCPUUtilizationPercentage", lowest=1)
    if percent is None:
        return ()
    target = MetricTarget("Utilization", average_utilization_percent=percent)
    return (MetricSpec(MetricQuery("Resource", "cpu"), target),)


def _check_zero(spec: Reader, lowest: int, metrics: tuple[MetricSpec, ...]) -> None:
    """Whether something could ever bring the target back from zero (rule E21)."""
    all_read = len(metrics) == len(spec.parts("metrics"))
    if lowest == 0 and all_read and not any(metric.query.type in _FROM_ZERO for metric in metrics):
        spec.problem("metrics", "must have an Object or External metric for a minReplicas of 0")


def _read_behavior(spec: Reader) -> Behavior | None:
    """Reads ``behavior``; what it leaves out is filled in, and its absence is kept."""
    behavior = spec.part("behavior")
    if behavior is None:
        return None
    defaults = Behavior()
    rules = Behavior(
        scale_up=_read_rules(behavior.part("scaleUp"), defaults.scale_up),
        scale_down=_read_rules(behavior.part("scaleDown"), defaults.scale_down),
    )
    behavior.finish()
    return rules


def _read_rules(rules: Reader | None, defaults: ScalingRules) -> ScalingRules:
    """Source: copyHPAScalingRules and validateScalingRules."""
    if rules is None:
        return defaults
    window_s = rules.integer("stabilizationWindowSeconds", lowest=0, highest=STABILIZATION_WINDOW_S_MAX)
    select_policy = rules.choice("selectPolicy", _SELECT_POLICIES, defaults.select_policy)
    policies = defaults.policies
    if rules.has("policies"):
        parts = rules.parts("policies")
        policies = tuple(policy for part in parts if (policy := _read_policy(part)))
        if not parts:
            rules.problem("policies", "must have at least one policy")
        policies = policies or defaults.policies
    tolerance = rules.quantity("tolerance")
    if tolerance is not None and tolerance.nano < 0:
        rules.problem("tolerance", f"must be >= 0, got {tolerance}")
    rules.finish()
    return ScalingRules(
        policies,
        select_policy or defaults.select_policy,
        defaults.stabilization_window_s if window_s is None else window_s,
        None if tolerance is None else approximate_float(tolerance),
    )


def _read_policy(policy: Reader) -> ScalingPolicy | None:
    type_ = policy.choice("type", _POLICY_TYPES)
    value = policy.integer("value", lowest=1)
    period_s = policy.integer("periodSeconds", lowest=1, highest=PERIOD_S_MAX)
    for name in ("value", "periodSeconds"):
        if not policy.has(name):
            policy.problem(name, "must be set")
    policy.finish()
    if type_ is None or value is None or period_s is None:
        return None
    return ScalingPolicy(type_, value, period_s)


def approximate_float(quantity: Quantity) -> float:
    """Turns a quantity into the double that the controller computes with.

    It is digits times a power of ten, rounded after each of the two, and not always the nearest double:
    0.35 is 350m to the API server, and 350 x 0.001 is 0.35000000000000003.

    Source: k8s.io/apimachinery v0.37, pkg/api/resource/quantity.go, AsApproximateFloat64.
    """
    match = _PARTS.fullmatch(str(quantity))
    if match is None or (match["suffix"] or "").endswith("i"):
        return float(quantity)
    part = match["part"] or ""
    suffix = match["suffix"] or ""
    exponent = int(suffix[1:]) if suffix[:1] == "e" else _EXPONENTS[suffix]
    digits = float(int(match["whole"] + part))
    exponent -= len(part)
    return digits * float(f"1e{exponent}") if exponent else digits
