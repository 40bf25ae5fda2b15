"""Answers of one batch: from the model's arrays to each request's bytes.

A batch's array is turned into JSON in one call and cut into rows, so that a request's answer costs
a few joins of bytes. float32 is written in its own shortest form, not in float64's.

Source: Open Inference Protocol v2, "Inference Response JSON Object"; binary tensor data extension.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import orjson

from tonnage.server.oip.datatypes import (
    DATATYPES,
    Array,
    bfloat16_from_float32,
    join_bytes,
    name_of_numpy,
)
from tonnage.server.oip.errors import Fault, InferenceError, bad_request
from tonnage.server.oip.tensors import Signature, WantedOutput

_ARRAY = orjson.OPT_SERIALIZE_NUMPY


class BatchAnswers:
    """What one batch gave; cut up on demand.

    Args:
        start: The answer's JSON up to the outputs, as ``answer_start`` gives it.
        outputs: By name; the first dimension is the batch where the model batches.
        signature: What the model declares.

    Raises:
        InferenceError: An output is not what the protocol can carry.
    """

    __slots__ = ("_arrays", "_batches", "_prefixes", "_rows", "_single", "_start", "_types")

    def __init__(self, start: bytes, outputs: Mapping[str, Array], signature: Signature) -> None:
        self._start = start
        self._batches = signature.batches
        self._arrays = dict(outputs)
        declared = {spec.name: spec.datatype for spec in signature.outputs}
        self._types = {}
        for name, array in outputs.items():
            datatype = declared.get(name) or _name_of(name, array)
            self._types[name] = datatype
            if array.dtype is not DATATYPES[datatype].numpy:
                self._arrays[name] = _cast(name, array, datatype)
        self._rows: dict[str, list[bytes]] = {}
        self._prefixes: dict[tuple[str, int], bytes] = {}
        self._single: tuple[bytes, list[bytes]] | None = None
        if len(self._arrays) == 1:
            (name,) = self._arrays
            if self._types[name] != "BYTES":
                rows = self._rows[name] = self._json_rows(name)
                self._single = start + b'"outputs":[' + self._prefix(name, 1), rows

    def json(self, at: int, items: int, request_id: str | None) -> bytes:
        """The JSON body of one request that wants every output as JSON.

        Args:
            at: Its first item in the batch.
            items: How many items it has.
            request_id: The client's id.
        """
        if items == 1 and request_id is None:
            single = self._single
            if single is not None:  # one output, one item: nearly every answer
                return single[0] + single[1][at] + b"]}]}"
        parts = [self._start]
        if request_id is not None:
            parts.append(b'"id":' + orjson.dumps(request_id) + b",")
        parts.append(b'"outputs":[')
        for name in self._arrays:
            parts.append(self._prefix(name, items))
            parts.append(self._json_data(name, at, items))
            parts.append(b"]},")
        parts[-1] = b"]}]}" if self._arrays else b'"outputs":[]}'
        return b"".join(parts)

    def body(
        self,
        at: int,
        items: int,
        request_id: str | None,
        wanted: tuple[WantedOutput, ...] | None,
        binary: bool,
    ) -> tuple[bytes, int | None]:
        """The body of one request in the form that it asked for.

        Returns:
            The body, and the length of its JSON part when binary tensors follow it.

        Raises:
            InferenceError: An output asked for is not there, or not text where JSON is wanted.
        """
        if wanted is None:
            wanted = tuple(WantedOutput(name, binary) for name in self._arrays)
        parts = [self._start]
        if request_id is not None:
            parts.append(b'"id":' + orjson.dumps(request_id) + b",")
        outputs: list[bytes] = []
        blobs: list[bytes] = []
        for output in wanted:
            if output.name not in self._arrays:
                raise bad_request(f'output "{output.name}": the model did not give it')
            prefix = self._prefix(output.name, items)
            if output.binary:
                blob = self.raw(output.name, at, items)
                blobs.append(blob)
                head = prefix.removesuffix(b'"data":[')
                outputs.append(b'%b"parameters":{"binary_data_size":%d}}' % (head, len(blob)))
            else:
                outputs.append(prefix + self._json_data(output.name, at, items) + b"]}")
        parts += (b'"outputs":[', b",".join(outputs), b"]}")
        text = b"".join(parts)
        return (text + b"".join(blobs), len(text)) if blobs else (text, None)

    def names(self) -> tuple[str, ...]:
        """The outputs, in the model's order."""
        return tuple(self._arrays)

    def datatype(self, name: str) -> str:
        """The protocol's datatype of an output."""
        return self._types[name]

    def part(self, name: str, at: int, items: int) -> Array:
        """One request's part of an output."""
        array = self._arrays[name]
        return array[at : at + items] if self._batches else array

    def raw(self, name: str, at: int, items: int) -> bytes:
        """One request's part of an output in its binary form."""
        part = self.part(name, at, items)
        datatype = self._types[name]
        if datatype == "BYTES":
            return join_bytes([_as_bytes(value) for value in part.ravel().tolist()])
        if datatype == "BF16":
            return bfloat16_from_float32(part)
        return np.ascontiguousarray(part).tobytes()

    def _prefix(self, name: str, items: int) -> bytes:
        prefix = self._prefixes.get((name, items))
        if prefix is None:
            shape = self._arrays[name].shape
            if self._batches:
                shape = (items, *shape[1:])
            prefix = b'{"name":%b,"datatype":"%b","shape":%b,"data":[' % (
                orjson.dumps(name),
                self._types[name].encode(),
                orjson.dumps(shape),
            )
            self._prefixes[name, items] = prefix
        return prefix

    def _json_data(self, name: str, at: int, items: int) -> bytes:
        rows = self._rows.get(name)
        if rows is None:
            rows = self._rows[name] = self._json_rows(name)
        if items == 1:
            return rows[at]
        # rows without elements have no commas between them
        return b",".join(rows[at : at + items]) if rows[at] else b""

    def _json_rows(self, name: str) -> list[bytes]:
        """JSON of an output's elements, without brackets, by item."""
        array = self._arrays[name]
        count = array.shape[0] if self._batches else 1
        if self._types[name] == "BYTES":
            flat = array.reshape(count, -1).tolist()
            return [orjson.dumps([_as_text(name, value) for value in row])[1:-1] for row in flat]
        if count == 0 or array.size == 0:
            return [b""] * count
        rows = np.ascontiguousarray(array).reshape(count, -1)
        return orjson.dumps(rows, option=_ARRAY)[2:-2].split(b"],[")


