"""The page about one run: what is said stands in the HTML itself, what is drawn is drawn by its script.

The page needs nothing but itself: plots, script and style are inside, and a content security policy forbids
every request. Plotly and the series are packed by gzip, which makes them a third as large; every browser of
the last years unpacks them. Without a script the verdict, its reasons and the settings can still be read.
"""

from __future__ import annotations

import base64
import gzip
import html
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, Final

import orjson

from tonnage.errors import EnvironmentFault
from tonnage.twin.assertions import Judgement
from tonnage.twin.result import Result
from tonnage.twin.verdict import Verdict, Violation
from tonnage.twin.wording import counted, show_latency, show_ratio, show_span, show_time
from tonnage.web.settings import settings_of
from tonnage.web.view import mark_rows, view_of

_SCRIPTS: Final = ("values.js", "charts.js", "timelines.js", "decisions.js", "report.js")
_SPANS_FIRST: Final = 8
_SPANS_MAX: Final = 200
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
_SECTIONS: Final = (
    ("verdict", "Verdict"),
    ("plots", "Plots"),
    ("decisions", "Decisions"),
    ("lives", "Pods and nodes"),
    ("events", "Events"),
    ("limits", "Not modelled"),
    ("settings", "Settings"),
)
_MARKS: Final = {
    True: '<span class="mark good">holds</span>',
    False: '<span class="mark bad">fails</span>',
}


def render_report(
    result: Result,
    verdict: Verdict,
    judgements: Sequence[Judgement] = (),
    *,
    assumed: Sequence[str] = (),
    currency: str = "",
) -> str:
    """Write the page about a run.

    Args:
        result: The run.
        verdict: What it says about its objective.
        judgements: What it says about assertions.
        assumed: What was taken where the input said nothing, as sentences.
        currency: Of the prices.

    Returns:
        A whole HTML document.

    Raises:
        EnvironmentFault: plotly is not installed.
    """
    scenario = result.scenario
    body = (
        f"<h1>{escaped(scenario.name)}</h1>"
        f'<p class="sub">{counted(result.totals.offered, "request")} in {show_span(scenario.duration_s)} of '
        f"simulated time, seed {scenario.seed}, digest <code>{result.digest[:12]}</code></p>"
        f'<section id="verdict" aria-label="Verdict">{verdict_html(verdict)}'
        f"{facts_html(result, verdict, currency)}{spans_html(verdict)}{judgements_html(judgements)}</section>"
        '<section id="plots"><h2>Plots</h2><p class="note">Drag over a plot to zoom all of them; a double '
        "click shows the whole run. Bands are spans in which the objective was missed.</p>"
        '<div data-plots="0"></div></section>'
        '<section id="decisions"><h2>Decisions of the autoscaler</h2><div data-decisions="0"></div></section>'
        '<section id="lives"><h2>Pods and nodes</h2><div data-lives="0"></div></section>'
        f"{events_html(result)}{limits_html(result.not_modelled, assumed)}{settings_html(result)}"
    )
    data = {"runs": [view_of(result, verdict)]}
    return shell(title=scenario.name, body=body, data=data, sections=_SECTIONS, kind="one")


