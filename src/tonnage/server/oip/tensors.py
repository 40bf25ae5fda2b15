"""What a model takes and gives, and requests checked against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import msgspec

from tonnage.server.oip.datatypes import DATATYPES, Datatype, TensorData
from tonnage.server.oip.errors import bad_request


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A declared tensor.

    Attributes:
        name: Its name.
        datatype: Name of its datatype.
        shape: Its dimensions; -1 for any length. The first is the batch where the model batches.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def type(self) -> Datatype:
        """Its datatype."""
        return DATATYPES[self.datatype]


@dataclass(frozen=True, slots=True)
class Signature:
    """Inputs and outputs of a model.

    Attributes:
        platform: What kind of model it is, in ``<project>_<format>`` form.
        inputs: In the model's order.
        outputs: In the model's order; empty when the model tells them only by answering.
        batches: Whether the first dimension of every tensor is the batch.
        by_name: The inputs by their names.
    """

    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    batches: bool
    by_name: dict[str, TensorSpec] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {spec.name: spec for spec in self.inputs})


class Tensor(msgspec.Struct, frozen=True, gc=False):
    """One input of one request, checked; a struct because it is made for every request.

    Attributes:
        shape: Its dimensions.
        data: Its elements (see ``datatypes``).
    """

    shape: tuple[int, ...]
    data: TensorData


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that the client asked for by name, and whether as binary data."""

    name: str
    binary: bool


def check_shape(where: str, spec: TensorSpec, shape: Sequence[int]) -> tuple[int, ...]:
    """Check a request's shape against the declared one.

    Returns:
        The shape as a tuple.

    Raises:
        InferenceError: It differs in rank or in a fixed dimension, or holds a length below 0.
    """
    checked = tuple(shape)
    declared = spec.shape
    if len(checked) != len(declared) or any(
        got < 0 or want not in (-1, got) for got, want in zip(checked, declared, strict=False)
    ):
        raise bad_request(f"{where}: shape must be {_show(declared)}, got {_show(checked)}")
    return checked


def element_count(where: str, spec: TensorSpec, shape: Sequence[int], bytes_max: int) -> int:
    """Elements of a tensor, refused when they cannot be within the body's limit."""
    count = prod(shape)
    if count * max(spec.type.size_bytes, 1) > bytes_max:
        raise bad_request(f"{where}: shape must hold at most {bytes_max} bytes of data, got {_show(shape)}")
    return count


def flatten(where: str, data: Any, shape: tuple[int, ...]) -> list[Any]:
    """Flatten JSON data that is nested as its shape says.

    Raises:
        InferenceError: The nesting does not follow the shape.
    """
    level = [data]
    for depth, length in enumerate(shape):
        following: list[Any] = []
        for part in level:
            if not isinstance(part, list) or len(part) != length:
                got = f"{len(part)} elements" if isinstance(part, list) else type(part).__name__
                raise bad_request(
                    f"{where}: data must be flat or nested as its shape {_show(shape)}, "
                    f"got {got} where {length} belong at depth {depth}"
                )
            following.extend(part)
        level = following
    return level


def _show(shape: Sequence[int]) -> str:
    return "[" + ",".join(str(length) for length in shape) + "]"
