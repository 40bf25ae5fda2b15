"""A Python class as a model: ``module:Class`` with ``load`` and ``predict(batch)``.

The class may declare its tensors as class attributes, or the document does::

    class Doubler:
        inputs = [("x", "FP32", [-1, 3])]
        outputs = [("y", "FP32", [-1, 3])]

        def load(self, options):       # optional; options is model.options of the document
            self.factor = options.get("factor", 2)

        def predict(self, batch):      # batch: dict of input name to numpy array
            return {"y": batch["x"] * self.factor}

``predict`` may take a second argument, a tuple with one ``RequestContext`` per request.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from tonnage.contract.server_config import ModelConfig, TensorConfig
from tonnage.errors import ModelLoadError
from tonnage.server.oip.datatypes import DATATYPES, Array
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.runtimes.base import RequestContext


class PythonRuntime:
    """An object of the user's class."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self.signature = signature
        self._predict = model.predict
        self.wants_context = _positional(model.predict) >= 2
        self._model = model

    def run(self, inputs: dict[str, Array], context: tuple[RequestContext, ...]) -> Mapping[str, Array]:
        """Call ``predict`` and take what it gives as arrays."""
        given = self._predict(inputs, context) if self.wants_context else self._predict(inputs)
        if not isinstance(given, Mapping):
            raise TypeError(
                f"predict: must return a dict of output name to array, got {type(given).__name__}"
            )
        return {name: np.asarray(value) for name, value in given.items()}

    def memory_bytes(self) -> int | None:
        """A Python model may tell by a method of this name."""
        told = getattr(self._model, "memory_bytes", None)
        return int(told()) if told is not None else None


def load(config: ModelConfig) -> PythonRuntime:
    """Import the class, make an object, call its ``load``.

    Raises:
        ModelLoadError: Any of that fails, or no inputs are declared.
    """
    module_name, _, class_name = config.path.partition(":")
    if not module_name or not class_name:
        raise ModelLoadError(f"model.path: must be module:Class for format python, got {config.path}")
    for folder in reversed(config.python_path):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    try:
        model_class = getattr(importlib.import_module(module_name), class_name)
        model = model_class()
        loader = getattr(model, "load", None)
        if loader is not None:
            loader(config.options) if _positional(loader) else loader()
    except Exception as error:  # the user's code may raise anything
        raise ModelLoadError(
            f"model.path: {config.path} must load, got {type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(model, "predict", None)):
        raise ModelLoadError(f"model.path: {config.path} must have a method predict(batch)")
    inputs = _declared(config.inputs, getattr(model, "inputs", ()), f"{config.path}.inputs")
    outputs = _declared(config.outputs, getattr(model, "outputs", ()), f"{config.path}.outputs")
    if not inputs:
        raise ModelLoadError(f"model.inputs: must be declared, in the document or as {config.path}.inputs")
    batches = all(spec.shape and spec.shape[0] == -1 for spec in inputs + outputs)
    return PythonRuntime(model, Signature("tonnage_python", inputs, outputs, batches))


def _positional(function: Any) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in kinds for one in inspect.signature(function).parameters.values())


def _declared(config: tuple[TensorConfig, ...] | None, own: Any, where: str) -> tuple[TensorSpec, ...]:
    if config is not None:
        return tuple(TensorSpec(one.name, one.datatype, tuple(one.shape)) for one in config)
    specs = []
    for one in own:
        try:
            name, datatype, shape = one
            spec = TensorSpec(str(name), str(datatype), tuple(int(length) for length in shape))
        except (TypeError, ValueError):
            raise ModelLoadError(f"{where}: must hold (name, datatype, shape), got {one!r}") from None
        if spec.datatype not in DATATYPES:
            raise ModelLoadError(
                f"{where}: datatype must be one of {', '.join(DATATYPES)}, got {spec.datatype}"
            )
        specs.append(spec)
    return tuple(specs)
