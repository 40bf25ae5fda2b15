"""tritonclient's HTTP client, with threads (gevent) and with asyncio."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
import tritonclient.http as client
import tritonclient.http.aio as client_aio
from samples import RAW_BYTES, SAMPLES, same
from tritonclient.utils import InferenceServerException

JSON_TYPES = [name for name in SAMPLES if name != "BF16"]  # which this client refuses to write as JSON


@pytest.fixture
def identity(http):
    with client.InferenceServerClient(http["identity"]) as one:
        yield one


@pytest.fixture
def tiny(http):
    with client.InferenceServerClient(http["tiny"]) as one:
        yield one


def given(name: str, datatype: str, array: np.ndarray, *, binary: bool = True) -> client.InferInput:
    return client.InferInput(name, list(array.shape), datatype).set_data_from_numpy(array, binary_data=binary)


def all_inputs(*, binary: bool, **other: np.ndarray) -> list[client.InferInput]:
    arrays = {**SAMPLES, **other}
    return [
        given(f"in_{name}", name, array, binary=binary or name not in JSON_TYPES)
        for name, array in arrays.items()
    ]


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)


def test_health_and_metadata(tiny):
    """Live, ready, model ready and both metadata are as the client expects them."""
    assert tiny.is_server_live()
    assert tiny.is_server_ready()
    assert tiny.is_model_ready("tiny")
    assert tiny.is_model_ready("tiny", "1")
    assert not tiny.is_model_ready("other")
    assert "binary_tensor_data" in tiny.get_server_metadata()["extensions"]
    metadata = tiny.get_model_metadata("tiny")
    assert metadata["name"] == "tiny"
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert metadata["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}]


@pytest.mark.parametrize("sent", ["binary", "json"])
@pytest.mark.parametrize("wanted", ["binary", "json"])
def test_every_datatype_in_both_forms_both_ways(identity, sent, wanted):
    """Fourteen inputs and outputs of as many types, two rows each, come back element by element."""
    names = [name for name in SAMPLES if wanted == "binary" or name in JSON_TYPES]
    outputs = [client.InferRequestedOutput(f"out_{name}", binary_data=wanted == "binary") for name in names]
    result = identity.infer("identity", all_inputs(binary=sent == "binary"), outputs=outputs)
    answer = result.get_response()
    assert [one["name"] for one in answer["outputs"]] == [f"out_{name}" for name in names]
    for one in answer["outputs"]:
        assert ("data" in one) == (wanted == "json")
    for name in names:
        assert same(result.as_numpy(f"out_{name}"), SAMPLES[name]), name


def test_bytes_that_are_no_text(identity):
    """The binary form carries any bytes; asked for as JSON they are an error that names the output."""
    result = identity.infer("identity", all_inputs(binary=True, BYTES=RAW_BYTES))
    assert same(result.as_numpy("out_BYTES"), RAW_BYTES)
    with pytest.raises(InferenceServerException, match='output "out_BYTES"') as error:
        identity.infer(
            "identity",
            all_inputs(binary=True, BYTES=RAW_BYTES),
            outputs=[client.InferRequestedOutput("out_BYTES", binary_data=False)],
        )
    assert error.value.status() == "400"


def test_batches_ids_versions_and_parameters(tiny):
    """A batch of 32, a request id, the version and parameters of one's own are taken; the id comes back."""
    batch = np.random.default_rng(0).random((32, 4), np.float32)
    result = tiny.infer(
        "tiny", [given("x", "FP32", batch)], model_version="1", request_id="ask-7",
        parameters={"colour": "green", "number": 3, "flag": True},
    )  # fmt: skip
    weights = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_allclose(result.as_numpy("y"), batch @ weights, rtol=1e-5)
    assert result.get_response()["id"] == "ask-7"
    assert result.get_response()["model_name"] == "tiny"


def test_outputs_are_those_asked_for_in_that_order(identity):
    """Two of fourteen outputs, the later one first, and nothing else."""
    outputs = [client.InferRequestedOutput("out_FP64"), client.InferRequestedOutput("out_BOOL", False)]
    answer = identity.infer("identity", all_inputs(binary=True), outputs=outputs).get_response()
    assert [one["name"] for one in answer["outputs"]] == ["out_FP64", "out_BOOL"]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests_are_read(tiny, algorithm):
    """What the client compresses is taken, and computed as if it had not."""
    result = tiny.infer(
        "tiny", [given("x", "FP32", rows([1, 0, 0, 0]))], request_compression_algorithm=algorithm
    )
    assert result.as_numpy("y").tolist() == [[0, 1]]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_asking_for_a_compressed_answer_gets_a_plain_one(tiny, algorithm):
    """accept-encoding is a wish: the answer comes uncompressed and is read all the same."""
    result = tiny.infer(
        "tiny", [given("x", "FP32", rows([0, 0, 0, 1]))], response_compression_algorithm=algorithm
    )
    assert result.as_numpy("y").tolist() == [[6, 7]]


