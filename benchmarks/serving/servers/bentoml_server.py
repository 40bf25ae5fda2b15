"""BentoML: a class service; with batching on, its adaptive dispatcher forms the batches."""

from __future__ import annotations

import bentoml
import model
import numpy as np

OPTIONS = (
    {"batchable": True, "batch_dim": 0, "max_batch_size": model.BATCH_SIZE_MAX, "max_latency_ms": 10_000}
    if model.BATCHING
    else {}
)


@bentoml.service(workers=model.WORKERS, traffic={"timeout": 60, "max_concurrency": 1024})  # type: ignore[misc]
class Predictor:
    def __init__(self) -> None:
        self.model = model.Model()

    @bentoml.api(**OPTIONS)  # type: ignore[misc]
    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict(x)
