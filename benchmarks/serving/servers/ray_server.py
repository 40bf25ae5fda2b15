"""Ray Serve: one deployment; with batching on, ``serve.batch`` collects the rows.

Everything of Ray that listens is told to use the loopback address; usage statistics are off.
"""

from __future__ import annotations

import os
import tempfile
import time
from typing import Any

import model
import ray
from ray import serve
from starlette.requests import Request

QUIET = {"enable_access_log": False, "log_level": "WARNING"}


@serve.deployment(
    num_replicas=model.WORKERS,
    max_ongoing_requests=256,  # the default of 5 would starve the batcher
    ray_actor_options={"num_cpus": 0.5},
    logging_config=QUIET,
)
class Predictor:
    def __init__(self) -> None:
        self.model = model.Model()

    @serve.batch(
        max_batch_size=model.BATCH_SIZE_MAX,
        batch_wait_timeout_s=model.BATCH_WAIT_MS / 1000,
        max_concurrent_batches=1,
    )
    async def predict_many(self, rows: list[Any]) -> list[Any]:
        outputs: list[Any] = self.model.predict(rows).tolist()
        return outputs

    async def __call__(self, request: Request) -> dict[str, Any]:
        row = (await request.json())["data"]
        if model.BATCHING:
            return {"output": await self.predict_many(row)}
        return {"output": self.model.predict([row])[0].tolist()}


if __name__ == "__main__":
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=200_000_000,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _temp_dir=os.environ.get("BENCH_RAY_DIR", tempfile.gettempdir() + "/ray-bench"),
    )
    serve.start(http_options={"host": "127.0.0.1", "port": model.PORT}, logging_config=QUIET)
    serve.run(Predictor.bind(), route_prefix="/predict")
    while True:
        time.sleep(60)
