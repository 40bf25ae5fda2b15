"""One HTML page about a profile, with its plots inside, that needs no network to open.

Plots show what was measured: bands are quantiles, dots are single runs, and nothing is smoothed.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from tonnage.errors import EnvironmentFault, Problem
from tonnage.loadgen.view import show_duration
from tonnage.profile.load_parts import Capacity, CurvePoint
from tonnage.profile.objective import shown_objective
from tonnage.profile.parts import ModelProfile
from tonnage.profile.quantiles import percentile_name
from tonnage.profile.stability import NEXT
from tonnage.profile.view import show_memory, show_rate

if TYPE_CHECKING:
    from types import ModuleType

INK: Final = "#1c2733"
BLUE: Final = "#1f6feb"
BAND: Final = "rgba(31,111,235,0.16)"
TEAL: Final = "#0b8a7a"
RED: Final = "#c8362b"
GREY: Final = "#8593a3"
_HEIGHT: Final = 400
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"
_PURPOSES: Final = {"search": "circle-open", "confirm": "diamond", "curve": "circle", "import": "circle"}
_STYLE: Final = f"""
body {{ font-family: {_FONT}; color: {INK}; background: #f5f7f9; margin: 0; line-height: 1.45 }}
main {{ max-width: 72rem; margin: 0 auto; padding: 2rem 1.5rem 3rem }}
h1 {{ font-size: 1.7rem; margin: 0 }}
.about {{ color: #5b6875; margin: .3rem 0 1.4rem }}
.tiles {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(14rem, 1fr)); gap: .8rem }}
.tile, .plot, .more {{ background: #fff; border: 1px solid #dfe5ea; border-radius: .6rem }}
.tile {{ padding: .8rem 1rem }}
.tile b {{ display: block; font-size: 1.35rem; font-weight: 650; white-space: nowrap }}
.tile span {{ color: #5b6875; font-size: .86rem }}
.plots {{ display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem; margin-top: .8rem }}
.plot {{ padding: .9rem 1rem .3rem; overflow: hidden }}
.wide {{ grid-column: 1 / -1 }}
.plot h2 {{ font-size: 1.02rem; margin: 0 }}
.plot p {{ color: #5b6875; font-size: .86rem; margin: .15rem 0 0 }}
.warning {{ background: #fff4d6; border: 1px solid #ecd48a; border-radius: .6rem; padding: .8rem 1rem }}
.warning ul {{ margin: .3rem 0 0; padding-left: 1.2rem }}
.warning {{ margin-bottom: .8rem }}
.more {{ padding: .9rem 1rem; margin-top: .8rem }}
.more h2 {{ font-size: 1.02rem; margin: 0 0 .4rem }}
table {{ border-collapse: collapse; font-size: .9rem; width: 100% }}
td, th {{ padding: .28rem .7rem .28rem 0; border-bottom: 1px solid #edf0f3; text-align: left }}
th {{ color: #5b6875; font-weight: 500 }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums }}
@media (max-width: 800px) {{ .plots {{ grid-template-columns: 1fr }} }}
"""


def plotly_problem() -> Problem | None:
    """What keeps a report from being made; None when nothing does."""
    try:
        import plotly.graph_objects  # noqa: F401
    except ImportError:
        return Problem("--report", "must have plotly, got none", hint="pip install 'tonnage[report]'")
    return None


def render_profile(profile: ModelProfile) -> str:
    """Write the page.

    Raises:
        EnvironmentFault: plotly is not installed.
    """
    problem = plotly_problem()
    if problem is not None:
        raise EnvironmentFault(str(problem))
    import plotly.graph_objects as graphs
    from plotly.offline import get_plotlyjs

    plots = "".join(
        f'<section class="plot{" wide" if wide else ""}"><h2>{html.escape(title)}</h2>'
        f"<p>{html.escape(text)}</p>{_drawn(figure)}</section>"
        for title, text, figure, wide in _figures(graphs, profile)
    )
    title = html.escape(f"Profile of {profile.metadata.name}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{title}</title>'
        f"<style>{_STYLE}</style><script>{get_plotlyjs()}</script></head><body><main><h1>{title}</h1>"
        f'<p class="about">{html.escape(_about(profile))}</p>{_doubts(profile)}{_tiles(profile)}'
        f'<div class="plots">{plots}</div>{_runs(profile.curve)}{_notes(profile)}</main></body></html>\n'
    )


def _drawn(figure: Any) -> str:
    config = {"displaylogo": False, "displayModeBar": False, "responsive": True}
    return str(figure.to_html(full_html=False, include_plotlyjs=False, config=config))


def _about(profile: ModelProfile) -> str:
    parts = [f"{profile.model.format} model" if profile.model.format else "imported"]
    machine, settings = profile.machine, profile.settings
    if machine is not None:
        server = len(machine.cpus_server)
        parts.append(f"{server} of {machine.cpus} CPUs, {machine.cpu}")
        parts += [f"{len(machine.gpus)} x {machine.gpus[0].name}"] if machine.gpus else []
    if settings is not None:
        parts.append(f"batches of up to {settings.size_max}")
        parts.append("model in the event loop" if settings.execution == "inline" else "model in a thread")
        parts += ["short form"] if settings.quick else []
    return ", ".join([*parts, profile.metadata.created])


def _tiles(profile: ModelProfile) -> str:
    tiles = "".join(
        f'<div class="tile"><b>{html.escape(value)}</b><span>{html.escape(text)}</span></div>'
        for value, text in _figures_in_words(profile)
    )
    return f'<div class="tiles">{tiles}</div>'


def _figures_in_words(profile: ModelProfile) -> Iterator[tuple[str, str]]:
    """The figures that a reader looks for first, each with what it is."""
    capacity, startup, overhead, memory = (
        profile.capacity, profile.startup, profile.overhead, profile.memory,
    )  # fmt: skip
    if capacity is not None:
        rate = capacity.sustainable_per_s
        bound = "at least, " if capacity.generator_limited else ""
        shown = show_rate(rate) if rate is not None else "none"
        yield shown, f"sustainable rate, {bound}{shown_objective(capacity.objective)}"
        if capacity.p50_s is not None and capacity.p99_s is not None:
            yield show_duration(capacity.p99_s), f"p99 there; p50 {show_duration(capacity.p50_s)}"
        if capacity.in_flight is not None:
            yield f"{capacity.in_flight.mean:.3g}", f"in flight there; at most {capacity.in_flight.max:.3g}"
    if profile.batches:
        best = max(profile.batches, key=lambda one: one.size / max(one.steady_s.mean, 1e-12))
        items = show_rate(best.size / max(best.steady_s.mean, 1e-12))
        yield items, f"items in the model alone, in batches of {best.size}"
    if startup is not None:
        yield show_duration(startup.ready_s.at(50)), "from start to ready, median"
        yield show_duration(startup.load_s.at(50)), "to load the model, median"
    if overhead is not None:
        batch = show_duration(overhead.per_batch_s)
        yield show_duration(overhead.per_request_s), f"the server adds to a request; {batch} to a batch"
    if memory is not None:
        yield show_memory(memory.ready.rss_bytes), f"memory when ready; peak {show_memory(memory.peak_bytes)}"


def _doubts(profile: ModelProfile) -> str:
    if profile.stability is None or profile.stability.stable:
        return ""
    reasons = [reason.removesuffix(f"; {NEXT}") for reason in profile.stability.reasons]
    items = "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons)
    text = f"The machine was too noisy for these figures to be relied on; {NEXT}."
    return f'<div class="warning"><b>{text}</b><ul>{items}</ul></div>'


def _notes(profile: ModelProfile) -> str:
    if not profile.notes:
        return ""
    items = "".join(f"<li>{html.escape(note)}</li>" for note in profile.notes)
    return f'<section class="more"><h2>Notes</h2><ul>{items}</ul></section>'


def _runs(curve: Sequence[CurvePoint]) -> str:
    """All runs as a table."""
    if not curve:
        return ""
    heads = ("rate", "answered", "p50", "p99", "failed", "in flight", "batch", "CPU", "outcome")
    head = "".join(f'<th class="{"" if name == "outcome" else "number"}">{name}</th>' for name in heads)
    rows = ""
    for point in curve:
        flight = f"{point.in_flight.mean:.3g}" if point.in_flight is not None else ""
        numbers = (
            show_rate(point.rate_per_s),
            show_rate(point.achieved_per_s),
            show_duration(point.latency_s.at(50)),
            show_duration(point.latency_s.at(99)),
            f"{point.error_ratio:.2%}",
            flight,
            f"{point.batch_size_mean:.3g}" if point.batch_size_mean is not None else "",
            f"{point.cpu_ratio:.0%}" if point.cpu_ratio is not None else "",
        )
        outcome = {True: "held", False: "did not hold", None: ""}[point.held]
        told = html.escape(": ".join(part for part in (outcome, point.reason) if part))
        cells = "".join(f'<td class="number">{cell}</td>' for cell in numbers)
        rows += f"<tr>{cells}<td>{told}</td></tr>"
    return f'<section class="more"><h2>Runs</h2><table><tr>{head}</tr>{rows}</table></section>'


def _figures(graphs: ModuleType, profile: ModelProfile) -> list[tuple[str, str, Any, bool]]:
    """Title, what is seen, figure, and whether it takes the page's whole width."""
    figures: list[tuple[str, str, Any, bool]] = []
    if profile.curve:
        text = "Counted from the intended time of each request, open loop."
        if any(point.held is False for point in profile.curve):
            text += " Crosses are runs in which the objective did not hold."
        figures.append(("Latency by rate", text, _latency_figure(graphs, profile), True))
    if profile.batches:
        text = "Time of one batch in the model alone: median, and the band from p5 to p95."
        figures.append(("Service time by batch size", text, _batch_figure(graphs, profile), False))
    if profile.startup is not None and profile.startup.load_s.samples:
        text = "Each dot is one fresh process, with its files in the page cache."
        figures.append(("Load time", text, _load_figure(graphs, profile), False))
    if len(figures) % 2 == 0 and figures:
        title, text, figure, _ = figures[-1]
        figures[-1] = (title, text, figure, True)
    return figures


def _laid_out(figure: Any, x_title: str, y_title: str, **layout: Any) -> Any:
    figure.update_layout(
        template="plotly_white",
        height=_HEIGHT,
        font={"family": _FONT, "color": INK, "size": 13},
        margin={"l": 64, "r": 18, "t": 18, "b": 52},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        hovermode="closest",
        **layout,
    )
    figure.update_xaxes(title=x_title, gridcolor="#edf0f3", zeroline=False)
    figure.update_yaxes(title=y_title, gridcolor="#edf0f3", zeroline=False)
    return figure


def _batch_figure(graphs: ModuleType, profile: ModelProfile) -> Any:
    figure = graphs.Figure()
    sizes = [batch.size for batch in profile.batches]
    known = [batch for batch in profile.batches if batch.steady_s.quantiles or batch.steady_s.samples]
    low = [batch.steady_s.at(5) for batch in known]
    high = [batch.steady_s.at(95) for batch in known]
    band_x = [batch.size for batch in known]
    figure.add_scatter(x=band_x, y=high, mode="lines", line={"width": 0}, showlegend=False, hoverinfo="skip")
    figure.add_scatter(
        x=band_x, y=low, mode="lines", line={"width": 0}, fill="tonexty", fillcolor=BAND,
        name="p5 to p95", hoverinfo="skip",
    )  # fmt: skip
    middle = [batch.steady_s.at(50) for batch in profile.batches]
    rates = [batch.size / batch.steady_s.mean if batch.steady_s.mean else 0.0 for batch in profile.batches]
    hover = [
        f"{size} items: {show_duration(one)}<br>{rate:,.0f} items/s"
        for size, one, rate in zip(sizes, middle, rates, strict=True)
    ]
    figure.add_scatter(
        x=sizes, y=middle, mode="lines+markers", name="median",
        line={"color": BLUE, "width": 2.5}, marker={"size": 8}, hovertext=hover, hoverinfo="text",
    )  # fmt: skip
    firsts = [(batch.size, batch.first_s) for batch in profile.batches if batch.first_s is not None]
    if firsts:
        figure.add_scatter(
            x=[size for size, _ in firsts], y=[first for _, first in firsts], mode="markers",
            name="first batch of the process", marker={"color": GREY, "symbol": "x-thin-open", "size": 9},
            hovertext=[f"first of {size}: {show_duration(first)}" for size, first in firsts],
            hoverinfo="text",
        )  # fmt: skip
    _laid_out(figure, "items in the batch", "", xaxis_type="log")
    figure.update_xaxes(tickvals=sizes, ticktext=[str(size) for size in sizes])
    _log_time_axis(figure, [*low, *high, *middle, *(first for _, first in firsts)])
    return figure


def _log_time_axis(figure: Any, times_s: Sequence[float]) -> None:
    """Give a figure of times [s] a logarithmic axis with ticks that are durations."""
    positive = [one for one in times_s if one > 0] or [1.0]
    low, high = min(positive) / 1.4, max(positive) * 1.4
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1.0, 2.0, 5.0) if high < 1000 * low else (1.0,)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    figure.update_yaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[show_duration(tick) for tick in ticks],
    )


def _load_figure(graphs: ModuleType, profile: ModelProfile) -> Any:
    startup = profile.startup
    assert startup is not None
    figure = graphs.Figure()
    rows = (
        ("model loads", startup.load_s, BLUE),
        ("first batch", startup.first_batch_s, GREY),
        ("warm-up", startup.warmup_s, GREY),
        ("process starts", startup.process_s, GREY),
        ("until ready", startup.ready_s, TEAL),
    )
    longest_s = max(startup.ready_s.samples or (startup.ready_s.mean,))
    unit, factor = ("s", 1.0) if longest_s >= 2 else ("ms", 1e3)
    for name, times, color in rows:
        samples = times.samples or ()
        figure.add_box(
            x=[value * factor for value in samples], y=[name] * len(samples), orientation="h", name=name,
            boxpoints="all", jitter=0.5, pointpos=0, marker={"color": color, "size": 6, "opacity": 0.75},
            line={"color": color, "width": 1.2}, fillcolor="rgba(0,0,0,0.03)", showlegend=False,
            hovertext=[show_duration(value) for value in samples], hoverinfo="text",
        )  # fmt: skip
    _laid_out(figure, f"time [{unit}]", "")
    figure.update_layout(margin={"l": 108, "r": 18, "t": 18, "b": 52})
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(autorange="reversed")
    return figure


def _symbol(point: CurvePoint) -> str:
    return "x-thin-open" if point.held is False else _PURPOSES[point.purpose]


def _latency_figure(graphs: ModuleType, profile: ModelProfile) -> Any:
    figure = graphs.Figure()
    capacity = profile.capacity
    percentile = capacity.objective.percentile if capacity is not None else 99.0
    # the line joins runs made for the curve, where there are any: a search hurries
    lined = [p for p in profile.curve if p.purpose in ("curve", "confirm", "import") and p.held is not False]
    for name, at, color in (("p50", 50.0, TEAL), (percentile_name(percentile), percentile, BLUE)):
        figure.add_scatter(
            x=[point.rate_per_s for point in lined], y=[point.latency_s.at(at) for point in lined],
            mode="lines", line={"color": color, "width": 2.5}, name=name, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=[point.rate_per_s for point in profile.curve],
            y=[point.latency_s.at(at) for point in profile.curve],
            mode="markers", showlegend=False, hoverinfo="text",
            hovertext=[
                f"{point.purpose}: {show_rate(point.rate_per_s)}<br>{name} "
                f"{show_duration(point.latency_s.at(at))}<br>failed {point.error_ratio:.2%}"
                for point in profile.curve
            ],
            marker={
                "size": 9,
                "color": [RED if point.held is False else color for point in profile.curve],
                "symbol": [_symbol(point) for point in profile.curve],
                "line": {"width": 1.5},
            },
        )  # fmt: skip
    _laid_out(figure, "requests per second", "")
    figure.update_xaxes(rangemode="tozero")
    tall = [point.latency_s.at(one) for point in profile.curve for one in (50.0, percentile)]
    if capacity is not None:
        tall.append(capacity.objective.latency_s)
    _log_time_axis(figure, tall)
    if capacity is not None:
        _mark_objective(figure, capacity)
    return figure


def _mark_objective(figure: Any, capacity: Capacity) -> None:
    """Draw what must hold and the rate up to which it does.

    NB: a shape on a logarithmic axis is placed by its value, an annotation by the value's logarithm.
    """
    latency_s, rate = capacity.objective.latency_s, capacity.sustainable_per_s
    figure.add_shape(
        type="line", xref="paper", x0=0, x1=1, y0=latency_s, y1=latency_s,
        line={"color": RED, "dash": "dash", "width": 1.5},
    )  # fmt: skip
    figure.add_annotation(
        text=f"objective {shown_objective(capacity.objective)}", font={"color": RED}, showarrow=False,
        xref="paper", x=1, xanchor="right", y=math.log10(latency_s), yanchor="bottom",
    )  # fmt: skip
    if rate is not None:
        figure.add_shape(
            type="line", yref="paper", y0=0, y1=1, x0=rate, x1=rate,
            line={"color": INK, "dash": "dot", "width": 1.5},
        )  # fmt: skip
        figure.add_annotation(
            text=f"sustainable {show_rate(rate)}", showarrow=False, yref="paper", y=0, yanchor="bottom",
            x=rate, xanchor="right", xshift=-4,
        )  # fmt: skip
