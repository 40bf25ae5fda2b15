"""What the server measures is right, mergeable, and never NaN."""

from __future__ import annotations

import json
import math
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tonnage.contract import latency_buckets as layout
from tonnage.contract import metrics as names
from tonnage.server.metrics import histogram
from tonnage.server.metrics.block import Block, State
from tonnage.server.metrics.exposition import PERCENTILES, expose
from tonnage.server.metrics.recorder import Recorder

DURATIONS = st.lists(st.floats(2e-5, 100), min_size=1, max_size=200)


def counts(seconds) -> histogram.Counts:
    total = np.zeros(histogram.BUCKETS, np.int64)
    histogram.add(total, np.array(seconds))
    return total


@given(DURATIONS, st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_quantiles_are_within_one_percent(seconds, q):
    """A quantile is within 1% of the exact order statistic."""
    exact = sorted(seconds)[max(0, math.ceil(q * len(seconds)) - 1)]
    assert math.isclose(histogram.quantile(counts(seconds), q), exact, rel_tol=0.01)


@given(DURATIONS, DURATIONS)
def test_histograms_merge_by_addition(one, two):
    """The sum of two histograms is the histogram of both."""
    np.testing.assert_array_equal(counts(one) + counts(two), counts(one + two))


def test_a_tenth_of_a_second_is_a_bound():
    """The objective of nearly everyone is exactly a bucket's bound."""
    cumulative = histogram.at_octaves(counts([0.1, 0.1000001]))
    assert cumulative[histogram.OCTAVE_BOUNDS_S.index(0.1)] == 1


def page(block: Block, now_s: float, accept: str = "") -> str:
    return expose(block.slots, model="m", now_s=now_s, window_s=30.0, accept=accept)[0].decode()


def samples(text: str) -> dict[str, float]:
    return {s.name: s.value for family in parse_text(text) for s in family.samples}


def test_workers_are_exposed_as_one():
    """Counters and percentiles cover all workers, and both formats can be parsed."""
    block = Block.create(2)
    for index, latency_s in enumerate((0.010, 0.030)):
        block.slots[index]["state"] = State.READY
        recorder = Recorder(block.slots[index], 30.0)
        recorder.latencies_s += [latency_s] * 50
        recorder.batches.append((50, 0.005))
        recorder.ok[0] += 50
        recorder.fold(100.0)
    got = samples(page(block, 100.0))
    assert got[names.REQUEST_SECONDS + "_count"] == 100
    assert math.isclose(got[names.INFERENCE_LATENCY_P99], 0.030, rel_tol=0.01)
    families = list(parse_openmetrics(page(block, 100.0, "application/openmetrics-text")))
    assert any(family.name == names.INFERENCE_LATENCY_P99 for family in families)


def test_an_idle_window_is_silent_and_never_nan():
    """When nothing was answered within the window the percentiles are absent; counters stay."""
    block = Block.create(1)
    recorder = Recorder(block.slots[0], 30.0)
    recorder.latencies_s.append(0.5)
    recorder.fold(100.0)
    assert names.INFERENCE_LATENCY_P99 in samples(page(block, 127.0))
    later = page(block, 131.0)
    assert names.INFERENCE_LATENCY_P99 not in samples(later)
    assert samples(later)[names.REQUEST_SECONDS + "_count"] == 1
    assert "nan" not in later.lower()


def test_names_follow_prometheus():
    """Metric names are lower case, with base units in plural and _total for counters."""
    for name, value in vars(names).items():
        if name.isupper():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", value)
            assert not value.endswith(("_ms", "_second", "_milliseconds"))
            assert ("TOTAL" in name) == value.endswith("_total")


def test_the_windows_own_buckets_give_the_pages_percentiles():
    """Who asks for the window gets fine buckets of all workers, whose quantiles are those of the page."""
    block = Block.create(2)
    for index, latency_s in enumerate((0.010, 0.030)):
        block.slots[index]["state"] = State.READY
        block.slots[index]["in_flight"] = 2
        recorder = Recorder(block.slots[index], 30.0)
        recorder.latencies_s += [latency_s] * 50
        recorder.fold(100.0)
    body, kind = expose(block.slots, model="m", now_s=100.0, window_s=30.0, accept=f"{layout.WINDOW_TYPE}, */*")
    document = json.loads(body)
    fine = np.zeros(layout.BUCKETS, np.int64)
    for bucket, count in document["buckets"].items():
        fine[int(bucket)] = count
    got = samples(page(block, 100.0))
    assert kind == layout.WINDOW_TYPE
    assert {q: histogram.quantile(fine, q) for q in PERCENTILES} == {
        q: got[name] for q, name in PERCENTILES.items()
    }
    assert (document["layout"], document["windowSeconds"], document["answered"]) == (layout.LAYOUT, 30.0, 100)
    assert (document["inFlight"], document["queue"]) == (4, 0)


def test_an_empty_window_has_no_buckets():
    """Without requests the window is empty, which is not an error."""
    body, _ = expose(Block.create(1).slots, model="m", now_s=1.0, window_s=30.0, accept=layout.WINDOW_TYPE)
    assert json.loads(body)["buckets"] == {}
