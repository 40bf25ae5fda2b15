"""Makes a ``ModelProfile`` of figures that another tool measured: text in, profile out.

An import knows little: no machine, no start-up, no memory. What it had to assume is in the profile's
notes rather than silently in its figures. Columns of our own form are checked as strictly as a document;
perf_analyzer's grow with its options and versions, so unknown ones are skipped there, and named.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, Literal

from tonnage.profile.load_parts import CurvePoint, InFlight
from tonnage.profile.part import Distribution
from tonnage.profile.parts import API_VERSION, KIND, Batch, Metadata, ModelIdentity, ModelProfile
from tonnage.profile.quantiles import percentile_name, percentile_of
from tonnage.profile.table import Field, Limits, Table, Values, shown

_UNITS: Final = {
    "seconds": 1.0,
    "s": 1.0,
    "milliseconds": 1e-3,
    "ms": 1e-3,
    "microseconds": 1e-6,
    "us": 1e-6,
}
_TIME: Final = re.compile(rf"(?:(mean|p[0-9]+(?:\.[0-9]+)?)_)?({'|'.join(_UNITS)})")
_LATENCY: Final = re.compile(r"(p[0-9]+(?:\.[0-9]+)?|avg) latency")
_PLAIN: Final = {
    name: Field(name)
    for name in ("batch_size", "rate_per_second", "achieved_per_second", "error_ratio")
}
_CSV_KNOWN: Final = (*_PLAIN, "seconds", "mean_seconds", *(f"p{n}_seconds" for n in (50, 90, 95, 99)))
_CURVE_ONLY: Final = frozenset({"rate_per_second", "achieved_per_second", "error_ratio"})

_COMPUTE: Final = ("server compute input", "server compute infer", "server compute output")
_PARTS: Final = ("client send", "network+server send/recv", "server queue", *_COMPUTE, "client recv")
_CACHE: Final = ("server cache hit", "server cache miss")
_RATES: Final = ("concurrency", "request rate", "inferences/second")
_PERF_KNOWN: Final = (*_RATES, *_PARTS, *_CACHE, *(f"p{n} latency" for n in (50, 90, 95, 99)), "avg latency")

_LIMITS: Final = {
    "batch_size": Limits(least=1, most=1e6, whole=True),
    "concurrency": Limits(least=1, most=1e6, whole=True),
    "rate_per_second": Limits(above=True),
    "request rate": Limits(above=True),
    "inferences/second": Limits(above=True),
    "error_ratio": Limits(most=1),
}


def profile_from_csv(text: str, *, source: str, name: str, created: str) -> ModelProfile:
    """Reads service times or a curve from CSV; its header row tells which.

    Service times are samples (``batch_size,seconds``, several rows for each size) or summaries
    (``batch_size,mean_seconds`` and any ``p<n>_seconds``, one row for each size). A curve has
    ``rate_per_second``, ``p50_seconds``, ``p99_seconds``, any further ``p<n>_seconds``, and may have
    ``achieved_per_second``, ``error_ratio`` and ``mean_seconds``. Instead of ``seconds`` a column may
    end in ``s``, ``milliseconds``, ``ms``, ``microseconds`` or ``us``.

    Args:
        text: At most 1 MiB and 10000 rows; at most 500 sizes or rates.
        source: The file's name in problems.
        name: The model's name, not empty.
        created: When it was measured or imported, RFC 3339 in UTC.

    Raises:
        SpecError: The text or the name is wrong; it holds every problem with its line and column.
    """
    table = Table(text, source=source, recognise=_csv_field)
    _check_name(table, name)
    table.refuse_unknown(_CSV_KNOWN)
    names = set(table.fields)
    if "rate_per_second" in names or ("batch_size" not in names and names & _CURVE_ONLY):
        for field in sorted(names & {"batch_size", "seconds"}):
            table.header_problem(field, "must not stand beside rate_per_second: a curve or service times")
        table.require("rate_per_second", _CSV_KNOWN)
        _require_percentiles(table, "p{}_seconds", _CSV_KNOWN)
        rows = _checked(table)
        table.close()
        curve, notes = _csv_curve(rows)
        return _profile("csv", name, created, curve=curve, notes=notes)
    for field in sorted(names & _CURVE_ONLY):
        table.header_problem(field, "must not stand beside batch_size: a curve or service times")
    table.require("batch_size", _CSV_KNOWN)
    raw = "seconds" in names
    summary = sorted(field for field in names if field == "mean" or _is_percentile(field))
    if raw:
        for field in summary:
            table.header_problem(field, "must not stand beside samples: samples or summaries")
    elif "mean" not in names:
        table.missing("mean_seconds", _CSV_KNOWN, instead="or seconds with one row for each sample")
    rows = _checked(table)
    batches = _samples(table, rows) if raw else _summaries(table, rows)
    table.close()
    return _profile("csv", name, created, batches=batches)


def profile_from_perf_analyzer(text: str, *, source: str, name: str, created: str) -> ModelProfile:
    """Reads the CSV that ``perf_analyzer -f`` writes: a curve with times in microseconds.

    With ``Concurrency`` first, a point's rate is the rate that was achieved, and its requests in flight
    are that concurrency; with ``Request Rate`` first, its rate is what was offered.

    Args:
        text: At most 1 MiB and 500 rows.
        source: The file's name in problems.
        name: The model's name, not empty.
        created: When it was measured or imported, RFC 3339 in UTC.

    Raises:
        SpecError: The text or the name is wrong; it holds every problem with its line and column.

    Source: "Visualizing Latency vs. Throughput" in the documentation of NVIDIA Triton's Performance
    Analyzer, and its report_writer.cc (client repository), which shows the optional columns, that times
    are whole microseconds, and that the parts of a latency add up to its mean.
    """
    table = Table(text, source=source, recognise=_perf_field)
    _check_name(table, name)
    closed = "concurrency" in table.fields
    if closed and "request rate" in table.fields:
        table.header_problem("request rate", "must not stand beside Concurrency")
    if not closed and "request rate" not in table.fields:
        table.missing("Concurrency", _PERF_KNOWN, instead="or Request Rate")
    table.require("inferences/second", _PERF_KNOWN, written="Inferences/Second")
    _require_percentiles(table, "p{} latency", _PERF_KNOWN)
    rows = _checked(table)
    table.close()
    curve = tuple(sorted((_perf_point(row, closed) for row in rows), key=_by_rate))
    return _profile("perf_analyzer", name, created, curve=curve, notes=_perf_notes(table, rows, closed))


def _csv_field(header: str) -> Field | None:
    if header in _PLAIN:
        return _PLAIN[header]
    found = _TIME.fullmatch(header)
    if found is None:
        return None
    name = found[1] or "seconds"
    if name not in ("mean", "seconds"):
        name = _percentile(name)
    return Field(name, _UNITS[found[2]]) if name else None


def _perf_field(header: str) -> Field | None:
    if header in _RATES:
        return Field(header)
    if header in _PARTS or header in _CACHE:
        return Field(header, 1e-6)
    found = _LATENCY.fullmatch(header)
    if found is None:
        return None
    name = "mean" if found[1] == "avg" else _percentile(found[1])
    return Field(name, 1e-6) if name else None


def _percentile(written: str) -> str:
    """The name that profiles use; empty where it is none, such as for ``p100``."""
    try:
        name = percentile_name(percentile_of(written))
        percentile_of(name)
    except ValueError:
        return ""
    return name


def _is_percentile(name: str) -> bool:
    return name[:1] == "p" and name[1:2].isdigit()


def _check_name(table: Table, name: str) -> None:
    if not name.strip():
        table.problem("name", f"must not be empty, got {shown(name)}")


def _require_percentiles(table: Table, form: str, known: Collection[str]) -> None:
    for percentile in (50, 99):
        table.require(f"p{percentile}", known, written=form.format(percentile))


def _checked(table: Table) -> list[Values]:
    """All rows whose cells hold, with percentiles that do not fall."""
    rows = [values for row in table.rows if (values := table.values(row, _LIMITS)) is not None]
    names = sorted(filter(_is_percentile, table.fields), key=percentile_of)
    for values in rows:
        for low, high in zip(names, names[1:], strict=False):
            if values[low] > values[high]:
                what = f"must be >= {table.written(low)} ({values.cell(low)})"
                table.problem_at(values.row, high, f"{what}, got {values.cell(high)}")
    return rows


def _samples(table: Table, rows: list[Values]) -> tuple[Batch, ...]:
    if not {"batch_size", "seconds"} <= set(table.fields):
        return ()
    by_size: dict[int, list[float]] = {}
    for values in rows:
        by_size.setdefault(int(values["batch_size"]), []).append(values["seconds"])
    table.bound("batch_size", len(by_size))
    return tuple(
        Batch(size=size, steady_s=Distribution.of(times, keep=True))
        for size, times in sorted(by_size.items())
    )


def _summaries(table: Table, rows: list[Values]) -> tuple[Batch, ...]:
    if not {"batch_size", "mean"} <= set(table.fields):
        return ()
    first: dict[int, Values] = {}
    for values in rows:
        size = int(values["batch_size"])
        seen = first.setdefault(size, values)
        if seen is not values:
            message = f"must be given once, got {size} again after line {seen.row.line}"
            table.problem_at(values.row, "batch_size", message)
    table.bound("batch_size", len(first))
    return tuple(
        Batch(size=size, steady_s=_distribution(values)) for size, values in sorted(first.items())
    )


def _distribution(values: Values, mean: float | None = None) -> Distribution:
    """What a row says of a time; the median stands in for a mean that nobody knows."""
    quantiles = {name: values[name] for name in values.names if _is_percentile(name)}
    known = mean if mean is not None else values.get("mean")
    return Distribution(mean=quantiles["p50"] if known is None else known, quantiles=quantiles)


def _csv_curve(rows: list[Values]) -> tuple[tuple[CurvePoint, ...], list[str]]:
    points: list[CurvePoint] = []
    for values in rows:
        rate, errors = values["rate_per_second"], values.get("error_ratio") or 0.0
        achieved = values.get("achieved_per_second")
        points.append(
            CurvePoint(
                purpose="import",
                rate_per_s=rate,
                achieved_per_s=rate * (1 - errors) if achieved is None else achieved,
                latency_s=_distribution(values),
                error_ratio=errors,
            )
        )
    notes: list[str] = []
    assumed = {
        "mean": "mean latency is not in the file; the median stands in for it",
        "error_ratio": "failures are not in the file; none are assumed",
        "achieved_per_second": "achieved rates are not in the file; all requests that did not fail count",
    }
    notes += [note for name, note in assumed.items() if name not in rows[0].names]
    return tuple(sorted(points, key=_by_rate)), notes


def _perf_point(values: Values, closed: bool) -> CurvePoint:
    achieved = values["inferences/second"]
    count = values["concurrency"] if closed else 0.0
    return CurvePoint(
        purpose="import",
        rate_per_s=achieved if closed else values["request rate"],
        achieved_per_s=achieved,
        latency_s=_distribution(values, _perf_mean(values)),
        error_ratio=0,
        in_flight=InFlight(mean=count, p99=count, max=count) if closed else None,
    )


def _perf_mean(values: Values) -> float | None:
    """The mean latency as written, or the sum of its parts where all are there."""
    if values.get("mean") is not None or not set(_PARTS) <= set(values.names):
        return values.get("mean")
    return sum(values.get(part) or 0.0 for part in (*_PARTS, *_CACHE))


def _perf_notes(table: Table, rows: list[Values], closed: bool) -> list[str]:
    notes: list[str] = []
    if closed:
        notes.append(
            "measured in a closed loop: each caller waits for its answer before it asks again, which hides "
            "the queueing that callers who do not wait for each other meet; rates are what was achieved"
        )
    else:
        notes.append("requests in flight are not in the file")
    notes.append(
        "the file counts inferences and no failures: one item in each request and no failures are assumed"
    )
    if _perf_mean(rows[0]) is None:
        notes.append("mean latency is not in the file; the median stands in for it")
    if set(_COMPUTE) <= set(rows[0].names):
        mean_s = sum(values[part] for values in rows for part in _COMPUTE) / len(rows)
        notes.append(
            f"the server computed for {mean_s * 1e3:.4g} ms on average over the rows (input, infer and "
            "output); batch sizes are not in the file, so no service times are made of it"
        )
    if table.unknown:
        notes.append(f"columns not read: {', '.join(shown(cell) for cell in table.unknown)}")
    return notes


def _by_rate(point: CurvePoint) -> tuple[float, float]:
    return point.rate_per_s, point.achieved_per_s


def _profile(
    origin: Literal["csv", "perf_analyzer"],
    name: str,
    created: str,
    *,
    batches: tuple[Batch, ...] = (),
    curve: tuple[CurvePoint, ...] = (),
    notes: Sequence[str] = (),
) -> ModelProfile:
    return ModelProfile(
        api_version=API_VERSION,
        kind=KIND,
        metadata=Metadata(name=name, created=created),
        origin=origin,
        model=ModelIdentity(name=name, batches=not batches or batches[-1].size > 1),
        batches=batches,
        curve=curve,
        notes=(
            "imported: machine, versions, start-up, memory and the server's own cost are unknown",
            *notes,
        ),
    )
