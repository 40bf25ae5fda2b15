"""The KServe project's clients for the protocol, over REST and gRPC."""

from __future__ import annotations

import asyncio

import grpc as grpc_library
import httpx
import numpy as np
import pytest
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput
from samples import SAMPLES, same

BINARY_TYPES = [name for name in SAMPLES if name != "BF16"]  # which this client does not know
JSON_TYPES = [name for name in BINARY_TYPES if name != "FP16"]  # which it refuses to write as JSON


def tensor(name: str, datatype: str, array: np.ndarray, *, binary: bool) -> InferInput:
    one = InferInput(name=name, shape=list(array.shape), datatype=datatype)
    one.set_data_from_numpy(array, binary_data=binary)
    return one


def x(*values: list[float], binary: bool = False, **more) -> InferRequest:
    array = np.array(values, np.float32)
    return InferRequest(model_name="tiny", infer_inputs=[tensor("x", "FP32", array, binary=binary)], **more)


def bf16_as_bytes() -> InferInput:
    """The one input that the client cannot make from an array: its bytes are put in by hand."""
    one = InferInput(name="in_BF16", shape=[2, 2], datatype="BF16")
    one._raw_data = SAMPLES["BF16"].tobytes()
    one.parameters = {"binary_data_size": len(one._raw_data)}
    return one


def everything(*, binary: bool, outputs: list[str]) -> InferRequest:
    """All datatypes at once; those that the client cannot write as JSON go as binary data."""
    inputs = [
        tensor(f"in_{name}", name, SAMPLES[name], binary=binary or name not in JSON_TYPES)
        for name in BINARY_TYPES
    ]
    return InferRequest(
        model_name="identity",
        infer_inputs=[*inputs, bf16_as_bytes()],
        request_outputs=[RequestedOutput(f"out_{name}", {"binary_data": binary}) for name in outputs],
    )


def rest(check) -> None:
    """Run a check with the REST client."""

    async def run() -> None:
        async with InferenceRESTClient(RESTConfig(protocol="v2", timeout=20)) as one:
            await check(one)

    asyncio.run(run())


def remote(address: str, check, **options) -> None:
    """Run a check with the gRPC client."""

    async def run() -> None:
        async with InferenceGRPCClient(address, **options) as one:
            await check(one)

    asyncio.run(run())


def test_rest_health(http):
    """Live, ready and model ready are as the client expects them; another model is not ready."""

    async def check(one):
        url = f"http://{http['tiny']}"
        assert await one.is_server_live(url) is True
        assert await one.is_server_ready(url) is True
        assert await one.is_model_ready(url, "tiny") is True
        assert await one.is_model_ready(url, "other") is False

    rest(check)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_rest_datatypes(http, binary):
    """Every datatype that the client knows comes back element by element, in both forms."""
    names = BINARY_TYPES if binary else JSON_TYPES

    async def check(one):
        result = await one.infer(
            f"http://{http['identity']}", everything(binary=binary, outputs=names), model_name="identity"
        )
        assert [output.name for output in result.outputs] == [f"out_{name}" for name in names]
        for output, name in zip(result.outputs, names, strict=True):
            assert same(output.as_numpy(), SAMPLES[name]), name

    rest(check)


def test_rest_ids_batches_and_parameters(http):
    """A batch, a request id and parameters are taken; the id comes back."""

    async def check(one):
        request = x(*[[n, 0, 0, 0] for n in range(8)], request_id="ask-7", parameters={"colour": "green"})
        result = await one.infer(f"http://{http['tiny']}", request, model_name="tiny")
        assert result.id == "ask-7"
        assert result.outputs[0].as_numpy().tolist() == [[0, n] for n in range(8)]

    rest(check)


def test_rest_errors(http):
    """The client's exception has the server's words and its status."""

    async def check(one):
        for name, status, message in (
            ("tiny", 400, 'input "x": shape must be [-1,4], got [1,3]'),
            ("other", 404, '"tiny"'),
        ):
            with pytest.raises(httpx.HTTPStatusError) as error:
                await one.infer(f"http://{http['tiny']}", x([1, 2, 3]), model_name=name)
            assert error.value.response.status_code == status
            assert message in str(error.value)

    rest(check)


def test_rest_patience(http):
    """A model that hangs costs the client its own timeout."""

    async def check(one):
        request = InferRequest("hanging", [tensor("x", "FP32", np.array([[99]], np.float32), binary=False)])
        with pytest.raises(httpx.TimeoutException):
            await one.infer(f"http://{http['hanging']}", request, model_name="hanging", timeout=0.5)

    rest(check)


def test_grpc_health_and_inference(grpc):
    """Health, a batch with an id, raw and typed contents."""

    async def check(one):
        assert await one.is_server_live()
        assert await one.is_server_ready()
        assert await one.is_model_ready("tiny")
        for binary in (True, False):
            result = await one.infer(x([1, 0, 0, 0], [0, 0, 0, 1], binary=binary, request_id="ask-7"))
            assert result.id == "ask-7"
            assert result.outputs[0].as_numpy().tolist() == [[0, 1], [6, 7]]

    remote(grpc["tiny"], check)


def test_grpc_datatypes(grpc):
    """Every datatype that the client knows comes back element by element."""

    async def check(one):
        result = await one.infer(everything(binary=True, outputs=BINARY_TYPES))
        for output, name in zip(result.outputs, BINARY_TYPES, strict=True):
            assert same(output.as_numpy(), SAMPLES[name]), name

    remote(grpc["identity"], check)


def test_grpc_errors_and_patience(grpc):
    """The client's exception has the server's words and its status; a model that hangs costs a timeout."""

    async def wrong(one):
        with pytest.raises(grpc_library.RpcError) as error:
            await one.infer(x([1, 2, 3]))
        assert error.value.code() is grpc_library.StatusCode.INVALID_ARGUMENT
        assert error.value.details() == 'input "x": shape must be [-1,4], got [1,3]'
        with pytest.raises(grpc_library.RpcError) as error:
            await one.is_model_ready("other")
        assert error.value.code() is grpc_library.StatusCode.NOT_FOUND

    async def slow(one):
        request = InferRequest("hanging", [tensor("x", "FP32", np.array([[99]], np.float32), binary=True)])
        with pytest.raises(grpc_library.RpcError) as error:
            await one.infer(request, timeout=0.5)
        assert error.value.code() in (
            grpc_library.StatusCode.DEADLINE_EXCEEDED,
            grpc_library.StatusCode.RESOURCE_EXHAUSTED,
        )

    remote(grpc["tiny"], wrong)
    remote(grpc["hanging"], slow)