def answer_start(model_name: str, model_version: str) -> bytes:
    """The beginning of every answer of a model."""
    head = json.dumps({"model_name": model_name, "model_version": model_version}, separators=(",", ":"))
    return head[:-1].encode() + b","


def _name_of(name: str, array: Array) -> str:
    try:
        return name_of_numpy(array.dtype)
    except KeyError:
        raise InferenceError(
            Fault.MODEL, f'output "{name}": must be of a protocol datatype, got {array.dtype}'
        ) from None


def _cast(name: str, array: Array, datatype: str) -> Array:
    """An output as the type that is announced: what travels must be what its datatype says.

    A model that declares FP32 and gives float64, as numpy likes to, means float32; one that gives
    complex numbers or fractions for whole numbers is wrong.
    """
    want = DATATYPES[datatype].numpy
    if array.dtype == want or want.kind == "O":
        return array
    if not np.can_cast(array.dtype, want, "same_kind"):
        raise InferenceError(
            Fault.MODEL, f'output "{name}": must be {datatype} as declared, got {array.dtype}'
        )
    with np.errstate(over="ignore"):
        return array.astype(want)


def _as_bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode()


def _as_text(name: str, value: object) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise bad_request(
            f'output "{name}": is not UTF-8 text; ask for it with the parameter binary_data'
        ) from None
