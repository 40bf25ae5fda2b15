"""Pages of servers are read as Prometheus' own client reads them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tonnage.metrics_api.page import BadPage, bound_of, read_page

NAME = st.from_regex(r"[a-z_:][a-z0-9_:]{0,6}", fullmatch=True)
LABEL = st.from_regex(r"[a-z_][a-z0-9_]{0,4}", fullmatch=True)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]) | st.sampled_from('\\"\n {},=#'), max_size=8)
NUMBER = st.floats() | st.integers(-(10**9), 10**9)
SERIES = st.tuples(NAME, st.dictionaries(LABEL, TEXT, max_size=3), NUMBER)


def line(name, labels, value, spaces=" ") -> str:
    def quoted(text: str) -> str:
        return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")

    inner = ",".join(f'{key}="{quoted(text)}"' for key, text in labels.items())
    said = "NaN" if math.isnan(value) else "+Inf" if value == math.inf else "-Inf" if value == -math.inf else repr(value)
    return f"{name}{'{' + inner + '}' if labels else ''}{spaces}{said}"


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(st.lists(SERIES, max_size=12), st.sampled_from([" ", "  ", "\t"]))
def test_random_pages_are_read_as_prometheus_client_reads_them(series, spaces):
    """Any page that is well written gives the same series, labels and values."""
    text = "".join(line(*one, spaces) + "\n" for one in series)
    wanted = {name for name, _, _ in series}
    got = read_page(text.encode(), wanted)
    expected = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    assert sum(map(len, got.values())) == len(expected)
    for name in wanted:
        of_name = [sample for sample in expected if sample.name == name]
        assert len(got[name]) == len(of_name)
        for mine, sample in zip(got[name], of_name, strict=True):
            assert mine.labels == sample.labels
            assert same(mine.value, sample.value)


@given(st.binary(max_size=200), st.binary(max_size=30))
def test_no_bytes_break_it(noise, rest):
    """Whatever follows a wanted name is read or refused, and never anything else."""
    for text in (noise, b"m" + rest, b"m{" + rest, b"x 1\nm " + rest + b"\n" + noise):
        try:
            read_page(text, ["m"])
        except BadPage:
            pass


@pytest.mark.parametrize(
    "text",
    ['m{a="b"c="d"} 1', "m one", "m 1 2 3", 'm{a="b} 1', 'm{a=b} 1', "m 1_000", "m"[:1] + "{} ", 'm{9="b"} 1'],
)
def test_what_is_not_of_the_format_is_refused(text):
    """A line of a wanted metric that cannot be read refuses the page; it is never guessed."""
    with pytest.raises(BadPage):
        read_page(text.encode(), ["m"])


def test_longer_names_comments_and_exemplars_are_told_apart():
    """A name that goes on is another metric; timestamps and exemplars are read over."""
    text = b'# HELP m x\n# TYPE m counter\nm_total 1\nm{a="1"} 2 1700000000000\nm{a="2"} 3 # {t="x"} 0.5\r\nmm 9'
    assert [one.value for one in read_page(text, ["m"])["m"]] == [2, 3]


def test_too_many_series_are_refused():
    """A page cannot take all of the memory."""
    with pytest.raises(BadPage, match="at most"):
        read_page(b"m 1\n" * 20_001, ["m"])


@pytest.mark.parametrize("text", ["", "x", "NaN"])
def test_a_bound_is_a_number(text):
    """A label le that is no number refuses the page."""
    with pytest.raises(BadPage):
        bound_of(text)
