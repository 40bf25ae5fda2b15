"""Framing in the corners: every file of the corpus at every cut, proxies' disagreements, other parsers."""

from __future__ import annotations

from pathlib import Path

import h11
import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.http.head import CACHED_HEADS_MAX, Head, HeadTable, HttpError, parse_head
from tonnage.server.http.reader import TRAILER_BYTES_MAX, RequestReader

CORPUS = sorted((Path(__file__).parents[2] / "integration" / "server" / "corpus").glob("*.http"))
POST = b"POST / HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"


def read(data: bytes, cuts: tuple[int, ...] = ()) -> tuple[list[tuple[Head, bytes]], tuple[int, str] | None]:
    """Everything that one connection gives for ``data`` cut at ``cuts``."""
    reader = RequestReader(HeadTable(), 1024, 4096)
    got = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        if start < end:
            got += reader.feed(data[start:end])
    return got, reader.error and (reader.error.status, reader.error.message)


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_every_cut_reads_the_same(file):
    """Cut in two at any place, or into single bytes, a file gives the same requests and the same error."""
    data = file.read_bytes()
    whole = read(data)
    for at in range(1, len(data)):
        assert read(data, (at,)) == whole, at
    assert read(data, tuple(range(1, len(data)))) == whole


@pytest.mark.parametrize("file", CORPUS, ids=lambda file: file.stem)
def test_the_corpus_is_judged_by_its_names(file):
    """A file named good-… is read whole; one named bad-… is refused with the status in its name."""
    got, error = read(file.read_bytes())
    kind, _, rest = file.stem.partition("-")
    if kind == "good":
        assert error is None
        assert len(got) == int(rest.partition("-")[0])
    else:
        assert error is not None
        assert error[0] == int(rest.partition("-")[0])


def of_h11(data: bytes) -> list[bytes]:
    """Bodies of the whole requests that h11 finds before it gives up."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
    connection.receive_data(data)
    bodies, body = [], b""
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError:
            return bodies
        if isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            bodies.append(body)
            body = b""
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return bodies
            connection.start_next_cycle()
        elif event is h11.NEED_DATA or event is h11.PAUSED:
            return bodies


class Collected:
    """Bodies as llhttp itself frames them."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.body = b""

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.bodies.append(self.body)
        self.body = b""


def of_httptools(data: bytes) -> list[bytes]:
    collected = Collected()
    try:
        httptools.HttpRequestParser(collected).feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        pass
    return collected.bodies


PIECES = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b" ", b"\t", b"0", b"5", b";", b":", b",", b"-", b"+", b"chunked", b"identity",
     b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"content-length", b"\0", b"\x0b", b"x"]
)  # fmt: skip
SEEDS = [
    POST + b"content-length: 5\r\n\r\nhello" + POST + b"content-length: 3\r\n\r\nabc",
    CHUNKED + b"5\r\nhello\r\n3;e=1\r\nabc\r\n0\r\nt: u\r\n\r\n" + POST + b"content-length: 2\r\n\r\nok",
]


