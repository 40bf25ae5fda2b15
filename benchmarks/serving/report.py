"""Stored results as Markdown tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

MIB = 2**20
Cells = list[dict[str, Any]]


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; the columns after the second are numbers and stand to the right."""
    names = list(head)
    rule = ["---" if at < 2 else "--:" for at in range(len(names))]
    lines = [names, rule, *[[str(value) for value in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:,.1f}"


def _spread(low_high: list[float]) -> str:
    return f"{_number(low_high[0])} to {_number(low_high[1])}"


def closed(cells: Cells) -> str:
    """One table per model, fastest first; each peer's measured settings."""
    parts = []
    for model in dict.fromkeys(cell["model"] for cell in cells):
        mine = sorted((cell for cell in cells if cell["model"] == model), key=lambda cell: -cell["rps"])
        rows = [
            (
                f"{cell['peer']} {cell['version']}",
                cell["variant"],
                _number(cell["rps"]),
                _spread(cell["rps_spread"]),
                f"{cell['p50_ms']:.1f}",
                f"{cell['p99_ms']:.1f}",
                len(cell["runs"]),
                cell["errors"],
                cell["check"],
            )
            for cell in mine
        ]
        head = (
            "server",
            "setting",
            "requests/s",
            "lowest to highest",
            "p50 ms",
            "p99 ms",
            "runs",
            "errors",
            "answers",
        )
        note = ""
        rest = [cell["rps"] for cell in mine if cell["peer"] != "tonnage"]
        ours = [cell["rps"] for cell in mine if cell["peer"] == "tonnage"]
        if ours and rest:
            note = f"\n\nTonnage over the best peer: {ours[0] / max(rest):.2f}"
        parts.append(f"### {model}\n\n{_table(head, rows)}{note}")
    return "\n\n".join(parts)


def bare(cells: Cells) -> str:
    """Items per second without a server."""
    rows = [
        (cell["model"], cell["batch_size"], _number(cell["items_per_s"]), _spread(cell["spread"]))
        for cell in cells
    ]
    return _table(("model", "batch", "items/s", "lowest to highest"), rows)


def startup(cells: Cells) -> str:
    """Start-up and idle memory."""
    rows = [
        (
            f"{cell['peer']} {cell['version']}",
            cell["model"],
            f"{cell['ready_s']:.2f}",
            f"{cell['answered_s']:.2f}",
            f"{cell['rss_bytes'] / MIB:.0f}",
            f"{cell['pss_bytes'] / MIB:.0f}",
            f"{cell['processes']:.0f}",
        )
        for cell in cells
    ]
    return _table(("server", "model", "ready s", "first answer s", "RSS MiB", "PSS MiB", "processes"), rows)


def open_loop(cells: Cells) -> str:
    """Latency at a fixed rate."""
    rows = [
        (
            f"{cell['peer']} {cell['version']}",
            cell["model"],
            _number(cell["rate"]),
            _number(cell["achieved_per_s"]),
            f"{cell['p50_ms']:.2f}",
            f"{cell['p99_ms']:.2f}",
            _spread(cell["p99_spread_ms"]),
            f"{cell['p99_9_ms']:.2f}",
            cell["failed"],
            "yes" if cell["kept_up"] else "no",
        )
        for cell in cells
    ]
    head = ("server", "model", "asked/s", "answered/s", "p50 ms", "p99 ms", "p99 range", "p99.9 ms", "failed")
    return _table((*head, "generator kept up"), rows)


def overload(cells: Cells) -> str:
    """Goodput and latency above capacity."""
    rows = [
        (
            f"{cell['peer']} {cell['version']}",
            cell["model"],
            f"{cell['factor']:g}",
            _number(cell["peak_rps"]),
            f"{cell['goodput_ratio']:.1%}",
            f"{cell['deadline_s'] * 1000:.0f}",
            f"{cell['p99_from_send_ms']:.1f}",
            f"{cell['p99_ms']:.1f}",
            "yes" if cell["kept_up"] else "no",
        )
        for cell in cells
    ]
    head = (
        "server",
        "model",
        "times peak",
        "peak/s",
        "goodput of peak",
        "deadline ms",
        "p99 ms from sending",
        "p99 ms from due time",
    )
    return _table((*head, "generator kept up"), rows)


def efficiency(cells: Cells) -> str:
    """Throughput against the bare loop."""
    rows = [
        (
            f"{cell['peer']} {cell['version']}",
            cell["model"],
            _number(cell["rps"]),
            _number(cell["bare_at_32"]),
            f"{cell['ratio_to_32']:.1%}",
            _number(cell["bare_best"]),
            f"{cell['ratio_to_best']:.1%}",
        )
        for cell in cells
    ]
    return _table(
        ("server", "model", "requests/s", "bare, batch 32", "ratio", "bare, best batch", "ratio"), rows
    )


def soak(cells: Cells) -> str:
    """Memory over a long run."""
    rows = [
        (
            f"{cell['peer']} {cell['version']}",
            cell["model"],
            f"{cell['requests']:,}",
            f"{cell['series'][0]['pss_bytes'] / MIB:.1f}",
            f"{(cell['series'][-1]['pss_bytes'] - cell['growth_bytes']) / MIB:.1f}",
            f"{cell['series'][-1]['pss_bytes'] / MIB:.1f}",
        )
        for cell in cells
    ]
    return _table(("server", "model", "requests", "PSS MiB at first", "after a tenth", "at the end"), rows)


SECTIONS: dict[str, tuple[str, Callable[[Cells], str]]] = {
    "closed": ("Closed loop", closed),
    "scan": ("All settings, one run each", closed),
    "bare": ("ONNX Runtime without a server", bare),
    "efficiency": ("Server against the bare loop, measured in turn", efficiency),
    "open": ("Open loop at a fixed rate", open_loop),
    "overload": ("Overload", overload),
    "startup": ("Start-up and idle memory", startup),
    "soak": ("Memory over a long run", soak),
}


def markdown(results: Path) -> str:
    """Every table that there are results for, with the machine they were taken on."""
    parts = []
    for name, (title, render) in SECTIONS.items():
        path = results / f"{name}.json"
        if path.exists():
            document = json.loads(path.read_text())
            machine = document["machine"]
            times = sorted(cell["measured_at"] for cell in document["cells"])
            taken = (
                f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, "
                f"Python {machine['python']}, "
                f"ONNX Runtime {document['onnxruntime']}; {times[0]} to {times[-1]}"
            )
            parts.append(f"## {title}\n\n{taken}\n\n{render(document['cells'])}")
    return "\n\n".join(parts)
