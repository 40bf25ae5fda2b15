"""Paths are read and answers are worded as Kubernetes' clients expect."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.kube.quantity import parse_quantity
from tonnage.metrics_api import api

BASE = "/apis/custom.metrics.k8s.io"


def test_paths_are_read():
    """Discovery and metrics, by name and by selector."""
    assert api.parse("/apis", {}) == api.Discovery("groups")
    assert api.parse(BASE, {}) == api.Discovery("group")
    assert api.parse(f"{BASE}/v1beta1", {}) == api.Discovery("resources", "v1beta1")
    path = f"{BASE}/v1beta2/namespaces/ns/pods/*/m"
    assert api.parse(path, {"labelSelector": "a=b"}) == api.MetricRequest("v1beta2", "ns", "pods", "*", "m", "a=b")


@pytest.mark.parametrize("path", ["/", "/api", f"{BASE}/v1", f"{BASE}/v1beta2/namespaces/ns/nodes/n/m", f"{BASE}/v1beta2/x"])
def test_other_paths_are_not_found(path):
    """There is nothing else."""
    with pytest.raises(api.NotFound):
        api.parse(path, {})


@given(st.text(max_size=80), st.dictionaries(st.sampled_from(["labelSelector", "metricLabelSelector"]), st.text()))
def test_no_path_breaks_it(path, query):
    """Any path is read or refused."""
    try:
        api.parse(f"{BASE}/{path}", query)
    except (api.NotFound, api.BadRequest):
        pass


@given(st.integers(0, 10**9))
def test_whole_thousandths_stay_as_they_are(thousandths):
    """A value in thousandths is that quantity, whatever a float makes of it."""
    assert parse_quantity(api.milli(thousandths / 1000)).nano == thousandths * 10**6


@given(st.floats(0, 1e6))
def test_a_value_is_rounded_up_to_thousandths(value):
    """The HPA rounds up, and so do we, never by a whole thousandth."""
    said = parse_quantity(api.milli(value)).nano / 1e9
    assert -1e-6 <= said - value < 0.001 + 1e-6


def test_both_versions_are_worded_their_way():
    """v1beta1 has the metric's name beside, v1beta2 inside."""
    for version, key in (("v1beta1", "metricName"), ("v1beta2", "metric")):
        wording = api.Wording(version, "deployments.apps", "ns", "m")
        answer = json.loads(api.value_list(version, [wording.item("d", 0.25, 0.0, 30.0)]))
        (item,) = answer["items"]
        assert answer["apiVersion"] == f"custom.metrics.k8s.io/{version}"
        assert (item["value"], item["windowSeconds"], item["timestamp"]) == ("250m", 30, "1970-01-01T00:00:00Z")
        described = {"kind": "Deployment", "namespace": "ns", "apiVersion": "apps/v1", "name": "d"}
        assert item["describedObject"] == described
        assert item[key] in ("m", {"name": "m", "selector": None})


def test_nothing_is_an_empty_list():
    """No item is no null."""
    assert json.loads(api.value_list("v1beta2", []))["items"] == []
