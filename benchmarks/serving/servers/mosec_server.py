"""mosec: its batcher and HTTP server are native, JSON is decoded in the Python worker.

mosec's own codec is the standard library's ``json``; ``BENCH_CODEC=orjson`` overrides its two codec methods, which is
the documented way to tune it.
"""

from __future__ import annotations

from typing import Any

import model
from mosec import Server, Worker


class Predictor(Worker):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.model = model.Model()

    def forward(self, data: Any) -> Any:
        if not model.BATCHING:  # then mosec hands over one request, not a list
            return {"output": self.model.predict([data["data"]])[0].tolist()}
        outputs = self.model.predict([one["data"] for one in data]).tolist()
        return [{"output": output} for output in outputs]


if model.VARIANT == "orjson":
    import orjson

    Predictor.deserialize = lambda self, data: orjson.loads(data)
    Predictor.serialize = lambda self, data: orjson.dumps(data)

if __name__ == "__main__":
    server = Server()
    kwargs = {"max_batch_size": model.BATCH_SIZE_MAX, "max_wait_time": model.BATCH_WAIT_MS}
    server.append_worker(Predictor, num=model.WORKERS, timeout=30, **(kwargs if model.BATCHING else {}))
    server.run()
