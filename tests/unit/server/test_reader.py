"""Bytes of a connection become the same requests however they are cut, and nonsense is refused."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.http.head import HeadTable, HttpError, parse_head
from tonnage.server.http.reader import RequestReader

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=10)


def chunked(body: bytes, cuts: list[int]) -> bytes:
    parts, at = [], 0
    for cut in cuts:
        piece = body[at : at + cut]
        if piece:
            parts.append(b"%x\r\n%b\r\n" % (len(piece), piece))
        at += cut
    if body[at:]:
        parts.append(b"%x;ext=1\r\n%b\r\n" % (len(body[at:]), body[at:]))
    return b"".join(parts) + b"0\r\n\r\n"


@st.composite
def requests(draw):
    """A valid request: (bytes, method, body)."""
    body = draw(st.binary(max_size=60))
    path = "/" + draw(TOKEN)
    lines = [f"host: {draw(TOKEN)}"] + [
        f"x-{draw(TOKEN)}: {draw(TOKEN)}" for _ in range(draw(st.integers(0, 3)))
    ]
    if draw(st.booleans()):
        lines.append("Transfer-Encoding: chunked")
        payload = chunked(body, draw(st.lists(st.integers(1, 20), max_size=4)))
    else:
        lines.append(f"Content-Length: {len(body)}")
        payload = body
    head = f"POST {path} HTTP/1.1\r\n" + "\r\n".join(draw(st.permutations(lines))) + "\r\n\r\n"
    return head.encode() + payload, path.encode(), body


def read(data: bytes, cuts: list[int], **limits: int) -> tuple[list[tuple[bytes, bytes]], HttpError | None]:
    reader = RequestReader(HeadTable(), limits.get("head", 4096), limits.get("body", 4096))
    got, at = [], 0
    for cut in [*cuts, len(data)]:
        if data[at : at + cut]:
            got += reader.feed(data[at : at + cut])
        at += cut
    return [(head.path, body) for head, body in got], reader.error


@given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(1, 30), max_size=30))
def test_cutting_does_not_matter(sent, cuts):
    """Pipelined requests are read whole and in order, however the bytes arrive."""
    data = b"".join(raw for raw, _, _ in sent)
    assert read(data, cuts) == ([(path, body) for _, path, body in sent], None)


@given(requests(), st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_what_h11_reads_is_read_alike_or_refused(sent, at, noise):
    """On damaged requests we never read another body than h11 does: equal, refused, or not yet whole."""
    raw = sent[0]
    data = raw[: at % len(raw)] + noise + raw[at % len(raw) + len(noise) :]
    ours, error = read(data, [])
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(data)
    body = b""
    try:
        event = peer.next_event()
        while not isinstance(event, h11.EndOfMessage):
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.Data):
                body += bytes(event.data)
            event = peer.next_event()
    except h11.RemoteProtocolError:
        return  # h11 is stricter in places, such as characters of a target
    assert error is not None or not ours or ours[0][1] == body


@given(st.binary(max_size=300), st.lists(st.integers(1, 30), max_size=10))
def test_any_bytes_are_survived(data, cuts):
    """Whatever arrives is a request, a refusal or the beginning of one, and never an exception."""
    _, error = read(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + data, cuts)
    assert error is None or 400 <= error.status < 600


SMUGGLED = [
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: +4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4,4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nab",
    b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabXX0\r\n\r\n",
    b"POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    b"GET / HTTP/2.0\r\nhost: a\r\n\r\n",
    b"GET /a\0b HTTP/1.1\r\nhost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
]


@pytest.mark.parametrize("data", SMUGGLED)
def test_ambiguous_requests_are_refused(data):
    """What proxies and servers could read differently ends the connection with an error."""
    got, error = read(data, [])
    assert not got
    assert error is not None
    assert 400 <= error.status < 600


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * 5000, 431),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1388\r\n", 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"a" * 300, 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 3000, 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\nexpect: a-pony\r\n\r\n", 417),
    ],
)
def test_limits_have_their_status(data, status):
    """Head, body, chunk line, trailer and expectation beyond the limits are refused by name."""
    for cuts in ([], [1] * len(data)):
        _, error = read(data, cuts)
        assert error is not None
        assert error.status == status


def test_a_known_head_does_not_lift_the_body_limit():
    """The table of known heads never lets a body through that the limit forbids."""
    heads = HeadTable()
    data = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n" + b"a" * 11
    for _ in range(3):
        reader = RequestReader(heads, 4096, 10)
        assert reader.feed(data) == []
        assert reader.error is not None


def test_targets_are_taken_apart():
    """Percent-encoding is undone in the path, the query is kept apart, an absolute form is accepted."""
    head = parse_head(b"GET http://h:1/a%20b?c=%20 HTTP/1.1\r\nhost: h\r\n\r\n")
    assert (head.path, head.query) == (b"/a b", b"c=%20")
