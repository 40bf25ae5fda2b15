"""Numbers as people read them: three digits and a unit that fits."""

from __future__ import annotations

import math
from typing import Final

_UNITS: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns"))
_LONG_S: Final = 120.0


def duration(seconds: float) -> str:
    """``12.5ms`` for 0.0125 and ``5m`` for 300; what is infinite is ``never``."""
    if math.isinf(seconds):
        return "never"
    if seconds == 0:
        return "0s"
    if seconds >= _LONG_S:
        return f"{seconds / 60:.3g}m"
    for unit_s, name in _UNITS:
        if seconds >= unit_s * (1 - 5e-4):
            return f"{number(seconds / unit_s)}{name}"
    return f"{seconds / 1e-9:.3g}ns"


def number(value: float) -> str:
    """Three significant digits, and all digits of what is whole and larger."""
    if math.isinf(value):
        return "unbounded"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def rate(per_s: float) -> str:
    """``1,250 requests/s``."""
    return f"{number(per_s)} requests/s"


def percent(share: float) -> str:
    """``20%`` for 0.2."""
    return f"{100 * share:.3g}%"


def money(amount: float, currency: str) -> str:
    """``1,234 USD``; small amounts keep their cents, and what is below one keeps three digits."""
    if amount >= 100:
        return f"{amount:,.0f} {currency}"
    return f"{amount:.2f} {currency}" if amount >= 1 else f"{amount:.3g} {currency}"
