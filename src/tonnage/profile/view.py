"""A profile for people in a terminal: the figures, then whether they can be believed."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tonnage.loadgen.view import show_duration
from tonnage.profile.load_parts import Capacity
from tonnage.profile.objective import shown_objective
from tonnage.profile.parts import ModelProfile
from tonnage.profile.stability import NEXT

_MEBIBYTE = 1 << 20


def show_rate(rate_per_s: float) -> str:
    """A rate for people: ``12,345/s``, ``81.2/s``."""
    return f"{rate_per_s:,.0f}/s" if rate_per_s >= 1000 else f"{rate_per_s:.3g}/s"


def show_memory(size_bytes: int) -> str:
    """A size for people: ``85 MiB``."""
    return f"{size_bytes / _MEBIBYTE:,.0f} MiB"


def facts(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    """What a profile says in a few lines: name and value of each figure that it has."""
    if profile.startup is not None:
        yield "ready after", show_duration(profile.startup.ready_s.at(50))
        yield "model loads in", show_duration(profile.startup.load_s.at(50))
        yield "first batch", show_duration(profile.startup.first_batch_s.at(50))
    for batch in profile.batches:
        steady = batch.steady_s
        tail = f"   p99 {show_duration(steady.at(99))}" if steady.quantiles else ""
        middle = show_duration(steady.at(50)) if steady.quantiles else f"{show_duration(steady.mean)} (mean)"
        yield f"batch of {batch.size}", f"{middle}{tail}"
    overhead = profile.overhead
    if overhead is not None:
        per = f"{show_duration(overhead.per_request_s)} a request"
        yield "server adds", f"{per}, {show_duration(overhead.per_batch_s)} a batch"
    memory = profile.memory
    if memory is not None:
        peak = f"   at most {show_memory(memory.peak_bytes)}"
        yield "memory, ready", show_memory(memory.ready.rss_bytes) + peak
        if memory.accelerator_bytes is not None:
            yield "accelerator", show_memory(memory.accelerator_bytes)
    if profile.capacity is not None:
        yield from _capacity(profile.capacity)


def _capacity(capacity: Capacity) -> Iterator[tuple[str, str]]:
    yield "objective", shown_objective(capacity.objective)
    if capacity.sustainable_per_s is None:
        yield "sustainable rate", f"none: {capacity.reason}"
        return
    bound = "at least " if capacity.generator_limited else ""
    yield "sustainable rate", f"{bound}{show_rate(capacity.sustainable_per_s)}"
    if capacity.p50_s is not None and capacity.p99_s is not None:
        yield "latency there", f"p50 {show_duration(capacity.p50_s)}   p99 {show_duration(capacity.p99_s)}"
    if capacity.in_flight is not None:
        yield "in flight there", f"{capacity.in_flight.mean:.3g} on average"


def print_profile(profile: ModelProfile, *, console: Console) -> None:
    """Print the figures, then the notes, then what makes them doubtful."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="cyan")
    table.add_column()
    for name, value in facts(profile):
        table.add_row(name, escape(value))
    console.print(table)
    for note in profile.notes:
        console.print(f"note: {note}", style="dim", highlight=False, markup=False, soft_wrap=True)
    stability = profile.stability
    if stability is not None and not stability.stable:
        text = f"the machine is too noisy for these figures to be relied on; {NEXT}:"
        console.print(text, style="bold yellow", highlight=False, soft_wrap=True)
        for reason in stability.reasons:
            line = f"  {reason.removesuffix(f'; {NEXT}')}"
            console.print(line, style="yellow", highlight=False, markup=False, soft_wrap=True)
