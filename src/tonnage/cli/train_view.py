"""Trainings on the terminal: workers as a table, events, and a list of all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tonnage.cluster.events import Said
from tonnage.cluster.training.listing import Listed
from tonnage.cluster.training.progress import phase_text
from tonnage.cluster.training.state import JobState

_COLOURS = {
    "Running": "green",
    "Succeeded": "green",
    "Pending": "yellow",
    "Queued": "yellow",
    "Restarting": "yellow",
    "Suspended": "yellow",
    "Failed": "red",
    "Missing": "dim",
}
_WORKERS_SHOWN = 64
_EVENTS_SHOWN = 8


def state_view(state: JobState, now: dt.datetime, *, away: str = "") -> RenderableType:
    """A training: what it is, its workers, why it waits, and what was said of it."""
    status, main = state.status, state.main or {}
    created = str((main.get("metadata") or {}).get("creationTimestamp") or "")
    title = Text(f"{state.name}  ", style="bold")
    title.append(phase_text(status), style=_COLOURS.get(status.phase, ""))
    kind = main.get("kind") or "no object"
    about = Text(f"{kind} in {state.namespace}, {age(created, now)} old", style="dim")
    parts: list[RenderableType] = [title, about]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("worker", "phase", "node", "restarts", "pod", "reason"):
        table.add_column(name, justify="right" if name == "restarts" else "left", overflow="fold")
    for one in status.workers[:_WORKERS_SHOWN]:
        reason = one.reason
        if one.exit_code is not None and one.phase != "Running":
            reason = f"exit code {one.exit_code}" + (f": {reason}" if reason else "")
        table.add_row(
            f"{one.role}-{one.index}",
            Text(one.phase, style=_COLOURS.get(one.phase, "")),
            one.node or "-",
            str(one.restarts),
            one.name or "-",
            Text(reason),
        )
    parts.append(table)
    if len(status.workers) > _WORKERS_SHOWN:
        parts.append(Text(f"... and {len(status.workers) - _WORKERS_SHOWN} more workers", style="dim"))
    parts += [Text(f"waits: {one}", style="yellow") for one in status.waits]
    parts += [_event(one, now) for one in state.said[-_EVENTS_SHOWN:]]
    if away:
        parts.append(Text(f"the API server is away: {away}", style="red"))
    return Group(*parts)


def list_view(listed: Sequence[Listed], now: dt.datetime) -> Table:
    """Trainings as a table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("namespace", "name", "kind", "phase", "workers", "restarts", "age"):
        table.add_column(name, justify="right" if name in ("workers", "restarts", "age") else "left")
    for one in listed:
        workers = one.status.workers
        running = sum(worker.phase in ("Running", "Succeeded") for worker in workers)
        table.add_row(
            one.namespace,
            one.status.name,
            one.kind,
            Text(one.status.phase, style=_COLOURS.get(one.status.phase, "")),
            f"{running}/{len(workers)}",
            str(one.status.restarts),
            age(one.created, now),
        )
    return table


def age(created: str, now: dt.datetime) -> str:
    """How long ago a time was, roughly."""
    try:
        seconds = int((now - dt.datetime.fromisoformat(created)).total_seconds())
    except ValueError:
        return "unknown"
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{max(0, seconds)}s"


def _event(one: Said, now: dt.datetime) -> Text:
    style = "yellow" if one.type == "Warning" else "dim"
    times = f" ({one.count} times)" if one.count > 1 else ""
    head = f"{age(one.at, now)} ago  {one.kind}/{one.name}  {one.reason}"
    return Text(f"{head}: {one.text}{times}", style=style)
