"""A model's configuration in the form of Triton's extension, which its clients ask for before they begin.

``perf_analyzer`` and some client libraries read from it whether a model batches and what its tensors
look like; only what this server knows and what those clients read is told.

Source: the protocol's model configuration extension, triton-inference-server/server,
docs/protocol/extension_model_configuration.md, and the enumeration of ``model_config.proto``.
"""

from __future__ import annotations

from typing import Any, Final

from tonnage.server.oip.tensors import Signature, TensorSpec

_NUMBERS: Final = {
    "BOOL": 1,
    "UINT8": 2,
    "UINT16": 3,
    "UINT32": 4,
    "UINT64": 5,
    "INT8": 6,
    "INT16": 7,
    "INT32": 8,
    "INT64": 9,
    "FP16": 10,
    "FP32": 11,
    "FP64": 12,
    "BYTES": 13,
    "BF16": 14,
}
"""Datatype to its number in ``DataType``."""


def data_type_number(datatype: str) -> int:
    """The number of a datatype in the configuration's enumeration, for gRPC."""
    return _NUMBERS[datatype]


def data_type_name(datatype: str) -> str:
    """The name of a datatype in the configuration's enumeration, such as TYPE_FP32."""
    return "TYPE_STRING" if datatype == "BYTES" else f"TYPE_{datatype}"


def model_config(name: str, signature: Signature, size_max: int) -> dict[str, Any]:
    """The configuration of a loaded model.

    Args:
        name: The model's name.
        signature: Its inputs and outputs.
        size_max: Items in one batch at most [>= 1].

    Returns:
        Name, platform, ``max_batch_size`` (0 for a model without a batch dimension) and the tensors, whose
        ``dims`` leave the batch dimension out and whose ``data_type`` is the datatype's name.
    """

    def tensor(spec: TensorSpec) -> dict[str, Any]:
        dims = spec.shape[1:] if signature.batches else spec.shape
        return {"name": spec.name, "data_type": spec.datatype, "dims": list(dims)}

    return {
        "name": name,
        "platform": signature.platform,
        "max_batch_size": size_max if signature.batches else 0,
        "input": [tensor(spec) for spec in signature.inputs],
        "output": [tensor(spec) for spec in signature.outputs],
    }
