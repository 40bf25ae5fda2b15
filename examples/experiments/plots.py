"""Draws the plots and fills in the numbers of docs/experiments: `python plots.py [NAME...]`.

Each experiment is run as its page says, once for each variant; the variants are drawn over each other, and a
table of what they gave stands between two marks of the page. `--check` writes nothing and tells what differs.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tonnage.cli.set_option import parse_setting, with_settings
from tonnage.twin.inputs import Options, load_texts, read
from tonnage.twin.measures import MEASURES
from tonnage.twin.result import Result
from tonnage.twin.simulation import Simulation
from tonnage.twin.verdict import unanswered_of, verdict_of
from tonnage.twin.wording import show_latency, show_number, show_time

Scale = Callable[[float], float]
HERE = Path(__file__).parent
OUT = HERE.parents[1] / "docs" / "experiments"
COLOURS = ("#2468d8", "#d0630a", "#7a3fb8")
WIDTH, LEFT, RIGHT, PANEL, GAP, TOP = 760, 70, 14, 104, 44, 34
METRICS = "HorizontalPodAutoscaler.spec.metrics"
CPU = (
    '[{"type":"Resource","resource":{"name":"cpu",'
    '"target":{"type":"Utilization","averageUtilization":70}}}]'
)
P99 = (
    '[{"type":"Pods","pods":{"metric":{"name":"inference_latency_p99"},'
    '"target":{"type":"AverageValue","averageValue":"100m"}}}]'
)
WINDOW = "HorizontalPodAutoscaler.spec.behavior.scaleDown.stabilizationWindowSeconds"
NO_RESOURCES = (
    'Deployment/ranker.spec.template.spec.containers[0].resources={"limits":{"nvidia.com/gpu":"1"}}'
)
NO_TOLERATION = "Deployment.spec.template.spec.tolerations=null"
NO_AFFINITY = "Deployment.spec.template.spec.affinity=null"
UNAVAILABLE = 'Deployment.spec.strategy.rollingUpdate={"maxSurge":0,"maxUnavailable":1}'
TARGET = "Simulation.spec.changes[0].patch.spec.metrics[0].pods.target.averageValue=30m"


@dataclass(frozen=True, slots=True)
class Plot:
    """One experiment.

    Attributes:
        name: Of its file.
        variants: Label and setting of each run; an empty setting runs it as it is.
        panels: What is drawn, out of ``PANELS``.
    """

    name: str
    variants: tuple[tuple[str, str], ...]
    panels: tuple[str, ...] = ("latency", "lost", "ready")


PLOTS = (
    Plot("scale-down", (("300 s", f"{WINDOW}=300"), ("30 s", f"{WINDOW}=30"))),
    Plot("no-limits", (("requests and limits", ""), ("none", NO_RESOURCES))),
    Plot("no-toleration", (("toleration", ""), ("none", NO_TOLERATION)), ("lost", "pending", "ready")),
    Plot(
        "slow-load",
        (("startup probe", "Simulation.spec.changes=[]"), ("initialDelaySeconds: 60", "")),
        ("lost", "ready"),
    ),
    Plot("node-failure", (("anti-affinity", ""), ("none", NO_AFFINITY))),
    Plot(
        "surge", (("maxSurge 25%", ""), ("maxUnavailable 1", UNAVAILABLE)), ("latency", "pending", "ready")
    ),
    Plot("ratchet", (("as it is", ""),), ("wanted", "ready", "latency")),
    Plot("tight-target", (("target 8 ms", ""), ("target 30 ms", TARGET)), ("latency", "wanted")),
    Plot("which-metric", (("load", ""), ("p99", f"{METRICS}={P99}"), ("CPU", f"{METRICS}={CPU}"))),
)
TOLD = (
    "p99", "drops", "errors", "violations.seconds", "replicas.max", "ready.min", "rescales", "reversals",
    "restarts", "rollout.seconds",
)  # fmt: skip
ALWAYS = frozenset({"p99", "drops", "violations.seconds"})
MARKED = re.compile(r"(<!-- numbers -->\n)(.*?)(<!-- end of numbers -->)", re.DOTALL)
PANELS = {
    "latency": ("p99 latency", lambda result: result.series.p99_s),
    "lost": ("requests/s not answered", lambda result: unanswered_of(result.series)),
    "ready": ("replicas ready", lambda result: result.series.replicas_ready),
    "wanted": ("replicas wanted", lambda result: result.series.replicas_wanted),
    "pending": ("pods without a node", lambda result: result.series.pods_pending),
}


def run(plot: Plot) -> list[Result]:
    """Run every variant."""
    texts = load_texts([HERE / f"{plot.name}.yaml"])
    results = []
    for _, setting in plot.variants:
        changed = with_settings(texts, [parse_setting(setting)] if setting else [])
        results.append(Simulation(read(changed, Options()).scenario).run())
    return results


def drawn(plot: Plot, results: list[Result]) -> str:
    """One SVG image."""
    height = TOP + len(plot.panels) * (PANEL + GAP)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="11"',
        f' viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" fill="#445063" role="img">',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    x = LEFT
    for (label, _), colour in zip(plot.variants, COLOURS, strict=False):
        parts.append(f'<path d="M{x} 16h18" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<text x="{x + 24}" y="20" font-size="12" fill="#17202c">{label}</text>')
        x += 50 + 7 * len(label)
    for index, name in enumerate(plot.panels):
        parts += panel(name, results, TOP + 14 + index * (PANEL + GAP))
    return "\n".join([*parts, "</svg>\n"])


def panel(name: str, results: list[Result], top: float) -> list[str]:
    """One panel: axes, the objective, and a line for each variant."""
    title, read_values = PANELS[name]
    duration_s = results[0].scenario.duration_s
    courses = [read_values(result) for result in results]
    known = np.concatenate([course[np.isfinite(course)] for course in courses])
    known = known if known.size else np.zeros(1)
    log = name == "latency" and known.max() > 20 * max(known.min(), 1e-9) > 0
    objective = results[0].scenario.objective if name == "latency" else None
    high = max(float(known.max()), objective.latency_s if objective else 0.0) * (1.4 if log else 1.1) or 1.0
    low = float(known.min()) * 0.7 if log else 0.0

    def down(value: float) -> float:
        share = math.log(value / low) / math.log(high / low) if log else value / high
        return top + PANEL * (1 - share)

    def across(at_s: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * at_s / duration_s

    parts = [f'<text x="{LEFT}" y="{top - 7}" fill="#17202c" font-weight="600">{title}</text>']
    for value in ticks(low, high, log=log):
        text = show_latency(value) if name == "latency" else show_number(value)
        parts.append(f'<path d="M{LEFT} {down(value):.1f}H{WIDTH - RIGHT}" stroke="#e6eaf0"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{down(value) + 4:.1f}" text-anchor="end">{text}</text>')
    step_s = next(step for step in (60, 120, 300, 600, 1200) if duration_s / step <= 9)
    for at_s in range(0, int(duration_s) + 1, step_s):
        anchor = "end" if at_s >= duration_s else "middle"
        place = f'x="{across(at_s):.1f}" y="{top + PANEL + 15}" text-anchor="{anchor}"'
        parts.append(f"<text {place}>{show_time(at_s)}</text>")
    if objective is not None:
        y = f"{down(objective.latency_s):.1f}"
        parts.append(f'<path d="M{LEFT} {y}H{WIDTH - RIGHT}" stroke="#c4302b" stroke-dasharray="6 4"/>')
    for course, result, colour in zip(courses, results, COLOURS, strict=False):
        parts += lines(course, result, colour, across, down)
    return parts


def lines(course: Any, result: Result, colour: str, across: Scale, down: Scale) -> list[str]:
    """A polyline for each stretch of known values; of each pixel the least and the greatest value."""
    size, columns = course.size, min(course.size, WIDTH - LEFT - RIGHT)
    points: list[str] = []
    found = []
    for column in range(columns):
        first, last = column * size // columns, (column + 1) * size // columns
        part = course[first:last]
        good = np.flatnonzero(np.isfinite(part))
        if good.size == 0:
            if points:
                found.append(points)
            points = []
            continue
        low, high = good[part[good].argmin()], good[part[good].argmax()]
        for index in sorted({int(low), int(high)}):
            x = across(float(result.series.time_s[first + index]))
            points.append(f"{x:.1f},{down(max(float(part[index]), 1e-9)):.1f}")
    found += [points] if points else []
    look = f'fill="none" stroke="{colour}" stroke-width="1.3" stroke-linejoin="round"'
    return [f'<polyline points="{" ".join(one)}" {look}/>' for one in found]


def ticks(low: float, high: float, *, log: bool) -> list[float]:
    """Round values for an axis."""
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [part * 10.0**power for power in powers for part in (1, 3)]
        return [value for value in values if low <= value <= high]
    size = 10.0 ** math.floor(math.log10(high / 3))
    step = next(size * factor for factor in (1, 2, 5, 10) if high / (size * factor) <= 4)
    return [step * count for count in range(int(high / step) + 1)]


def main() -> None:
    """Do those that are named, or all."""
    check = "--check" in sys.argv
    wanted = {one for one in sys.argv[1:] if not one.startswith("--")}
    stale: list[str] = []
    for plot in PLOTS:
        if not wanted or plot.name in wanted:
            results = run(plot)
            page = OUT / f"{plot.name}.md"
            text = page.read_text(encoding="utf-8")
            numbers = table(plot, results)
            told = MARKED.sub(rf"\g<1>{numbers}\g<3>", text)
            if check:
                stale += [] if told == text else [plot.name]
                continue
            (OUT / f"{plot.name}.svg").write_text(drawn(plot, results), encoding="utf-8")
            page.write_text(told, encoding="utf-8")
            print(page)
    if stale:
        sys.exit(f"the numbers of {', '.join(stale)} are no longer true: run {Path(__file__).name}")


def table(plot: Plot, results: list[Result]) -> str:
    """What each variant gave, as a table of Markdown."""
    runs = [(result, verdict_of(result)) for result in results]
    rows = [["", *(label for label, _ in plot.variants)], ["---", *("---:" for _ in results)]]
    held = {True: "held", False: "missed", None: "-"}
    rows.append(["objective", *(held[verdict.held] for _, verdict in runs)])
    for name in TOLD:
        values = [float(MEASURES[name].value(*one)) for one in runs]
        if name in ALWAYS or any(value != 0 and not math.isnan(value) for value in values):
            rows.append([MEASURES[name].meaning, *(MEASURES[name].shown(value) for value in values)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    main()
