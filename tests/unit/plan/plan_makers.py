"""Profiles and documents for the tests of planning."""

from __future__ import annotations

from typing import Any

from tonnage.profile.parts import ModelProfile
from tonnage.spec.load import parse_model_service
from tonnage.spec.service import ModelService


def make_profile(
    *,
    batch_s: float = 0.002,
    item_s: float = 0.0005,
    sizes: tuple[int, ...] = (1, 2, 4, 8, 16),
    spread: float = 0.1,
    workers: int = 1,
    **more: Any,
) -> ModelProfile:
    """A measured profile whose batch of n takes about ``batch_s + n * item_s``."""

    def distribution(mean_s: float) -> dict[str, Any]:
        quantiles = {"p1": 1 - spread, "p50": 1.0, "p99": 1 + spread, "p99.9": 1 + 2 * spread}
        return {"mean": mean_s, "quantiles": {name: mean_s * share for name, share in quantiles.items()}}

    document: dict[str, Any] = {
        "apiVersion": "tonnage.dev/v1alpha1",
        "kind": "ModelProfile",
        "metadata": {"name": "made", "created": "2026-11-24T00:00:00Z"},
        "origin": "measured",
        "model": {"name": "made"},
        "settings": {
            "sizeMax": max(sizes),
            "waitMaxSeconds": 0,
            "queueMax": 4096,
            "workers": workers,
            "threads": 1,
            "execution": "thread",
            "payload": "sample",
            "payloadBytes": 100,
            "seed": 0,
            "quick": False,
            "stepSeconds": 5,
        },
        "startup": {
            name: {"mean": seconds, "quantiles": {"p50": seconds, "p99": seconds}}
            for name, seconds in (
                ("processSeconds", 1.0),
                ("loadSeconds", 2.0),
                ("firstBatchSeconds", 0.1),
                ("warmupSeconds", 1.0),
                ("readySeconds", 4.0),
            )
        },
        "batches": [{"size": n, "steadySeconds": distribution(batch_s + n * item_s)} for n in sizes],
        **more,
    }
    return ModelProfile.model_validate(document, by_alias=True, by_name=False)


def make_service(
    *,
    rate: str | None = "1k",
    p99: str | None = "20ms",
    size_max: int = 16,
    wait_max: str = "0s",
    cpu: str = "1",
    more: str = "",
) -> ModelService:
    """A document; ``more`` is appended below ``spec``, indented by two."""
    latency = f"    latency: {{p99: {p99}}}\n" if p99 else ""
    objective = f"    requestsPerSecond: {rate}\n" if rate else ""
    if not latency and not objective:
        latency = "    latency: {}\n"
    text = (
        "apiVersion: tonnage.dev/v1alpha1\n"
        "kind: ModelService\n"
        "metadata: {name: made}\n"
        "spec:\n"
        "  model: {format: onnx, path: model.onnx}\n"
        f"  objective:\n{objective}{latency}"
        f"  batching: {{sizeMax: {size_max}, waitMax: {wait_max}}}\n"
        f"{'' if 'resources:' in more else f'  resources: {{cpu: {cpu}, memory: 1Gi}}' + chr(10)}"
        f"{more}"
    )
    return parse_model_service(text, source="made.yaml")
