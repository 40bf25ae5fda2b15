"""Unknown fields and wrong types of Kubernetes objects are found, all at once and with their places."""

from __future__ import annotations

import pytest

from tonnage.kube.objects import read_objects
from tonnage.kube.shape import KNOWN_KINDS, near, shape_problems

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  replicas: {replicas}
  selector:
    matchLabels: {{app: d}}
  template:
    metadata:
      labels: {{app: {label}}}
    spec:
      containers:
        - name: c
          {probe}:
            httpGet: {{path: /health, port: {port}}}
          resources:
            limits: {{cpu: {cpu}, memory: {memory}}}
"""
SOUND = {
    "replicas": "2", "label": "d", "probe": "readinessProbe", "port": "http", "cpu": "1.5", "memory": "2Gi",
}  # fmt: skip


def problems_of(text: str) -> list[str]:
    items, _ = read_objects(text, source="d.yaml")
    return [str(problem) for item in items for problem in shape_problems(item)]


def test_a_sound_object_has_no_problem() -> None:
    """Ports may be names or numbers, quantities strings or numbers, optional fields null."""
    assert problems_of(DEPLOYMENT.format(**SOUND)) == []
    assert problems_of(DEPLOYMENT.format(**{**SOUND, "port": "8080", "replicas": "null"})) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"probe": "readynessProbe"},
            'd.yaml:15:11: spec.template.spec.containers[0].readynessProbe: must be a field that Container has, got "readynessProbe"; did you mean "readinessProbe"?',
        ),
        (
            {"probe": "completelyElse"},
            'd.yaml:15:11: spec.template.spec.containers[0].completelyElse: must be a field that Container has, got "completelyElse"',
        ),
        ({"replicas": '"2"'}, 'd.yaml:6:13: spec.replicas: must be a whole number, got "2"'),
        ({"replicas": "2.5"}, "d.yaml:6:13: spec.replicas: must be a whole number, got 2.5"),
        ({"replicas": "true"}, "d.yaml:6:13: spec.replicas: must be a whole number, got true"),
        (
            {"label": "3"},
            'd.yaml:11:21: spec.template.metadata.labels.app: must be a string, got 3; put it in quotes: "3"',
        ),
        (
            {"memory": "2GB"},
            "d.yaml:18:40: spec.template.spec.containers[0].resources.limits.memory: must be a quantity such as 2, 500m or 4Gi, got 2GB",
        ),
        (
            {"port": "[]"},
            "d.yaml:16:44: spec.template.spec.containers[0].readinessProbe.httpGet.port: must be a whole number or a string, got a list",
        ),
    ],
)
def test_a_fault_is_told_where_it_stands(change: dict[str, str], problem: str) -> None:
    """The message says what must hold, what was found, and the next step."""
    assert problems_of(DEPLOYMENT.format(**{**SOUND, **change})) == [problem]


def test_every_fault_is_told_at_once() -> None:
    """One reading of the text shows all there is to correct."""
    text = DEPLOYMENT.format(**{**SOUND, "replicas": "x", "label": "3", "memory": "2GB"})
    assert len(problems_of(text)) == 3


def test_missing_fields_and_wrong_holders_are_found() -> None:
    """A required field that is absent or null, and a scalar where a mapping or list must be."""
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {containers: 5}}, selector: null}\n"
    assert problems_of(text) == [
        "d.yaml:4:38: spec.template.spec.containers: must be a list, got 5",
        "d.yaml:4:53: spec.selector: must be given, got null",
    ]
    assert problems_of("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: []\n") == [
        "d.yaml:4:7: spec: must be a mapping, got a list"
    ]


def test_a_misspelt_field_is_not_missing_too() -> None:
    """One fault is told once."""
    text = DEPLOYMENT.format(**SOUND).replace("  selector:", "  selectr:")
    assert problems_of(text) == [
        'd.yaml:7:3: spec.selectr: must be a field that DeploymentSpec has, got "selectr"; did you mean "selector"?'
    ]


def test_other_kinds_are_nobodys_business() -> None:
    """A custom resource may have any field."""
    text = "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: d}\nspec: {anything: 1}\n"
    assert problems_of(text) == []


def test_every_known_kind_has_a_model() -> None:
    """The table names modules that there are."""
    for version, kind in KNOWN_KINDS:
        text = f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: x, lables: {{}}}}\n"
        assert any('did you mean "labels"?' in problem for problem in problems_of(text)), kind


def test_nearness_ignores_case() -> None:
    """A name in another case is the name that was meant; a stranger is none."""
    assert near("MATCHLABELS", ("matchLabels", "matchExpressions")) == "matchLabels"
    assert near("zebra", ("matchLabels",)) is None
