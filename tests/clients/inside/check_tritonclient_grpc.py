"""tritonclient's gRPC client: calls, calls with callbacks, streams, and asyncio."""

from __future__ import annotations

import asyncio
import queue

import numpy as np
import pytest
import tritonclient.grpc as client
import tritonclient.grpc.aio as client_aio
from samples import RAW_BYTES, SAMPLES, same
from tritonclient.utils import InferenceServerException


@pytest.fixture
def identity(grpc):
    with client.InferenceServerClient(grpc["identity"]) as one:
        yield one


@pytest.fixture
def tiny(grpc):
    with client.InferenceServerClient(grpc["tiny"]) as one:
        yield one


def given(name: str, datatype: str, array: np.ndarray) -> client.InferInput:
    return client.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array)


def all_inputs(**other: np.ndarray) -> list[client.InferInput]:
    return [given(f"in_{name}", name, array) for name, array in {**SAMPLES, **other}.items()]


def x(*row: float) -> list[client.InferInput]:
    return [given("x", "FP32", np.array([row], np.float32))]


def test_health_and_metadata(tiny):
    """Live, ready, model ready and both metadata are as the client expects them."""
    assert tiny.is_server_live()
    assert tiny.is_server_ready()
    assert tiny.is_model_ready("tiny", "1")
    assert "binary_tensor_data" in tiny.get_server_metadata(as_json=True)["extensions"]
    metadata = tiny.get_model_metadata("tiny", as_json=True)
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": ["-1", "4"]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": ["-1", "2"]}]


@pytest.mark.parametrize("other", [{}, {"BYTES": RAW_BYTES}], ids=["text", "raw bytes"])
def test_every_datatype(identity, other):
    """Fourteen inputs and outputs of as many types, two rows each, come back element by element."""
    result = identity.infer("identity", all_inputs(**other))
    for name, array in {**SAMPLES, **other}.items():
        assert same(result.as_numpy(f"out_{name}"), array), name


def test_batches_ids_parameters_and_outputs(tiny, identity):
    """A batch of 32, an id and parameters are taken; the outputs are those asked for."""
    batch = np.random.default_rng(0).random((32, 4), np.float32)
    result = tiny.infer(
        "tiny", [given("x", "FP32", batch)], model_version="1", request_id="ask-7",
        parameters={"colour": "green", "number": 3, "flag": True},
        outputs=[client.InferRequestedOutput("y")],
    )  # fmt: skip
    weights = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_allclose(result.as_numpy("y"), batch @ weights, rtol=1e-5)
    assert result.get_response().id == "ask-7"
    outputs = [client.InferRequestedOutput("out_FP64"), client.InferRequestedOutput("out_BOOL")]
    answer = identity.infer("identity", all_inputs(), outputs=outputs).get_response()
    assert [one.name for one in answer.outputs] == ["out_FP64", "out_BOOL"]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_messages_are_read(tiny, algorithm):
    """The compression that gRPC has of its own works in the call."""
    result = tiny.infer("tiny", x(1, 0, 0, 0), compression_algorithm=algorithm)
    assert result.as_numpy("y").tolist() == [[0, 1]]


def test_errors_carry_our_message_and_status(tiny, grpc):
    """The client's exception has the server's words and its status."""
    with client.InferenceServerClient(grpc["steered"]) as steered:
        for one, model, inputs, status, message in (
            (tiny, "tiny", x(1, 2, 3), "INVALID_ARGUMENT", 'input "x": shape must be [-1,4], got [1,3]'),
            (tiny, "other", x(1, 2, 3, 4), "NOT_FOUND", '"tiny"'),
            (steered, "steered", x(13), "INTERNAL", "thirteen"),
        ):
            with pytest.raises(InferenceServerException) as error:
                one.infer(model, inputs)
            assert error.value.status() == f"StatusCode.{status}"
            assert message in error.value.message()
        assert steered.infer("steered", x(4)).as_numpy("y").tolist() == [[8]]


