"""The load generator against real servers on this machine, well-behaved and not."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tonnage.cli.load import load
from tonnage.errors import TargetUnreachable
from tonnage.loadgen import Failure, LoadPlan, LoadRun, Target, render_request, run_load
from tonnage.traffic import ConstantArrivals, PoissonArrivals

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

Respond = Callable[["Peer", bytes], None]


class Peer(asyncio.Protocol):
    """One connection of the test server: frames requests and hands them to the behaviour."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.write = transport.write
        self.server.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.peers.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, rest = self.buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(rest) < length:
            return
        assert len(rest) == length, "more than one request in flight on a connection"
        request, self.buffer = self.buffer, b""
        self.server.requests.append(request)
        self.server.respond(self, request)


class Server:
    """An HTTP server in a thread, with a behaviour of the test's choice."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.requests: list[bytes] = []
        self.peers: set[Peer] = set()
        self.loop = asyncio.new_event_loop()
        listener = asyncio.wait_for(
            self.loop.create_server(lambda: Peer(self), "127.0.0.1", 0, backlog=512), 10
        )
        self.listener = self.loop.run_until_complete(listener)
        self.port: int = self.listener.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    @property
    def target(self) -> Target:
        return Target("127.0.0.1", self.port, "/x")

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self._close)
        self.thread.join()
        self.loop.close()

    def _close(self) -> None:
        self.listener.close()
        for peer in tuple(self.peers):
            peer.transport.abort()
        self.loop.call_later(0.05, self.loop.stop)


@contextmanager
def serving(respond: Respond) -> Iterator[Server]:
    server = Server(respond)
    try:
        yield server
    finally:
        server.stop()


def answer_ok(peer: Peer, request: bytes) -> None:
    peer.write(OK)


def drive(
    server: Server,
    *,
    rate: float = 200,
    duration_s: float = 0.5,
    method: str = "GET",
    bodies: tuple[bytes | None, ...] = (None,),
    on_snapshot: Any = None,
    **plan: Any,
) -> LoadRun:
    """Send a short load of even spacing and check that every request has one end."""
    requests = tuple(render_request(server.target, method=method, body=body) for body in bodies)
    settings = {"connections": 4, "connections_max": 4, "timeout_s": 20.0} | plan
    run = run_load(
        LoadPlan(server.target, requests, ConstantArrivals(rate, duration_s), **settings),
        on_snapshot=on_snapshot,
    )
    assert sum(run.result.outcomes.values()) == run.result.requests == run.records.requests
    assert not np.any(run.records.status == 0)
    assert np.all(run.records.latency_s >= 0)
    return run


def test_every_arrival_is_sent_once_and_answered() -> None:
    """A well-behaved server gets each arrival once, and all count as successes."""
    with serving(answer_ok) as server:
        result = drive(server).result
        assert result.requests == result.succeeded == len(server.requests) == 100
        assert result.outcomes == {"http_200": 100}
        assert result.reconnects == 0
        assert sum(second.offered for second in result.seconds) == 100
        assert sum(second.completed for second in result.seconds) == 100


def test_bodies_are_chosen_by_the_seed() -> None:
    """The same seed sends the same sequence of bodies, and all bodies are used."""
    bodies = (b'{"a":1}', b'{"a":2}', b'{"a":3}')
    sequences = []
    for _ in range(2):
        with serving(answer_ok) as server:
            drive(server, method="POST", bodies=bodies, connections=1, connections_max=1, seed=5)
            sequences.append([request.rpartition(b"\r\n\r\n")[2] for request in server.requests])
    assert sequences[0] == sequences[1]
    assert set(sequences[0]) == set(bodies)


def test_a_stall_is_charged_to_every_request_that_was_due_in_it() -> None:
    """A server that stalls for 300 ms shows it in the latency; a closed loop would hide it."""

    def stall_once(peer: Peer, request: bytes) -> None:
        if len(peer.server.requests) == 20:
            time.sleep(0.3)  # the whole server stands still, as in a collection of garbage
        peer.write(OK)

    with serving(stall_once) as server:
        run = drive(server, rate=200, duration_s=1.0, connections=1, connections_max=1)
    result = run.result
    # Due in the first 100 ms of the stall at 200/s: 20 requests with at least 200 ms each.
    assert int((run.records.latency_s >= 0.2).sum()) >= 20
    assert result.latency.p90_s >= 0.2
    # What a closed loop sees: the one request that was in the server.
    assert result.latency_from_send.p90_s < result.latency.p90_s
    assert int((run.records.done_s - run.records.sent_s >= 0.2).sum()) < 20
    assert any("waited for a free connection" in warning for warning in result.warnings)


def test_a_server_that_closes_after_each_answer_costs_reconnects_only() -> None:
    """With Connection: close every request succeeds, on a connection of its own."""

    def answer_and_close(peer: Peer, request: bytes) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
        peer.transport.close()

    with serving(answer_and_close) as server:
        result = drive(server).result
    assert result.succeeded == 100
    assert result.reconnects >= 100 - 4


def test_a_body_that_ends_with_the_connection_is_whole() -> None:
    """An answer without a length is complete when the server closes."""

    def answer_until_close(peer: Peer, request: bytes) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\n\r\nsome bytes")
        peer.transport.close()

    with serving(answer_until_close) as server:
        assert drive(server).result.outcomes == {"http_200": 100}


def test_chunked_answers_are_followed_to_their_end() -> None:
    """Chunked bodies, sent in pieces, count when the last chunk is in, and the connection stays."""

    def answer_chunked(peer: Peer, request: bytes) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        peer.server.loop.call_soon(peer.write, b"lo\r\n0\r\n")
        peer.server.loop.call_later(0.001, peer.write, b"\r\n")

    with serving(answer_chunked) as server:
        result = drive(server).result
    assert result.outcomes == {"http_200": 100}
    assert result.reconnects == 0


def test_interim_answers_are_skipped() -> None:
    """A 103 before the answer is not the answer."""

    def hint_first(peer: Peer, request: bytes) -> None:
        peer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)

    with serving(hint_first) as server:
        assert drive(server).result.outcomes == {"http_200": 100}


def test_the_answer_to_a_head_has_no_body() -> None:
    """A HEAD's answer is whole after its head, whatever length it announces."""

    def answer_head(peer: Peer, request: bytes) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")

    with serving(answer_head) as server:
        assert drive(server, method="HEAD", answers_head=True).result.outcomes == {"http_200": 100}


