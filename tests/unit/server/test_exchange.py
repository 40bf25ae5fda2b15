"""An inference over HTTP is answered in the form asked for, or counted as one that nobody waited for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tonnage.server.http.exchange import HttpCall
from tonnage.server.http.head import Head, parse_head
from tonnage.server.oip.decode import InferRequest
from tonnage.server.oip.encode import BatchAnswers, answer_start
from tonnage.server.oip.errors import Fault, InferenceError
from tonnage.server.oip.tensors import Signature, TensorSpec

Y = TensorSpec("y", "FP32", (-1, 1))
ANSWERS = BatchAnswers(
    answer_start("m", "1"), {"y": np.zeros((1, 1), np.float32)}, Signature("test", (), (Y,), True)
)


class App:
    """The application, its recorder, and the connection, as far as a call knows them."""

    ok_start = b"OK "

    def __init__(self) -> None:
        self.recorder, self.counted, self.sent = self, [], []

    def headers_for(self, head: Head, keep_alive: bool) -> list[tuple[bytes, bytes]]:
        return []

    def count(self, protocol: int, status: int) -> None:
        self.counted.append(status)

    def finish(self, call: HttpCall, data: bytes) -> None:
        self.sent.append(data)


@pytest.fixture
def call() -> Any:
    made = HttpCall()
    made.app = made.connection = App()  # type: ignore[assignment]
    made.head = parse_head(b"POST / HTTP/1.1\r\nhost: x\r\n\r\n")
    made.keep_alive, made.items, made.deadline_s = True, 1, math.inf
    made.request = InferRequest(None, [], 1, None, None, False, None)
    return made


def test_an_answer_is_sent(call):
    """The quick form of an answer is its head, its length and its body."""
    call.answer(ANSWERS, 0)
    (sent,) = call.app.sent
    assert sent.startswith(b"OK ")
    assert sent.endswith(b'"data":[0.0]}]}')
    assert call.app.counted == []


@pytest.mark.parametrize("fault", [Fault.OVERLOADED, Fault.MODEL, Fault.ABANDONED])
def test_an_abandoned_call_counts_as_499(call, fault):
    """Whatever becomes of a call whose client has gone, nothing is sent and 499 is counted."""
    call.abandon()
    with pytest.raises(InferenceError) as caught:
        call.answer(ANSWERS, 0)
    assert caught.value.fault is Fault.ABANDONED
    call.fail(InferenceError(fault, "x"))
    assert call.app.counted == [499]
    assert call.app.sent == []
