"""The protocol's datatypes, and tensors as the bytes that travel.

Between the wire and the model a fixed-size tensor is its row-major little-endian bytes, whatever
form it came in: JSON numbers are packed, binary and gRPC tensors are already that. A batch along
the first dimension is then the requests' bytes put one behind another, and costs one join.
``BYTES`` tensors are lists of ``bytes``.

Source: Open Inference Protocol v2, "Tensor Data Types" and the binary tensor data extension.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tonnage.server.oip.errors import bad_request

Array = npt.NDArray[Any]
TensorData = bytes | memoryview | list[bytes]
"""Row-major little-endian bytes, or a list of byte strings for BYTES."""


@dataclass(frozen=True, slots=True)
class Datatype:
    """One datatype.

    Attributes:
        name: Its name in the protocol.
        numpy: What a model is given: the numpy type; BF16 arrives as float32, BYTES as object.
        size_bytes: Bytes of an element on the wire; 0 for BYTES.
        pack: Code of ``struct`` for JSON numbers; empty where that does not pack it.
        json: What JSON must hold: ``float``, ``int``, ``bool`` or ``str``.
    """

    name: str
    numpy: np.dtype[Any]
    size_bytes: int
    pack: str
    json: str


def _type(name: str, numpy: str, size_bytes: int, pack: str, json: str) -> tuple[str, Datatype]:
    return name, Datatype(name, np.dtype(numpy), size_bytes, pack, json)


DATATYPES: Final[dict[str, Datatype]] = dict(
    (
        _type("BOOL", "?", 1, "?", "bool"),
        _type("UINT8", "u1", 1, "B", "int"),
        _type("UINT16", "<u2", 2, "H", "int"),
        _type("UINT32", "<u4", 4, "I", "int"),
        _type("UINT64", "<u8", 8, "Q", "int"),
        _type("INT8", "i1", 1, "b", "int"),
        _type("INT16", "<i2", 2, "h", "int"),
        _type("INT32", "<i4", 4, "i", "int"),
        _type("INT64", "<i8", 8, "q", "int"),
        _type("FP16", "<f2", 2, "e", "float"),
        _type("BF16", "<f4", 2, "", "float"),
        _type("FP32", "<f4", 4, "f", "float"),
        _type("FP64", "<f8", 8, "d", "float"),
        _type("BYTES", "O", 0, "", "str"),
    )
)

_NAME_OF_NUMPY = {d.numpy.newbyteorder("="): d.name for d in DATATYPES.values() if d.name != "BF16"}


def name_of_numpy(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a numpy type; strings and objects are BYTES.

    Raises:
        KeyError: The protocol has no such type.
    """
    if dtype.kind in "OSU":
        return "BYTES"
    return _NAME_OF_NUMPY[dtype.newbyteorder("=")]


_PACKERS: dict[tuple[str, int], Any] = {}
_PACKERS_MAX = 1024
PACK_ELEMENTS_MAX = 16_384
"""Elements beyond which numpy packs faster than ``struct``."""


def pack_json(where: str, datatype: Datatype, data: Sequence[Any]) -> TensorData:
    """Turn a flat list of JSON values into tensor data.

    Args:
        where: The tensor, for messages, such as ``input "x"``.
        datatype: What it is to become.
        data: Numbers, booleans or strings.

    Raises:
        InferenceError: A value is of another kind or out of range.
    """
    if datatype.json == "str":
        return _pack_strings(where, data)
    if not datatype.pack:
        return bfloat16_from_float32(_array(where, datatype, data))
    n = len(data)
    if n > PACK_ELEMENTS_MAX:
        return _array(where, datatype, data).tobytes()
    pack = _PACKERS.get((datatype.pack, n))
    if pack is None:
        if len(_PACKERS) >= _PACKERS_MAX:
            _PACKERS.clear()
        pack = _PACKERS[datatype.pack, n] = struct.Struct(f"<{n}{datatype.pack}").pack
    try:
        packed: bytes = pack(*data)
    except (struct.error, OverflowError, TypeError):
        raise _bad_value(where, datatype, data) from None
    # struct packs any object's truth as a boolean, and a boolean as a number
    if not (_all_truth(data) if datatype.json == "bool" else bool not in map(type, data)):
        raise _bad_value(where, datatype, data)
    return packed


