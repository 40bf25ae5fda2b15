"""Any server's metrics are named by annotations of its pods, and what cannot be read is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.metrics_api import custom
from tonnage.metrics_api.pods import pod_info
from tonnage.metrics_api.readings import read

PAGE = b"""
http_request_duration_ms_bucket{handler="/predict",le="100"} 90
http_request_duration_ms_bucket{handler="/predict",le="200"} 100
http_request_duration_ms_bucket{handler="/predict",le="+Inf"} 100
http_request_duration_ms_bucket{handler="/health",le="+Inf"} 1000
rpc_seconds{quantile="0.99"} 0.3
jobs_total{kind="a"} 5
jobs_total{kind="b"} 7
running 2
waiting 3
"""


def annotated(**values):
    return {f"tonnage.dev/metrics-{key.replace('_', '-')}": value for key, value in values.items()}


def test_a_histogram_is_named_with_labels_and_unit():
    """Only series with the labels count, in seconds, and the work in flight is the sum of its gauges."""
    given_ = annotated(
        latency='http_request_duration_ms{handler="/predict"}',
        latency_unit="ms",
        in_flight="running, waiting",
        queue="waiting",
        requests="jobs_total",
    )
    reading = read(custom.custom_preset(given_), PAGE, "text/plain", 0.0)
    assert reading.histograms["latency"].total == 100
    assert reading.histograms["latency"].quantile(0.95) == pytest.approx(0.15)
    assert (reading.gauges["in_flight"], reading.gauges["queue"]) == (5, 3)
    assert reading.counters["requests"] == 12


def test_a_summary_is_taken_as_it_is():
    """A server's own quantile is one, and without a counter nothing is said of requests."""
    given_ = annotated(latency="rpc_seconds", latency_form="summary")
    reading = read(custom.custom_preset(given_), PAGE, "text/plain", 0.0)
    assert reading.gauges == {"latency:0.99": 0.3}


def test_a_pod_chooses_it():
    """The annotation custom makes a pod asked, at the port that it names."""
    annotations = {"tonnage.dev/metrics": "custom", "tonnage.dev/metrics-port": "9100", **annotated(latency="x")}
    metadata = {"namespace": "n", "name": "p", "annotations": annotations}
    info = pod_info({"metadata": metadata, "status": {"podIP": "10.0.0.1"}})
    assert (info.target.url, info.target.preset.latency.metric) == ("http://10.0.0.1:9100/metrics", "x")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "must be given"),
        ({"latency": "1x"}, "must be like"),
        ({"latency": "x{a=b}"}, "must be like"),
        ({"latency": "x", "latency_form": "gauge"}, "histogram, summary"),
        ({"latency": "x", "latency_unit": "m"}, "s, ms, us, ns"),
        ({"latency": "x", "requests": "a b"}, "name of a metric"),
        ({"in_flight": "a,b c"}, "name of a metric"),
    ],
)
def test_what_cannot_be_read_is_said(values, words):
    """The pod's log line names the annotation."""
    annotations = {"tonnage.dev/metrics": "custom", **annotated(**values)}
    info = pod_info({"metadata": {"namespace": "n", "name": "p", "annotations": annotations}})
    assert info.target is None
    assert words in info.problem
    assert "tonnage.dev/metrics" in info.problem


@given(st.dictionaries(st.sampled_from(["latency", "requests", "in_flight", "queue"]), st.text(max_size=40)))
def test_no_annotation_breaks_it(values):
    """Anything is read or refused, and what is read can be looked for on a page."""
    try:
        preset = custom.custom_preset(annotated(**values))
    except ValueError:
        return
    read(preset, PAGE, "text/plain", 0.0)
