"""Autoscalers are read as the API server reads them: defaults filled in, problems all at once with their paths."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hpa_rules import covers

from tonnage.errors import SpecError
from tonnage.hpa import (
    Behavior,
    Hpa,
    LabelRequirement,
    MetricQuery,
    MetricSelector,
    MetricSpec,
    MetricTarget,
    ObjectReference,
    ScalingPolicy,
    hpa_from_object,
)
from tonnage.hpa.objects import approximate_float
from tonnage.kube.quantity import parse_quantity

FOUNDING: dict[str, Any] = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "server", "namespace": "models"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "server"},
        "minReplicas": 3,
        "maxReplicas": 50,
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
            {
                "type": "Pods",
                "pods": {
                    "metric": {"name": "inference_latency_p99"},
                    "target": {"type": "AverageValue", "averageValue": "100m"},
                },
            },
        ],
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 30,
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}],
            },
        },
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The founding document with one field set, or taken out for None."""
    document = copy.deepcopy(FOUNDING)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place: Any = document
    for part in parents:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


def problems(document: dict[str, Any]) -> list[str]:
    with pytest.raises(SpecError) as refused:
        hpa_from_object(document)
    return [str(problem) for problem in refused.value.problems]


def test_the_founding_manifest_reads_as_it_is_meant():
    hpa = hpa_from_object(FOUNDING)
    assert (hpa.name, hpa.namespace, hpa.replicas_min, hpa.replicas_max) == ("server", "models", 3, 50)
    assert hpa.target == ObjectReference("Deployment", "server", "apps/v1")
    assert hpa.metrics == (
        MetricSpec(MetricQuery("Resource", "cpu"), MetricTarget("Utilization", average_utilization_percent=70)),
        MetricSpec(
            MetricQuery("Pods", "inference_latency_p99"), MetricTarget("AverageValue", average_value_milli=100)
        ),
    )
    assert hpa.behavior is not None
    assert hpa.behavior.scale_down.policies == (ScalingPolicy("Percent", 10, 60),)
    assert hpa.behavior.scale_up.stabilization_window_s == 30


@covers("E17")
def test_no_behavior_is_not_an_empty_one():
    assert hpa_from_object(changed("spec.behavior", None)).behavior is None
    assert hpa_from_object(changed("spec.behavior", {})).behavior == Behavior()
    assert Behavior().scale_down.stabilization_window_s is None
    assert Behavior().scale_up.policies == (ScalingPolicy("Pods", 4, 15), ScalingPolicy("Percent", 100, 15))


def test_half_a_behavior_gets_the_other_half_by_default():
    behavior = hpa_from_object(changed("spec.behavior", {"scaleUp": {"selectPolicy": "Min"}})).behavior
    assert behavior is not None
    assert behavior.scale_down == Behavior().scale_down
    assert behavior.scale_up.select_policy == "Min"
    assert behavior.scale_up.policies == Behavior().scale_up.policies


def test_a_minimum_and_metrics_that_are_left_out_are_one_and_80_percent_of_cpu():
    document = changed("spec.metrics", [])
    del document["spec"]["minReplicas"]
    hpa = hpa_from_object(document)
    assert hpa.replicas_min == 1
    assert hpa.metrics == Hpa(hpa.target, 1).metrics


@pytest.mark.parametrize(("percent", "expected"), [(55, 55), (None, 80)])
def test_the_first_version_has_one_metric(percent, expected):
    document = {**changed("spec.behavior", None), "apiVersion": "autoscaling/v1"}
    del document["spec"]["metrics"]
    if percent is not None:
        document["spec"]["targetCPUUtilizationPercentage"] = percent
    [metric] = hpa_from_object(document).metrics
    assert metric.target.average_utilization_percent == expected


def test_the_first_versions_annotations_are_not_lost_in_silence():
    document = {**changed("spec.behavior", None), "apiVersion": "autoscaling/v1"}
    del document["spec"]["metrics"]
    document["metadata"]["annotations"] = {"autoscaling.alpha.kubernetes.io/behavior": "{}"}
    [problem] = problems(document)
    assert problem == (
        "metadata.annotations: autoscaling.alpha.kubernetes.io/behavior is not read; "
        "write the autoscaler as autoscaling/v2, with the same in its spec"
    )


def test_objects_external_metrics_and_selectors_are_read():
    document = changed(
        "spec.metrics",
        [
            {
                "type": "Object",
                "object": {
                    "describedObject": {"kind": "Service", "name": "front"},
                    "metric": {"name": "hits", "selector": {"matchLabels": {"b": "2", "a": "1"}}},
                    "target": {"type": "Value", "value": 10},
                },
            },
            {
                "type": "External",
                "external": {
                    "metric": {
                        "name": "queue",
                        "selector": {"matchExpressions": [{"key": "k", "operator": "In", "values": ["x", "y"]}]},
                    },
                    "target": {"type": "AverageValue", "averageValue": "0.0001"},
                },
            },
            {
                "type": "ContainerResource",
                "containerResource": {
                    "name": "memory",
                    "container": "server",
                    "target": {"type": "AverageValue", "averageValue": "1Gi"},
                },
            },
        ],
    )
    hits, queue, memory = hpa_from_object(document).metrics
    assert hits.query.described == ObjectReference("Service", "front")
    assert hits.query.selector == MetricSelector((("a", "1"), ("b", "2")))
    assert hits.target.value_milli == 10_000
    assert queue.query.selector == MetricSelector((), (LabelRequirement("k", "In", ("x", "y")),))
    assert queue.target.average_value_milli == 1  # rounded up
    assert memory.query == MetricQuery("ContainerResource", "memory", "server")
    assert memory.target.average_value_milli == 2**30 * 1000


