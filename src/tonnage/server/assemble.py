"""From the tensors of a batch's requests to the model's input arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from tonnage.server.oip.datatypes import Array, float32_from_bfloat16
from tonnage.server.oip.decode import InferRequest
from tonnage.server.oip.tensors import Signature, Tensor, TensorSpec


def assemble(
    signature: Signature, requests: Sequence[InferRequest], padding: Mapping[str, float]
) -> dict[str, Array]:
    """Put the requests' tensors behind one another along the first dimension.

    Args:
        signature: What the model takes.
        requests: Of one group, so that their shapes fit together; exactly one if it does not batch.
        padding: By input, the value that fills tensors up to the largest of the batch.

    Returns:
        One writable array per input, of shape [items, ...].
    """
    inputs = {}
    for i, spec in enumerate(signature.inputs):
        tensors = [request.tensors[i] for request in requests]
        fill = padding.get(spec.name)
        if fill is not None and any(tensor.shape[1:] != tensors[0].shape[1:] for tensor in tensors):
            inputs[spec.name] = _padded(spec, tensors, fill)
        else:
            inputs[spec.name] = _joined(spec, tensors)
    return inputs


def _joined(spec: TensorSpec, tensors: list[Tensor]) -> Array:
    first = tensors[0].shape
    shape = (-1, *first[1:]) if len(tensors) > 1 else first
    if spec.datatype == "BYTES":
        elements = list(chain.from_iterable(tensor.data for tensor in tensors))
        array = np.empty(len(elements), object)
        array[:] = elements
        return array.reshape(_known(shape, tensors))
    # a bytearray, so that the model may write to what it is given
    data = bytearray().join([tensor.data for tensor in tensors])  # type: ignore[misc]
    if spec.datatype == "BF16":
        return float32_from_bfloat16(data).reshape(_known(shape, tensors))
    return np.frombuffer(data, spec.type.numpy).reshape(_known(shape, tensors))


def _known(shape: tuple[int, ...], tensors: list[Tensor]) -> tuple[int, ...]:
    """The joined shape; -1 cannot be left to numpy where another dimension is 0."""
    if len(tensors) > 1 and 0 in shape[1:]:
        return (sum(tensor.shape[0] for tensor in tensors), *shape[1:])
    return shape


def _padded(spec: TensorSpec, tensors: list[Tensor], fill: float) -> Array:
    items = sum(tensor.shape[0] for tensor in tensors)
    tail = tuple(max(lengths) for lengths in zip(*(tensor.shape[1:] for tensor in tensors), strict=True))
    value: Any = b"" if spec.datatype == "BYTES" else fill
    batch = np.full((items, *tail), value, spec.type.numpy)
    at = 0
    for tensor in tensors:
        part = _joined(spec, [tensor])
        own = tuple(slice(0, length) for length in tensor.shape[1:])
        batch[(slice(at, at + tensor.shape[0]), *own)] = part
        at += tensor.shape[0]
    return batch
