"""Go's arithmetic on fixed-width integers and doubles, where it differs from Python's.

The controller computes in int32, int64 and float64 and checks few of its overflows. What then happens is
part of its behaviour, so it is part of ours. A float that does not fit an integer becomes the smallest
integer, as the x86-64 build does; Go leaves that to the machine, and an arm64 build saturates instead.

Source: the Go language specification, "Integer overflow" and "Conversions"; seen in the compiled oracle.
"""

from __future__ import annotations

import math
from typing import Final

INT32_MAX: Final = 2**31 - 1
INT32_MIN: Final = -(2**31)
INT64_MAX: Final = 2**63 - 1
INT64_MIN: Final = -(2**63)


def wrapped32(number: int) -> int:
    """Returns the number as int32 arithmetic would have it: modulo 2**32."""
    return (number + 2**31) % 2**32 - 2**31


def wrapped64(number: int) -> int:
    """Returns the number as int64 arithmetic would have it: modulo 2**64."""
    return (number + 2**63) % 2**64 - 2**63


def truncated32(number: float) -> int:
    """Converts as ``int32(f)`` does on x86-64: the fraction is cut, what does not fit is the minimum."""
    return int(number) if INT32_MIN - 1 < number < INT32_MAX + 1 else INT32_MIN


def truncated64(number: float) -> int:
    """Converts as ``int64(f)`` does on x86-64: the fraction is cut, what does not fit is the minimum."""
    return int(number) if INT64_MIN <= number < INT64_MAX + 1 else INT64_MIN


def ceiled(number: float) -> float:
    """Rounds up as ``math.Ceil`` does: a double again, infinities and NaN as they are."""
    return float(math.ceil(number)) if math.isfinite(number) else number


def quotient(dividend: float, divisor: float) -> float:
    """Divides doubles as IEEE 754 does: by zero there is an infinity or NaN."""
    if divisor:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def divided(dividend: int, divisor: int) -> int:
    """Divides int64 as Go does: towards zero.

    Args:
        dividend: Within int64.
        divisor: Not 0.
    """
    magnitude = abs(dividend) // abs(divisor)
    return wrapped64(magnitude if (dividend < 0) == (divisor < 0) else -magnitude)
