"""Numbers and times of a run, written for people: the one way that verdicts, gates and pages write them."""

from __future__ import annotations

import math


def show_time(at_s: float) -> str:
    """Write a moment of a run as hours, minutes and seconds: 130.5 s is ``0:02:10.5``."""
    tenths = round(at_s * 10)
    whole, tenth = divmod(tenths, 10)
    text = f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{tenth}" if tenth else text


def show_span(length_s: float) -> str:
    """Write a length of time: ``38 s``, ``4.2 min``, ``1.5 h``; ``none`` for nan."""
    if not math.isfinite(length_s):
        return "none" if math.isnan(length_s) else "without end"
    for factor, unit in ((3600.0, "h"), (60.0, "min")):
        if length_s >= 2 * factor:
            return f"{length_s / factor:.3g} {unit}"
    return f"{length_s:.3g} s"


def show_latency(latency_s: float) -> str:
    """Write a latency with three figures: ``417 µs``, ``82.4 ms``, ``2.5 s``; ``none`` for nan."""
    if not math.isfinite(latency_s):
        return "none"
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        # Rounded first: 999.96 ms is 1 s.
        value = float(f"{latency_s * factor:.3g}")
        if value >= 1 or unit == "µs":
            return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
    return "none"


def show_number(value: float) -> str:
    """Write a number: whole ones with separators, others with three figures; ``none`` for nan."""
    if not math.isfinite(value):
        return "none"
    if value == round(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def show_ratio(ratio: float) -> str:
    """Write a share as a percentage, with enough figures to tell it from 0% and 100%."""
    if not math.isfinite(ratio):
        return "none"
    percent = ratio * 100
    if 0 < percent < 0.001:
        return "<0.001%"
    if 99.999 < percent < 100:
        return ">99.999%"
    return f"{percent:.3g}%" if percent < 99 else f"{percent:.6g}%"


def counted(count: int, noun: str) -> str:
    """Write a count with its noun: ``1 pod``, ``3 pods``, ``2 retries``."""
    if count == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {plural}"
