"""A line of traffic becomes the process it says, and what is wrong is named all at once."""

from __future__ import annotations

import numpy as np
import pytest

from tonnage.errors import Problem, SpecError
from tonnage.traffic import (
    ConstantArrivals,
    CountTrace,
    DiurnalArrivals,
    FlashArrivals,
    MmppArrivals,
    PoissonArrivals,
    parse_traffic,
)


def open_trace(file, trace_format):
    if file == "missing.csv":
        raise SpecError([Problem("", "must be a readable file, got none", file=file)])
    return CountTrace(60.0, np.array([60.0, 600.0, 0.0, 120.0]))


def parsed(text, **more):
    return parse_traffic(text, open_trace=open_trace, **more)


@pytest.mark.parametrize(
    ("text", "process"),
    [
        ("poisson:rate=10k,for=10m", PoissonArrivals(10_000, 600)),
        ("constant:rate=0.5,for=1h", ConstantArrivals(0.5, 3600)),
        ("diurnal:mean=4k,peak=7k,for=24h", DiurnalArrivals(4000, 7000, 86_400)),
        (
            " diurnal:mean=1, peak=2, period=1h, peak-at=10m, for=1d ",
            DiurnalArrivals(1, 2, 86_400, 3600, 600),
        ),
        ("flash:base=1k,peak=8k,at=5m,for=1h", FlashArrivals(1000, 8000, 3600, 300)),
        (
            "flash:base=0,peak=8,at=1s,rise=2s,hold=3s,fall=4s,for=1m",
            FlashArrivals(0, 8, 60, 1, 2, 3, 4),
        ),
        ("mmpp:rates=200/3k,dwell=50s/500ms,for=1h", MmppArrivals((200, 3000), (50, 0.5), 3600)),
    ],
)
def test_each_kind_reads_as_it_says(text, process):
    """Rates, durations and lists come out in requests/s and seconds."""
    assert parsed(text) == process


def test_a_length_for_all_is_overruled_by_for():
    """Parts without ``for`` take the caller's length."""
    assert parsed("poisson:rate=5", duration_s=30) == PoissonArrivals(5, 30)
    assert parsed("poisson:rate=5,for=10s", duration_s=30) == PoissonArrivals(5, 10)


def test_parts_add_up_and_scale():
    """A plus sign adds parts, and ``scale`` multiplies one."""
    both = parsed("poisson:rate=100,scale=2+flash:base=0,peak=50,at=10s,hold=10s", duration_s=60)
    assert both.requests_expected == pytest.approx(200 * 60 + 500)


def test_a_trace_is_read_reshaped_and_cut():
    """A trace's options are applied in the order speed, peak, length; a plus in its name is no sum."""
    process = parsed("trace:a+b.csv,speedup=60,scale-peak=20,spacing=constant")
    assert process.duration_s == pytest.approx(4)
    assert process.requests_expected == pytest.approx(780 / 30)
    assert parsed("trace:day.csv", duration_s=60).duration_s == 60


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "poison:rate=5",
            ("traffic: must start with one of poisson, constant, diurnal, flash, mmpp, trace and a colon, "
            "got 'poison:rate=5'; did you mean \"poisson:\"?"),
        ),
        ("poisson:for=1s", "traffic.poisson.rate: must be given, got none"),
        ("poisson:rate=5", "traffic.poisson.for: must be given, got no length; such as for=10m"),
        (
            "poisson:rte=5,rate=6,for=1s",
            ("traffic.poisson: must be key=value with a key out of rate, for, scale, got 'rte=5'; "
            'did you mean "rate="?'),
        ),
        ("poisson:rate=5,rate=6,for=1s", "traffic.poisson.rate: must be given once, got '6' too"),
        (
            "constant:rate=fast,for=10",
            ("traffic.constant.rate: must be a number such as 500, 10k or 1.5M, got 'fast'\n"
            "traffic.constant.for: must be a duration with a unit, such as 100ms, 30s or 5m, got '10'; "
            "write 10s, or 10ms for milliseconds"),
        ),
        ("poisson:rate=0,for=1s", "traffic.poisson.rate: must be a finite number > 0, got 0.0"),
        (
            "diurnal:mean=1,peak=9,for=1h+flash:base=1,peak=2,at=2h,for=1h",
            ("traffic.diurnal.peak: must be from the mean (1) to twice that, got 9\n"
            "traffic.flash.at: must be before the end (3600 s), got 7200"),
        ),
        ("trace:", "traffic.trace: must name a file, got none; such as trace:day.csv"),
        ("trace:missing.csv", "missing.csv: must be a readable file, got none"),
        (
            "trace:a.csv,spacing=odd",
            "traffic.trace.spacing: must be poisson or constant, got 'odd'",
        ),
    ],
)
def test_what_is_wrong_is_named(text, problems):
    """Kind, key, what must hold and what was given; all problems of all parts at once."""
    with pytest.raises(SpecError) as caught:
        parsed(text)
    assert str(caught.value) == problems