@st.composite
def mutated(draw):
    """A valid pair of requests with pieces put in, taken out or doubled."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        piece = draw(PIECES)
        data = data[:at] + piece + data[at + draw(st.integers(0, 3)) :]
    return data


@given(mutated())
def test_mutations_are_never_read_as_another_body(data):
    """Every request that we and another parser both read has the same body; else we refuse or wait.

    Known differences, all on the strict side: we refuse bare LF, obs-fold, control characters in
    header values and any CR or LF in a chunk's extension or in a trailer. h11 and llhttp are the
    oracles for what remains. h11 takes header lines that end with a bare LF, where we refuse.
    """
    got, _ = read(data)
    ours = [body for _, body in got]
    theirs, llhttp = of_h11(data), of_httptools(data)
    for mine, other in zip(ours, theirs, strict=False):
        assert mine == other
    for mine, other in zip(ours, llhttp, strict=False):
        assert mine == other


class TestChunks:
    """Chunked bodies, where proxies and servers disagree most."""

    @pytest.mark.parametrize(
        "line", [b"-1", b"+5", b"0x5", b"5 5", b"", b" 5", b"\xb2", b"1_0", b"f" * 16, b";a=b"]
    )
    def test_a_size_is_only_hexadecimal_digits(self, line):
        """Signs, prefixes, spaces, separators and sizes beyond any limit are refused."""
        assert read(CHUNKED + line + b"\r\nhello\r\n0\r\n\r\n")[1] is not None

    @pytest.mark.parametrize("extension", [b";a\nb", b";\n", b";a\rb"])
    def test_line_ends_hide_in_no_extension(self, extension):
        """A CR or LF inside a chunk's extension, at which some proxies end the line, is refused."""
        _, error = read(CHUNKED + b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
        assert error == (400, "chunk size: must end with CRLF and hold no other CR or LF")

    def test_line_ends_hide_in_no_trailer(self):
        """A bare LF in a trailer, after which some proxies see the end of the message, is refused."""
        _, error = read(CHUNKED + b"0\r\nx: a\n\r\nGET /admin HTTP/1.1\r\nhost: x\r\n\r\n")
        assert error == (400, "trailer: must end with CRLF and hold no other CR or LF")

    def test_data_must_end_where_its_size_says(self):
        """A chunk longer or shorter than its size is refused."""
        for data in (b"3\r\nhello\r\n", b"6\r\nhello\r\n0\r\n\r\n"):
            assert read(CHUNKED + data)[1] == (400, "chunk: must end with CRLF after its data")

    def test_tiny_chunks_cost_no_object_each(self):
        """A body of single-byte chunks is kept as one growing array."""
        reader = RequestReader(HeadTable(), 1024, 1 << 20)
        reader.feed(CHUNKED + b"1\r\na\r\n" * 10_000)
        assert len(reader._body) == 1
        ((_, body),) = reader.feed(b"0\r\n\r\n")
        assert body == b"a" * 10_000
        assert type(body) is bytes

    def test_trailers_are_bounded(self):
        """Trailers within the limit are dropped, beyond it the request is refused."""
        line = b"x: " + b"a" * 96 + b"\r\n"
        few, many = TRAILER_BYTES_MAX // 200, TRAILER_BYTES_MAX // 50
        assert len(read(CHUNKED + b"0\r\n" + line * few + b"\r\n")[0]) == 1
        assert read(CHUNKED + b"0\r\n" + line * many + b"\r\n")[1] is not None


class TestHeads:
    """Request lines and headers."""

    def test_space_behind_a_value_is_not_part_of_it(self):
        """Optional white space on both sides of a value is taken off (RFC 9112, 5.1)."""
        head = parse_head(POST + b"content-length: \t 5 \t\r\nexpect: 100-continue \r\nx: a b \r\n\r\n")
        assert head.content_length == 5
        assert head.expect_continue
        assert head.headers[b"x"] == b"a b"

    def test_only_http_is_spoken(self):
        """RTSP, which llhttp reads as well, is refused."""
        with pytest.raises(HttpError, match=r"must end with HTTP/1\.0 or HTTP/1\.1"):
            parse_head(b"GET / RTSP/1.0\r\n\r\n")

    @pytest.mark.parametrize(
        ("line", "status"),
        [
            (b"FOO / HTTP/1.1", 501),
            (b"get / HTTP/1.1", 501),
            (b" GET / HTTP/1.1", 400),
            (b"\nGET / HTTP/1.1", 400),
            (b"G(T / HTTP/1.1", 400),
            (b"GET  / HTTP/1.1", 400),
            (b"GET /  HTTP/1.1", 400),
            (b"GET\t/ HTTP/1.1", 400),
            (b"GET / HTTP/1.1 ", 400),
            (b"GET /a b HTTP/1.1", 400),
        ],
    )
    def test_request_lines_have_one_form(self, line, status):
        """A method that is none of HTTP's is 501; other spaces, tabs and line ends than the form's are 400."""
        with pytest.raises(HttpError) as caught:
            parse_head(line + b"\r\nhost: x\r\n\r\n")
        assert caught.value.status == status

    @pytest.mark.parametrize("host", [b"", b"x", b"a.b:80", b"[::1]:8080", b"a_b"])
    def test_a_host_is_a_host(self, host):
        """Names, addresses and ports are read, also an empty host."""
        assert parse_head(b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n\r\n").headers[b"host"] == host

    @pytest.mark.parametrize("host", [b"a b", b"a/b", b"u@h", b"a\tb", b"\xff", b"a?b", b'"a"'])
    def test_a_false_host_is_refused(self, host):
        """What cannot be a host, by which proxies may route elsewhere, is refused (RFC 9112, 3.2)."""
        with pytest.raises(HttpError, match="header host: must be a host"):
            parse_head(b"GET / HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")

    def test_http_1_0_is_never_told_to_continue(self):
        """An expectation of an HTTP/1.0 client is ignored (RFC 9110, 10.1.1)."""
        head = parse_head(b"POST / HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n")
        assert not head.expect_continue

    @pytest.mark.parametrize(
        ("head", "keep"),
        [
            (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", True),
            (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: foo, Close\r\n\r\n", False),
            (b"GET / HTTP/1.1\r\nhost: x\r\nconnection: foo\r\nconnection: close\r\n\r\n", False),
            (b"GET / HTTP/1.0\r\n\r\n", False),
            (b"GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", True),
        ],
    )
    def test_who_may_keep_the_connection(self, head, keep):
        """HTTP/1.1 keeps it unless told to close, HTTP/1.0 closes it unless told to keep."""
        assert parse_head(head).keep_alive is keep

    def test_a_slash_behind_the_infer_path_is_forgiven(self):
        """POST /infer/ is inference, as GET /health/ is health."""
        assert parse_head(b"POST /m/infer/ HTTP/1.1\r\nhost: x\r\n\r\n", {b"/m/infer"}).infer

    def test_the_table_of_heads_is_bounded(self):
        """Clients that never repeat a head do not fill the memory."""
        table = HeadTable()
        for number in range(3 * CACHED_HEADS_MAX):
            table.parse(b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n" % number)
        assert len(table._table) <= CACHED_HEADS_MAX
        big = b"GET / HTTP/1.1\r\nhost: x\r\ny: " + b"a" * 4000 + b"\r\n\r\n"
        table.parse(big)
        assert table.get(big) is None

    def test_a_wrong_head_is_not_remembered(self):
        """A refused head is refused each time."""
        table = HeadTable()
        for _ in range(2):
            with pytest.raises(HttpError):
                table.parse(b"GET / HTTP/1.1\r\n\r\n")
