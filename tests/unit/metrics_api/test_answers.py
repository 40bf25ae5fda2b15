"""Requests are answered for pods and for fleets, as the policy lets them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tonnage.contract import latency_buckets as layout
from tonnage.kube.quantity import parse_quantity
from tonnage.metrics_api.answers import Answers
from tonnage.metrics_api.api import BadRequest, MetricRequest, NotFound
from tonnage.metrics_api.pods import pod_info
from tonnage.metrics_api.policy import Policy
from tonnage.metrics_api.selectors import equalities
from tonnage.metrics_api.store import Store
from tonnage.metrics_api.windows import FINE_BOUNDS_S, Histogram, Reading

P99 = "inference_latency_p99"


def pod(name, ready=True, sustainable="8", **metadata):
    annotations = {"tonnage.dev/sustainable-concurrency": sustainable} if sustainable else {}
    labels = {"app": "shop", "app.kubernetes.io/managed-by": "tonnage"}
    base = {"namespace": "ns", "name": name, "uid": name, "labels": labels, "annotations": annotations}
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {"metadata": base | metadata, "status": {"podIP": "10.0.0.1", "phase": "Running", "conditions": conditions}}


def reading(buckets, at_s=100.0, in_flight=2.0, answered=0.0):
    counts = np.zeros(layout.BUCKETS)
    for bucket, count in buckets.items():
        counts[bucket] = count
    window = Histogram(FINE_BOUNDS_S, counts)
    gauges = {"in_flight": in_flight, "queue": 1.0}
    return Reading(at_s, gauges, {"requests": answered}, windows={"latency": window}, window_s=30.0)


@pytest.fixture
def store() -> Store:
    """Nine pods at 0.1 s and one at 0.4 s, and a Service and a Deployment of them."""
    store = Store(30.0)
    for index in range(10):
        record = store.put_pod(pod_info(pod(f"p{index}")))
        record.read(reading({468: 0}, 95.0))
        record.read(reading({540 if index == 9 else 468: 100}, answered=50.0))
    for resource in ("services", "deployments.apps"):
        store.put_scope(resource, "ns", "shop", equalities({"app": "shop"}))
    return store


def ask(store, resource, name, metric=P99, policy=Policy(), now_s=101.0, selector="", namespace="ns"):
    request = MetricRequest("v1beta2", namespace, resource, name, metric, selector)
    items = map(json.loads, Answers(store, policy).answer(request, now_s, 1e9))
    return {one["describedObject"]["name"]: parse_quantity(one["value"]).milli_value / 1000 for one in items}


def test_a_mean_hides_what_the_fleet_shows(store):
    """One slow pod of ten is not seen in the mean of the pods; the fleet's p99 is that of its requests."""
    each = ask(store, "pods", "*")
    assert np.mean(list(each.values())) == pytest.approx(0.13, rel=0.02)
    for resource in ("services", "deployments.apps"):
        assert ask(store, resource, "shop")["shop"] == pytest.approx(0.4, rel=0.02)


def test_rates_and_work_add_up(store):
    """A fleet's rate and work are the sums of its pods', its utilization that of all of them."""
    assert ask(store, "pods", "p1", "requests_per_second") == {"p1": 10}
    assert ask(store, "services", "shop", "requests_per_second") == {"shop": 100}
    assert ask(store, "services", "shop", "tonnage_requests_in_flight") == {"shop": 20}
    assert ask(store, "services", "shop", "load_utilization") == {"shop": pytest.approx(0.25)}
    assert ask(store, "pods", "p1", "load_utilization") == {"p1": 0.25}


@pytest.mark.parametrize("change", [{"ready": False}, {"deletionTimestamp": "2026-01-01T00:00:00Z"}])
def test_who_does_not_speak_is_not_in_the_fleet(store, change):
    """A pod that warms up or ends counts neither by itself nor in its fleet."""
    store.put_pod(pod_info(pod("p9", **change)))
    assert "p9" not in ask(store, "pods", "*")
    assert ask(store, "services", "shop")["shop"] == pytest.approx(0.1, rel=0.02)


