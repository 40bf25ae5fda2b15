"""Everything that is asked with GET: health, metrics and metadata, as a table from path to answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import orjson

import tonnage
from tonnage.contract import endpoints
from tonnage.contract.server_config import ModelConfig
from tonnage.server.http.head import Head
from tonnage.server.http.response import JSON
from tonnage.server.oip.model_config import data_type_name, model_config
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.state import Verdict

ALWAYS_ANSWERED = frozenset(
    {
        endpoints.HEALTH_PATH.encode(),
        endpoints.LIVENESS_PATH.encode(),
        endpoints.METRICS_PATH.encode(),
        b"/v2/health/live",
        b"/v2/health/ready",
    }
)
"""Paths that are answered also to who comes beyond the limit of connections: an overload must be seen."""


class Told(Protocol):
    """What the routes tell of."""

    def readiness(self) -> Verdict:
        """Whether the model answers."""

    def liveness(self, now_s: float) -> Verdict:
        """Whether the model makes progress."""

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics page for an Accept header, and its content type."""


Answer = tuple[int, bytes, bytes]
"""Status, media type, body."""
Route = Callable[[Told, Head], Answer]


def model_paths(model: str, version: str) -> tuple[bytes, ...]:
    """Where a model is found: by its name, and by its name and version."""
    base = f"/v2/models/{model}"
    return base.encode(), f"{base}/versions/{version}".encode()


def make_routes(model: ModelConfig) -> dict[bytes, Route]:
    """The table for a model that is not loaded yet."""

    def live(told: Told, head: Head) -> Answer:
        del head
        return _verdict("live", told.liveness(time.monotonic()))

    def ready(told: Told, head: Head) -> Answer:
        del head
        return _verdict("ready", told.readiness())

    def model_ready(told: Told, head: Head) -> Answer:
        del head
        return _verdict("ready", told.readiness(), name=model.name)

    def not_loaded(told: Told, head: Head) -> Answer:
        del head
        return 503, JSON, orjson.dumps({"error": f"server: {told.readiness().reason}"})

    def metrics(told: Told, head: Head) -> Answer:
        body, kind = told.metrics(head.headers.get(b"accept", b"").decode("latin-1"))
        return 200, kind.encode(), body

    server = {"name": "tonnage", "version": tonnage.__version__, "extensions": ["binary_tensor_data"]}
    base = f"/v2/models/{model.name}"
    routes: dict[str, Route] = {
        "/": constant(orjson.dumps({"model": model.name, "infer": f"{base}/infer", "metadata": base})),
        endpoints.HEALTH_PATH: ready,
        endpoints.LIVENESS_PATH: live,
        endpoints.METRICS_PATH: metrics,
        "/v2": constant(orjson.dumps(server)),
        "/v2/health/live": live,
        "/v2/health/ready": ready,
    }
    table = {path.encode(): route for path, route in routes.items()}
    for path in model_paths(model.name, model.version):
        table[path + b"/ready"] = model_ready
        table[path] = not_loaded
        table[path + b"/config"] = not_loaded
    return table


def constant(body: bytes) -> Route:
    """A route whose answer is always the same JSON."""
    return lambda told, head: (200, JSON, body)  # noqa: ARG005  every route has this form


def _verdict(key: str, verdict: Verdict, **more: Any) -> Answer:
    body: dict[str, Any] = {**more, key: verdict.ok}
    if not verdict.ok:
        body["reason"] = verdict.reason
    return 200 if verdict.ok else 503, JSON, orjson.dumps(body)


def model_metadata(model: ModelConfig, signature: Signature) -> bytes:
    """The protocol's metadata of a loaded model, as JSON."""

    def tensor(spec: TensorSpec) -> dict[str, Any]:
        return {"name": spec.name, "datatype": spec.datatype, "shape": spec.shape}

    return orjson.dumps(
        {
            "name": model.name,
            "versions": [model.version],
            "platform": signature.platform,
            "inputs": [tensor(spec) for spec in signature.inputs],
            "outputs": [tensor(spec) for spec in signature.outputs],
        }
    )


def configuration(model: ModelConfig, signature: Signature, size_max: int) -> bytes:
    """Triton's configuration of a loaded model, as JSON."""
    config = model_config(model.name, signature, size_max)
    for tensor in (*config["input"], *config["output"]):
        tensor["data_type"] = data_type_name(tensor["data_type"])
    return orjson.dumps(config)


def no_such_path(path: bytes, model: ModelConfig) -> str:
    """Why a path is answered with 404."""
    shown = path[:200].decode("latin-1")
    known = model_paths(model.name, model.version)
    if path.startswith(tuple(base + b"/" for base in known)):
        return f"path: must end in infer, ready, config or nothing below a model, got {shown}"
    if path.startswith(b"/v2/models/"):
        return f'model: must be "{model.name}" in version "{model.version}", the one served here, got {shown}'
    return f"path: must be one of this server's, got {shown}; see /v2 and /health"
