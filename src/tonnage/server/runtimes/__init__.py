"""Runtimes: what can load a model and run a batch. Adding one is one file and one line here."""

from __future__ import annotations

import importlib
from typing import Final

from tonnage.contract.server_config import ModelConfig
from tonnage.errors import ModelLoadError
from tonnage.server.runtimes.base import Runtime

RUNTIMES: Final[dict[str, str]] = {
    "onnx": "tonnage.server.runtimes.onnx",
    "python": "tonnage.server.runtimes.python",
    "torch": "tonnage.server.runtimes.torch",
}
"""Format to the module whose ``load`` makes a ``Runtime``; imported only when it is used."""


def load_runtime(config: ModelConfig) -> Runtime:
    """Load a model.

    Raises:
        ModelLoadError: The format is unknown, a package is missing, or the model does not load.
    """
    module_name = RUNTIMES.get(config.format)
    if module_name is None:
        raise ModelLoadError(f"model.format: must be one of {', '.join(RUNTIMES)}, got {config.format}")
    runtime: Runtime = importlib.import_module(module_name).load(config)
    return runtime