def shell(
    *, title: str, body: str, data: dict[str, Any], sections: Iterable[tuple[str, str]], kind: str
) -> str:
    """Put a page's parts into one HTML document.

    Args:
        title: The document's title, not escaped.
        body: HTML of the sections.
        data: What the script draws.
        sections: (id, name) for the navigation.
        kind: Class of the body: ``one`` run or ``compare``.

    Raises:
        EnvironmentFault: plotly is not installed.
    """
    assets = files("tonnage.web") / "assets"
    style = (assets / "report.css").read_text(encoding="utf-8")
    script = "\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    links = "".join(f'<a href="#{identity}">{name}</a>' for identity, name in sections)
    return (
        '<!doctype html>\n<html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)} – Tonnage</title><style>{style}</style></head>\n"
        f'<body class="{kind}"><a class="skip" href="#verdict">Skip to the verdict</a>'
        f'<header class="bar"><div><nav aria-label="Sections">{links}</nav>'
        '<span class="window" role="status"></span>'
        '<button type="button" id="whole" hidden>Whole run</button>'
        '<button type="button" id="theme">Dark</button></div></header>\n'
        f"<main>{body}<noscript><p>The plots need JavaScript.</p></noscript></main>\n"
        '<footer>Made by <code>tonnage simulate</code>. Plots by plotly.js (MIT).</footer>'
        '<div id="live" class="visually-hidden" aria-live="polite"></div>\n'
        f'<script type="text/plain" id="plotly">{packed(_plotly().encode())}</script>\n'
        f'<script type="text/plain" id="data">{packed(orjson.dumps(data))}</script>\n'
        f"<script>{script}</script></body></html>\n"
    )


def escaped(text: str) -> str:
    """Text for HTML."""
    return html.escape(text)


def packed(content: bytes) -> str:
    """Bytes as gzip in base64; the same bytes give the same text."""
    return base64.b64encode(gzip.compress(content, compresslevel=9, mtime=0)).decode()


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        message = "report: plotly must be installed, got none; pip install 'tonnage[report]'"
        raise EnvironmentFault(message) from error
    return str(get_plotlyjs())


def verdict_html(verdict: Verdict) -> str:
    """The verdict in one card."""
    mark, tone = {True: ("held", "good"), False: ("missed", "bad"), None: ("no objective", "")}[verdict.held]
    if verdict.held and verdict.violations:
        mark, tone = "held, not always", "good"
    remarks = "".join(f"<p>{escaped(text[:1].upper() + text[1:])}.</p>" for text in verdict.remarks)
    return (
        f'<div class="card verdict {tone}"><p class="headline"><span class="mark">{mark}</span>'
        f"{escaped(verdict.headline)}.</p>{remarks}</div>"
    )


def facts_html(result: Result, verdict: Verdict, currency: str = "") -> str:
    """The figures that people ask for first."""
    totals, hours = result.totals, result.scenario.duration_s / 3600
    tail = f"p50 {show_latency(totals.p50_s)}, p99.9 {show_latency(totals.p999_s)}"
    dropped = {name.replace("_", " "): count for name, count in totals.dropped.items() if count}
    causes = ", ".join([show_ratio(verdict.error_ratio), *(f"{n:,} {name}" for name, n in dropped.items())])
    changes = counted(totals.rescales, "change")
    facts = (
        ("p99", show_latency(totals.p99_s), tail),
        ("Not answered", f"{totals.drops:,}", causes),
        ("Missed for", show_span(verdict.violated_s), counted(len(verdict.violations), "span")),
        ("Replicas ready", f"{totals.replicas_peak:,}", f"at most; {changes} by the HPA"),
        ("GPUs held", f"{totals.gpus_peak:,}", f"at most; {totals.gpu_hours:,.1f} GPU hours paid for"),
        ("Cost", f"{totals.cost:,.2f} {currency}".strip(), f"{totals.cost / hours:,.2f} an hour"),
        ("Restarts", f"{totals.restarts:,}", "of containers"),
    )  # fmt: skip
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{escaped(value)}<small>{escaped(note)}</small></dd></div>"
        for name, value, note in facts
        if verdict.objective or name != "Missed for"
    )
    return f'<dl class="facts">{cells}</dl>'


def spans_html(verdict: Verdict) -> str:
    """When the objective was missed, how badly, and why."""
    if not verdict.violations:
        return ""
    worst = sorted(verdict.violations, key=lambda span: -span.requests)[:_SPANS_MAX]
    table = _span_table(worst[:_SPANS_FIRST])
    if len(worst) > _SPANS_FIRST:
        smaller = counted(len(worst) - _SPANS_FIRST, "smaller span")
        table += f"<details><summary>{smaller}</summary>{_span_table(worst[_SPANS_FIRST:])}</details>"
    left = len(verdict.violations) - len(worst)
    more = f'<p class="note">{counted(left, "more span")} in the JSON.</p>' if left else ""
    head = '<h2 style="margin-top:0">When and why it was missed</h2>'
    return f'<div class="card">{head}{table}{more}</div>'


