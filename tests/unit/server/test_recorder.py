"""Measurements reach the page whole: nothing is lost in a fold, nothing stays beyond the window."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from tonnage.server.metrics import histogram
from tonnage.server.metrics.block import CODES, WINDOW_SLOTS, Block, State
from tonnage.server.metrics.exposition import expose
from tonnage.server.metrics.recorder import Recorder, window_counts

WINDOW_S = 30.0
SECONDS = st.floats(0.0, 1e4)


@given(st.lists(st.tuples(st.lists(SECONDS, max_size=20), st.floats(0.0, 5.0)), max_size=20))
def test_a_window_holds_what_is_younger_and_nothing_older(rounds):
    """What is younger than 14/15 of the window is in it, what is older than the window is not."""
    block = Block.create(1)
    recorder = Recorder(block.slots[0], WINDOW_S)
    now_s, seen = 1000.0, []
    for latencies, passed_s in rounds:
        now_s += passed_s
        recorder.latencies_s += latencies
        seen += [now_s] * len(latencies)
        recorder.fold(now_s)
        assert recorder.latencies_s == []
        held = int(window_counts(block.slots, now_s, WINDOW_S).sum())
        sure_s = WINDOW_S * (WINDOW_SLOTS - 1) / WINDOW_SLOTS - 1e-6
        assert sum(now_s - at_s < sure_s for at_s in seen) <= held
        assert held <= sum(now_s - at_s <= WINDOW_S + 1e-6 for at_s in seen)
    assert int(block.slots["latency"].sum()) == len(seen)
    assert window_counts(block.slots, now_s + WINDOW_S + 0.01, WINDOW_S).sum() == 0


@given(st.lists(SECONDS, min_size=1, max_size=50))
def test_shown_bounds_count_as_prometheus_does(seconds):
    """Each shown bound counts the durations at or below it, and the last counts all."""
    counts = np.zeros(histogram.BUCKETS, np.int64)
    histogram.add(counts, np.array(seconds))
    shown = histogram.at_octaves(counts)
    for bound, count in zip(histogram.OCTAVE_BOUNDS_S, shown, strict=False):
        # a value within 1e-9 of a bound may fall on either side of it
        assert (
            sum(s < bound * (1 - 1e-9) for s in seconds)
            <= count
            <= sum(s <= bound * (1 + 1e-9) for s in seconds)
        )
    assert shown[-1] == len(seconds)


EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("ok"), SECONDS),
        st.tuples(st.just("code"), st.sampled_from([400, 404, 418, 500, 503, 599])),
        st.tuples(st.just("batch"), st.integers(1, 10_000)),
        st.tuples(st.just("pass"), st.floats(0.0, 60.0)),
    ),
    max_size=12,
)


def samples(page: str, parse) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse.text_string_to_metric_families(page)
        for sample in family.samples
    }


@settings(max_examples=40)
@given(EVENTS)
def test_counters_never_fall_and_nothing_is_nan(events):
    """After any history both formats parse and agree, counters have not fallen, no value is NaN."""
    block = Block.create(2)
    block.slots[0]["state"] = State.READY
    recorder = Recorder(block.slots[0], WINDOW_S)
    now_s, before, answered = 100.0, {}, 0
    for kind, value in events:
        if kind == "ok":
            recorder.latencies_s.append(value)
            recorder.waits_s.append(value / 2)
            recorder.ok[0] += 1
            answered += 1
        elif kind == "code":
            recorder.count(0, value)
            answered += 1
        elif kind == "batch":
            recorder.batches.append((value, 0.01))
        else:
            now_s += value
        recorder.fold(now_s)
        page, _ = expose(block.slots, model='m"\\\n', now_s=now_s, window_s=WINDOW_S, accept="")
        now = samples(page.decode(), text_parser)
        assert not any(math.isnan(v) for v in now.values())
        for key, count in before.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                assert now[key] >= count
        before = now
    page, kind = expose(
        block.slots, model='m"\\\n', now_s=now_s, window_s=WINDOW_S, accept="application/openmetrics-text"
    )
    assert kind.startswith("application/openmetrics-text")
    open_samples = samples(page.decode(), openmetrics_parser)
    for key, value in before.items():
        assert open_samples[key] == value
    requests = [v for (name, _), v in open_samples.items() if name == "tonnage_requests_total"]
    assert sum(requests) == answered


@pytest.mark.parametrize("status", [200, 418, 599])
def test_every_status_has_a_label(status):
    """A status without a label of its own counts as other."""
    block = Block.create(1)
    recorder = Recorder(block.slots[0], WINDOW_S)
    recorder.count(1, status)
    recorder.fold(1.0)
    label = str(status) if str(status) in CODES else "other"
    assert block.slots[0]["requests"][1][CODES.index(label)] == 1
    assert block.slots["requests"].sum() == 1
