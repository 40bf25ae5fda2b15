"""The gRPC server: the protocol's service on grpcio's asyncio server, in the worker's event loop."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import grpc

import tonnage
from tonnage.contract import endpoints
from tonnage.contract.server_config import ListenConfig, ServerConfig
from tonnage.server.call import Call
from tonnage.server.engine import Engine
from tonnage.server.grpc.messages import MESSAGES, SERVICE
from tonnage.server.listening import PortTaken
from tonnage.server.metrics.block import PROTOCOLS
from tonnage.server.metrics.recorder import Recorder
from tonnage.server.oip.decode import GivenTensor, RequestDecoder
from tonnage.server.oip.encode import BatchAnswers
from tonnage.server.oip.errors import Fault, InferenceError, bad_request
from tonnage.server.oip.model_config import data_type_number, model_config
from tonnage.server.oip.parameters import timeout_s
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.state import ServerState

_GRPC: Final = PROTOCOLS.index("grpc")
_CONTENTS: Final = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Datatype to its field of ``InferTensorContents``; FP16 and BF16 have none."""


class GrpcCall(Call):
    """An inference over gRPC; its future gives the answer's bytes."""

    __slots__ = ("future", "raw", "server")
    protocol = _GRPC

    future: asyncio.Future[bytes]
    raw: bool
    server: GrpcServer

    def answer(self, answers: BatchAnswers, at: int) -> None:
        """Give the outputs in the form that the inputs had.

        Raises:
            InferenceError: An output asked for is not there, or the client has gone.
        """
        if self.future.cancelled():
            raise InferenceError(Fault.ABANDONED, "client: has gone")
        self.future.set_result(_render(self, answers, at))

    def fail(self, error: InferenceError) -> None:
        """Give an error instead; to nobody when the client has gone, whatever the error."""
        if self.future.cancelled():
            self.server.recorder.count(_GRPC, Fault.ABANDONED.http_status)
            return
        self.server.recorder.count(_GRPC, error.fault.http_status)
        self.future.set_exception(error)


