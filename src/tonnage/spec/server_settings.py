"""From a ModelService to the settings of its server: the one place where the two meet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tonnage.contract.server_config import (
    BatchingConfig,
    LimitsConfig,
    ListenConfig,
    ModelConfig,
    ServerConfig,
    TensorConfig,
)
from tonnage.spec.model import SampleTensor, Tensor
from tonnage.spec.service import ModelService


def server_settings(
    service: ModelService,
    *,
    model_path: str,
    base: Path,
    warmup_inputs: Sequence[SampleTensor] | None,
    host: str,
) -> ServerConfig:
    """The settings that a server of ``service`` runs with.

    Args:
        service: The document.
        model_path: Where the model lies on the machine that serves, or ``module:Class``.
        base: The document's folder, for paths relative to it.
        warmup_inputs: The sample request, read already where it stands in a file.
        host: Address to listen on.
    """
    spec = service.spec
    server = spec.server
    batching = spec.batching
    deadline = service.deadline_default
    model = ModelConfig(
        name=service.model_name,
        version=spec.model.version,
        format=spec.model.format,
        path=model_path,
        python_path=_python_path(service, base),
        inputs=_tensors(spec.model.inputs),
        outputs=_tensors(spec.model.outputs),
        providers=spec.model.providers,
        threads=spec.model.threads,
        options=dict(spec.model.options),
        warmup_inputs=(
            tuple(tensor.model_dump(mode="json", by_alias=True) for tensor in warmup_inputs)
            if warmup_inputs is not None
            else None
        ),
        warmup_sizes=spec.model.warmup.batch_sizes if batching.enabled else None,
    )
    return ServerConfig(
        model=model,
        batching=BatchingConfig(
            size_max=batching.size_max if batching.enabled else 1,
            gather_max=batching.gather_max if batching.enabled else None,
            wait_s_max=batching.wait_max.seconds if batching.enabled else 0.0,
            queue_max=batching.queue_max,
            padding=dict(batching.padding) if batching.enabled else {},
        ),
        limits=LimitsConfig(
            head_bytes_max=server.limits.headers_max.value,
            body_bytes_max=server.limits.body_max.value,
            tensors_max=server.limits.tensors_max,
            connections_max=server.limits.connections_max,
            pipelined_max=server.limits.pipelined_max,
            read_s_max=server.timeouts.read.seconds,
            idle_s_max=server.timeouts.idle.seconds,
            write_s_max=server.timeouts.write.seconds,
            compute_s_max=server.timeouts.compute.seconds,
        ),
        http=(ListenConfig(host=host, port=server.port),),
        grpc=ListenConfig(host=host, port=server.grpc_port) if server.grpc_port is not None else None,
        workers=server.workers,
        deadline_s_default=deadline.seconds if deadline is not None else None,
        lame_duck_s=server.lame_duck.seconds,
        grace_s=server.grace_period.seconds,
        window_s=server.latency_window.seconds,
        execution=server.execution,
        log_format=server.log_format,
        otlp_endpoint=server.otlp_endpoint,
    )


def _python_path(service: ModelService, base: Path) -> tuple[str, ...]:
    """Folders of a Python model; the document's own comes last, so that a class may lie beside it."""
    if service.spec.model.format != "python":
        return ()
    return (
        *(str((base / folder).resolve()) for folder in service.spec.model.python_path),
        str(base.resolve()),
    )


def _tensors(tensors: Sequence[Tensor] | None) -> tuple[TensorConfig, ...] | None:
    if tensors is None:
        return None
    return tuple(TensorConfig(name=one.name, datatype=one.datatype, shape=one.shape) for one in tensors)
