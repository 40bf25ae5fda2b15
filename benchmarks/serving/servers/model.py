"""The model that every peer's server runs, and the settings they share.

Each peer's server imports this file, so all of them run the same ONNX session with the same options: what differs
between two cells of the benchmark is then the server alone.  Settings come from the environment because several
peers start their own worker processes, which inherit nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

MODEL_NAME = os.environ["BENCH_MODEL"]
MODEL_PATH = os.environ["BENCH_MODEL_PATH"]
PORT = int(os.environ["BENCH_PORT"])
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
BATCH_SIZE_MAX = int(os.environ.get("BENCH_BATCH_SIZE_MAX", "1"))
BATCHING = BATCH_SIZE_MAX > 1
BATCH_WAIT_MS = int(os.environ.get("BENCH_BATCH_WAIT_MS", "1"))
VARIANT = os.environ.get("BENCH_CODEC", "default")
DTYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}

Predict = Callable[[Any], np.ndarray]


class Model:
    """One ONNX session on one thread; ``predict`` maps rows ``[N, width]`` to outputs ``[N, classes]``."""

    def __init__(self) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(MODEL_PATH, options, providers=["CPUExecutionProvider"])
        spec = self._session.get_inputs()[0]
        self.input_name: str = spec.name
        self.dtype = DTYPES[spec.type]

    def predict(self, rows: Any) -> np.ndarray:
        """Answers a batch; ``rows`` is anything that numpy turns into ``[N, width]``."""
        output: np.ndarray = self._session.run(None, {self.input_name: np.asarray(rows, self.dtype)})[0]
        return output
