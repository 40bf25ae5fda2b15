"""Inference requests: from a body to checked tensors.

The JSON form is decoded in one pass into typed structs whose ``data`` has the element type that the
model's inputs need; what does not fit (nested data, mixed inputs, mistakes) is decoded again in the
general form, which either accepts it or says what is wrong. Shapes met before are looked up.

Source: Open Inference Protocol v2, "Inference Request JSON Object"; binary tensor data extension.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from tonnage.server.oip.binary import binary_data, binary_size
from tonnage.server.oip.datatypes import PACK_ELEMENTS_MAX, TensorData, pack_json
from tonnage.server.oip.errors import InferenceError, bad_request
from tonnage.server.oip.parameters import flag
from tonnage.server.oip.tensors import (
    Signature,
    Tensor,
    TensorSpec,
    WantedOutput,
    check_shape,
    element_count,
    flatten,
)

T = TypeVar("T")
_NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
SHAPES_MAX = 1024
"""Shapes remembered per input."""


class _Input(msgspec.Struct, Generic[T], gc=False):
    name: str
    shape: tuple[int, ...]
    datatype: str
    data: T | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Any] | None = None


class _Output(msgspec.Struct, gc=False):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct, Generic[T], gc=False):
    inputs: list[_Input[T]]
    id: str | None = None
    outputs: list[_Output] | None = None
    parameters: dict[str, Any] | None = None


_ELEMENTS: dict[str, Any] = {"float": list[float], "int": list[int], "bool": list[bool], "str": list[str]}


@dataclass(frozen=True, slots=True)
class GivenTensor:
    """An input as it came, not yet checked.

    Attributes:
        name: Its name.
        datatype: Name of its datatype.
        shape: Its dimensions.
        data: Its binary form, or its elements as a flat list.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: memoryview | list[Any]


class InferRequest(msgspec.Struct, frozen=True, gc=False):
    """A checked request; a struct because it is made for every request.

    Attributes:
        id: The client's id; None when it gave none.
        tensors: One per input, in the model's order.
        items: Rows along the batch dimension; 1 for a model that does not batch.
        group: Requests of equal groups may share a batch.
        wanted: Outputs asked for; None for all, in the form ``binary`` says.
        binary: Whether outputs not named are wanted as binary data.
        parameters: The request's own parameters; None when it gave none.
    """

    id: str | None
    tensors: list[Tensor]
    items: int
    group: Hashable
    wanted: tuple[WantedOutput, ...] | None
    binary: bool
    parameters: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class _Shape:
    """A shape found to fit an input."""

    count: int
    items: int
    tail: Hashable
    pack: Callable[..., bytes] | None


