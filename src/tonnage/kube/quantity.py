"""Kubernetes' ``resource.Quantity``, exactly: what ``100m``, ``4Gi`` and ``1e3`` mean to the API server.

A quantity is held as a whole number of nano-units, because nano is the finest step that Kubernetes
keeps; no float takes part anywhere. Text that is finer is rounded away from zero, as upstream does
("if you want some resources, you should get some resources").

Source: k8s.io/apimachinery v0.37, pkg/api/resource (quantity.go, suffix.go, amount.go). The test
beside this room compares us with a table that this Go code printed. Deviations, all on purpose:

- ``""``, ``+``, ``.``, ``m`` and other text without a digit is refused; Go reads it as zero.
- Exponents beyond +-400 and text beyond 256 characters are refused, so that a document cannot make
  us compute with millions of digits.
- ``Value`` and ``MilliValue`` never overflow. For negative amounts they round away from zero, as Go's
  fast path does; Go's slow path (more than 18 digits, binary fractions) rounds those towards zero.
- Beyond ``E`` the canonical form falls back to an exponent (``1000E`` is ``1e21``), as later releases
  do; v0.37 drops the exponent there.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final

_NANO: Final = 10**9
_INT64_MAX: Final = 2**63 - 1
_EXPONENT_MAX: Final = 400
_TEXT_MAX: Final = 256

_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_BY_EXPONENT: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_BY_EXPONENT: Final = {exponent: suffix for suffix, exponent in _BINARY.items()}

QUANTITY_PATTERN: Final = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?$"
"""What ``parse_quantity`` accepts, as a regular expression for JSON Schema."""

_TEXT: Final = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?"
    r"(?P<suffix>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?"
)


class QuantityFormat(enum.Enum):
    """How a quantity was written, and so how it is written back."""

    DECIMAL_SI = "DecimalSI"
    BINARY_SI = "BinarySI"
    DECIMAL_EXPONENT = "DecimalExponent"


class QuantityError(ValueError):
    """The text is no quantity; the message says what was expected."""


@total_ordering
@dataclass(frozen=True, slots=True, eq=False)
class Quantity:
    """An exact amount of a resource; equal and ordered by amount, whatever its format.

    Attributes:
        nano: The amount [1e-9 of the unit].
        format: The family of suffixes that ``str`` uses.
        written: The text it was parsed from, where upstream hands that text back unchanged.
    """

    nano: int
    format: QuantityFormat = QuantityFormat.DECIMAL_SI
    written: str | None = None

    @classmethod
    def of(cls, units: int) -> Quantity:
        """Makes a quantity of whole units, in decimal format."""
        return cls(units * _NANO)

    @classmethod
    def of_milli(cls, milli_units: int) -> Quantity:
        """Makes a quantity of thousandths, such as millicores, in decimal format."""
        return cls(milli_units * 10**6)

    @classmethod
    def of_bytes(cls, size_bytes: int) -> Quantity:
        """Makes a quantity of bytes, in binary format: 4294967296 is written ``4Gi``."""
        return cls(size_bytes * _NANO, QuantityFormat.BINARY_SI)

    @property
    def value(self) -> int:
        """Whole units, rounded away from zero: what Go's ``Value`` answers."""
        return _divide_away_from_zero(self.nano, _NANO)

    @property
    def milli_value(self) -> int:
        """Thousandths of a unit, rounded away from zero: what Go's ``MilliValue`` answers."""
        return _divide_away_from_zero(self.nano, 10**6)

    @property
    def is_whole(self) -> bool:
        """Whether there is no fraction of a unit."""
        return self.nano % _NANO == 0

    def __float__(self) -> float:
        """Returns the nearest float, for statistics and plots; never for what Kubernetes is told."""
        return self.nano / _NANO

    def __eq__(self, other: object) -> bool:
        return self.nano == other.nano if isinstance(other, Quantity) else NotImplemented

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __add__(self, other: Quantity) -> Quantity:
        """Adds; a sum with zero takes the other's format, as upstream does."""
        return Quantity(self.nano + other.nano, self.format if self.nano else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano - other.nano, self.format if self.nano else other.format)

    def __mul__(self, times: int) -> Quantity:
        return Quantity(self.nano * times, self.format)

    def __str__(self) -> str:
        """Writes the canonical form: no fraction, nothing lost, the largest suffix possible."""
        return self.written if self.written is not None else self.canonical()

    def canonical(self) -> str:
        """Writes the canonical form even where upstream keeps the text as it was written."""
        if self.nano == 0:
            return "0"
        if self.format is QuantityFormat.BINARY_SI and self.is_whole and abs(self.nano) >= 1024 * _NANO:
            return _in_base_1024(self.nano // _NANO)
        return _in_base_10(self.nano, exponent_form=self.format is QuantityFormat.DECIMAL_EXPONENT)


def _divide_away_from_zero(dividend: int, divisor: int) -> int:
    quotient = -(-abs(dividend) // divisor)
    return quotient if dividend >= 0 else -quotient


def _in_base_1024(units: int) -> str:
    exponent = 0
    while units % 1024 == 0 and exponent < 60:
        units //= 1024
        exponent += 10
    return f"{units}{_BINARY_BY_EXPONENT.get(exponent, '')}"


def _in_base_10(nano: int, *, exponent_form: bool) -> str:
    exponent = -9
    while nano % 1000 == 0:
        nano //= 1000
        exponent += 3
    if exponent_form or exponent not in _DECIMAL_BY_EXPONENT:
        return f"{nano}e{exponent}" if exponent else str(nano)
    return f"{nano}{_DECIMAL_BY_EXPONENT[exponent]}"


def parse_quantity(text: str) -> Quantity:
    """Reads a quantity as the API server does.

    Args:
        text: A signed decimal number with a suffix out of n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti,
            Pi, Ei, or with an exponent such as ``e3``.

    Returns:
        The exact amount; finer than nano is rounded away from zero, and a binary amount is capped at
        2**63 - 1, both as upstream does.

    Raises:
        QuantityError: The text is not of that form.
    """
    match = _TEXT.fullmatch(text) if len(text) <= _TEXT_MAX else None
    if match is None or not (match["whole"] or match["part"]):
        raise QuantityError("must be a quantity such as 2, 500m or 4Gi")
    suffix = match["suffix"] or ""
    part = match["part"] or ""
    # Without the leading zeros, as upstream counts digits to choose between its two paths.
    whole = match["whole"].lstrip("0") or "0"
    mantissa, base, exponent, form = int(whole + part), 10, 0, QuantityFormat.DECIMAL_SI
    if suffix in _BINARY:
        base, exponent, form = 2, _BINARY[suffix], QuantityFormat.BINARY_SI
    elif suffix in _DECIMAL:
        exponent = _DECIMAL[suffix]
    else:
        exponent, form = _exponent(suffix), QuantityFormat.DECIMAL_EXPONENT
    nano = _to_nano(mantissa, len(part), base, exponent)
    if form is QuantityFormat.BINARY_SI:
        nano = min(nano, _INT64_MAX * _NANO)
        if 0 < nano < _NANO:
            form = QuantityFormat.DECIMAL_SI
    written = text if nano and _is_kept_as_written(whole, part, form, exponent) else None
    return Quantity(-nano if match["sign"] == "-" else nano, form, written)


def _exponent(suffix: str) -> int:
    digits = suffix[1:].lstrip("+-").lstrip("0")
    if len(digits) > 3 or int(digits or "0") > _EXPONENT_MAX:
        raise QuantityError(f"must have an exponent from -{_EXPONENT_MAX} to {_EXPONENT_MAX}")
    return int(suffix[1:])


def _to_nano(mantissa: int, places: int, base: int, exponent: int) -> int:
    if base == 2:
        return _divide_away_from_zero((mantissa << exponent) * _NANO, 10**places)
    shift = exponent - places + 9
    return mantissa * 10**shift if shift >= 0 else _divide_away_from_zero(mantissa, 10**-shift)


def _is_kept_as_written(whole: str, part: str, form: QuantityFormat, exponent: int) -> bool:
    """Whether upstream's fast path keeps the text instead of making the canonical form.

    It does so for text that looks canonical at a glance; the glance overlooks a plus sign, leading
    zeros and some trailing ones, so ``1.500`` stays ``1.500``. We follow, because a difference in text
    would show as drift between what was applied and what the API server hands back.
    """
    if form is QuantityFormat.BINARY_SI:
        digits_left = 15 - len(whole) - exponent * 3 // 10 - 1
        return not part and digits_left >= 0 and int(whole) & 7 != 0
    digits = whole + part
    scale = exponent - len(part)
    return (
        len(digits) <= 18
        and scale >= -9
        and scale % 3 == 0
        and not digits.endswith("000")
        and not digits.startswith("0")
    )
