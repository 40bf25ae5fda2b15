"""A connection answers in order, once, and lets go of clients that do not take or send."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tonnage.contract.server_config import LimitsConfig
from tonnage.server.http.connection import LINGER_S, Connection
from tonnage.server.http.crowd import Crowd
from tonnage.server.http.head import Head, HeadTable, HttpError

GET = b"GET /%d HTTP/1.1\r\nhost: x\r\n\r\n"
GET_NOW = b"GET /now HTTP/1.1\r\nhost: x\r\n\r\n"


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.reading, self.closed, self.aborted, self.ended = True, False, False, False

    def write(self, data: bytes) -> None:
        assert not self.ended
        self.sent.append(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True


class Exchange:
    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive, self.response, self.abandoned = keep_alive, None, False

    def abandon(self) -> None:
        self.abandoned = True


class Service:
    """Keeps requests until the test answers them."""

    def __init__(self, **limits: Any) -> None:
        self.connections: set[Connection] = set()
        self.heads = HeadTable()
        self.limits = LimitsConfig(**limits)
        self.crowd = Crowd(self.limits.connections_max)
        self.asked: list[Exchange] = []
        self.refused: list[int] = []
        self.wire = Wire()
        self.connection = Connection(self)
        self.connection.connection_made(self.wire)  # type: ignore[arg-type]

    def handle(self, connection: Connection, head: Head, body: bytes, now_s: float) -> None:
        self.asked.append(Exchange(head.keep_alive))
        connection.begin(self.asked[-1])
        if head.path == b"/now":
            connection.finish(self.asked[-1], b"now")

    def refuse(self, connection: Connection, error: HttpError) -> None:
        self.refused.append(error.status)
        exchange = Exchange(False)
        connection.begin(exchange)
        connection.finish(exchange, b"refused")


def test_answers_are_sent_in_the_order_of_requests():
    """However requests finish, their answers go out in the order in which they came."""
    service = Service()
    service.connection.data_received(b"".join(GET % n for n in range(4)))
    for n in (2, 0, 3, 1):
        service.connection.finish(service.asked[n], b"%d" % n)
    assert service.wire.sent == [b"0", b"1", b"2", b"3"]


def test_a_refusal_waits_its_turn_and_comes_once():
    """Nonsense behind a request is refused once, after that request's answer; what follows is dropped."""
    service = Service(read_s_max=1.0)
    connection, wire = service.connection, service.wire
    connection.data_received(GET % 1 + b"nonsense\r\n\r\n")
    for _ in range(5):
        connection.data_received(b"more\r\n\r\n" + GET % 2)
        connection.check_time(time.monotonic() + 100)
    assert service.refused == [400]
    assert len(service.asked) == 1
    assert wire.sent == []
    connection.finish(service.asked[0], b"one")
    assert wire.sent == [b"one", b"refused"]
    assert wire.ended


def test_a_late_request_is_refused_once():
    """408 is told once, though an earlier request is still computed for many seconds."""
    service = Service(read_s_max=1.0)
    service.connection.data_received(GET % 1 + b"GET /2 HT")
    for seconds in range(2, 20):
        service.connection.check_time(time.monotonic() + seconds)
    assert service.refused == [408]
    service.connection.finish(service.asked[0], b"one")
    assert service.wire.sent == [b"one", b"refused"]


def test_a_client_that_takes_nothing_is_let_go():
    """A closing connection whose client does not take the answer is aborted after write_s_max."""
    service = Service(write_s_max=5.0)
    service.connection.data_received(b"GET / HTTP/1.0\r\n\r\n")
    service.connection.finish(service.asked[0], b"answer")
    assert service.wire.closed
    service.connection.check_time(time.monotonic() + 4)
    assert not service.wire.aborted
    service.connection.check_time(time.monotonic() + 6)
    assert service.wire.aborted


def test_an_idle_connection_whose_client_is_stuck_is_let_go():
    """An idle connection is closed, and aborted when that does not end it."""
    service = Service(idle_s_max=10.0)
    now_s = time.monotonic()
    service.connection.check_time(now_s + 11)
    assert service.wire.closed
    service.connection.check_time(now_s + 11 + LINGER_S + 1)
    assert service.wire.aborted


def test_a_client_that_does_not_read_is_not_read_from():
    """While answers pile up reading stops, and after write_s_max the connection is aborted."""
    service = Service(write_s_max=5.0)
    service.connection.pause_writing()
    assert not service.wire.reading
    service.connection.check_time(time.monotonic() + 4)
    assert not service.wire.aborted
    service.connection.resume_writing()
    assert service.wire.reading
    service.connection.check_time(time.monotonic() + 6)
    assert not service.wire.aborted


