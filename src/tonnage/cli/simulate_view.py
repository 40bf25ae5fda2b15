"""The terminal's view of ``tonnage simulate``: a bar while it runs, a short verdict when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from tonnage.twin.measures import MEASURES
from tonnage.twin.requests import ArrivalPlan
from tonnage.twin.result import Result
from tonnage.twin.summary import RunSummary, spread_of
from tonnage.twin.verdict import Verdict, Violation
from tonnage.twin.wording import counted, show_latency, show_number, show_ratio, show_span, show_time

_SPANS_MAX = 3


@contextmanager
def progress_bar(
    console: Console, title: str, traffic: ArrivalPlan, duration_s: float
) -> Iterator[Callable[[float], None] | None]:
    """Show how far a run is; gives what it is to tell its virtual time to, or None without a terminal."""
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=36),
        TextColumn("{task.fields[clock]}", style="cyan"),
        TextColumn("{task.fields[speed]}", style="bold"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=duration_s, clock=show_time(0), speed="compiling")
        began_s = time.monotonic()

        def told(at_s: float) -> None:
            passed_s = time.monotonic() - began_s
            rate = expected_until(traffic, at_s) / passed_s if passed_s > 0 else 0.0
            bar.update(task, completed=at_s, clock=show_time(round(at_s)), speed=f"{_short(rate)} requests/s")

        yield told


def expected_until(traffic: ArrivalPlan, at_s: float) -> float:
    """Requests that are expected to have come by a time, by the plan of the traffic."""
    if traffic.kind == "times":
        return traffic.requests_expected * min(1.0, at_s / traffic.duration_s)
    edges = np.minimum(traffic.edges_s, min(at_s, traffic.end_s))
    widths = np.diff(edges)
    if traffic.kind == "rates":
        return float((traffic.values * widths).sum())
    return float((traffic.values * widths / np.diff(traffic.edges_s)).sum())


def _short(value: float) -> str:
    for factor, unit in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.1f}{unit}"
    return f"{value:.0f}"


def print_verdict(
    result: Result,
    verdict: Verdict,
    assumed: Sequence[str],
    took_s: float,
    *,
    console: Console,
    currency: str,
) -> None:
    """Write what a run says, in about twenty lines."""
    scenario, totals = result.scenario, result.totals
    speed = f"{_short(totals.offered / took_s)} requests/s" if took_s > 0 else "at once"
    console.print(
        f"[bold]{_plain(scenario.name)}[/bold]: {counted(totals.offered, 'request')} in "
        f"{show_span(scenario.duration_s)} of simulated time, in {took_s:.1f} s ({speed})",
        highlight=False,
        soft_wrap=True,
    )
    console.print(_headline(verdict), soft_wrap=True)
    for remark in verdict.remarks:
        console.print(Text(f"  {remark}", style="yellow"), soft_wrap=True)
    for violation in sorted(verdict.violations, key=lambda one: -one.requests)[:_SPANS_MAX]:
        _print_violation(violation, console)
    if len(verdict.violations) > _SPANS_MAX:
        console.print(f"  and {counted(len(verdict.violations) - _SPANS_MAX, 'smaller span')}", style="dim")
    for name, text in _facts(result, verdict, currency):
        console.print(Text.assemble((f"{name:<9} ", "cyan"), text), soft_wrap=True)
    for label, sentences in (("assumed", assumed), ("not modelled", scenario.not_modelled)):
        for sentence in sentences:
            console.print(Text(f"{label}: {sentence}", style="dim"), soft_wrap=True)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def _headline(verdict: Verdict) -> Text:
    style = {True: "bold green", False: "bold red", None: "bold"}[verdict.held]
    mark = {True: "HELD", False: "MISSED", None: "NO OBJECTIVE"}[verdict.held]
    return Text.assemble((mark, style), "  ", verdict.headline)


def _print_violation(violation: Violation, console: Console) -> None:
    head = (
        f"  {show_time(violation.from_s)} for {show_span(violation.length_s)}, at worst "
        f"{show_latency(violation.latency_s_worst)}, {counted(violation.requests, 'request')} hit"
    )
    console.print(Text(head), soft_wrap=True)
    for cause in violation.causes:
        console.print(Text(f"    - {cause.text}"), soft_wrap=True)


def _facts(result: Result, verdict: Verdict, currency: str) -> list[tuple[str, str]]:
    totals, series = result.totals, result.series
    values = (totals.p50_s, totals.p90_s, totals.p95_s, totals.p99_s, totals.p999_s)
    named = zip(("p50", "p90", "p95", "p99", "p99.9"), values, strict=True)
    causes = [f"{count:,} {name.replace('_', ' ')}" for name, count in totals.dropped.items() if count]
    dropped = ", ".join([show_ratio(verdict.error_ratio), *causes])
    requests = (
        f"{totals.answered:,} answered, {totals.drops:,} not ({dropped}), "
        f"{totals.unfinished:,} under way at the end, {counted(totals.retried, 'retry')}"
    )
    low, high = float(series.replicas_wanted.min()), float(series.replicas_wanted.max())
    wanted = show_number(low) if low == high else f"{show_number(low)} to {show_number(high)}"
    replicas = (
        f"{wanted} wanted, {totals.replicas_peak} ready at most; "
        f"{counted(totals.rescales, 'change')} by the HPA, {counted(totals.restarts, 'restart')}"
    )
    cluster = (
        f"{counted(totals.nodes_peak, 'node')} and {counted(totals.gpus_peak, 'GPU')} held at most, "
        f"{totals.gpu_hours:,.1f} GPU hours paid for"
    )
    hours = result.scenario.duration_s / 3600
    return [
        ("latency", "  ".join(f"{name} {show_latency(value)}" for name, value in named)),
        ("requests", requests),
        ("replicas", replicas),
        ("cluster", cluster),
        ("cost", f"{totals.cost:,.2f} {currency}, {totals.cost / hours:,.2f} an hour"),
        ("digest", f"{result.digest[:16]}, seed {result.scenario.seed}"),
    ]


def print_spread(runs: Sequence[RunSummary], *, console: Console) -> None:
    """Write how far several runs are apart."""
    held = [run.held for run in runs if run.held is not None]
    if held:
        console.print(f"the objective held in {sum(held)} of {counted(len(held), 'run')}", highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("measure", style="cyan")
    for name in ("least", "median", "most"):
        table.add_column(name, justify="right")
    same = []
    for one in spread_of(runs):
        shown = one.measure.shown
        if one.low == one.high:
            same.append(f"{one.measure.name} {shown(one.low)}")
        else:
            table.add_row(one.measure.name, shown(one.low), shown(one.middle), shown(one.high))
    console.print(table)
    console.print(Text(f"the same in all runs: {', '.join(same)}", style="dim"), soft_wrap=True)


def print_comparison(
    names: Sequence[str], runs: Sequence[tuple[Result, Verdict]], *, console: Console
) -> None:
    """Write two runs side by side."""
    for name, (_, verdict) in zip(names, runs, strict=True):
        console.print(Text.assemble((f"{name}: ", "bold"), _headline(verdict)), soft_wrap=True)
        for remark in verdict.remarks:
            console.print(Text(f"  {remark}", style="yellow"), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("measure", style="cyan")
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for measure in MEASURES.values():
        values = [float(measure.value(*run)) for run in runs]
        if values[0] != values[1] and not all(np.isnan(values)):
            table.add_row(measure.name, *(measure.shown(value) for value in values))
    console.print(table)
