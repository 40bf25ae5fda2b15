"""The W3C header, word for word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.tracing import TraceContext, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{PARENT}-01"

_digits = "0123456789abcdef"


def _hex(length: int) -> st.SearchStrategy[str]:
    return st.text(_digits, min_size=length, max_size=length).filter(lambda text: text.strip("0"))


def _contexts() -> st.SearchStrategy[TraceContext]:
    return st.builds(TraceContext, st.integers(0, 254), _hex(32), _hex(16), st.integers(0, 255))


def test_the_specifications_example_is_read() -> None:
    """The example of the specification gives its four fields."""
    assert parse_traceparent(GOOD) == TraceContext(0, TRACE, PARENT, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "-",
        GOOD + "-extra",
        GOOD + " ",
        " " + GOOD,
        GOOD + "\n",
        GOOD.upper(),
        GOOD.replace("4bf", "4Bf"),
        GOOD.replace("-", "_"),
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"zz-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}a-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0x",
        f"00-{TRACE}-{PARENT}-.1",
        f"01-{TRACE}-{PARENT}-01.what",
        f"{GOOD}, {GOOD}",
        "00-٤bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
)
def test_what_is_not_exactly_a_header_is_invalid(text: str) -> None:
    """Anything off in version, lengths, case, separators or all-zero ids makes the header invalid."""
    assert parse_traceparent(text) is None


@pytest.mark.parametrize("more", ["", "-", "-later-00-fields"])
def test_a_later_version_is_read_as_far_as_it_is_known(more: str) -> None:
    """A version above 00 may have more behind a dash, which is not looked at."""
    context = parse_traceparent(f"cc-{TRACE}-{PARENT}-03{more}")
    assert context == TraceContext(0xCC, TRACE, PARENT, 3)


@pytest.mark.parametrize(
    ("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)]
)
def test_only_the_lowest_flag_says_sampled(flags: str, sampled: bool) -> None:
    """Flags other than the lowest bit do not decide about sampling."""
    context = parse_traceparent(f"00-{TRACE}-{PARENT}-{flags}")
    assert context is not None
    assert context.sampled is sampled


@given(_contexts())
def test_what_is_written_is_read_back(context: TraceContext) -> None:
    """A context's text form is read back as the same context."""
    assert parse_traceparent(str(context)) == context


@given(_contexts(), st.integers(0, 54), st.characters())
def test_one_wrong_character_is_never_read_as_something_else(
    context: TraceContext, at: int, character: str
) -> None:
    """Replacing one character gives either nothing or exactly the context that is then written there."""
    text = str(context)
    changed = text[:at] + character + text[at + 1 :]
    found = parse_traceparent(changed)
    assert found is None or str(found) == changed


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text raises."""
    found = parse_traceparent(text)
    assert found is None or text.startswith(str(found))
