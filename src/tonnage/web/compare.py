"""The page about two runs: the same plots on the same axes side by side, and what differs in a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tonnage.twin.measures import MEASURES, Measure
from tonnage.twin.result import Result
from tonnage.twin.verdict import Verdict
from tonnage.web.page import escaped, facts_html, limits_html, shell, spans_html, verdict_html
from tonnage.web.sampling import ROWS_MAX
from tonnage.web.settings import settings_of
from tonnage.web.view import view_of

_MORE_IS_BETTER: Final = frozenset({"answered", "rate", "ready.min"})
_NEITHER: Final = frozenset(
    {"replicas.max", "replicas.min", "ready.max", "gpus.max", "nodes.max", "rescales"}
)
"""Measures of size: more of it is neither good nor bad by itself."""
_SECTIONS: Final = (
    ("verdict", "Verdicts"),
    ("difference", "Difference"),
    ("plots", "Plots"),
    ("decisions", "Decisions"),
    ("lives", "Pods and nodes"),
    ("settings", "Settings that differ"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of two runs.

    Attributes:
        measure: Which.
        first: In the first run; nan when it does not exist.
        second: In the second.
        better: Whether the second is better; None when that cannot be said or they are equal.
    """

    measure: Measure
    first: float
    second: float
    better: bool | None

    @property
    def change(self) -> str:
        """The change from the first to the second, for people."""
        if self.first == self.second or math.isnan(self.first) or math.isnan(self.second):
            return "" if not math.isnan(self.first + self.second) else "–"
        step = self.second - self.first
        text = ("+" if step > 0 else "−") + self.measure.shown(abs(step))
        return f"{text} ({step / self.first:+.0%})".replace("-", "−") if self.first else text


def differences(
    first: tuple[Result, Verdict], second: tuple[Result, Verdict]
) -> tuple[Difference, ...]:
    """Compare two runs measure by measure, leaving out what exists in neither."""
    found = []
    for measure in MEASURES.values():
        one, other = float(measure.value(*first)), float(measure.value(*second))
        if math.isnan(one) and math.isnan(other):
            continue
        better = None
        if measure.name not in _NEITHER and one != other and not math.isnan(one + other):
            better = (other > one) == (measure.name in _MORE_IS_BETTER)
        found.append(Difference(measure, one, other, better))
    return tuple(found)


def render_comparison(runs: Sequence[tuple[Result, Verdict]], names: Sequence[str]) -> str:
    """Write the page about two runs.

    Args:
        runs: Two runs with their verdicts.
        names: What each is called.

    Returns:
        A whole HTML document.

    Raises:
        EnvironmentFault: plotly is not installed.
    """
    first, second = runs
    verdicts = "".join(
        f"<div><h2>{escaped(name)}</h2>{verdict_html(verdict)}{facts_html(result, verdict)}"
        f"{spans_html(verdict)}</div>"
        for name, (result, verdict) in zip(names, runs, strict=True)
    )
    body = (
        f"<h1>{escaped(names[0])} against {escaped(names[1])}</h1>"
        f'<section id="verdict" class="pair">{verdicts}</section>'
        f'<section id="difference"><h2>Difference</h2>{_difference_html(differences(first, second), names)}'
        '</section><section id="plots"><h2>Plots</h2><p class="note">Both columns have the same axes; a zoom '
        'in one plot is a zoom in all.</p><div data-pairs></div></section>'
        '<section id="decisions"><h2>Decisions of the autoscaler</h2>'
        f'{_columns("decisions", names)}</section>'
        f'<section id="lives"><h2>Pods and nodes</h2>{_columns("lives", names)}</section>'
        f"{_settings_html(first[0], second[0], names)}{_limits_html(first[0], second[0])}"
    )
    data: dict[str, Any] = {"runs": [view_of(*run, rows_max=ROWS_MAX // 2) for run in runs]}
    return shell(
        title=f"{names[0]} against {names[1]}", body=body, data=data, sections=_SECTIONS, kind="compare"
    )


def _columns(what: str, names: Sequence[str]) -> str:
    parts = "".join(
        f'<div><h3>{escaped(name)}</h3><div data-{what}="{index}"></div></div>'
        for index, name in enumerate(names)
    )
    return f'<div class="pair">{parts}</div>'


def _difference_html(rows: Sequence[Difference], names: Sequence[str]) -> str:
    lines = "".join(
        f"<tr><th scope='row'>{escaped(row.measure.name)}</th><td>{escaped(row.measure.meaning)}</td>"
        f'<td class="number">{escaped(row.measure.shown(row.first))}</td>'
        f'<td class="number">{escaped(row.measure.shown(row.second))}</td>'
        f'<td class="number {_tone(row.better)}">{escaped(row.change)}{_word(row.better)}</td></tr>'
        for row in rows
    )
    return (
        "<div class='card scroll'><table><thead><tr><th scope='col'>measure</th><th scope='col'>meaning</th>"
        f"<th scope='col' class='number'>{escaped(names[0])}</th>"
        f"<th scope='col' class='number'>{escaped(names[1])}</th>"
        f"<th scope='col' class='number'>change</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _tone(better: bool | None) -> str:
    return "" if better is None else "better" if better else "worse"


def _word(better: bool | None) -> str:
    """Colour alone says nothing to some."""
    return "" if better is None else " better" if better else " worse"


def _settings_html(first: Result, second: Result, names: Sequence[str]) -> str:
    """Settings in which the runs differ: what the comparison is about."""
    one, other = _settings(first), _settings(second)
    rows = "".join(
        f"<tr><th scope='row'>{escaped(path)}</th><td>{escaped(one.get(path, 'none'))}</td>"
        f"<td>{escaped(other.get(path, 'none'))}</td></tr>"
        for path in dict.fromkeys([*one, *other])
        if one.get(path) != other.get(path)
    )
    table = (
        "<table><thead><tr><th scope='col'>setting</th>"
        + "".join(f"<th scope='col'>{escaped(name)}</th>" for name in names)
        + f"</tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>None: the two runs are the same.</p>"
    )
    head = '<section id="settings"><h2>Settings that differ</h2>'
    return f'{head}<div class="card scroll">{table}</div></section>'


def _settings(result: Result) -> dict[str, str]:
    return {
        f"{title}: {path}" if path else title: value
        for title, rows in settings_of(result.scenario)
        for path, value in rows
    }


def _limits_html(first: Result, second: Result) -> str:
    return limits_html(list(dict.fromkeys([*first.not_modelled, *second.not_modelled])))
