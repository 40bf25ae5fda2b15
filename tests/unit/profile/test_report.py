"""The page and the table show what is in the profile, and nothing that needs a network."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from tonnage.profile.load_parts import (
    Capacity,
    CurvePoint,
    InFlight,
    Memory,
    Objective,
    Overhead,
    ProcessMemory,
)
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, Check, Metadata, ModelIdentity, ModelProfile, Stability, Startup
from tonnage.profile.report import render_profile
from tonnage.profile.stability import NEXT
from tonnage.profile.view import print_profile

pytest.importorskip("plotly", reason="plotly is an extra")


def times(*samples: float) -> Distribution:
    return Distribution.of(samples, keep=True)


def point(rate: float, p50: float, p99: float, held: bool) -> CurvePoint:
    return CurvePoint(
        purpose="search",
        rate_per_s=rate,
        achieved_per_s=rate,
        latency_s=Distribution(mean=p50, quantiles={"p50": p50, "p99": p99}),
        error_ratio=0,
        held=held,
        reason="" if held else "p99 was <b>80 ms</b>",
    )


MEMORY = ProcessMemory(rss_bytes=80 << 20, pss_bytes=70 << 20)
WHOLE = ModelProfile(
    api_version="tonnage.dev/v1alpha1",
    kind="ModelProfile",
    metadata=Metadata(name="a<b", created="2026-01-01T00:00:00Z"),
    origin="measured",
    model=ModelIdentity(name="m", format="onnx"),
    startup=Startup(
        process_s=times(0.2, 0.21),
        load_s=times(0.05, 0.06),
        first_batch_s=times(0.001),
        warmup_s=times(0.01),
        ready_s=times(0.3, 0.31),
    ),
    batches=(
        Batch(size=1, first_s=0.004, steady_s=times(0.001, 0.002)),
        Batch(size=8, steady_s=Distribution(mean=0.004)),
    ),
    overhead=Overhead(per_request_s=20e-6, per_batch_s=30e-6, idle_ratio=0, requests=10),
    memory=Memory(ready=MEMORY, after_traffic=MEMORY, peak_bytes=90 << 20),
    capacity=Capacity(
        objective=Objective(percentile=99, latency_s=0.05, origin="option"),
        sustainable_per_s=1200,
        p50_s=0.002,
        p99_s=0.04,
        in_flight=InFlight(mean=2.5, p99=9, max=12),
    ),
    curve=(point(600, 0.001, 0.02, True), point(1300, 0.01, 0.08, False)),
    stability=Stability(
        stable=False,
        reasons=(f"batch 1: drift of thirds is 0.4, above 0.1; {NEXT}",),
        checks=(Check(name="batch 1: drift of thirds", value=0.4, limit=0.1, holds=False),),
    ),
    notes=("mind the <gap>",),
)
BARE = WHOLE.model_copy(
    update={
        "startup": None, "overhead": None, "memory": None, "capacity": None, "curve": (), "stability": None,
        "notes": (), "batches": WHOLE.batches[:1],
    }
)  # fmt: skip


def body(page: str) -> str:
    """The page without its scripts and styles."""
    return re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)


def test_the_page_shows_the_figures_and_escapes_what_is_not_ours() -> None:
    """Sustainable rate, objective, start-up, doubts, notes and all runs are there."""
    page = body(render_profile(WHOLE))
    for text in ("1,200/s", "p99 &lt;= 50 ms", "300 ms", "80 MiB", "too noisy", "mind the &lt;gap&gt;"):
        assert text in page
    assert "Profile of a&lt;b" in page
    assert "<b>80 ms</b>" not in page
    assert page.count("<tr>") == 1 + len(WHOLE.curve)


def test_the_page_needs_no_network() -> None:
    """Nothing is fetched: the plots' program is inside."""
    page = render_profile(WHOLE)
    assert not re.search(r"<(script|img|link)[^>]+(src|href)=", page)
    assert len(page) > 1_000_000


def test_the_plots_hold_the_objective_the_rate_and_each_batch_size() -> None:
    """The data of the plots is the profile's."""
    page = render_profile(WHOLE)
    plots = page[page.index('<div class="plots">') :]
    for text in ("objective p99 \\u003c= 50 ms", "sustainable 1,200\\u002fs", "first batch of the process"):
        assert text in plots
    assert plots.count("<h2>") == 3 + 2  # three plots, runs, notes


def test_what_was_not_measured_has_no_plot() -> None:
    """A profile of service times alone makes a page of one plot."""
    page = body(render_profile(BARE))
    assert page.count('<section class="plot') == 1
    assert "too noisy" not in page


@pytest.mark.parametrize("profile", [WHOLE, BARE], ids=["whole", "bare"])
def test_the_terminal_shows_what_there_is(profile: ModelProfile) -> None:
    """Each figure on a line; doubts and notes below; markup in names is text."""
    out = io.StringIO()
    print_profile(profile, console=Console(file=out, width=100))
    text = out.getvalue()
    assert "batch of 1" in text
    assert ("1,200/s" in text) == (profile is WHOLE)
    assert ("too noisy" in text) == (profile is WHOLE)
    assert text.count(NEXT) == (1 if profile is WHOLE else 0)