class RequestDecoder:
    """Reads requests for one model.

    Args:
        signature: What the model takes.
        size_max: Items in one request at most; 1 for a model that does not batch.
        padded: Inputs whose varying dimensions do not keep requests apart.
        tensors_max: Inputs and requested outputs at most.
        body_bytes_max: Bytes of one tensor at most.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        size_max: int,
        padded: frozenset[str] = frozenset(),
        tensors_max: int = 64,
        body_bytes_max: int = 64 * 1024 * 1024,
    ) -> None:
        self._signature = signature
        self.size_max = size_max
        self._padded = padded
        self._tensors_max = tensors_max
        self._body_bytes_max = body_bytes_max
        kinds = {spec.type.json for spec in signature.inputs}
        elements = _ELEMENTS[kinds.pop()] if len(kinds) == 1 else Any
        self._decode_typed = msgspec.json.Decoder(_Request[elements]).decode  # type: ignore[valid-type]
        self._decode_any = msgspec.json.Decoder(_Request[Any]).decode
        self._shapes: list[dict[tuple[int, ...], _Shape]] = [{} for _ in signature.inputs]
        # for the quick way; a model of several inputs has no single shapes and never takes it
        single = signature.inputs[0] if len(signature.inputs) == 1 else None
        self._single_name = single.name if single else ""
        self._single_datatype = single.datatype if single else ""
        self._single_shapes = self._shapes[0] if single else {}

    def decode(self, body: bytes, json_length: int | None = None) -> InferRequest:
        """Read one request.

        Args:
            body: The whole body.
            json_length: Length of its JSON part when binary tensors follow; None when all is JSON.

        Raises:
            InferenceError: What is wrong, with the tensor's name.
        """
        if json_length is None:
            request, binary = self._parse(body), memoryview(b"")
        else:
            if not 0 <= json_length <= len(body):
                raise bad_request(
                    "header inference-header-content-length: must be at most the body's length "
                    f"{len(body)}, got {json_length}"
                )
            request, binary = self._parse(body[:json_length]), memoryview(body)[json_length:]
        return self._checked(request, binary)

    def _checked(self, request: _Request[Any], binary: memoryview) -> InferRequest:
        tensors, items, group = self._inputs(request.inputs, binary)
        return self._finish(request, tensors, items, group)

    def decode_json(self, body: bytes) -> InferRequest:
        """Read one request that is all JSON: the short way for one input of a shape seen before.

        Raises:
            InferenceError: What is wrong, with the tensor's name.
        """
        try:
            request = self._decode_typed(body)
        except _NOT_JSON:
            return self._checked(self._parse_any(body), memoryview(b""))  # what packs need not be valid
        try:
            (given,) = request.inputs
            shape = self._single_shapes[given.shape]
            if (
                given.datatype == self._single_datatype
                and given.name == self._single_name
                and given.parameters is None
                and request.parameters is None
                and request.outputs is None
                and len(cast("list[Any]", given.data)) == shape.count  # UNSET has no length: TypeError
            ):
                packed = shape.pack(*given.data)  # type: ignore[misc]
                return InferRequest(
                    request.id, [Tensor(given.shape, packed)], shape.items, shape.tail, None, False, None
                )
        except (KeyError, ValueError, TypeError, struct.error, OverflowError):
            pass  # unusual or wrong; the long way tells which
        return self._checked(request, memoryview(b""))

    def decode_tensors(
        self,
        *,
        request_id: str | None,
        tensors: list[GivenTensor],
        outputs: list[tuple[str, dict[str, Any]]],
        parameters: dict[str, Any] | None,
    ) -> InferRequest:
        """Check a request whose tensors came apart already, as gRPC brings them.

        Args:
            request_id: The client's id.
            tensors: The inputs, in any order.
            outputs: Outputs asked for with their parameters; empty for all.
            parameters: The request's parameters.

        Raises:
            InferenceError: What is wrong, with the tensor's name.
        """
        given = [_Input[Any](one.name, one.shape, one.datatype, one.data) for one in tensors]
        checked, items, group = self._inputs(given, memoryview(b""))
        wanted = [_Output(name, own or None) for name, own in outputs]
        return self._finish(_Request[Any]([], request_id, wanted, parameters), checked, items, group)

    def _parse(self, body: bytes) -> _Request[Any]:
        try:
            return self._decode_typed(body)
        except _NOT_JSON:
            return self._parse_any(body)

    def _parse_any(self, body: bytes) -> _Request[Any]:
        """Read what is not of the usual form: the general form tells an unusual request from a wrong one."""
        try:
            return self._decode_any(body)
        except msgspec.ValidationError as error:
            raise bad_request(f"body: must be an inference request, got {error}") from None
        except _NOT_JSON as error:
            raise bad_request(f"body: must be a JSON inference request, got {error}") from None

    def _inputs(self, given: list[_Input[Any]], binary: memoryview) -> tuple[list[Tensor], int, Hashable]:
        specs = self._signature.inputs
        if len(given) > self._tensors_max:
            raise bad_request(f"inputs: must be at most {self._tensors_max} tensors, got {len(given)}")
        tensors: dict[str, tuple[Tensor, _Shape]] = {}
        for one in given:
            spec = self._signature.by_name.get(one.name)
            if spec is None:
                raise _unknown("input", one.name, self._signature.by_name)
            if one.name in tensors:
                raise bad_request(f'input "{one.name}": must be given once')
            where = f'input "{one.name}"'
            shape = self._shape(specs.index(spec), where, spec, one)
            data, binary = self._data(where, spec, one, shape, binary)
            tensors[one.name] = Tensor(one.shape, data), shape
        missing = [spec.name for spec in specs if spec.name not in tensors]
        if missing:
            raise bad_request(f"inputs: must hold {_quoted(missing)} also")
        if binary:
            raise bad_request(f"body: must end with its last tensor, got {len(binary)} bytes over")
        ordered = [tensors[spec.name] for spec in specs]
        items = ordered[0][1].items if ordered else 1
        for spec, (_, shape) in zip(specs, ordered, strict=True):
            if shape.items != items:
                raise bad_request(
                    f'input "{spec.name}": must hold as many items as input "{specs[0].name}", '
                    f"got {shape.items} and {items}"
                )
        group: Hashable = None
        if len(ordered) == 1:
            group = ordered[0][1].tail  # as the short way has it, so that both share batches
        elif any(shape.tail for _, shape in ordered):
            group = tuple(shape.tail for _, shape in ordered)
        return [tensor for tensor, _ in ordered], items, group

    def _shape(self, index: int, where: str, spec: TensorSpec, given: _Input[Any]) -> _Shape:
        if given.datatype != spec.datatype:
            raise bad_request(f"{where}: datatype must be {spec.datatype}, got {given.datatype[:40]}")
        known = self._shapes[index]
        shape = known.get(given.shape)
        if shape is None:
            if len(known) >= SHAPES_MAX:
                known.clear()
            shape = known[given.shape] = self._check_shape(where, spec, given.shape)
        return shape

    def _check_shape(self, where: str, spec: TensorSpec, given: tuple[int, ...]) -> _Shape:
        shape = check_shape(where, spec, given)
        count = element_count(where, spec, shape, self._body_bytes_max)
        code = spec.type.pack if spec.type.json != "bool" else ""  # truth values need a look at each
        pack = struct.Struct(f"<{count}{code}").pack if code and count <= PACK_ELEMENTS_MAX else None
        if not self._signature.batches:
            return _Shape(count, 1, None, pack)
        if not 1 <= shape[0] <= self.size_max:
            raise bad_request(
                f"{where}: the batch (first dimension) must hold 1 to {self.size_max} items, got {shape[0]}"
            )
        varying = tuple(got for got, want in zip(shape[1:], spec.shape[1:], strict=True) if want == -1)
        tail = None if spec.name in self._padded or not varying else varying
        return _Shape(count, shape[0], tail, pack)

    def _data(
        self, where: str, spec: TensorSpec, given: _Input[Any], shape: _Shape, binary: memoryview
    ) -> tuple[TensorData, memoryview]:
        """The tensor's data, and the binary data left behind it."""
        size = binary_size(where, given.parameters)
        if size is None:
            return self._json_data(where, spec, given, shape), binary
        if given.data is not msgspec.UNSET:
            raise bad_request(f"{where}: must have data or binary_data_size, got both")
        if size > len(binary):
            raise bad_request(
                f"{where}: binary_data_size must be within the body, got {size} of {len(binary)}"
            )
        return binary_data(where, spec, shape.count, binary[:size]), binary[size:]

    def _json_data(self, where: str, spec: TensorSpec, given: _Input[Any], shape: _Shape) -> TensorData:
        data = given.data
        if isinstance(data, memoryview):
            return binary_data(where, spec, shape.count, data)
        if data is msgspec.UNSET:
            raise bad_request(f"{where}: must have data, or binary_data_size and binary data")
        if not isinstance(data, list):
            raise bad_request(f"{where}: data must be an array, got {type(data).__name__}")
        if data and isinstance(data[0], list):
            data = flatten(where, data, given.shape)
        if len(data) != shape.count:
            raise bad_request(
                f"{where}: data must hold {shape.count} elements for its shape, got {len(data)}"
            )
        return pack_json(where, spec.type, data)

    def _finish(
        self, request: _Request[Any], tensors: list[Tensor], items: int, group: Hashable
    ) -> InferRequest:
        wanted: tuple[WantedOutput, ...] | None = None
        binary = False
        if request.parameters is not None:
            binary = flag("parameters", request.parameters, "binary_data_output", False)
        if request.outputs:
            wanted = self._wanted(request.outputs, binary)
        return InferRequest(request.id, tensors, items, group, wanted, binary, request.parameters)

    def _wanted(self, outputs: list[_Output], binary: bool) -> tuple[WantedOutput, ...]:
        if len(outputs) > self._tensors_max:
            raise bad_request(f"outputs: must be at most {self._tensors_max} tensors, got {len(outputs)}")
        known = {spec.name: spec for spec in self._signature.outputs}
        wanted: list[WantedOutput] = []
        for output in outputs:
            parameters = output.parameters or {}
            if known and output.name not in known:
                raise _unknown("output", output.name, known)
            if any(one.name == output.name for one in wanted):
                raise bad_request(f'output "{output.name}": must be asked for once')
            for name in parameters:
                if name != "binary_data":
                    raise bad_request(
                        f'output "{output.name}": parameter "{name[:40]}" is not supported here'
                    )
            where = f'output "{output.name}"'
            wanted.append(WantedOutput(output.name, flag(where, parameters, "binary_data", binary)))
        return tuple(wanted)


def _unknown(kind: str, name: str, known: dict[str, TensorSpec]) -> InferenceError:
    import difflib  # rarely: half of the time to import this module

    near = difflib.get_close_matches(name, known, 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return bad_request(f'{kind} "{name[:80]}": must be one of {_quoted(list(known))}{hint}')


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
