"""Tensors in their binary form, checked before they reach a model.

Source: Open Inference Protocol v2, binary tensor data extension.
"""

from __future__ import annotations

from typing import Any

from tonnage.server.oip.datatypes import TensorData, split_bytes
from tonnage.server.oip.errors import bad_request
from tonnage.server.oip.tensors import TensorSpec


def binary_data(where: str, spec: TensorSpec, count: int, data: memoryview) -> TensorData:
    """Check the binary form of one tensor.

    Args:
        where: The tensor, for messages.
        spec: What the model takes.
        count: Elements that its shape holds.
        data: All its bytes.

    Raises:
        InferenceError: It does not hold ``count`` elements.
    """
    if spec.type.size_bytes == 0:
        return split_bytes(where, data, count)
    expected = count * spec.type.size_bytes
    if len(data) != expected:
        raise bad_request(
            f"{where}: binary data must be {expected} bytes for {count} elements of {spec.datatype}, "
            f"got {len(data)}"
        )
    if spec.datatype == "BOOL" and bytes(data).strip(b"\0\1"):
        # numpy takes any byte for a truth value, and reckons wrongly with those that are not 0 or 1
        raise bad_request(f"{where}: binary data must be bytes of 0 or 1 for BOOL")
    return data


def binary_size(where: str, parameters: dict[str, Any] | None) -> int | None:
    """Bytes of a tensor's binary data; None when its data are in the JSON.

    Raises:
        InferenceError: It is no whole number, or the data are said to lie in shared memory.
    """
    if not parameters:
        return None
    for name in parameters:
        if name.startswith("shared_memory"):
            raise bad_request(f"{where}: shared memory is not supported here; send the data in the body")
    size = parameters.get("binary_data_size")
    if size is None:
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise bad_request(f"{where}: binary_data_size must be a whole number >= 0, got {size!r:.40}")
    return size