def _span_table(spans: Sequence[Violation]) -> str:
    rows = "".join(_span_row(span) for span in sorted(spans, key=lambda span: span.from_s))
    return (
        "<div class='scroll'><table><thead><tr><th scope='col'>from</th><th scope='col'>for</th>"
        "<th scope='col' class='number'>worst</th><th scope='col' class='number'>requests hit</th>"
        f"<th scope='col'>why</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _span_row(span: Violation) -> str:
    causes = "".join(f"<li>{escaped(cause.text)}</li>" for cause in span.causes)
    lost = f"<br>{span.unanswered:,} not answered" if span.unanswered else ""
    return (
        f'<tr><td><button type="button" class="link" data-from="{span.from_s}" data-to="{span.to_s}">'
        f"{show_time(span.from_s)}</button></td><td>{show_span(span.length_s)}</td>"
        f'<td class="number">{show_latency(span.latency_s_worst)}</td>'
        f'<td class="number">{span.requests:,}{lost}</td><td><ul>{causes}</ul></td></tr>'
    )


def judgements_html(judgements: Sequence[Judgement]) -> str:
    """What became of the assertions."""
    if not judgements:
        return ""
    rows = "".join(
        f"<tr><td>{_MARKS[one.holds]}</td><th scope='row'><code>{escaped(one.assertion.text)}</code></th>"
        f"<td>{escaped(one.found)}</td><td>{escaped(one.explanation)}</td></tr>"
        for one in judgements
    )
    return (
        '<div class="card"><h2 style="margin-top:0">Assertions</h2><div class="scroll"><table><thead><tr>'
        "<th scope='col'></th><th scope='col'>assertion</th><th scope='col'>found</th>"
        f"<th scope='col'>first broken</th></tr></thead><tbody>{rows}</tbody></table></div></div>"
    )


def events_html(result: Result) -> str:
    """What happened to the run from outside."""
    marks = mark_rows(result.records)
    rows = "".join(f"<tr><td>{at}</td><td>{escaped(text)}</td></tr>" for at, text in marks)
    table = (
        "<table><thead><tr><th scope='col'>at</th><th scope='col'>what happened</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        if rows
        else "<p>No node failed, nothing was rolled out, no controller was away.</p>"
    )
    return f'<section id="events"><h2>Events</h2><div class="card scroll">{table}</div></section>'


def limits_html(not_modelled: Sequence[str], assumed: Sequence[str] = ()) -> str:
    """What the input asked for and the twin does not do, and what was taken where it said nothing."""
    text = _listed(not_modelled) or "<p>The twin models all that the input asked for.</p>"
    section = f'<section id="limits"><h2>Not modelled</h2><div class="card">{text}</div>'
    if assumed:
        section += f'<h2>Assumed</h2><div class="card">{_listed(assumed)}</div>'
    return f"{section}</section>"


def _listed(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escaped(text)}</li>" for text in sentences)
    return f"<ul>{items}</ul>" if items else ""


def settings_html(result: Result) -> str:
    """Everything that the run depended on."""
    parts = ""
    for title, rows in settings_of(result.scenario):
        cells = "".join(f"<dt>{escaped(name or title)}</dt><dd>{escaped(said)}</dd>" for name, said in rows)
        cells = f'<dl class="settings">{cells}</dl>'
        parts += f'<details class="card"><summary>{title}</summary>{cells}</details>'
    note = "Times are in seconds, memory in bytes. The JSON of the run has all records and the histogram."
    return f'<section id="settings"><h2>Settings</h2>{parts}<p class="note">{note}</p></section>'
