"""What a pod's labels and annotations mean, and which labels a selector fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.metrics_api.pods import pod_info, scope_of
from tonnage.metrics_api.selectors import BadSelector, fits, parse_selector, selector_of

OURS = {"app.kubernetes.io/managed-by": "tonnage"}


def info(labels=(), status=(), **annotations):
    marks = {f"tonnage.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    metadata = {"namespace": "ns", "name": "p", "labels": dict(labels), "annotations": marks}
    return pod_info({"metadata": metadata, "status": {"podIP": "10.0.0.7", **dict(status)}})


@pytest.mark.parametrize(
    ("labels", "annotations", "url"),
    [
        ({}, {}, None),
        (OURS, {}, "http://10.0.0.7:8080/metrics"),
        (OURS, {"metrics": "off"}, None),
        (OURS | {"app.kubernetes.io/component": "metrics-api"}, {}, None),
        ({}, {"metrics": "vllm"}, "http://10.0.0.7:8000/metrics"),
        ({}, {"metrics": "triton", "metrics_port": "9", "metrics_path": "/m?x=1"}, "http://10.0.0.7:9/m?x=1"),
    ],
)
def test_where_a_pod_is_asked(labels, annotations, url):
    """Ours are asked without an annotation, others when one names their kind, always at their own address."""
    target = info(labels, **annotations).target
    assert (target.url if target else None) == url


@pytest.mark.parametrize(
    "annotations",
    [
        {"metrics": "unknown"},
        {"metrics": "vllm", "metrics_port": "0"},
        {"metrics": "vllm", "metrics_port": "65536"},
        {"metrics": "vllm", "metrics_port": "8000@elsewhere"},
        {"metrics": "vllm", "metrics_path": "@elsewhere/"},
        {"metrics": "vllm", "metrics_path": "/a b"},
        {"sustainable_concurrency": "-1"},
        {"sustainable_concurrency": "many"},
    ],
)
def test_an_annotation_that_is_wrong_is_said(annotations):
    """A pod that cannot be asked says why, naming the annotation."""
    found = info(OURS if "metrics" not in annotations else {}, **annotations)
    assert found.target is None
    assert found.problem.startswith("tonnage.dev/")


def test_a_pod_that_is_over_or_has_no_address_is_not_asked():
    """There is nobody to ask."""
    assert info(OURS, {"phase": "Failed"}).over
    assert info(OURS, {"phase": "Failed"}).target is None
    assert info(OURS, {"podIP": ""}).target is None
    assert info(OURS, {"podIP": "fd00::1"}).target.url == "http://[fd00::1]:8080/metrics"


@pytest.mark.parametrize(
    ("text", "fit"),
    [
        ("", True),
        ("app=a", True),
        ("app==a,tier", True),
        ("app!=a", False),
        ("other!=a", True),
        ("app in (a, b)", True),
        ("app notin (a)", False),
        ("other notin (a)", True),
        ("!other", True),
        ("!app", False),
        ("tier,app in (b)", False),
        ("in=x", False),
        ("example.com/x=", True),
    ],
)
def test_selectors_fit_as_kubernetes_says(text, fit):
    """Each form of requirement; an absent label fulfils the negative ones."""
    assert fits(parse_selector(text), {"app": "a", "tier": "web", "example.com/x": ""}) == fit


@pytest.mark.parametrize("text", ["=a", "app=a,", "app in a", "app in (a", "a b", ",", "app=a b=c", "a>1", "x" * 20000])
def test_what_is_no_selector_is_refused(text):
    """Nothing is guessed."""
    with pytest.raises(BadSelector):
        parse_selector(text)


@given(st.text(max_size=40))
def test_no_text_breaks_it(text):
    """Any text is a selector or is refused."""
    try:
        parse_selector(text)
    except BadSelector:
        pass


def test_scopes_of_services_and_deployments():
    """A Service selects by labels, a Deployment by expressions too; a Service without selector means none."""
    deployment = {"matchLabels": {"app": "a"}, "matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}
    assert fits(scope_of("deployments.apps", {"spec": {"selector": deployment}}), {"app": "a"})
    assert not fits(selector_of(deployment), {"app": "a", "x": "1"})
    assert fits(scope_of("services", {"spec": {"selector": {"app": "a"}}}), {"app": "a", "b": "c"})
    assert scope_of("services", {"spec": {}}) is None
    with pytest.raises(BadSelector):
        selector_of({"matchExpressions": [{"key": "x", "operator": "Gt"}]})
