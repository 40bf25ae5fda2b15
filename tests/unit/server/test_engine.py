"""The engine answers every call, whatever the model does."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from tonnage.batching import ServiceTimes
from tonnage.contract.server_config import BatchingConfig
from tonnage.server.call import Call
from tonnage.server.engine import Engine
from tonnage.server.metrics.block import Block
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.oip.decode import InferRequest
from tonnage.server.oip.encode import BatchAnswers
from tonnage.server.oip.errors import Fault, InferenceError
from tonnage.server.oip.tensors import Signature, Tensor, TensorSpec

SIGNATURE = Signature("t", (TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),), True)


class Model:
    """Runs what a test gives it, and keeps the batches."""

    signature = SIGNATURE
    wants_context = False

    def __init__(self, predict: Callable[[np.ndarray], Any]) -> None:
        self.predict = predict
        self.batches: list[list[float]] = []

    def run(self, inputs: dict[str, Any], context: tuple[Any, ...]) -> dict[str, Any]:
        self.batches.append(inputs["x"].ravel().tolist())
        return {"y": self.predict(inputs["x"])}

    def memory_bytes(self) -> None:
        return None


class Asked(Call):
    """A call that remembers its end."""

    __slots__ = ("end", "value")
    protocol = 0

    def __init__(self, value: float, deadline_s: float = math.inf) -> None:
        data = np.array([value], "<f4").tobytes()
        self.request = InferRequest(None, [Tensor((1, 1), data)], 1, None, None, False, None)
        self.items, self.group, self.stream, self.traceparent = 1, None, self, None
        self.value = value
        self.arrived_s, self.deadline_s = time.monotonic(), deadline_s
        self.end: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def answer(self, answers: BatchAnswers, at: int) -> None:
        self.end.set_result(float(answers.part("y", at, 1)[0, 0]))

    def fail(self, error: InferenceError) -> None:
        self.end.set_result(error)


def in_loop(
    predict: Callable[[np.ndarray], Any], inline: bool, body: Callable[[Engine, Model], Awaitable[None]]
) -> Recorder:
    recorder = Recorder(Block.create(1).slots[0], 30.0)

    async def run() -> None:
        model = Model(predict)
        engine = Engine(
            runtime=model, name="m", version="1", batching=BatchingConfig(size_max=4, queue_max=6),
            times=ServiceTimes(4), recorder=recorder, inline=inline,
        )  # fmt: skip
        try:
            await asyncio.wait_for(body(engine, model), 30)
        finally:
            engine.close()
        assert engine.in_flight == 0

    asyncio.run(run())
    return recorder


def submit(engine: Engine, *values: float) -> list[Asked]:
    calls = [Asked(value) for value in values]
    for call in calls:
        engine.submit(call, call.arrived_s)
    return calls


@pytest.mark.parametrize("inline", [True, False])
def test_calls_of_one_turn_share_a_batch(inline):
    """What arrives in one turn of the loop runs together, up to size_max, and is answered in order."""

    async def body(engine: Engine, model: Model) -> None:
        calls = submit(engine, 1, 2, 3, 4, 5, 6)
        assert [await call.end for call in calls] == [2, 4, 6, 8, 10, 12]
        assert model.batches == [[1, 2, 3, 4], [5, 6]]

    recorder = in_loop(lambda x: x * 2, inline, body)
    assert recorder.ok[0] == len(recorder.latencies_s) == 6
    assert [items for items, _ in recorder.batches] == [4, 2]


class Panic(BaseException):
    """As native extensions raise it: no Exception."""


@pytest.mark.parametrize("inline", [True, False])
@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), Panic("no"), asyncio.CancelledError()])
def test_whatever_the_model_raises_fails_one_call_alone(inline, error):
    """A batch that raises is run again call by call; also what would end a thread is a 500."""

    def predict(x):
        if (x == 13).any():
            raise error
        return x

    async def body(engine: Engine, model: Model) -> None:
        calls = submit(engine, 1, 13, 2)
        ends = [await call.end for call in calls]
        assert ends[0] == 1
        assert ends[2] == 2
        assert ends[1].fault is Fault.MODEL
        assert ends[1].message == f"model: raised {type(error).__name__}: {error}"
        (after,) = submit(engine, 5)
        assert await after.end == 5

    in_loop(predict, inline, body)


@pytest.mark.parametrize(
    ("predict", "text"),
    [
        (lambda x: x[:-1], 'output "y": must have 1 rows as the inputs have, got shape (0, 1)'),
        (lambda x: np.float32(1), 'output "y": must have 1 rows as the inputs have, got shape ()'),
        (lambda x: x.astype(complex), 'output "y": must be FP32 as declared, got complex128'),
        (lambda x: x.astype("M8[s]"), 'output "y": must be FP32 as declared, got datetime64[s]'),
    ],
)
def test_wrong_outputs_are_the_models_fault(predict, text):
    """Outputs of wrong rows or types give each caller a 500 that names the output, and nobody waits."""

    async def body(engine: Engine, model: Model) -> None:
        for call in submit(engine, 1, 2):
            error = await call.end
            assert error.fault is Fault.MODEL
            assert error.message == text

    in_loop(predict, True, body)


def test_a_hanging_model_lets_waiting_calls_expire():
    """While the model hangs, calls past their deadline fail, those of a split batch included."""
    entered, gate = threading.Event(), threading.Event()

    def predict(x):
        if len(x) > 1:
            raise ValueError("not together")
        if x[0, 0] == 1:
            entered.set()
            gate.wait(30)
        return x

    async def body(engine: Engine, model: Model) -> None:
        calls = [Asked(1), Asked(2), Asked(3)]
        calls[2].deadline_s = calls[2].arrived_s + 3600
        for call in calls:
            engine.submit(call, call.arrived_s)
        await asyncio.to_thread(entered.wait, 30)
        engine.expire(calls[2].deadline_s + 1)
        error = await calls[2].end
        assert error.fault is Fault.OVERLOADED
        assert error.retry_after_s is not None
        assert engine.queue_length == 1
        gate.set()
        assert [await call.end for call in calls[:2]] == [1, 2]

    in_loop(predict, False, body)


def test_a_full_queue_refuses_and_tells_when_to_return():
    """Beyond queue_max a call fails at once with a time to ask again."""

    async def body(engine: Engine, model: Model) -> None:
        calls = submit(engine, *range(8))
        refused = [await call.end for call in calls[6:]]
        assert [error.message for error in refused] == ["queue: is full; ask again later or add replicas"] * 2
        assert all(error.retry_after_s >= 0 for error in refused)
        assert [await call.end for call in calls[:6]] == list(range(6))

    in_loop(lambda x: x, True, body)


def test_abandoned_calls_are_not_computed():
    """A call whose client has gone before its batch started never reaches the model."""

    async def body(engine: Engine, model: Model) -> None:
        first, gone = submit(engine, 1, 2)
        gone.deadline_s = -math.inf
        assert await first.end == 1
        assert (await gone.end).fault is Fault.OVERLOADED
        assert model.batches == [[1]]

    in_loop(lambda x: x, True, body)


def test_the_end_of_time_fails_what_waits():
    """fail_waiting gives everything that waits the error, and leaves what runs."""
    entered, gate = threading.Event(), threading.Event()

    def predict(x):
        entered.set()
        gate.wait(30)
        return x

    async def body(engine: Engine, model: Model) -> None:
        (running,) = submit(engine, 1)
        await asyncio.to_thread(entered.wait, 30)
        waiting = submit(engine, 2, 3)
        over = InferenceError(Fault.NOT_READY, "over")
        engine.fail_waiting(over)
        assert [await call.end for call in waiting] == [over, over]
        gate.set()
        assert await running.end == 1

    in_loop(predict, False, body)


def test_the_time_of_a_batch_under_load_includes_what_passes_between_two():
    """With more waiting, a slow turn of the loop counts as part of the next batch's time."""
    times = ServiceTimes(1)

    async def run() -> None:
        model = Model(lambda x: x)
        engine = Engine(
            runtime=model, name="m", version="1", batching=BatchingConfig(size_max=1, queue_max=9),
            times=times, recorder=Recorder(Block.create(1).slots[0], 30.0), inline=True,
        )  # fmt: skip
        loop = asyncio.get_running_loop()
        calls = submit(engine, 1.0, 2.0)
        loop.call_soon(time.sleep, 0.2)  # between the first batch and the second
        await asyncio.gather(*(call.end for call in calls))
        engine.close()

    asyncio.run(run())
    assert times.of(1) * 10 > 0.2  # the first seeds the mean, the second moves it by a tenth