def test_errors_carry_our_message_and_status(tiny, http):
    """The client's exception has the server's words and its status."""
    for model, array, status, message in (
        ("tiny", rows([1, 2, 3]), "400", 'input "x": shape must be [-1,4], got [1,3]'),
        ("other", rows([1, 2, 3, 4]), "404", '"tiny"'),
    ):
        with pytest.raises(InferenceServerException) as error:
            tiny.infer(model, [given("x", "FP32", array)])
        assert error.value.status() == status
        assert message in error.value.message()
    with pytest.raises(InferenceServerException, match='input "z"') as error:
        tiny.infer("tiny", [given("z", "FP32", rows([1, 2, 3, 4]))])
    assert error.value.status() == "400"
    with client.InferenceServerClient(http["steered"]) as steered:
        with pytest.raises(InferenceServerException, match="thirteen") as error:
            steered.infer("steered", [given("x", "FP32", rows([13]))])
        assert error.value.status() == "500"
        assert steered.infer("steered", [given("x", "FP32", rows([4]))]).as_numpy("y").tolist() == [[8]]


def test_what_is_not_served_is_said_clearly(tiny):
    """Repository, statistics, shared memory and classification are refused with 4xx, never with 5xx."""
    for ask in (
        tiny.get_model_repository_index,
        tiny.get_inference_statistics,
        tiny.get_system_shared_memory_status,
        lambda: tiny.load_model("tiny"),
    ):
        with pytest.raises(InferenceServerException) as error:
            ask()
        assert error.value.status() in ("404", "405"), error.value
    wanted = client.InferRequestedOutput("y", class_count=1)
    with pytest.raises(InferenceServerException, match="classification") as error:
        tiny.infer("tiny", [given("x", "FP32", rows([1, 2, 3, 4]))], outputs=[wanted])
    assert error.value.status() == "400"
    shared = client.InferInput("x", [1, 4], "FP32")
    shared.set_shared_memory("region", 16)
    with pytest.raises(InferenceServerException, match="shared memory") as error:
        tiny.infer("tiny", [shared])
    assert error.value.status() == "400"


def test_calls_at_once(http):
    """Sixty-four calls in flight over eight connections each get their own answer."""
    with client.InferenceServerClient(http["tiny"], concurrency=8) as many:
        calls = [
            many.async_infer("tiny", [given("x", "FP32", rows([n, 0, 0, 0]))], request_id=str(n))
            for n in range(64)
        ]
        results = [call.get_result() for call in calls]
    assert [one.as_numpy("y").tolist() for one in results] == [[[0, n]] for n in range(64)]
    assert [one.get_response()["id"] for one in results] == [str(n) for n in range(64)]


def test_a_client_that_loses_patience(http):
    """A model that hangs costs the client its own timeout, not for ever."""
    with (
        client.InferenceServerClient(http["hanging"], network_timeout=0.5) as short,
        pytest.raises((TimeoutError, OSError, InferenceServerException)),
    ):
        short.infer("hanging", [given("x", "FP32", rows([99]))])


def test_a_deadline_in_the_request_is_kept(http):
    """The request's own timeout, in microseconds, gets 503 from a server whose model hangs."""
    with (
        client.InferenceServerClient(http["hanging"], network_timeout=20) as patient,
        pytest.raises(InferenceServerException) as error,
    ):
        patient.infer("hanging", [given("x", "FP32", rows([99]))], timeout=300_000)
    assert error.value.status() == "503"


async def _asyncio(address: str, identity_address: str) -> None:
    async with client_aio.InferenceServerClient(address) as one:
        assert await one.is_server_live()
        assert await one.is_server_ready()
        assert await one.is_model_ready("tiny")
        assert (await one.get_model_metadata("tiny"))["name"] == "tiny"
        calls = [one.infer("tiny", [given("x", "FP32", rows([n, 0, 0, 0]))]) for n in range(32)]
        results = await asyncio.gather(*calls)
        assert [result.as_numpy("y").tolist() for result in results] == [[[0, n]] for n in range(32)]
        for algorithm in ("gzip", "deflate"):
            result = await one.infer(
                "tiny", [given("x", "FP32", rows([1, 0, 0, 0]), binary=False)],
                request_compression_algorithm=algorithm, response_compression_algorithm=algorithm,
            )  # fmt: skip
            assert result.as_numpy("y").tolist() == [[0, 1]]
        with pytest.raises(InferenceServerException, match=r"shape must be \[-1,4\]"):
            await one.infer("tiny", [given("x", "FP32", rows([1]))])
    async with client_aio.InferenceServerClient(identity_address) as one:
        result = await one.infer("identity", all_inputs(binary=True))
        assert all(same(result.as_numpy(f"out_{name}"), array) for name, array in SAMPLES.items())


def test_asyncio(http):
    """The asyncio client gets the same: health, many at once, compression, errors, every datatype."""
    asyncio.run(_asyncio(http["tiny"], http["identity"]))