@covers("E14")
@pytest.mark.parametrize(
    ("text", "double"), [("0.35", 0.35000000000000003), ("0.1", 0.1), ("350m", 0.35000000000000003), ("1", 1.0), ("1e-1", 0.1), ("1Ki", 1024.0), ("2k", 2000.0)]
)
def test_a_tolerance_is_the_double_that_the_controller_makes_of_it(text, double):
    assert approximate_float(parse_quantity(text)) == double


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("apiVersion", "autoscaling/v2beta2", 'apiVersion: must be one of autoscaling/v2, autoscaling/v1, got "autoscaling/v2beta2"; did you mean autoscaling/v2?'),
        ("metadata.name", None, "metadata.name: must be set"),
        ("spec.maxReplicas", None, "spec.maxReplicas: must be set"),
        ("spec.maxReplicas", 2, "spec.maxReplicas: must be >= minReplicas (3), got 2"),
        ("spec.maxReplicas", "50", 'spec.maxReplicas: must be a whole number >= 1, got "50"'),
        ("spec.maxReplicas", True, "spec.maxReplicas: must be a whole number >= 1, got True"),
        ("spec.minReplicas", 0, "spec.metrics: must have an Object or External metric for a minReplicas of 0"),
        ("spec.scaleTargetRef", None, "spec.scaleTargetRef: must be set"),
        ("spec.scaleTargetRef.apiVersion", "v1", "spec.scaleTargetRef.apiVersion: must name an API group, such as apps/v1"),
        ("spec.scaleTargetRef.apiVersion", "a/b/c", 'spec.scaleTargetRef.apiVersion: must be a group and a version, got "a/b/c"'),
        ("spec.scaleTargetRef.name", "a/b", 'spec.scaleTargetRef.name: must not be "." or "..", or contain "/" or "%", got "a/b"'),
        ("spec.metrics", {}, "spec.metrics: must be a list, got {}"),
        ("spec.metrics.0.type", "Pods", "spec.metrics[0].resource: must not be set for type Pods"),
        ("spec.metrics.0.resource.target.averageUtilization", 0, "spec.metrics[0].resource.target.averageUtilization: must be a whole number >= 1, got 0"),
        ("spec.metrics.0.resource.target.averageValue", "1", "spec.metrics[0].resource.target.averageValue: must not be set together with averageUtilization"),
        ("spec.metrics.1.pods.target.averageValue", "0", "spec.metrics[1].pods.target.averageValue: must be above 0 and below 9.2P, got 0"),
        ("spec.metrics.1.pods.target.averageValue", "a lot", 'spec.metrics[1].pods.target.averageValue: must be a quantity such as 2, 500m or 4Gi, got "a lot"'),
        ("spec.metrics.1.pods.target.averageValue", None, "spec.metrics[1].pods.target.averageValue: must be set for type Pods"),
        ("spec.metrics.1.pods.metric", None, "spec.metrics[1].pods.metric.name: must be set"),
        ("spec.metrics.1.pods.metrik", 1, 'spec.metrics[1].pods.metrik: is not a known field; did you mean "metric"?'),
        ("spec.behavior.scaleUp.policies", [], "spec.behavior.scaleUp.policies: must have at least one policy"),
        ("spec.behavior.scaleUp.policies.0.periodSeconds", 1801, "spec.behavior.scaleUp.policies[0].periodSeconds: must be a whole number from 1 to 1800, got 1801"),
        ("spec.behavior.scaleUp.policies.0.value", None, "spec.behavior.scaleUp.policies[0].value: must be set"),
        ("spec.behavior.scaleDown.stabilizationWindowSeconds", 3601, "spec.behavior.scaleDown.stabilizationWindowSeconds: must be a whole number from 0 to 3600, got 3601"),
        ("spec.behavior.scaleDown.tolerance", "-1m", "spec.behavior.scaleDown.tolerance: must be >= 0, got -1m"),
        ("spec.behavior.scaleDown.selectPolicy", "max", 'spec.behavior.scaleDown.selectPolicy: must be one of Max, Min, Disabled, got "max"; did you mean Max?'),
    ],
)  # fmt: skip
def test_a_problem_is_said_with_its_path(path, value, problem):
    assert problem in problems(changed(path, value))


def test_all_problems_come_at_once():
    document = changed("spec.maxReplicas", -1)
    document["kind"] = "Deployment"
    document["spec"]["metrics"][0]["type"] = "Resorce"
    document["spec"]["minReplica"] = 1
    assert [problem.split(":")[0] for problem in problems(document)] == [
        "kind",
        "spec.maxReplicas",
        "spec.metrics[0].type",
        "spec.minReplica",
    ]


def test_nothing_but_an_object_is_read():
    assert problems({}) == [
        "apiVersion: must be one of autoscaling/v2, autoscaling/v1",
        "kind: must be one of HorizontalPodAutoscaler",
        "metadata.name: must be set",
        "spec: must be set",
    ]
    assert "metadata: must be an object, got 3" in problems(changed("metadata", 3))
    assert "spec: must be an object, got []" in problems(changed("spec", []))
