"""One plot of a round: traffic, replicas and p99, the real ones over the twin's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

WIDTH, LEFT, RIGHT, PANEL, GAP, TOP = 760, 60, 14, 110, 40, 30
FONT = 'font-family="sans-serif" font-size="12"'
REAL, TWIN, LOAD = "#2468d8", "#d0630a", "#667788"


def draw(found: dict[str, Any], steps: Sequence[tuple[float, int]]) -> str:
    """Draw a round as SVG.

    Args:
        found: A round as it is stored.
        steps: Rate [requests/s] and for how long [s].
    """
    end_s = found["duration_s"]
    rates = [
        (float(sum(length for _, length in steps[:place])), rate) for place, (rate, _) in enumerate(steps)
    ]
    p99_max_s = max(value for value in found["real_p99_s"] if value)
    panels = [
        ("requests/s", max(rate for rate, _ in steps), [(rates, LOAD)]),
        (
            "replicas wanted",
            max(
                count
                for course in (found["real"]["wanted"], *(one["wanted"] for one in found["twin"]))
                for _, count in course
            ),
            [*((one["wanted"], TWIN) for one in found["twin"]), (found["real"]["wanted"], REAL)],
        ),
        (
            "p99 of a second [s]",
            p99_max_s,
            [
                *((points(one["p99_s"]), TWIN) for one in found["twin"][:1]),
                (points(found["real_p99_s"]), REAL),
            ],
        ),
    ]
    height = TOP + len(panels) * (PANEL + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {FONT}>',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" fill="{REAL}">real HPA</text>',
        f'<text x="{LEFT + 70}" y="18" fill="{TWIN}">twin, {len(found["twin"])} phases of its sync</text>',
    ]
    for place, (title, top, courses) in enumerate(panels):
        parts += panel(TOP + place * (PANEL + GAP), title, top, courses, end_s)
    return "\n".join([*parts, "</svg>"]) + "\n"


def panel(y: int, title: str, top: float, courses: Sequence[tuple[Any, str]], end_s: float) -> list[str]:
    """Axes, numbers and courses."""
    bottom = y + PANEL
    parts = [
        f'<path d="M{LEFT} {y + 8}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="#999"/>',
        f'<text x="{LEFT + 4}" y="{y + 8}" fill="#444">{title}</text>',
        f'<text x="{LEFT - 6}" y="{y + 16}" text-anchor="end">{top:.3g}</text>',
        f'<text x="{LEFT - 6}" y="{bottom}" text-anchor="end">0</text>',
    ]
    marks = range(0, math.ceil(end_s) + 1, 60)
    parts += [
        f'<text x="{x_of(mark, end_s):.1f}" y="{bottom + 14}" text-anchor="middle">{mark}</text>'
        for mark in marks
    ]
    for course, colour in courses:
        path = ""
        for at_s, value in course:
            x, height = x_of(at_s, end_s), bottom - (PANEL - 16) * min(value, top) / top
            path += f"M{x:.1f} {height:.1f}" if not path else f"H{x:.1f}V{height:.1f}"
        line = f'd="{path}H{x_of(end_s, end_s):.1f}" fill="none" stroke="{colour}" opacity="0.75"'
        parts.append(f'<path {line} stroke-width="1.5"/>')
    return parts


def points(seconds: Sequence[float | None]) -> list[tuple[float, float]]:
    """One point for each second that has a value."""
    return [(float(second), value) for second, value in enumerate(seconds) if value is not None]


def x_of(at_s: float, end_s: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(at_s, end_s) / end_s
