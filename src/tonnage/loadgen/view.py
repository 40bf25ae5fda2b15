"""The terminal's view of a run: a live panel while it goes on, a table when it is done."""

from __future__ import annotations

import math
from types import TracebackType

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tonnage.loadgen.engine import Snapshot
from tonnage.loadgen.result import Distribution, LoadResult


def show_duration(duration_s: float) -> str:
    """Write a duration for people, with three figures: ``417 µs``, ``1.32 ms``, ``2.50 s``."""
    if not math.isfinite(duration_s):
        return "-"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        value = duration_s * factor
        if value >= 1 or unit == "µs":
            return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"
    return "-"


class LiveView:
    """A panel that follows a run; use it as a context and hand ``update`` to the run."""

    def __init__(self, *, console: Console, title: str, duration_s: float) -> None:
        self._title = title
        self._duration_s = duration_s
        self._previous: Snapshot | None = None
        self._live = Live(console=console, refresh_per_second=4, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:
        """Take the terminal's lower lines."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lines back."""
        self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Show where the run stands."""
        self._live.update(self.panel(snapshot), refresh=True)
        self._previous = snapshot

    def panel(self, snapshot: Snapshot) -> RenderableType:
        """Draw one state; the rate is that since the state before."""
        before = self._previous
        answered = snapshot.answered - (before.answered if before else 0)
        span_s = snapshot.elapsed_s - (before.elapsed_s if before else 0.0)
        rate = answered / span_s if span_s > 0 else 0.0
        p50_s, p99_s = (
            np.percentile(snapshot.latency_s, [50, 99]).tolist()
            if snapshot.latency_s.size
            else (math.nan, math.nan)
        )
        line = Text.assemble(
            (f"{rate:>9,.0f}/s", "bold"),
            f"   p50 {show_duration(p50_s)}   p99 {show_duration(p99_s)}   ",
            (f"errors {snapshot.failures:,}", "red" if snapshot.failures else "dim"),
            f"   in flight {snapshot.in_flight:,}   waiting {snapshot.waiting:,}",
        )
        done_s = max(0.0, min(snapshot.elapsed_s, self._duration_s))
        head = Text(f"{self._title}   {done_s:.0f} s of {self._duration_s:.0f} s", style="cyan")
        return Group(head, ProgressBar(total=self._duration_s, completed=done_s, width=60), line)


def result_table(result: LoadResult) -> Table:
    """Draw the final table."""
    table = Table(title=result.url, title_justify="left", show_header=True, box=None, pad_edge=False)
    table.add_column("latency", style="cyan")
    for name in ("p50", "p90", "p95", "p99", "p99.9", "max", "mean"):
        table.add_column(name, justify="right")
    for name, values in (
        ("from intended time", result.latency),
        ("from send", result.latency_from_send),
        ("generator's own lag", result.generator_lag.lag),
    ):
        table.add_row(name, *_cells(values))
    return table


def _cells(values: Distribution) -> list[str]:
    durations = (
        values.p50_s,
        values.p90_s,
        values.p95_s,
        values.p99_s,
        values.p99_9_s,
        values.max_s,
        values.mean_s,
    )
    return [show_duration(duration) for duration in durations]


def print_result(result: LoadResult, *, console: Console) -> None:
    """Write the final table, the counts and the warnings."""
    console.print(result_table(result))
    console.print(
        f"{result.requests:,} requests in {result.elapsed_s:.1f} s: offered {result.offered_per_s:,.1f}/s, "
        f"achieved {result.achieved_per_s:,.1f}/s, failed {result.failed:,} ({result.error_ratio:.3%})",
        highlight=False,
    )
    kinds = ", ".join(f"{name} {count:,}" for name, count in result.outcomes.items())
    console.print(
        f"outcomes: {kinds or 'none'}; {result.connections} connections, {result.reconnects} reconnects; "
        f"generator at {result.generator_lag.cpu_ratio:.0%} of its core",
        highlight=False,
    )
    for warning in result.warnings:
        console.print(f"warning: {warning}", style="yellow", highlight=False)
