"""Rules about the model itself: its path, its declared tensors and the sample it is warmed up with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from tonnage.errors import Problem
from tonnage.spec.body import ModelServiceSpec
from tonnage.spec.model import (
    MODULE_CLASS_PATTERN,
    PACKAGE_PATTERN,
    SampleTensor,
    Tensor,
)

_ELEMENTS_MAX: Final = 10_000_000
_INTEGER_BITS: Final = {
    "UINT8": (0, 8), "UINT16": (0, 16), "UINT32": (0, 32), "UINT64": (0, 64),
    "INT8": (1, 8), "INT16": (1, 16), "INT32": (1, 32), "INT64": (1, 64),
}  # fmt: skip


def check_paths(spec: ModelServiceSpec) -> Iterator[Problem]:
    """The path has the form that its format needs."""
    model = spec.model
    path = "spec.model.path"
    shown = f'got "{model.path}"'
    if model.format == "python":
        if re.fullmatch(MODULE_CLASS_PATTERN, model.path) is None:
            yield Problem(path, f"must be module:Class for format python, {shown}")
        return
    if model.python_path:
        yield Problem("spec.model.pythonPath", f"must be given only with format python, got {model.format}")
    if model.path.startswith("package:"):
        inside = model.path.partition("/")[2]
        if re.fullmatch(PACKAGE_PATTERN, model.path) is None:
            yield Problem(path, f"must be package:<name>/<file>, {shown}")
        elif ".." in inside.split("/") or inside.startswith("/"):
            yield Problem(path, f"must stay inside the package, {shown}")
    elif re.fullmatch(MODULE_CLASS_PATTERN, model.path) is not None:
        yield Problem(
            path, f"must be a file for format {model.format}, {shown}", hint="did you mean format: python?"
        )
    elif "\0" in model.path:
        yield Problem(path, "must be a file name without NUL")


def check_warmup(spec: ModelServiceSpec) -> Iterator[Problem]:
    """Declared names are unique, and the sample agrees with the declared inputs."""
    model, warmup = spec.model, spec.model.warmup
    for field, tensors in (("inputs", model.inputs), ("outputs", model.outputs)):
        yield from _unique_names(f"spec.model.{field}", [tensor.name for tensor in tensors or ()])
    if warmup.inputs is not None:
        if warmup.file is not None:
            yield Problem("spec.model.warmup.file", "must not be given beside inputs")
        yield from check_sample("spec.model.warmup.inputs", warmup.inputs, model.inputs)
    for index, size in enumerate(warmup.batch_sizes or ()):
        if size > spec.batching.size_max:
            yield Problem(
                f"spec.model.warmup.batchSizes[{index}]",
                f"must be <= spec.batching.sizeMax ({spec.batching.size_max}), got {size}",
            )


def check_sample(
    path: str, sample: Sequence[SampleTensor], declared: Sequence[Tensor] | None
) -> Iterator[Problem]:
    """Finds what is wrong with a sample request.

    Args:
        path: Where the sample stands in the document.
        sample: The sample's inputs.
        declared: What the document says of the model's inputs; None when it says nothing.
    """
    yield from _unique_names(path, [tensor.name for tensor in sample])
    by_name = {tensor.name: tensor for tensor in declared or ()}
    for index, tensor in enumerate(sample):
        where = f"{path}[{index}]"
        if declared is not None and tensor.name not in by_name:
            yield Problem(
                f"{where}.name", f'must be a declared input ({", ".join(by_name)}), got "{tensor.name}"'
            )
        elif declared is not None:
            yield from _agrees(where, tensor, by_name[tensor.name])
        yield from _data(where, tensor)
    names = {tensor.name for tensor in sample}
    missing = [name for name in by_name if name not in names]
    if missing:
        yield Problem(path, f"must hold every declared input, missing {', '.join(missing)}")


def _unique_names(path: str, names: Iterable[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield Problem(f"{path}[{index}].name", f'must be unique, got "{name}" twice')
        seen.add(name)


def _agrees(where: str, tensor: SampleTensor, declared: Tensor) -> Iterator[Problem]:
    if tensor.datatype != declared.datatype:
        yield Problem(f"{where}.datatype", f"must be {declared.datatype} as declared, got {tensor.datatype}")
    fits = len(tensor.shape) == len(declared.shape) and all(
        wanted in (-1, length) for wanted, length in zip(declared.shape, tensor.shape, strict=True)
    )
    if not fits:
        yield Problem(
            f"{where}.shape", f"must fit {list(declared.shape)} as declared, got {list(tensor.shape)}"
        )


def _data(where: str, tensor: SampleTensor) -> Iterator[Problem]:
    expected = math.prod(tensor.shape)
    if expected > _ELEMENTS_MAX:
        yield Problem(f"{where}.shape", f"must be at most {_ELEMENTS_MAX} elements, got {expected}")
        return
    count = 0
    for element in _flat(tensor.data):
        count += 1
        if not _is_of(element, tensor.datatype):
            yield Problem(
                f"{where}.data", f"must hold elements of datatype {tensor.datatype}, got {_shown(element)}"
            )
            return
    if count != expected:
        yield Problem(
            f"{where}.data",
            f"must hold {expected} elements for shape {list(tensor.shape)}, got {count}",
        )


def _flat(data: Sequence[Any]) -> Iterator[Any]:
    for element in data:
        if isinstance(element, list | tuple):
            yield from _flat(element)
        else:
            yield element


def _is_of(element: Any, datatype: str) -> bool:
    if datatype == "BYTES":
        return isinstance(element, str)
    if datatype == "BOOL":
        return isinstance(element, bool)
    if isinstance(element, bool):
        return False
    if datatype in _INTEGER_BITS:
        signed, bits = _INTEGER_BITS[datatype]
        return isinstance(element, int) and -signed << (bits - 1) <= element < 1 << (bits - signed)
    return isinstance(element, int | float)


def _shown(element: Any) -> str:
    text = f'"{element}"' if isinstance(element, str) else str(element)
    return text if len(text) <= 60 else f"{text[:57]}..."