class GrpcServer:
    """Serves one loaded model over gRPC.

    Args:
        config: The server's settings.
        listen: Where to listen; shared with other processes when it says so.
        engine: The model.
        decoder: Checks requests.
        signature: What the model takes and gives.
        state: Whether it is ready.
        recorder: Where answers are counted.
    """

    def __init__(
        self,
        *,
        config: ServerConfig,
        listen: ListenConfig,
        engine: Engine,
        decoder: RequestDecoder,
        signature: Signature,
        state: ServerState,
        recorder: Recorder,
    ) -> None:
        self.recorder = recorder
        self.model_name = config.model.name
        self.model_version = config.model.version
        self._listen = listen
        self._engine = engine
        self._decoder = decoder
        self._signature = signature
        self._state = state
        self._deadline_s = config.deadline_s_default or math.inf
        self._loop = asyncio.get_running_loop()
        limits = config.limits
        self._server = grpc.aio.server(
            options=(
                ("grpc.so_reuseport", int(listen.only_ready)),
                ("grpc.max_receive_message_length", limits.body_bytes_max),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_metadata_size", limits.head_bytes_max),
                ("grpc.max_concurrent_streams", limits.connections_max),
                ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
            ),
            maximum_concurrent_rpcs=limits.connections_max,
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))

    async def start(self) -> int:
        """Listen.

        Returns:
            The port.

        Raises:
            PortTaken: Somebody else has it.
        """
        address = f"[{self._listen.host}]" if ":" in self._listen.host else self._listen.host
        try:
            port: int = self._server.add_insecure_port(f"{address}:{self._listen.port}")
        except RuntimeError as error:
            raise PortTaken(
                f"server.grpcPort: must be free to listen on, got {address}:{self._listen.port}: {error}"
                "; stop what listens there, or choose another with --grpc-port"
            ) from None
        await self._server.start()
        return port

    async def stop(self, end_s: float) -> None:
        """Take no more calls and finish those in flight.

        Args:
            end_s: When to give up [s, monotonic].
        """
        await self._server.stop(grace=max(0.0, end_s - time.monotonic()))

    def _handlers(self) -> Any:
        def unary(method: Callable[..., Any], name: str, serializer: Any = None) -> Any:
            return grpc.unary_unary_rpc_method_handler(
                method,
                request_deserializer=MESSAGES[f"{name}Request"].FromString,
                response_serializer=serializer or MESSAGES[f"{name}Response"].SerializeToString,
            )

        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "ServerLive": unary(self._server_live, "ServerLive"),
                "ServerReady": unary(self._server_ready, "ServerReady"),
                "ModelReady": unary(self._model_ready, "ModelReady"),
                "ServerMetadata": unary(self._server_metadata, "ServerMetadata"),
                "ModelMetadata": unary(self._model_metadata, "ModelMetadata"),
                "ModelConfig": unary(self._model_config, "ModelConfig"),
                "ModelInfer": unary(self._infer, "ModelInfer", _as_is),
                "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(
                    self._stream,
                    request_deserializer=MESSAGES["ModelInferRequest"].FromString,
                    response_serializer=MESSAGES["ModelStreamInferResponse"].SerializeToString,
                ),
            },
        )

    async def _server_live(self, request: Any, context: Any) -> Any:
        del request, context
        verdict = self._state.liveness(self._engine.busy_since_s, time.monotonic())
        return MESSAGES["ServerLiveResponse"](live=verdict.ok)

    async def _server_ready(self, request: Any, context: Any) -> Any:
        del request, context
        return MESSAGES["ServerReadyResponse"](ready=self._state.readiness().ok)

    async def _model_ready(self, request: Any, context: Any) -> Any:
        await self._check_model(request.name, request.version, context)
        return MESSAGES["ModelReadyResponse"](ready=self._state.readiness().ok)

    async def _server_metadata(self, request: Any, context: Any) -> Any:
        del request, context
        return MESSAGES["ServerMetadataResponse"](
            name="tonnage", version=tonnage.__version__, extensions=["binary_tensor_data"]
        )

    async def _model_metadata(self, request: Any, context: Any) -> Any:
        await self._check_model(request.name, request.version, context)
        return MESSAGES["ModelMetadataResponse"](
            name=self.model_name,
            versions=[self.model_version],
            platform=self._signature.platform,
            inputs=[_metadata(spec) for spec in self._signature.inputs],
            outputs=[_metadata(spec) for spec in self._signature.outputs],
        )

    async def _model_config(self, request: Any, context: Any) -> Any:
        await self._check_model(request.name, request.version, context)
        config = model_config(self.model_name, self._signature, self._decoder.size_max)
        for tensor in (*config["input"], *config["output"]):
            tensor["data_type"] = data_type_number(tensor["data_type"])
        return MESSAGES["ModelConfigResponse"](config=config)

    async def _check_model(self, name: str, version: str, context: Any) -> None:
        try:
            self._known(name, version)
        except InferenceError as error:
            await context.abort(grpc.StatusCode.NOT_FOUND, error.message)

    def _known(self, name: str, version: str) -> None:
        if name != self.model_name or version not in ("", self.model_version):
            raise InferenceError(
                Fault.NOT_FOUND,
                f'model: must be "{self.model_name}" in version "{self.model_version}", the one served here, '
                f'got "{name[:80]}" in version "{version[:80]}"',
            )

    async def _infer(self, message: Any, context: Any) -> bytes:
        metadata = {key: value for key, value in context.invocation_metadata() or () if key in _PASSED_ON}
        try:
            if metadata:
                context.set_trailing_metadata(tuple(metadata.items()))
            return await self._submit(message, context, metadata, stream=object())
        except InferenceError as error:
            trailing = list(metadata.items())
            if error.retry_after_s is not None:
                trailing.append(("retry-after", str(max(1, math.ceil(error.retry_after_s)))))
            await context.abort(grpc.StatusCode[error.fault.grpc_status], error.message, tuple(trailing))
            raise  # abort has raised already

    async def _stream(self, messages: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        """Triton's stream: errors are answers of their own."""
        response = MESSAGES["ModelStreamInferResponse"]
        stream = object()
        async for message in messages:
            try:
                data = await self._submit(message, context, {}, stream=stream)
            except InferenceError as error:
                yield response(error_message=error.message)
            else:
                yield response(infer_response=MESSAGES["ModelInferResponse"].FromString(data))

    async def _submit(
        self, message: Any, context: Any, metadata: Mapping[str, str], *, stream: object
    ) -> bytes:
        now_s = time.monotonic()
        call = GrpcCall()
        call.server = self
        call.future = self._loop.create_future()
        call.stream = stream
        call.arrived_s = now_s
        remaining_s = context.time_remaining()
        call.deadline_s = now_s + (remaining_s if remaining_s is not None else self._deadline_s)
        call.traceparent = metadata.get(endpoints.TRACEPARENT_HEADER)
        try:
            if not self._state.accepting:
                raise InferenceError(Fault.NOT_READY, f"server: {self._state.readiness().reason}", 1.0)
            self._known(message.model_name, message.model_version)
            call.raw = bool(message.raw_input_contents)
            call.request = self._decoder.decode_tensors(
                request_id=message.id or None,
                tensors=_given(message),
                outputs=[(one.name, _parameters(one.parameters)) for one in message.outputs],
                parameters=_parameters(message.parameters) or None,
            )
            call.deadline_s = min(call.deadline_s, now_s + timeout_s(call.request.parameters))
        except InferenceError as error:
            self.recorder.count(_GRPC, error.fault.http_status)
            raise
        call.items = call.request.items
        call.group = call.request.group
        self._engine.submit(call, now_s)
        try:
            return await call.future
        except asyncio.CancelledError:
            call.deadline_s = -math.inf  # nobody waits: never start it
            raise


_PASSED_ON: Final = frozenset({endpoints.TRACEPARENT_HEADER, "tracestate", endpoints.REQUEST_ID_HEADER})


def _as_is(data: bytes) -> bytes:
    return data


def _metadata(spec: TensorSpec) -> Any:
    return MESSAGES["ModelMetadataResponse"].TensorMetadata(
        name=spec.name, datatype=spec.datatype, shape=spec.shape
    )


def _parameters(parameters: Any) -> dict[str, Any]:
    values = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        if choice is not None:
            values[name] = getattr(parameter, choice)
    return values


def _given(message: Any) -> list[GivenTensor]:
    """The request's inputs, with their data from whichever place it is in."""
    raw = message.raw_input_contents
    if raw and len(raw) != len(message.inputs):
        raise bad_request(
            f"raw_input_contents: must be one for each of {len(message.inputs)} inputs, got {len(raw)}"
        )
    tensors = []
    for i, tensor in enumerate(message.inputs):
        where = f'input "{tensor.name[:80]}"'
        if any(name.startswith("shared_memory") for name in tensor.parameters):
            raise bad_request(f"{where}: shared memory is not supported here; send the data in the message")
        data: Any
        if raw:
            if tensor.HasField("contents"):
                raise bad_request(f"{where}: must have contents or raw_input_contents, got both")
            data = memoryview(raw[i])
        else:
            field = _CONTENTS.get(tensor.datatype)
            if field is None and tensor.datatype in ("FP16", "BF16"):
                raise bad_request(f"{where}: {tensor.datatype} must be sent as raw_input_contents")
            data = list(getattr(tensor.contents, field)) if field is not None else []
            others = [one.name for one, _ in tensor.contents.ListFields() if one.name != field]
            if others and field is not None:
                raise bad_request(f"{where}: {tensor.datatype} must be in {field}, got {others[0]}")
        tensors.append(GivenTensor(tensor.name, tensor.datatype, tuple(tensor.shape), data))
    return tensors


def _render(call: GrpcCall, answers: BatchAnswers, at: int) -> bytes:
    request = call.request
    names = [one.name for one in request.wanted] if request.wanted is not None else answers.names()
    missing = [name for name in names if name not in answers.names()]
    if missing:
        raise bad_request(f'output "{missing[0]}": the model did not give it')
    raw = call.raw or any(answers.datatype(name) not in _CONTENTS for name in names)
    message = MESSAGES["ModelInferResponse"](
        model_name=call.server.model_name, model_version=call.server.model_version, id=request.id or ""
    )
    for name in names:
        datatype = answers.datatype(name)
        part = answers.part(name, at, request.items)
        output = message.outputs.add(name=name, datatype=datatype, shape=part.shape)
        if raw:
            message.raw_output_contents.append(answers.raw(name, at, request.items))
        else:
            values = part.ravel().tolist()
            if datatype == "BYTES":
                values = [one if isinstance(one, bytes) else str(one).encode() for one in values]
            getattr(output.contents, _CONTENTS[datatype]).extend(values)
    data: bytes = message.SerializeToString()
    return data
