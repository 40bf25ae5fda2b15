"""One HTML page about a run, with its plots inside, that needs no network to open."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np

from tonnage.errors import EnvironmentFault
from tonnage.loadgen.engine import succeeded
from tonnage.loadgen.records import Records
from tonnage.loadgen.result import LoadResult
from tonnage.loadgen.view import show_duration

if TYPE_CHECKING:
    from types import ModuleType

_POINTS_MAX = 2000
_STYLE = (
    "body{font-family:system-ui,sans-serif;margin:2rem auto;max-width:70rem;color:#1b1f24}"
    "table{border-collapse:collapse}td,th{padding:.25rem .8rem;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}.warning{background:#fff4d6;padding:.6rem 1rem}"
)


def render_report(result: LoadResult, records: Records, *, expect_status: frozenset[int]) -> str:
    """Write the page.

    Args:
        result: What the run says.
        records: Every request, for the distribution.
        expect_status: What counted as success.

    Raises:
        EnvironmentFault: plotly is not installed.
    """
    graphs, inline_script = _plotly()
    figures = [_rate_figure(graphs, result), _latency_figure(graphs, result)]
    good = succeeded(records.status, expect_status)
    if good.any():
        figures.append(_distribution_figure(graphs, records, good))
    plots = "\n".join(
        figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False})
        for figure in figures
    )
    warnings = "".join(f'<p class="warning">{html.escape(text)}</p>' for text in result.warnings)
    title = html.escape(f"Load on {result.url}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><script>{inline_script}</script></head><body><h1>{title}</h1>"
        f"{warnings}{_facts(result)}{_table(result)}{plots}</body></html>\n"
    )


def _plotly() -> tuple[ModuleType, str]:
    try:
        import plotly.graph_objects
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        message = "report: plotly must be installed, got none; pip install 'tonnage[report]'"
        raise EnvironmentFault(message) from error
    return plotly.graph_objects, str(get_plotlyjs())


def _facts(result: LoadResult) -> str:
    kinds = ", ".join(f"{name}: {count:,}" for name, count in result.outcomes.items())
    return (
        f"<p>{result.requests:,} requests in {result.elapsed_s:.1f} s; "
        f"offered {result.offered_per_s:,.1f}/s, achieved {result.achieved_per_s:,.1f}/s, "
        f"failed {result.error_ratio:.3%}. Outcomes: {html.escape(kinds or 'none')}.</p>"
    )


def _table(result: LoadResult) -> str:
    names = ("p50", "p90", "p95", "p99", "p99.9", "max", "mean")
    head = "".join(f"<th>{name}</th>" for name in names)
    rows = ""
    for name, values in (
        ("from intended time", result.latency),
        ("from send", result.latency_from_send),
        ("generator's own lag", result.generator_lag.lag),
    ):
        durations = (
            values.p50_s,
            values.p90_s,
            values.p95_s,
            values.p99_s,
            values.p99_9_s,
            values.max_s,
            values.mean_s,
        )
        cells = "".join(f"<td>{show_duration(duration)}</td>" for duration in durations)
        rows += f"<tr><td>{html.escape(name)}</td>{cells}</tr>"
    return f"<table><tr><th>latency</th>{head}</tr>{rows}</table>"


def _laid_out(figure: Any, title: str, x_title: str, y_title: str, **layout: Any) -> Any:
    figure.update_layout(
        title=title, xaxis_title=x_title, yaxis_title=y_title, template="plotly_white", height=380, **layout
    )
    return figure


def _rate_figure(graphs: ModuleType, result: LoadResult) -> Any:
    seconds = [row.second for row in result.seconds]
    figure = graphs.Figure()
    for name, values in (
        ("offered", [row.offered for row in result.seconds]),
        ("completed", [row.completed for row in result.seconds]),
        ("failed", [row.failures for row in result.seconds]),
    ):
        figure.add_scatter(x=seconds, y=values, name=name, mode="lines")
    return _laid_out(figure, "Requests per second", "time [s]", "requests/s")


def _latency_figure(graphs: ModuleType, result: LoadResult) -> Any:
    seconds = [row.second for row in result.seconds]
    figure = graphs.Figure()
    for name, values in (
        ("p50", [row.p50_s * 1e3 for row in result.seconds]),
        ("p99", [row.p99_s * 1e3 for row in result.seconds]),
        ("max", [row.max_s * 1e3 for row in result.seconds]),
    ):
        figure.add_scatter(x=seconds, y=values, name=name, mode="lines")
    return _laid_out(figure, "Latency from the intended time", "time [s]", "latency [ms]", yaxis_type="log")


def _distribution_figure(graphs: ModuleType, records: Records, good: np.ndarray[Any, Any]) -> Any:
    """Share of requests against latency; the points are dense where the tail is."""
    figure = graphs.Figure()
    for name, values in (
        ("from intended time", records.latency_s[good]),
        ("from send", (records.done_s - records.sent_s)[good]),
    ):
        ordered = np.sort(values)
        # Evenly spaced in log(1 - share), so that p99.9 gets as many points as p50.
        above = np.geomspace(1.0, 1.0 / ordered.size, min(_POINTS_MAX, ordered.size))
        share = 1.0 - above
        index = np.minimum((share * ordered.size).astype(np.int64), ordered.size - 1)
        figure.add_scatter(x=ordered[index] * 1e3, y=share * 100, name=name, mode="lines")
    return _laid_out(
        figure, "Cumulative distribution of successes", "latency [ms]", "requests [%]", xaxis_type="log"
    )
