"""A corpus of requests, and what chance makes of them, against a live server.

The fuzzer makes the same requests each time. ``TONNAGE_FUZZ_S`` lets it run for so many seconds instead,
and ``TONNAGE_FUZZ_SEED`` gives it another seed; ``random`` takes a new one and tells it where it fails.
"""

from __future__ import annotations

import os
import random
import socket
import time
from pathlib import Path

import h11
import pytest

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.http"))
ROUNDS = 5000
STATUSES = {200, 400, 404, 405, 408, 413, 415, 417, 431, 501, 503, 505}
"""What a healthy server may answer to anything; 500 is not among them."""


def exchange(port: int, pieces: list[bytes]) -> bytes:
    """Send the pieces, end the sending side, and read until the server closes."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(1 << 16):
                got += piece
        except TimeoutError:
            raise
        except OSError:
            pass  # closed while we were sending: what follows a refusal is not read for ever
    return got


def statuses(answers: bytes) -> list[int]:
    """Status of each answer; whatever is not HTTP fails the test. Answers to HEAD have no body."""
    found = []
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"  # may be all there is, when the body then never came
    while answers := answers.removeprefix(interim):
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        head = b"content-length" in answers and _head_only(answers)
        connection.send(h11.Request(method="HEAD" if head else "GET", target="/", headers=[("host", "x")]))
        connection.send(h11.EndOfMessage())
        connection.receive_data(answers)
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            assert event is not h11.NEED_DATA, f"cut short: {answers[:200]!r}"
            if isinstance(event, h11.Response):
                found.append(event.status_code)
        answers = connection.trailing_data[0]
    return found


def _head_only(answers: bytes) -> bool:
    """Whether nothing, or another answer, follows the first head at once."""
    after = answers.partition(b"\r\n\r\n")[2]
    return not after or after.startswith(b"HTTP/1.1 ")


@pytest.fixture
def server(serve, tiny):
    return serve({"name": "tiny", "format": "onnx", "path": str(tiny)})


def settled(server) -> None:
    """The server lives, answers, and holds no connection but the one that asks."""
    assert server.ask("/livez")[0] == 200
    assert server.infer("tiny", [[0, 0, 0, 1]])[1]["outputs"][0]["data"] == [6.0, 7.0]
    end_s = time.monotonic() + 20
    while server.metric("tonnage_connections") != 1:
        assert time.monotonic() < end_s, "connections are left over"
    assert server.metric("tonnage_requests_in_flight") == 0


def test_the_corpus_gets_its_answers(server):
    """Each good file gets one answer a request; each bad one ends with the status in its name."""
    for file in CORPUS:
        kind, number = file.stem.split("-")[:2]
        got = statuses(exchange(server.port, [file.read_bytes()]))
        if kind == "good":
            assert len(got) == int(number), file.stem
            assert set(got) <= {200, 405, 404}, file.stem
        else:
            assert got[-1] == int(number), file.stem
    settled(server)


def mutate(data: bytes, rng: random.Random, files: list[bytes]) -> bytes:
    """One to four of: a byte changed, a piece taken out, doubled, put in, or another file spliced in."""
    spice = [b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"-1", b"\xff", b"%00", b"chunked",
             b"Content-Length: 7\r\n", b"Transfer-Encoding: chunked\r\n", b"\r\n\r\n", b"1e999", b"[" * 2000,
             b"9" * 30, b'"\\ud800"', b"null", b"NaN", b"{}", b"true"]  # fmt: skip
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(data) + 1), rng.randint(1, 12)
        kind = rng.randrange(5)
        if kind == 0 and data:
            data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[at + length :]
        elif kind == 2:
            data = data[: at + length] + data[at:]
        elif kind == 3:
            data = data[:at] + rng.choice(spice) + data[at:]
        else:
            other = rng.choice(files)
            data = data[:at] + other[rng.randrange(len(other)) :]
    return data


def test_chance_finds_no_way_to_hurt(server):
    """Mutations of the corpus, cut anywhere, get whole HTTP answers, never a 500, and leak nothing."""
    named = os.environ.get("TONNAGE_FUZZ_SEED", "1")
    seed = random.SystemRandom().randrange(1 << 30) if named == "random" else int(named)
    budget_s = float(os.environ.get("TONNAGE_FUZZ_S", "0"))
    rng = random.Random(seed)
    files = [file.read_bytes() for file in CORPUS]
    end_s, rounds = time.monotonic() + budget_s, 0
    while time.monotonic() < end_s if budget_s else rounds < ROUNDS:
        rounds += 1
        data = mutate(rng.choice(files), rng, files)
        cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randint(0, 3)))
        pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        answers = exchange(server.port, pieces)
        assert set(statuses(answers)) <= STATUSES, f"seed {seed}, round {rounds}: {data!r} got {answers!r}"
        assert server.process.poll() is None, f"seed {seed}, round {rounds}: {data!r}"
    settled(server)
    raised = "".join(line["text"] for line in server.lines if line["event"] == "text")
    assert not raised, f"seed {seed}: {raised[:4000]}"
