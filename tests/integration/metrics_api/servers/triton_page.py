"""Triton's server core with its metrics page, the latencies as summaries."""

from __future__ import annotations

import model
import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

loaded = model.Model()


@batch  # type: ignore[misc]
def infer(**inputs: np.ndarray) -> dict[str, np.ndarray]:
    return {"output": loaded.predict(inputs[loaded.input_name])}


if __name__ == "__main__":
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=model.PORT,
        allow_grpc=False,
        metrics_port=model.PORT + 2,
        metrics_interval_ms=200,
        metrics_config=["summary_latencies=true"],
    )
    with Triton(config=config) as triton:
        triton.bind(
            model.MODEL_NAME,
            infer,
            inputs=[Tensor(name=loaded.input_name, dtype=loaded.dtype, shape=(-1,))],
            outputs=[Tensor(name="output", dtype=np.float32, shape=(-1,))],
            config=ModelConfig(batching=True, max_batch_size=4, batcher=DynamicBatcher()),
        )
        triton.serve()
