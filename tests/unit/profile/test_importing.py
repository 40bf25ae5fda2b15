"""Figures of other tools become profiles, and every problem of their files is told with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.profile.document import dump_profile, parse_profile
from tonnage.profile.importing import profile_from_csv, profile_from_perf_analyzer
from tonnage.profile.parts import ModelProfile

PERF = (
    "Concurrency,Inferences/Second,Client Send,p50 latency,p90 latency,p95 latency,p99 latency\n"
    "4,2950.1,5,1280,1600,1800,2600\n1,820.5,4,1150,1300,1420,1900\n"
)


def from_csv(text: str, name: str = "ranker") -> ModelProfile:
    return profile_from_csv(text, source="f.csv", name=name, created="2026-01-01T00:00:00Z")


def from_perf(text: str) -> ModelProfile:
    return profile_from_perf_analyzer(text, source="f.csv", name="r", created="2026-01-01T00:00:00Z")


def problems(text: str, name: str = "ranker") -> list[str]:
    with pytest.raises(SpecError) as caught:
        from_csv(text, name)
    return [str(problem) for problem in caught.value.problems]


def test_samples_are_grouped_by_size_and_kept() -> None:
    """Rows of one size make one distribution, whatever their order and unit."""
    profile = from_csv("batch_size,milliseconds\n8,20\n1,4\n1,6\n")
    assert [batch.size for batch in profile.batches] == [1, 8]
    assert profile.batches[0].steady_s.samples == (0.004, 0.006)
    assert profile.batches[0].steady_s.mean == pytest.approx(0.005)
    assert profile.origin == "csv"


def test_summaries_have_the_quantiles_that_are_there() -> None:
    """One row a size, with a mean and any percentiles."""
    profile = from_csv("batch_size,mean_us,p50_us,p99.9_us\n1,100,90,400\n")
    steady = profile.batches[0].steady_s
    assert steady.mean == pytest.approx(1e-4)
    assert list(steady.quantiles) == ["p50", "p99.9"]


def test_a_curve_says_what_it_had_to_assume() -> None:
    """What the file does not tell is in the notes, and rates come out ascending."""
    profile = from_csv("rate_per_second,p50_ms,p99_ms\n200,6,30\n100,5,12\n")
    assert [point.rate_per_s for point in profile.curve] == [100, 200]
    assert any("median stands in" in note for note in profile.notes)
    assert any("failures are not in the file" in note for note in profile.notes)


def test_perf_analyzer_rates_are_what_was_achieved_in_a_closed_loop() -> None:
    """Concurrency is what is in flight, and the notes warn of the closed loop."""
    profile = from_perf(PERF)
    first = profile.curve[0]
    assert first.rate_per_s == first.achieved_per_s == 820.5
    assert first.in_flight is not None
    assert first.in_flight.mean == 1
    assert first.latency_s.at(99) == pytest.approx(1.9e-3)
    assert any("closed loop" in note for note in profile.notes)


def test_perf_analyzer_columns_of_later_versions_are_named_and_skipped() -> None:
    """An unknown column is no error there, since its columns grow with its options."""
    text = "Request Rate,Inferences/Second,p50 latency,p99 latency,Avg GPU Power\n10,9.9,1000,2000,70\n"
    profile = from_perf(text)
    assert profile.curve[0].rate_per_s == 10
    assert any('columns not read: "Avg GPU Power"' in note for note in profile.notes)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "f.csv: must hold a header and rows, got an empty file"),
        ("batch_size,seconds\n", "f.csv:1: must hold at least one row below its header, got none"),
        ("batch_size,seconds\n1,x\n", 'f.csv:2:2: seconds: must be a finite number, got "x"'),
        ("batch_size,seconds\n1,nan\n", 'f.csv:2:2: seconds: must be a finite number, got "nan"'),
        ("batch_size,seconds\n1,-1\n", 'f.csv:2:2: seconds: must be >= 0, got "-1"'),
        ("batch_size,seconds\n1.5,1\n", 'f.csv:2:1: batch_size: must be a whole number, got "1.5"'),
        ("batch_size,seconds\n0,1\n", 'f.csv:2:1: batch_size: must be >= 1, got "0"'),
        ("batch_size,seconds\n1\n", "f.csv:2:1: must have 2 cells as the header has, got 1"),
        (
            "batchsize,seconds\n1,1\n",
            'f.csv:1:1: must be a known column, got "batchsize"; did you mean "batch_size"?',
        ),
        (
            "batch_size,mean_seconds\n1,1\n1,2\n",
            "f.csv:3:1: batch_size: must be given once, got 1 again after line 2",
        ),
        (
            "rate_per_second,p50_s,p99_s\n1,3,2\n",
            "f.csv:2:3: p99_s: must be >= p50_s (3), got 2",
        ),
        (
            "rate_per_second,p50_s,p99_s\n0,1,2\n",
            'f.csv:2:1: rate_per_second: must be > 0, got "0"',
        ),
        (
            "batch_size,seconds,ms\n1,1,1\n",
            'f.csv:1:3: must be given once, got it beside "seconds"',
        ),
        (
            "rate_per_second,batch_size,p50_s,p99_s\n1,1,1,1\n",
            "f.csv:1:2: must not stand beside rate_per_second: a curve or service times",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, told: str) -> None:
    """A problem names the file, the line, the column, what must hold and what was found."""
    assert told in problems(text)


def test_all_problems_are_told_at_once() -> None:
    """The name, a header and two cells, in the file's order."""
    found = problems("batch_size,seconds,colour\n0,x,red\n", name=" ")
    assert len(found) == 4
    assert found[0].startswith("name: must not be empty")


def test_a_quote_that_never_ends_is_no_csv() -> None:
    """What the reader of CSV refuses is a problem of the document and no crash."""
    assert "must be CSV" in problems('batch_size,seconds\n1,"2\n')[0]


times = st.floats(0, 1e4, allow_nan=False)


@given(st.lists(st.tuples(st.integers(1, 64), times), min_size=1, max_size=60))
def test_samples_survive_the_way_into_a_document_and_back(rows: list[tuple[int, float]]) -> None:
    """Each size has as many samples as rows, the document reads back, and quantiles lie within the samples."""
    text = "batch_size,seconds\n" + "".join(f"{size},{time!r}\n" for size, time in rows)
    profile = parse_profile(dump_profile(from_csv(text)))
    for batch in profile.batches:
        own = [time for size, time in rows if size == batch.size]
        assert batch.steady_s.count == len(own)
        assert batch.steady_s.at(50) <= max(own) * (1 + 1e-5)
        assert batch.steady_s.at(50) >= min(own) * (1 - 1e-5)


@given(st.text(max_size=300))
def test_no_text_makes_it_crash(text: str) -> None:
    """Whatever is read is a profile, or problems."""
    for read in (from_csv, from_perf):
        try:
            read(text)
        except SpecError as error:
            assert error.problems
