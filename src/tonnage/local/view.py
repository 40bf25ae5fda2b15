"""What `tonnage up` shows: the replicas as a table, and the last events."""

from __future__ import annotations

import time
from collections import deque

from rich.console import Group
from rich.table import Table
from rich.text import Text

from tonnage.local.service import LocalService, Replica

EVENTS_SHOWN = 8
_COLOURS = {"ready": "green", "starting": "yellow", "draining": "yellow"}


def render(service: LocalService, title: str, events: deque[str]) -> Group:
    """The view at this moment."""
    table = Table(title=title, title_justify="left", expand=False)
    for name in ("replica", "state", "uptime", "restarts", "requests/s", "p50", "p99", "in flight", "queue"):
        table.add_column(name, justify="left" if name in ("replica", "state") else "right")
    for replica in service.replicas:
        table.add_row(*_row(replica))
    total = sum(replica.rate_per_s for replica in service.replicas)
    worst = max((p99 for replica in service.replicas if (p99 := _quantile(replica, "0.99"))), default=None)
    table.add_section()
    table.add_row("all", "", "", "", f"{total:,.0f}", "", f"worst {_ms(worst)}", "", "")
    return Group(table, Text("\n".join(list(events)[-EVENTS_SHOWN:]), style="dim"))


def _row(replica: Replica) -> tuple[str | Text, ...]:
    sample = replica.samples[-1] if replica.samples else None
    return (
        str(replica.index),
        Text(replica.state, style=_COLOURS.get(replica.state, "red")),
        f"{time.monotonic() - replica.started_s:.0f} s",
        str(replica.restarts),
        f"{replica.rate_per_s:,.0f}",
        _ms(_quantile(replica, "0.5")),
        _ms(_quantile(replica, "0.99")),
        f"{sample.in_flight:.0f}" if sample else "-",
        f"{sample.queue:.0f}" if sample else "-",
    )


def _quantile(replica: Replica, name: str) -> float | None:
    return replica.samples[-1].quantiles_s.get(name) if replica.samples else None


def _ms(seconds: float | None) -> str:
    return f"{seconds * 1e3:.2f} ms" if seconds is not None else "-"