def test_pipelining_is_bounded():
    """Beyond pipelined_max nothing is begun and reading stops, until enough are answered."""

    async def scenario() -> None:
        service = Service(pipelined_max=2)
        service.connection.data_received(b"".join(GET % n for n in range(5)))
        assert not service.wire.reading
        assert len(service.asked) == 2
        await asyncio.sleep(0)
        assert len(service.asked) == 3
        service.connection.pause_writing()
        service.connection.resume_writing()
        await asyncio.sleep(0)
        assert not service.wire.reading
        assert len(service.asked) == 3
        for n in range(5):
            service.connection.finish(service.asked[n], b"%d" % n)
            for _ in range(3):
                await asyncio.sleep(0)
        assert service.wire.sent == [b"0", b"1", b"2", b"3", b"4"]
        assert service.wire.reading

    asyncio.run(scenario())


def test_a_flood_in_one_receive_lets_others_have_their_turn():
    """Thousands of requests that are answered at once are begun a few a turn of the loop."""

    async def scenario() -> None:
        service = Service(pipelined_max=16)
        service.connection.data_received(GET_NOW * 1000)
        turns, seen = 0, 0
        while len(service.wire.sent) < 1000:
            assert len(service.wire.sent) - seen <= 16
            seen = len(service.wire.sent)
            await asyncio.sleep(0)
            turns += 1
        assert turns > 50
        assert service.wire.reading

    asyncio.run(scenario())


def test_a_flood_whose_answers_are_not_read_waits():
    """Nothing more is begun while the client leaves its answers unread, and all of it after that."""

    async def scenario() -> None:
        service = Service(pipelined_max=4)
        service.connection.data_received(GET_NOW * 50 + b"GET /now HT")
        service.connection.pause_writing()
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(service.wire.sent) == 4
        assert service.connection.idle_since_s() is None
        service.connection.close_if_idle()
        assert not service.wire.closed
        service.connection.resume_writing()
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(service.wire.sent) == 50
        service.connection.data_received(b"TP/1.1\r\nhost: x\r\n\r\n")
        assert len(service.wire.sent) == 51

    asyncio.run(scenario())


def test_a_flood_that_began_with_part_of_a_request_is_not_late():
    """The time of a request that came in two pieces ends with it, also when many more came with its end."""

    async def scenario() -> None:
        service = Service(pipelined_max=4, read_s_max=5.0)
        service.connection.data_received(b"GET /now HT")
        service.connection.data_received(b"TP/1.1\r\nhost: x\r\n\r\n" + GET_NOW * 50)
        while len(service.wire.sent) < 51:
            await asyncio.sleep(0)
        service.connection.check_time(time.monotonic() + 10)
        assert service.refused == []

    asyncio.run(scenario())


def test_a_flood_ends_with_its_client():
    """When the client has gone, what it asked and nobody began is forgotten."""

    async def scenario() -> None:
        service = Service(pipelined_max=4)
        service.connection.data_received(GET_NOW * 50)
        service.connection.connection_lost(None)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(service.asked) == 4

    asyncio.run(scenario())


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECT = b"POST /2 HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n"


def test_the_body_is_asked_for_behind_the_answers_before_it():
    """100 Continue for a request behind unanswered ones is sent right after their answers."""
    service = Service(read_s_max=5.0)
    connection, wire = service.connection, service.wire
    connection.data_received(GET % 0 + GET % 1 + EXPECT)
    connection.finish(service.asked[1], b"one")
    connection.check_time(time.monotonic() + 60)  # the client waits for us, and is not late
    assert wire.sent == []
    connection.finish(service.asked[0], b"zero")
    assert wire.sent == [b"zero", b"one", CONTINUE]
    connection.check_time(time.monotonic() + 4)
    connection.data_received(b"body")
    connection.finish(service.asked[2], b"two")
    assert wire.sent[3:] == [b"two"]
    assert service.refused == []


def test_a_body_that_comes_unasked_is_not_asked_for():
    """A client that does not wait for 100 Continue gets none."""
    service = Service()
    service.connection.data_received(GET % 1 + EXPECT)
    service.connection.data_received(b"bo")
    service.connection.finish(service.asked[0], b"one")
    assert service.wire.sent == [b"one"]


def test_a_lost_client_abandons_its_requests():
    """When the connection is lost nothing that it asked is worth computing, and late answers are dropped."""
    service = Service()
    service.connection.data_received(GET % 1 + GET % 2)
    service.connection.connection_lost(None)
    assert all(exchange.abandoned for exchange in service.asked)
    service.connection.finish(service.asked[0], b"late")
    assert service.wire.sent == []
    assert not service.connections


def test_close_ends_behind_its_answer():
    """Requests behind one that said close are neither begun nor answered (RFC 9112, 9.6)."""
    service = Service()
    service.connection.data_received(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" + GET % 2)
    service.connection.finish(service.asked[0], b"last")
    assert service.wire.sent == [b"last"]
    assert service.wire.ended
    assert len(service.asked) == 1


def test_nonsense_behind_the_last_request_is_dropped():
    """After an answer that ends the connection nothing more is written, not even a refusal."""
    for rest in (
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n",
    ):
        service = Service()
        service.connection.data_received(b"GET /now HTTP/1.0\r\n\r\n" + rest)
        assert service.wire.sent == [b"now"]
        assert service.refused == []
