"""Lines of logs: read, ordered, and let through once."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tonnage.cluster.lines import (
    LINE_BYTES_MAX,
    LogLine,
    Unseen,
    full_time,
    merged,
    split_lines,
    time_ns,
    time_text,
)


async def stream(items):
    for one in items:
        yield one


def collect(source):
    async def run():
        return [one async for one in source]

    return asyncio.run(run())


def test_times_are_read_to_the_nanosecond_in_any_zone():
    assert time_ns("1970-01-01T00:00:01.000000002Z") == 1_000_000_002
    assert time_ns("1970-01-01T01:00:01.5+01:00") == 1_500_000_000
    assert time_ns("1970-01-01T00:00:01Z") == 1_000_000_000


def test_what_is_no_time_is_none():
    assert [time_ns(text) for text in ("", "loss", "2026-13-01T00:00:00Z", "12:00")] == [None] * 4


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_a_time_as_the_api_takes_it_is_the_second_in_which_it_lies(stamp_ns):
    assert time_ns(time_text(stamp_ns)) == stamp_ns // 10**9 * 10**9
    assert time_ns(full_time(stamp_ns)) == stamp_ns // 10**6 * 10**6


@given(st.lists(st.text(alphabet=st.characters(blacklist_characters="\n", codec="utf-8"))), st.integers(1, 7))
def test_lines_do_not_depend_on_where_a_stream_is_cut(lines, size):
    data = "\n".join(lines).encode()
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    expected = lines[:-1] if lines and lines[-1] == "" else lines
    assert collect(split_lines(stream(parts))) == expected


def test_a_progress_bar_is_one_line():
    assert collect(split_lines(stream([b"1%\r2%\r3%\ndone\n"]))) == ["1%\r2%\r3%", "done"]


def test_a_line_without_end_comes_in_parts():
    data = b"x" * (2 * LINE_BYTES_MAX + 5)
    assert [len(one) for one in collect(split_lines(stream([data])))] == [LINE_BYTES_MAX, LINE_BYTES_MAX, 5]


LOGS = st.lists(st.lists(st.integers(0, 20), max_size=8).map(sorted), max_size=5)


@given(LOGS)
def test_merged_lines_are_in_order_of_time_and_complete(times):
    logs = [[LogLine(t, f"w{i}", f"{n}") for n, t in enumerate(one)] for i, one in enumerate(times)]
    found = collect(merged([stream(one) for one in logs]))
    assert [one.time_ns for one in found] == sorted(one.time_ns for one in found)
    for i, one in enumerate(logs):
        assert [line for line in found if line.source == f"w{i}"] == one


@given(st.lists(st.integers(0, 6), max_size=12).map(sorted), st.data())
def test_each_line_passes_once_however_often_a_log_is_read_again(times, data):
    """A broken stream is asked for again from the second of the last line that was seen."""
    log = [LogLine(t, "w", text) for t, text in zip(times, data.draw(st.lists(st.sampled_from("ab"), min_size=12)), strict=False)]
    unseen, passed, at = Unseen(), [], 0
    for _ in range(data.draw(st.integers(1, 4))):
        unseen.begin()
        end = data.draw(st.integers(at, len(log)))
        again = [line for line in log[:end] if line.time_ns >= unseen.last_ns]
        passed += [line for line in again if unseen.passes(line)]
        at = end
    assert passed == log[:at]