def test_refusals_are_counted_by_status_and_kept_out_of_the_latency() -> None:
    """A 503 is a failure of its own kind, and its speed does not improve the percentiles."""

    def refuse_every_second(peer: Peer, request: bytes) -> None:
        refused = len(peer.server.requests) % 2 == 0
        peer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n" if refused else OK)

    with serving(refuse_every_second) as server:
        result = drive(server).result
    assert result.outcomes == {"http_200": 50, "http_503": 50}
    assert result.latency.count == 50
    assert result.reconnects == 0
    assert result.error_ratio == 0.5


def test_expected_statuses_count_as_success() -> None:
    """What is expected is a success, and a 200 that is not expected is none."""
    with serving(answer_ok) as server:
        assert drive(server, expect_status=frozenset({404})).result.succeeded == 0
    with serving(lambda peer, _: peer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as server:
        assert drive(server, expect_status=frozenset({404})).result.succeeded == 100


def reset(peer: Peer) -> None:
    raw = peer.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.transport.abort()


def cut(answer: bytes) -> Respond:
    def respond(peer: Peer, request: bytes) -> None:
        peer.write(answer)
        peer.transport.close()

    return respond


@pytest.mark.parametrize(
    ("respond", "kind"),
    [
        (cut(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"), "truncated"),
        (cut(b"HTTP/1.1 200 OK\r\nConte"), "truncated"),
        (cut(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"), "truncated"),
        (cut(b""), "closed"),
        (lambda peer, _: reset(peer), "reset"),
        (lambda peer, _: peer.write(b"not HTTP at all\r\n\r\n"), "malformed"),
        (lambda peer, _: peer.write(OK + OK), "malformed"),
    ],
    ids=["body", "head", "chunk", "closed", "reset", "garbage", "two-answers"],
)
def test_broken_answers_are_counted_by_kind(respond: Respond, kind: str) -> None:
    """Every way of not answering properly has its own name, and the run goes on."""
    with serving(respond) as server:
        assert drive(server).result.outcomes == {kind: 100}


def test_requests_without_an_answer_time_out() -> None:
    """A mute server yields timeouts, sent and unsent, that count with at least their waiting time."""
    with serving(lambda peer, _: None) as server:
        run = drive(server, rate=100, duration_s=0.2, timeout_s=0.3, connections=2, connections_max=2)
    result = run.result
    assert set(result.outcomes) <= {"timeout", "timeout_unsent"}
    assert result.outcomes["timeout"] >= 2
    assert result.latency.count == 20
    assert result.latency.p50_s == pytest.approx(0.3)
    unsent = run.records.status == Failure.TIMEOUT_UNSENT
    assert np.all(np.isnan(run.records.sent_s[unsent]))
    assert any("lower bounds" in warning for warning in result.warnings)


def test_connections_are_added_while_requests_wait() -> None:
    """A server that answers only to eight requests at once is served by connections on demand."""
    held: list[Peer] = []

    def hold_until_eight(peer: Peer, request: bytes) -> None:
        held.append(peer)
        if len(held) == 8:
            for waiting in held:
                waiting.write(OK)
            held.clear()

    with serving(hold_until_eight) as server:
        result = drive(server, rate=160, connections=1, connections_max=8).result
    assert result.succeeded == 80
    assert result.connections == 8


def test_without_keep_alive_none_is_opened_in_advance() -> None:
    """After a stall that took many connections there are as many as requests are under way."""
    held: list[Peer] = []

    def hold_the_first(peer: Peer, request: bytes) -> None:
        if held or len(server.requests) < 8:
            held.append(peer)
        if len(server.requests) >= 8:
            for one in held or [peer]:
                one.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
                one.transport.close()
            held.clear()

    with serving(hold_the_first) as server:
        plan = {"connections": 1, "connections_max": 64, "keep_alive": False}
        result = drive(server, rate=160, **plan).result
    assert result.succeeded == 80
    assert result.reconnects == 80
    assert result.connections == 0


def test_an_absent_server_is_unreachable() -> None:
    """A run does not begin when nobody listens."""
    with serving(answer_ok) as server:
        target = server.target
    plan = LoadPlan(target, (b"GET / HTTP/1.1\r\n\r\n",), ConstantArrivals(100, 1))
    with pytest.raises(TargetUnreachable, match="must take connections"):
        run_load(plan)
    shared = LoadPlan(target, plan.requests, plan.arrivals, processes=2)
    with pytest.raises(TargetUnreachable, match="must take connections"):
        run_load(shared)


def test_a_server_that_goes_away_fails_the_rest_at_once() -> None:
    """Requests due while every connection is refused fail as connect, and the run ends in time."""

    def vanish(peer: Peer, request: bytes) -> None:
        peer.write(OK)
        if len(peer.server.requests) == 30:
            peer.server.listener.close()
            for other in tuple(peer.server.peers):
                other.transport.abort()

    with serving(vanish) as server:
        result = drive(server, rate=100, duration_s=1.0).result
    assert result.outcomes["connect"] > 30
    assert result.succeeded <= 30
    assert "timeout" not in result.outcomes


def test_processes_share_the_arrivals() -> None:
    """Two processes send together what one would, each arrival once."""
    with serving(answer_ok) as server:
        run = drive(server, processes=2, rate=400)
        assert len(server.requests) == 200
    assert run.result.succeeded == 200
    assert np.allclose(run.records.intended_s, np.arange(200) / 400, atol=1e-6)


def test_an_interrupt_ends_the_run_with_what_there_is() -> None:
    """SIGINT stops sending; what was sent is reported, and the result says so."""
    with serving(answer_ok) as server:
        run = drive(server, duration_s=600, on_snapshot=lambda _: signal.raise_signal(signal.SIGINT))
    assert run.result.interrupted
    assert 0 < run.result.requests < 600 * 200
    assert any("interrupted" in warning for warning in run.result.warnings)


def test_snapshots_never_exceed_what_was_planned() -> None:
    """What the live view is told grows, and adds up."""
    seen: list[Any] = []
    with serving(answer_ok) as server:
        drive(server, duration_s=1.2, on_snapshot=seen.append)
    assert len(seen) >= 1
    assert [snapshot.answered for snapshot in seen] == sorted(snapshot.answered for snapshot in seen)
    for snapshot in seen:
        assert snapshot.answered + snapshot.in_flight + snapshot.waiting == snapshot.due <= 240
        assert snapshot.failures == 0


METADATA = {
    "name": "tiny",
    "inputs": [
        {"name": "x", "datatype": "FP32", "shape": [-1, 64]},
        {"name": "label", "datatype": "BYTES", "shape": ["1"]},
    ],
}


def model_server(peer: Peer, request: bytes) -> None:
    """Speak as much of the Open Inference Protocol as the generator asks for."""
    line = request.partition(b"\r\n")[0]
    if line == b"GET /v2/models/tiny HTTP/1.1":
        content = json.dumps(METADATA).encode()
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))
        return
    assert line == b"POST /v2/models/tiny/infer HTTP/1.1"
    first, second = json.loads(request.partition(b"\r\n\r\n")[2])["inputs"]
    assert (first["shape"], len(first["data"]), first["datatype"]) == ([1, 64], 64, "FP32")
    assert second["shape"] == [1]
    assert isinstance(second["data"][0], str)
    peer.write(OK)


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(load, list(arguments))


def test_the_command_makes_payloads_from_a_models_metadata() -> None:
    """With --model the server's metadata decides the requests, several different ones."""
    with serving(model_server) as server:
        outcome = invoke(
            f"http://127.0.0.1:{server.port}", "--model", "tiny", "--rate", "100", "--duration", "500ms",
            "--spacing", "constant", "--quiet", "--json=-",
        )  # fmt: skip
        bodies = {request.rpartition(b"\r\n\r\n")[2] for request in server.requests[1:]}
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    assert document["schema"] == "tonnage.dev/load-result/v1"
    assert document["outcomes"] == {"http_200": 50}
    assert document["latency"]["p99_9_s"] > 0
    assert document["generator_lag"]["kept_up"] in (True, False)
    assert len(bodies) > 8


def test_the_command_opens_a_connection_for_each_request_when_asked_to() -> None:
    """Without keep-alive each request says so, the server ends its connection, and none is lost."""

    def serve_once(peer: Peer, request: bytes) -> None:
        model_server(peer, request)
        if b"\r\nConnection: close\r\n" in request:
            peer.transport.close()

    with serving(serve_once) as server:
        outcome = invoke(
            f"http://127.0.0.1:{server.port}", "--model", "tiny", "--rate", "100", "--duration", "500ms",
            "--spacing", "constant", "--no-keep-alive", "--quiet", "--json=-",
        )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    document = json.loads(outcome.stdout)
    assert document["outcomes"] == {"http_200": 50}
    assert (document["connections"], document["reconnects"]) == (0, 50)
    assert not any("free connection" in warning for warning in document["warnings"])


def test_the_command_plays_a_trace_and_writes_a_report(tmp_path: Any) -> None:
    """A trace sped up to a second is sent with its counts, and the page holds its plots."""
    trace = tmp_path / "trace.csv"
    trace.write_text("minute,requests\n0,10\n1,40\n")
    page = tmp_path / "out.html"
    data = tmp_path / "bodies.jsonl"
    data.write_text('{"a": 1}\n{"a": 2}\n')
    with serving(answer_ok) as server:
        outcome = invoke(
            f"http://127.0.0.1:{server.port}/y", "--trace", str(trace), "--speedup", "120",
            "--data", str(data),
            "-H", "X-Key: 7", "--report", str(page),
        )  # fmt: skip
        assert len(server.requests) == 50
        assert all(b"X-Key: 7\r\nContent-Type: application/json\r\n" in text for text in server.requests)
    assert outcome.exit_code == 0, outcome.output
    assert "p99.9" in outcome.output
    text = page.read_text()
    assert "Requests per second" in text
    assert "plotly" in text
    assert "https://cdn" not in text.partition("<body>")[2]


def test_the_command_reports_a_failed_gate_with_exit_code_1() -> None:
    """A gate that does not hold is named with what was found."""
    with serving(answer_ok) as server:
        outcome = invoke(
            f"http://127.0.0.1:{server.port}/", "--rate", "50", "--duration", "200ms", "--quiet",
            "--assert", "errors<=0.1%", "--assert", "p99<=1ns",
        )  # fmt: skip
    assert outcome.exit_code == 1
    assert "assert p99<=1ns: must hold, got" in outcome.stderr
    assert "errors" not in outcome.stderr


def test_the_command_says_that_nobody_answers_with_exit_code_3() -> None:
    """An unreachable target is the environment's fault."""
    with serving(answer_ok) as server:
        port = server.port
    outcome = invoke(f"http://127.0.0.1:{port}/", "--quiet")
    assert outcome.exit_code == 3
    assert "is the server running?" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("http://h/", "--rate", "fast"), "must be a number"),
        (("http://h/", "--rate", "0"), "must be > 0"),
        (("http://h/", "--duration", "30"), "write 30s"),
        (("http://h/", "--scale-peak", "10k"), "--scale-peak: needs --trace"),
        (("ftp://h/",), "must be like http://host:port/path"),
        (("nothing.yaml",), "must be a URL or a document"),
        (("http://h/", "--assert", "p42<1ms"), "must name one of"),
        (("http://h/", "-H", "Content-Length: 3"), "is set by the load generator"),
    ],
)
def test_the_command_refuses_wrong_usage_with_exit_code_2(arguments: tuple[str, ...], message: str) -> None:
    """What is wrong with the command line is said before anything is sent."""
    outcome = invoke(*arguments)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_poisson_arrivals_are_the_same_for_the_same_seed() -> None:
    """Two runs of one seed mean to send at the same times."""
    intended = []
    for _ in range(2):
        with serving(answer_ok) as server:
            request = render_request(server.target, method="GET")
            plan = LoadPlan(server.target, (request,), PoissonArrivals(300, 0.3), seed=3)
            intended.append(run_load(plan).records.intended_s)
    assert np.allclose(intended[0], intended[1], atol=1e-6)