def test_what_is_not_served_is_unimplemented(tiny):
    """Triton's own calls, which the protocol lacks, are refused as UNIMPLEMENTED."""
    for ask in (
        tiny.get_model_repository_index,
        tiny.get_inference_statistics,
        tiny.get_system_shared_memory_status,
        lambda: tiny.load_model("tiny"),
    ):
        with pytest.raises(InferenceServerException) as error:
            ask()
        assert error.value.status() == "StatusCode.UNIMPLEMENTED"
    shared = client.InferInput("x", [1, 4], "FP32")
    shared.set_shared_memory("region", 16)
    with pytest.raises(InferenceServerException, match="shared memory") as error:
        tiny.infer("tiny", [shared])
    assert error.value.status() == "StatusCode.INVALID_ARGUMENT"


def test_calls_at_once(tiny):
    """Sixty-four calls in flight each get their own answer."""
    answers: queue.Queue = queue.Queue()
    for n in range(64):
        tiny.async_infer(
            "tiny", x(n, 0, 0, 0), callback=lambda result, error: answers.put((result, error)),
            request_id=str(n),
        )  # fmt: skip
    got = [answers.get(timeout=30) for _ in range(64)]
    assert [error for _, error in got if error is not None] == []
    assert {one.get_response().id: one.as_numpy("y").tolist() for one, _ in got} == {
        str(n): [[0, n]] for n in range(64)
    }


def test_a_stream_answers_each_request_in_order(tiny):
    """A stream carries answers and errors in the order of the requests, and goes on after an error."""
    answers: queue.Queue = queue.Queue()
    tiny.start_stream(callback=lambda result, error: answers.put((result, error)))
    for n, inputs in enumerate((x(1, 0, 0, 0), x(1), x(0, 1, 0, 0))):
        tiny.async_stream_infer("tiny", inputs, request_id=str(n))
    got = [answers.get(timeout=30) for _ in range(3)]
    tiny.stop_stream()
    assert got[0][0].as_numpy("y").tolist() == [[0, 1]]
    assert "shape must be [-1,4], got [1,1]" in got[1][1].message()
    assert got[2][0].as_numpy("y").tolist() == [[2, 3]]
    assert got[2][0].get_response().id == "2"


def test_a_client_that_loses_patience(grpc):
    """A model that hangs costs the client its own timeout, and leaves the channel usable."""
    with client.InferenceServerClient(grpc["hanging"]) as one:
        with pytest.raises(InferenceServerException) as error:
            one.infer("hanging", x(99), client_timeout=0.5)
        assert error.value.status() in ("StatusCode.DEADLINE_EXCEEDED", "StatusCode.RESOURCE_EXHAUSTED")
        assert one.is_server_live() in (True, False)


async def _asyncio(address: str, identity_address: str) -> None:
    async with client_aio.InferenceServerClient(address) as one:
        assert await one.is_server_live()
        assert await one.is_server_ready()
        assert await one.is_model_ready("tiny")
        results = await asyncio.gather(*(one.infer("tiny", x(n, 0, 0, 0)) for n in range(32)))
        assert [result.as_numpy("y").tolist() for result in results] == [[[0, n]] for n in range(32)]
        with pytest.raises(InferenceServerException, match=r"shape must be \[-1,4\]") as error:
            await one.infer("tiny", x(1))
        assert error.value.status() == "StatusCode.INVALID_ARGUMENT"

        async def requests():
            for n in range(3):
                yield {"model_name": "tiny", "inputs": x(n, 0, 0, 0), "request_id": str(n)}

        told = [(result, error) async for result, error in one.stream_infer(requests())]
        assert [error for _, error in told] == [None, None, None]
        assert [result.get_response().id for result, _ in told] == ["0", "1", "2"]
    async with client_aio.InferenceServerClient(identity_address) as one:
        result = await one.infer("identity", all_inputs())
        assert all(same(result.as_numpy(f"out_{name}"), array) for name, array in SAMPLES.items())


def test_asyncio(grpc):
    """The asyncio client gets the same: health, many at once, errors, streams, every datatype."""
    asyncio.run(_asyncio(grpc["tiny"], grpc["identity"]))
