"""A CSV file as checked numbers: which column is what, and every cell that is wrong with its place.

Whoever reads a table says which headers it knows and what their numbers must be; the table finds all that
is wrong with the file before any of it is used, and raises it in one go.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from tonnage.errors import Problem, SpecError

BYTES_MAX: Final = 1024 * 1024
ROWS_MAX: Final = 10_000
GROUPS_MAX: Final = 500
"""Sizes or rates at most; more would be no table that somebody measured."""
PROBLEMS_MAX: Final = 50
_SHOWN_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Field:
    """What a column holds.

    Attributes:
        name: Its name for whoever reads the table.
        factor: What its numbers are multiplied by to come to our unit.
    """

    name: str
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number must be, before its factor.

    Attributes:
        least: Not below.
        most: Not above.
        above: Whether ``least`` itself is refused.
        whole: Whether it must be whole.
    """

    least: float = 0.0
    most: float = math.inf
    above: bool = False
    whole: bool = False

    def broken(self, value: float) -> str | None:
        """What must hold and does not, such as ``must be > 0``; None when all holds."""
        if self.whole and value != math.floor(value):
            return "must be a whole number"
        if value < self.least or (self.above and value == self.least):
            return f"must be {'>' if self.above else '>='} {self.least:g}"
        return f"must be <= {self.most:g}" if value > self.most else None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of cells.

    Attributes:
        line: Where it ends in the file, from 1.
        cells: As they are written, without space around them.
    """

    line: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Values:
    """The numbers of one row by field, in our units."""

    row: Row
    numbers: Mapping[str, float]
    columns: Mapping[str, int]

    @property
    def names(self) -> Collection[str]:
        """The fields that the table has."""
        return self.numbers.keys()

    def __getitem__(self, name: str) -> float:
        return self.numbers[name]

    def get(self, name: str) -> float | None:
        """The number, or None where the table has no such column."""
        return self.numbers.get(name)

    def cell(self, name: str) -> str:
        """As it is written."""
        return self.row.cells[self.columns[name]]


class Table:
    """A table and what is wrong with it.

    Args:
        text: CSV with a header row; empty lines and lines that start with ``#`` are skipped.
        source: The file's name in problems.
        recognise: Header, in lower case, to its field; None for an unknown one.

    Attributes:
        fields: Field name to column.
        unknown: Headers that are not recognised.
        rows: All rows with as many cells as there are headers.
    """

    def __init__(self, text: str, *, source: str, recognise: Callable[[str], Field | None]) -> None:
        self._source = source
        self._problems: list[Problem] = []
        self._factors: list[float] = []
        self.fields: dict[str, int] = {}
        self.unknown: list[str] = []
        self.rows: list[Row] = []
        self._header: Row = Row(1, ())
        lines = self._read(text)
        if lines:
            self._header, *rest = lines
            self._recognise(recognise)
            self._take(rest)

    def _read(self, text: str) -> list[Row]:
        if len(text.encode("utf-8", "replace")) > BYTES_MAX:
            self._add("", f"must be at most {BYTES_MAX} bytes, got more", None, None)
            return []
        # each reader line is a file line, so that a row is named by where it ends
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows: list[Row] = []
        try:
            for cells in reader:
                stripped = tuple(cell.strip() for cell in cells)
                if any(stripped) and not stripped[0].startswith("#"):
                    rows.append(Row(reader.line_num, stripped))
        except csv.Error as error:
            self._add("", f"must be CSV, got {error}", reader.line_num, None)
            return []
        if not rows:
            self._add("", "must hold a header and rows, got an empty file", None, None)
        return rows

    def _recognise(self, recognise: Callable[[str], Field | None]) -> None:
        for column, header in enumerate(self._header.cells):
            field = recognise(header.casefold())
            self._factors.append(field.factor if field else 1.0)
            if field is None:
                self.unknown.append(header)
            elif field.name in self.fields:
                before = self._header.cells[self.fields[field.name]]
                self._at(self._header, column, f"must be given once, got it beside {shown(before)}")
            else:
                self.fields[field.name] = column

    def _take(self, rows: list[Row]) -> None:
        count = len(self._header.cells)
        if not rows:
            self._add("", "must hold at least one row below its header, got none", self._header.line, None)
        if len(rows) > ROWS_MAX:
            self._add("", f"must hold at most {ROWS_MAX} rows, got {len(rows)}", None, None)
            return
        for row in rows:
            if len(row.cells) == count:
                self.rows.append(row)
            else:
                self._add("", f"must have {count} cells as the header has, got {len(row.cells)}", row.line, 1)

    def written(self, name: str) -> str:
        """A field's header as the file has it."""
        return self._header.cells[self.fields[name]]

    def require(self, name: str, known: Collection[str], *, written: str | None = None) -> None:
        """Note a problem unless the table has a field.

        Args:
            name: The field.
            known: Headers that could have been meant.
            written: Its header, where that is not its name.
        """
        if name not in self.fields:
            self.missing(written or name, known)

    def missing(self, written: str, known: Collection[str], *, instead: str = "") -> None:
        """Note that a column is missing, with what would do instead; not where no header could be read."""
        if not self._header.cells:
            return
        meant = [written.casefold()]
        near = [one for one in self.unknown if difflib.get_close_matches(one.casefold(), meant)]
        message = f"must have a column {written}" + (f" {instead}" if instead else "")
        got = ", ".join(shown(cell) for cell in self._header.cells)
        hint = f"is {shown(near[0])} meant to be it?" if near and near[0] not in known else None
        self._add("", f"{message}, got {got}", self._header.line, None, hint)

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Note each header that is not recognised."""
        for column, header in enumerate(self._header.cells):
            if header in self.unknown:
                near = difflib.get_close_matches(header.casefold(), known, n=1)
                hint = f'did you mean "{near[0]}"?' if near else None
                self._at(self._header, column, f"must be a known column, got {shown(header)}", hint)

    def header_problem(self, name: str, message: str) -> None:
        """Note what is wrong with a column that stands in the table."""
        self._at(self._header, self.fields[name], message)

    def problem(self, path: str, message: str) -> None:
        """Note what is wrong with something that is not in the table."""
        self._problems.append(Problem(path, message))

    def problem_at(self, row: Row, name: str, message: str) -> None:
        """Note what is wrong with a cell."""
        self._at(row, self.fields[name], message)

    def values(self, row: Row, limits: Mapping[str, Limits]) -> Values | None:
        """The numbers of a row; None, with problems noted, when a cell is wrong.

        Args:
            row: One of ``rows``.
            limits: By field; a field without an entry must be finite and >= 0.
        """
        numbers: dict[str, float] = {}
        for name, column in self.fields.items():
            cell = row.cells[column]
            try:
                value = float(cell)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                self._at(row, column, f"must be a finite number, got {shown(cell)}")
                continue
            broken = limits.get(name, Limits()).broken(value)
            if broken is not None:
                self._at(row, column, f"{broken}, got {shown(cell)}")
                continue
            numbers[name] = value * self._factors[column]
        return Values(row, numbers, self.fields) if len(numbers) == len(self.fields) else None

    def bound(self, name: str, count: int) -> None:
        """Note a problem when there are too many different values of a field."""
        if count > GROUPS_MAX:
            self.header_problem(name, f"must have at most {GROUPS_MAX} different values, got {count}")

    def close(self) -> None:
        """Raise what was noted.

        Raises:
            SpecError: There was something; in the file's order.
        """
        if self._problems:
            order = sorted(self._problems, key=lambda one: (one.line or 0, one.column or 0))
            raise SpecError(order[:PROBLEMS_MAX])

    def _at(self, row: Row, column: int, message: str, hint: str | None = None) -> None:
        header = self._header.cells[column]
        self._add("" if row is self._header else header, message, row.line, column + 1, hint)

    def _add(
        self, path: str, message: str, line: int | None, column: int | None, hint: str | None = None
    ) -> None:
        self._problems.append(Problem(path, message, self._source, line, column, hint))


def shown(text: str) -> str:
    """A cell in a message, quoted and not longer than a few words."""
    return f'"{text}"' if len(text) <= _SHOWN_MAX else f'"{text[: _SHOWN_MAX - 3]}..."'
