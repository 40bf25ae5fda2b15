"""gRPC answers as HTTP does, asked by grpcio's own client."""

from __future__ import annotations

import grpc
import numpy as np
import pytest

from tonnage.server.grpc.messages import DESCRIPTORS, MESSAGES, SERVICE, compiled


class Client:
    def __init__(self, server) -> None:
        line = server.event("listening", protocol="grpc")
        self.channel = grpc.insecure_channel(line["address"])

    def call(self, method: str, message, **options):
        rpc = self.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=lambda one: one.SerializeToString(),
            response_deserializer=MESSAGES[f"{method}Response"].FromString,
        )
        return rpc(message, timeout=30, **options)


@pytest.fixture
def client(serve, tiny):
    server = serve(
        {"name": "tiny", "format": "onnx", "path": str(tiny)}, grpc={"host": "127.0.0.1", "port": 0}
    )
    client = Client(server)
    yield client
    client.channel.close()
    assert server.stop() == 0


def infer(rows: list[list[float]], *, raw: bool, **more):
    message = MESSAGES["ModelInferRequest"](model_name="tiny", **more)
    tensor = message.inputs.add(name="x", datatype="FP32", shape=[len(rows), len(rows[0])])
    if raw:
        message.raw_input_contents.append(np.array(rows, np.float32).tobytes())
    else:
        tensor.contents.fp32_contents.extend(value for row in rows for value in row)
    return message


def test_inference_in_both_forms(client):
    """Typed contents are answered typed and raw contents raw, with the request's id."""
    typed = client.call("ModelInfer", infer([[1, 0, 0, 0]], raw=False, id="q"))
    assert typed.id == "q"
    assert list(typed.outputs[0].contents.fp32_contents) == [0, 1]
    raw = client.call("ModelInfer", infer([[1, 0, 0, 0], [0, 0, 0, 1]], raw=True))
    assert np.frombuffer(raw.raw_output_contents[0], np.float32).tolist() == [0, 1, 6, 7]
    assert list(raw.outputs[0].shape) == [2, 2]


def test_health_and_metadata(client):
    """Live, ready and metadata agree with HTTP."""
    assert client.call("ServerLive", MESSAGES["ServerLiveRequest"]()).live
    assert client.call("ServerReady", MESSAGES["ServerReadyRequest"]()).ready
    assert client.call("ModelReady", MESSAGES["ModelReadyRequest"](name="tiny")).ready
    metadata = client.call("ModelMetadata", MESSAGES["ModelMetadataRequest"](name="tiny"))
    assert [(one.name, list(one.shape)) for one in metadata.inputs] == [("x", [-1, 4])]


def test_errors_have_status_and_message(client):
    """A wrong shape is INVALID_ARGUMENT with HTTP's message, an unknown model NOT_FOUND."""
    with pytest.raises(grpc.RpcError) as wrong:
        client.call("ModelInfer", infer([[1, 2, 3]], raw=True))
    assert wrong.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wrong.value.details() == 'input "x": shape must be [-1,4], got [1,3]'
    with pytest.raises(grpc.RpcError) as unknown:
        client.call("ModelReady", MESSAGES["ModelReadyRequest"](name="other"))
    assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda one: one.inputs[0].contents.int_contents.append(1),
            'input "x": FP32 must be in fp32_contents, got int_contents',
        ),
        (
            lambda one: one.raw_input_contents.append(b"\0" * 16),
            'input "x": must have contents or raw_input_contents, got both',
        ),
        (
            lambda one: one.raw_input_contents.extend([b"\0" * 16] * 2),
            "raw_input_contents: must be one for each of 1 inputs, got 2",
        ),
        (
            lambda one: one.inputs[0].shape.__setitem__(0, -1),
            'input "x": shape must be [-1,4], got [-1,4]',
        ),
        (
            lambda one: one.parameters["timeout"].__setattr__("string_param", "1"),
            "parameters: timeout must be whole microseconds >= 0, got '1'",
        ),
        (
            lambda one: one.outputs.add(name="y").parameters["classification"].__setattr__("int64_param", 1),
            'output "y": parameter "classification" is not supported here',
        ),
    ],
)
def test_what_is_wrong_is_said(client, change, message):
    """INVALID_ARGUMENT with the tensor's name and what was expected."""
    wrong = infer([[1, 2, 3, 4]], raw=False)
    change(wrong)
    with pytest.raises(grpc.RpcError) as caught:
        client.call("ModelInfer", wrong)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == message


def test_a_timeout_parameter_is_obeyed(client):
    """A request whose parameter leaves it a microsecond is refused as over HTTP: RESOURCE_EXHAUSTED."""
    hurried = infer([[1, 2, 3, 4]], raw=True)
    hurried.parameters["timeout"].int64_param = 1
    with pytest.raises(grpc.RpcError) as caught:
        client.call("ModelInfer", hurried)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_requests_are_read(client, compression):
    """Messages compressed by gRPC itself are answered like others."""
    answer = client.call("ModelInfer", infer([[0, 0, 0, 1]], raw=False), compression=compression)
    assert list(answer.outputs[0].contents.fp32_contents) == [6, 7]


def test_who_cancels_is_not_an_overload(serve, python_model):
    """A call that its client cancels counts as 499."""
    server = serve(
        python_model("Steered"), execution="thread", batching={"size_max": 1},
        grpc={"host": "127.0.0.1", "port": 0}, limits={"compute_s_max": 60.0},
    )  # fmt: skip
    client = Client(server)

    def ask(x: float):
        message = MESSAGES["ModelInferRequest"](model_name="m")
        message.inputs.add(name="x", datatype="FP32", shape=[1, 1]).contents.fp32_contents.append(x)
        return message

    rpc = client.channel.unary_unary(
        f"/{SERVICE}/ModelInfer",
        request_serializer=lambda one: one.SerializeToString(),
        response_deserializer=MESSAGES["ModelInferResponse"].FromString,
    )
    stuck = rpc.future(ask(99), timeout=60)  # the model is busy with it for ever
    while server.metric("tonnage_requests_in_flight") < 1:
        pass
    waiting = rpc.future(ask(1), timeout=60)
    while server.metric("tonnage_requests_in_flight") < 2:
        pass
    waiting.cancel()
    while server.metric("tonnage_requests_in_flight") > 1:
        pass
    page = server.ask("/metrics")[1].decode()
    assert 'protocol="grpc",code="499"} 1' in page
    assert 'protocol="grpc",code="503"' not in page
    stuck.cancel()
    client.channel.close()


def test_a_stream_answers_in_order(client):
    """ModelStreamInfer gives one answer per request, errors among them."""
    rpc = client.channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        request_serializer=lambda one: one.SerializeToString(),
        response_deserializer=MESSAGES["ModelStreamInferResponse"].FromString,
    )
    sent = [infer([[1, 0, 0, 0]], raw=False), infer([[1]], raw=False), infer([[0, 1, 0, 0]], raw=False)]
    got = list(rpc(iter(sent), timeout=30))
    assert [bool(one.error_message) for one in got] == [False, True, False]
    assert list(got[2].infer_response.outputs[0].contents.fp32_contents) == [2, 3]


def test_the_descriptor_set_is_current(request):
    """The shipped descriptor set is what the .proto file compiles to."""
    assert compiled(request.config.rootpath / "proto" / "inference.proto") == DESCRIPTORS.read_bytes()