def test_a_stale_pod_is_silent_and_a_gone_one_gone(store):
    """What has not been read for long is not said any more, and nothing at all of a pod that is gone."""
    assert len(ask(store, "pods", "*", now_s=120.0)) == 10
    assert ask(store, "pods", "*", now_s=120.1) == {}
    store.drop_pod("ns", "p3")
    assert "p3" not in ask(store, "pods", "*")
    store.keep_pods([("ns", "p1")])
    assert list(ask(store, "pods", "*")) == ["p1"]


@pytest.mark.parametrize(("idle", "said"), [("zero", 0.0), ("silent", None), ("last", 0.4)])
def test_an_idle_fleet_says_what_the_policy_says(store, idle, said):
    """Without requests in its window a fleet is zero, silent, or as it last was."""
    for index in range(10):
        store.pod("ns", f"p{index}").read(reading({}))
    policy = Policy(idle=idle)
    if said is None:
        with pytest.raises(NotFound):
            ask(store, "services", "shop", policy=policy)
        assert ask(store, "pods", "*", policy=policy) == {}
    else:
        assert ask(store, "services", "shop", policy=policy)["shop"] == pytest.approx(said, rel=0.02)
        assert ask(store, "pods", "p9", policy=policy)["p9"] == pytest.approx(said, rel=0.02)


def test_a_new_pod_of_an_old_name_begins_anew(store):
    """Another pod of the same name does not inherit what the first has said."""
    store.put_pod(pod_info(pod("p1", uid="another")))
    assert "p1" not in ask(store, "pods", "*", policy=Policy(idle="last"))


def test_what_is_not_there_is_said(store):
    """An unknown metric, pod, fleet or selector is refused by name; a selector of nothing is empty."""
    for resource, name, metric in (("pods", "*", "cpu"), ("pods", "none", P99), ("services", "none", P99)):
        with pytest.raises(NotFound, match=metric):
            ask(store, resource, name, metric)
    with pytest.raises(BadRequest):
        ask(store, "pods", "*", selector="=x")
    with pytest.raises(BadRequest):
        ask(store, "services", "*", selector="app=shop")
    assert ask(store, "pods", "*", selector="app!=shop") == {}
    assert ask(store, "pods", "*", namespace="other") == {}
    store.put_pod(pod_info(pod("p1", sustainable=None)))
    with pytest.raises(NotFound):
        ask(store, "pods", "p1", "load_utilization")


def test_the_windows_age_and_length_are_told(store):
    """A value is as old as its reading, and covers the server's own window."""
    request = MetricRequest("v1beta2", "ns", "pods", "p1", P99)
    item = json.loads(Answers(store, Policy()).answer(request, 103.0, 1e9)[0])
    assert (item["timestamp"], item["windowSeconds"]) == ("2001-09-09T01:46:37Z", 30)


def test_what_is_kept_is_what_would_be_said(store):
    """Words made ahead follow a pod's page, its state and its age."""
    answers = Answers(store, Policy())

    def said(now_s):
        request = MetricRequest("v1beta2", "ns", "pods", "*", P99, "")
        items = map(json.loads, answers.answer(request, now_s, 1e9 + now_s))
        return {one["describedObject"]["name"]: (one["value"], one["timestamp"][-3:]) for one in items}

    assert said(101.0)["p9"][1] == "20Z"
    record = store.pod("ns", "p9")
    record.read(reading({468: 100}, 105.0))
    answers.prepare(record, 105.0, 1e9 + 105.0)
    assert said(106.0)["p9"] == (said(106.0)["p0"][0], "25Z")
    store.put_pod(pod_info(pod("p9", ready=False)))
    assert "p9" not in said(106.0)
    store.put_pod(pod_info(pod("p9")))
    assert set(said(121.0)) == {"p9"}


def test_a_selection_follows_labels_and_pods(store):
    """Which pods a selector means is remembered, and never longer than it is true."""
    by_app = equalities({"app": "shop"})
    assert len(store.selected("ns", by_app)) == len(store.selected("ns", by_app)) == 10
    store.put_pod(pod_info(pod("p3", labels={"app": "other"})))
    assert "p3" not in [one.info.name for one in store.selected("ns", by_app)]
    store.put_pod(pod_info(pod("p3")))
    store.put_pod(pod_info(pod("q")))
    store.drop_pod("ns", "p0")
    names = [one.info.name for one in store.selected("ns", by_app)]
    assert names == ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "q"]