def _all_truth(data: Sequence[Any]) -> bool:
    return all(v is True or v is False or (type(v) is int and v in (0, 1)) for v in data)


def _pack_strings(where: str, data: Sequence[Any]) -> list[bytes]:
    packed = []
    for i, value in enumerate(data):
        if isinstance(value, bytes):  # as gRPC's typed contents bring them
            packed.append(value)
            continue
        if not isinstance(value, str):
            raise bad_request(f"{where}: data[{i}] must be a string for BYTES, got {_show(value)}")
        packed.append(value.encode())
    return packed


def _array(where: str, datatype: Datatype, data: Sequence[Any]) -> Array:
    # numpy would take "1.5" for a number, None for NaN, 1e39 for infinity and anything for a boolean
    if datatype.json == "bool":
        fits = _all_truth(data)
    else:
        fits = set(map(type, data)) <= ({int} if datatype.json == "int" else {int, float})
    if not fits:
        raise _bad_value(where, datatype, data)
    try:
        with np.errstate(over="ignore"):
            array = np.array(data, datatype.numpy)
    except (TypeError, ValueError, OverflowError):
        raise _bad_value(where, datatype, data) from None
    if (
        datatype.json == "float"
        and not np.isfinite(array).all()
        and not all(_fits(datatype, value) for value in data)  # gRPC may bring infinities and NaN
    ):
        raise _bad_value(where, datatype, data)
    return array


def _bad_value(where: str, datatype: Datatype, data: Sequence[Any]) -> Exception:
    """Name the first value that does not fit."""
    for i, value in enumerate(data):
        if not _fits(datatype, value):
            return bad_request(
                f"{where}: data[{i}] must be {_RANGES[datatype.json]} {datatype.name}, got {_show(value)}"
            )
    return bad_request(f"{where}: data must be {datatype.name} values")


_RANGES = {
    "int": "a whole number in the range of",
    "float": "a number in the range of",
    "bool": "true or false for",
}


def _fits(datatype: Datatype, value: object) -> bool:
    if datatype.json == "bool":
        return _all_truth([value])
    if type(value) not in (int, float):
        return False
    try:
        struct.pack(f"<{datatype.pack or 'f'}", value)
    except (struct.error, OverflowError):
        return False
    return True


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def split_bytes(where: str, data: bytes | memoryview, count: int) -> list[bytes]:
    """Split the binary form of a BYTES tensor: each element behind its length.

    Args:
        where: The tensor, for messages.
        data: Elements, each preceded by its length in 4 little-endian bytes.
        count: How many there must be.

    Raises:
        InferenceError: The lengths do not add up.
    """
    view = memoryview(data)
    elements: list[bytes] = []
    at = 0
    while at < len(view) and len(elements) < count:
        if at + 4 > len(view):
            break
        size = int.from_bytes(view[at : at + 4], "little")
        at += 4
        if at + size > len(view):
            raise bad_request(
                f"{where}: element {len(elements)} must fit into the tensor's data, got a length of {size} "
                f"with {len(view) - at} bytes left"
            )
        elements.append(bytes(view[at : at + size]))
        at += size
    if len(elements) != count or at != len(view):
        raise bad_request(
            f"{where}: must hold {count} elements, each behind its 4-byte length, got {len(elements)} "
            f"and {len(view) - at} bytes over"
        )
    return elements


def join_bytes(elements: Sequence[bytes]) -> bytes:
    """The binary form of a BYTES tensor: each element behind its length in 4 little-endian bytes."""
    parts: list[bytes] = []
    for element in elements:
        parts.append(len(element).to_bytes(4, "little"))
        parts.append(element)
    return b"".join(parts)


def bfloat16_from_float32(array: Array) -> bytes:
    """Upper halves of float32 values, rounded to nearest, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    rounded = np.where(np.isnan(array), np.uint32(0x7FC0), rounded)
    return rounded.astype("<u2").tobytes()


def float32_from_bfloat16(data: bytes | bytearray | memoryview) -> Array:
    """Widen bfloat16 bytes; exact."""
    return (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
