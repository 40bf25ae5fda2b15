"""LitServe: a LitAPI whose ``predict`` takes a stacked batch when batching is on."""

import os
from typing import Any

import litserve
import model
import numpy as np


class Api(litserve.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        self.model = model.Model()

    def decode_request(self, request: dict[str, Any]) -> np.ndarray:
        return np.asarray(request["data"], self.model.dtype)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return self.model.predict(rows) if model.BATCHING else self.model.predict(rows[None])[0]

    def encode_response(self, output: np.ndarray) -> dict[str, Any]:
        return {"output": output.tolist()}


if __name__ == "__main__":
    batch_timeout_s = model.BATCH_WAIT_MS / 1000 if model.BATCHING else 0.0
    server = litserve.LitServer(
        Api(max_batch_size=model.BATCH_SIZE_MAX, batch_timeout=batch_timeout_s),
        accelerator="cpu",
        devices=1,
        workers_per_device=model.WORKERS,
        timeout=60,
        fast_queue=os.environ.get("BENCH_FAST_QUEUE") == "1",
    )
    server.run(
        host="127.0.0.1",
        port=model.PORT,
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
    )
