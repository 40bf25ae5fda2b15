"""Ray Serve with one deployment, and its node's metrics page on a port that the test chose."""

from __future__ import annotations

import os
import time
from typing import Any

import model
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(ray_actor_options={"num_cpus": 0.5})
class Predictor:
    def __init__(self) -> None:
        self.model = model.Model()

    async def __call__(self, request: Request) -> dict[str, Any]:
        return {"output": self.model.predict([(await request.json())["data"]])[0].tolist()}


if __name__ == "__main__":
    ray.init(
        num_cpus=4,
        include_dashboard=False,
        object_store_memory=100_000_000,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
        _metrics_export_port=model.PORT + 2,
        _temp_dir=os.environ["TEST_RAY_FOLDER"],
    )
    serve.start(http_options={"host": "127.0.0.1", "port": model.PORT})
    serve.run(Predictor.bind(), route_prefix="/predict")
    while True:
        time.sleep(60)
