"""``spec.model``: which model is served, where it lies, what goes in and out, how it is warmed up."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from tonnage.spec.scalars import OptionValue, Part, PositiveCount, SampleData, Text, Whole, text_form

Datatype = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "BF16",
    "FP32",
    "FP64",
    "BYTES",
]
"""The datatypes of the Open Inference Protocol, version 2."""

ModelFormat = Literal["onnx", "python", "torch"]

MODULE_CLASS_PATTERN: Final = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"
PACKAGE_PATTERN: Final = r"package:[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?/.+"

ModelName = Annotated[
    str,
    text_form(
        r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
        'must be letters, digits, "-", "_" or ".", begin and end with a letter or digit',
        "it is part of the URL /v2/models/<name>",
        length_max=128,
    ),
]
ModelVersion = Annotated[
    str,
    text_form(
        r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?",
        'must be letters, digits, "-", "_" or ".", begin and end with a letter or digit',
        "it is part of the URL /v2/models/<name>/versions/<version>",
        length_max=64,
    ),
]
Dimension = Annotated[int, Field(strict=True, ge=-1, le=2**31 - 1)]
Length = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]


class Tensor(Part):
    """One declared input or output."""

    name: Text
    """The tensor's name, as clients send it."""
    datatype: Datatype
    """Datatype of the Open Inference Protocol v2."""
    shape: tuple[Dimension, ...]
    """Shape with the batch dimension first; -1 stands for any length."""


class SampleTensor(Part):
    """One input of a sample request, in the Open Inference Protocol's JSON form."""

    name: Text
    """The input's name."""
    datatype: Datatype
    """Datatype of the Open Inference Protocol v2."""
    shape: tuple[Length, ...]
    """Shape with the batch dimension first; no -1, because a sample has a size."""
    data: SampleData
    """The elements in row order, nested or flat."""


class Warmup(Part):
    """The sample that real batches are made of before the service says that it is ready."""

    inputs: tuple[SampleTensor, ...] | None = None
    """A sample request written here; without it and without `file`, zeros of the declared shapes."""
    file: Text | None = None
    """A JSON file with a sample request (`{"inputs": [...]}`), relative to the document."""
    batch_sizes: tuple[PositiveCount, ...] | None = None
    """Batch sizes to run; null runs every power of two up to `spec.batching.sizeMax`."""


class ModelSource(Part):
    """The model: its file or class, its name and version, and what goes in and out."""

    format: ModelFormat
    """Which runtime loads it: `onnx` (ONNX Runtime), `python` (a class with `load` and `predict`) or \
`torch` (an exported program or TorchScript)."""
    path: Text
    """A file relative to the document; `package:<name>/<file>` for a file inside an installed package; \
`module:Class` for format `python`."""
    name: ModelName | None = None
    """Name in `/v2/models/<name>`; null takes `metadata.name`."""
    version: ModelVersion = "1"
    """The one version that the model answers to."""
    python_path: tuple[Text, ...] = ()
    """Folders put before `sys.path`, relative to the document (format `python`)."""
    inputs: tuple[Tensor, ...] | None = None
    """Declared inputs; null lets the runtime tell them."""
    outputs: tuple[Tensor, ...] | None = None
    """Declared outputs; null lets the runtime tell them."""
    warmup: Warmup = Warmup()
    """What is run before the service is ready."""
    providers: tuple[Text, ...] | None = None
    """Execution providers or devices in order of preference, such as `CUDAExecutionProvider` or `cuda:0`; \
null lets the runtime choose."""
    threads: Annotated[Whole, Field(ge=1, le=1024)] = 1
    """Threads inside one call of the model."""
    options: dict[Text, OptionValue] = Field(default_factory=dict)
    """Settings handed to the runtime as they are: text, numbers and truth values by name."""
