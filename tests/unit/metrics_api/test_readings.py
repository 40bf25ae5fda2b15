"""Pages of known servers give latency, requests and work in flight.

Those of Triton, KServe, BentoML, MLServer and Ray Serve are their own, kept by tests/integration/metrics_api/test_real_servers.py
(21 requests each); the others are written after their documentation or source.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.contract import latency_buckets as layout
from tonnage.metrics_api.page import BadPage
from tonnage.metrics_api.presets import PRESETS, preset_named
from tonnage.metrics_api.readings import read
from tonnage.server.metrics.block import Block, State
from tonnage.server.metrics.exposition import expose
from tonnage.server.metrics.recorder import Recorder

PAGES = Path(__file__).parent / "pages"
TEXT = "text/plain"


@pytest.mark.parametrize(
    ("file", "requests", "in_flight", "latency_s"),
    [
        ("triton", 21, 0, 0.061888),
        ("triton-models", 30, 5, 0.09),
        ("kserve", 21, None, 0.4475),
        ("bentoml", 21, 0, 0.4475),
        ("mlserver", 21, 0, 0.00965),
        ("ray", 21, 0, 0.17899999999999994),
        ("ray-replicas", 30, 5, 0.1985),
        ("vllm", 30, 5, 0.497),
        ("tgi", 30, 5, 0.9925),
        ("tfserving", 30, None, 0.01970276),
        ("torchserve", 30, None, None),
    ],
)
def test_a_servers_page_is_read_by_its_preset(file, requests, in_flight, latency_s):
    """Each preset finds on its server's page what autoscaling wants, in seconds."""
    preset = preset_named(file.partition("-")[0])
    reading = read(preset, (PAGES / f"{file}.txt").read_bytes(), TEXT, 1.0)
    assert reading.counters["requests"] == requests
    assert reading.gauges.get("in_flight") == in_flight
    found = reading.gauges.get("latency:0.99")
    if "latency" in reading.histograms:
        found = reading.histograms["latency"].quantile(0.99)
    assert found == (pytest.approx(latency_s) if latency_s else None)


def test_our_own_page_and_our_own_window_say_the_same():
    """Of our server the Prometheus page and the window agree, the window finely."""
    block = Block.create(1)
    block.slots[0]["state"] = State.READY
    block.slots[0]["in_flight"], block.slots[0]["queue"] = 5, 2
    recorder = Recorder(block.slots[0], 30.0)
    recorder.latencies_s += [0.09] * 99 + [0.4]
    recorder.fold(100.0)

    def page(accept):
        body, kind = expose(block.slots, model="m", now_s=100.0, window_s=30.0, accept=accept)
        return read(PRESETS[0], body, kind, 100.0)

    coarse, fine = page(""), page(layout.WINDOW_TYPE)
    assert coarse.counters == fine.counters == {"requests": 100}
    assert coarse.gauges == fine.gauges == {"in_flight": 5, "queue": 2}
    assert fine.windows["latency"].total == coarse.histograms["latency"].total
    assert fine.windows["latency"].quantile(0.99) == pytest.approx(0.09, rel=0.01)
    assert fine.window_s == 30


GOOD = {"layout": layout.LAYOUT, "windowSeconds": 30, "buckets": {"1": 2}, "answered": 2, "inFlight": 0, "queue": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"layout": "10/octave"},
        {"windowSeconds": 0},
        {"buckets": {"830": 1}},
        {"buckets": {"-1": 1}},
        {"buckets": {"1": -1}},
        {"buckets": {"x": 1}},
        {"answered": "2"},
    ],
)
def test_a_window_that_is_not_one_is_refused(change):
    """Another layout, or counts that cannot be, are not merged with ours."""
    read(PRESETS[0], json.dumps(GOOD).encode(), layout.WINDOW_TYPE, 0.0)
    with pytest.raises(BadPage):
        read(PRESETS[0], json.dumps(GOOD | change).encode(), layout.WINDOW_TYPE, 0.0)


@given(st.binary(max_size=100), st.sampled_from([TEXT, layout.WINDOW_TYPE]), st.sampled_from(PRESETS))
def test_no_body_breaks_it(body, kind, preset):
    """Any bytes are read or refused."""
    try:
        read(preset, body, kind, 0.0)
    except BadPage:
        pass


@pytest.mark.parametrize("value", ["NaN", "-1", "+Inf"])
def test_buckets_that_are_no_counts_are_refused(value):
    """A histogram with NaN in it says nothing."""
    with pytest.raises(BadPage):
        read(preset_named("kserve"), f'request_predict_seconds_bucket{{le="1"}} {value}'.encode(), TEXT, 0.0)


def test_probes_are_not_requests():
    """BentoML counts the kubelet's probes as it counts requests; they are fast, and no load."""
    page = (PAGES / "bentoml.txt").read_bytes()
    assert page.count(b'endpoint="/readyz"') > 1
    assert read(preset_named("bentoml"), page, TEXT, 0.0).histograms["latency"].total == 21
