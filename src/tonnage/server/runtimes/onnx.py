"""ONNX Runtime, on the CPU or on any execution provider that the installed build has."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from tonnage.contract.server_config import ModelConfig
from tonnage.errors import ModelLoadError
from tonnage.server.oip.datatypes import Array
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.runtimes.base import RequestContext

_DATATYPES = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}


class OnnxRuntime:
    """One session, run by one thread at a time."""

    wants_context = False

    def __init__(self, session: ort.InferenceSession, signature: Signature) -> None:
        self.signature = signature
        # the bound method of the native session: InferenceSession.run checks names that we know
        self._run = session._sess.run  # noqa: SLF001
        self._session = session
        self._outputs = [spec.name for spec in signature.outputs]
        self._strings = tuple(spec.name for spec in signature.inputs if spec.datatype == "BYTES")

    def run(self, inputs: dict[str, Array], context: tuple[RequestContext, ...]) -> Mapping[str, Array]:
        """Run the session once; strings go in as UTF-8 text."""
        del context
        for name in self._strings:
            array = inputs[name]
            texts = [value.decode() for value in array.ravel().tolist()]
            inputs[name] = np.array(texts, object).reshape(array.shape)
        return dict(zip(self._outputs, self._run(self._outputs, inputs, None), strict=True))

    def memory_bytes(self) -> int | None:
        """ONNX Runtime does not tell."""
        return None


def load(config: ModelConfig) -> OnnxRuntime:
    """Open the model's file.

    Raises:
        ModelLoadError: There is no such file, it is no ONNX model, or it takes what the protocol lacks.
    """
    path = Path(config.path)
    if not path.is_file():
        raise ModelLoadError(f"model.path: must be a file, got {path}")
    options = _options(config)
    available = ort.get_available_providers()
    providers = list(config.providers or available)
    missing = [name for name in providers if name not in available]
    if missing:
        raise ModelLoadError(
            f"model.providers: must be among {', '.join(available)} (what this build of onnxruntime has), "
            f"got {', '.join(missing)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime's own classes have no common public base
        raise ModelLoadError(f"model.path: must be a model that ONNX Runtime loads, got {error}") from error
    return OnnxRuntime(session, _signature(session, path))


def _options(config: ModelConfig) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = config.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # idle threads that spin take the core from the event loop
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, value in config.options.items():
        options.add_session_config_entry(name, str(value))
    return options


def _signature(session: ort.InferenceSession, path: Path) -> Signature:
    inputs = tuple(_spec(one, path) for one in session.get_inputs())
    outputs = tuple(_spec(one, path) for one in session.get_outputs())
    everything = inputs + outputs
    batches = bool(inputs) and all(spec.shape and spec.shape[0] == -1 for spec in everything)
    return Signature("onnxruntime_onnx", inputs, outputs, batches)


def _spec(one: Any, path: Path) -> TensorSpec:
    datatype = _DATATYPES.get(one.type)
    if datatype is None:
        raise ModelLoadError(
            f"{path}: tensor {one.name} must be of one of {', '.join(_DATATYPES)}, got {one.type}"
        )
    shape = tuple(length if isinstance(length, int) else -1 for length in one.shape)
    return TensorSpec(one.name, datatype, shape)
