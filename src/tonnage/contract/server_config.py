"""The model server's settings: written by the command line and by manifests, read by the server.

The server never sees a ``ModelService``; it is given this flat record as JSON, so that what runs in
a pod needs no control-plane code. Every limit that can grow has a maximum here, with what happens
beyond it.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from tonnage.contract import endpoints


class TensorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A declared input or output: Open Inference Protocol datatype, and shape with -1 for any."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is served.

    Attributes:
        name: Its name in ``/v2/models/<name>``.
        format: Which runtime loads it: a key of ``server.runtimes``.
        path: The file, or ``module:Class`` for ``python``.
        version: The one version it answers to.
        python_path: Folders put before ``sys.path`` (format ``python``).
        inputs: Declared inputs; None lets the runtime tell them.
        outputs: Declared outputs; None lets the runtime tell them.
        providers: Execution providers or devices in order of preference; None lets the runtime choose.
        threads: Threads inside one model call [>= 1].
        options: Settings of the runtime itself.
        warmup_inputs: One sample request's ``inputs`` in the protocol's JSON form; None makes zeros.
        warmup_sizes: Batch sizes to warm up; None takes powers of two up to the largest batch.
    """

    name: str
    format: str
    path: str
    version: str = "1"
    python_path: tuple[str, ...] = ()
    inputs: tuple[TensorConfig, ...] | None = None
    outputs: tuple[TensorConfig, ...] | None = None
    providers: tuple[str, ...] | None = None
    threads: int = 1
    options: dict[str, Any] = {}
    warmup_inputs: tuple[dict[str, Any], ...] | None = None
    warmup_sizes: tuple[int, ...] | None = None


class BatchingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How requests are gathered.

    Attributes:
        size_max: Items in one batch at most [>= 1].
        gather_max: Waiting items that are gathered into one batch at most [1 to size_max]; None lets
            warm-up measure up to which size gathering pays.
        wait_s_max: How long the oldest request may wait for company while the model is free [s, >= 0].
        queue_max: Requests that may wait; beyond it a request is refused with 503.
        padding: Input name to the value that fills it up to the largest shape of a batch; inputs
            of other shapes are batched apart.
    """

    size_max: int = 32
    gather_max: int | None = None
    wait_s_max: float = 0.0
    queue_max: int = 4096
    padding: dict[str, float] = {}


class LimitsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client may send.

    Attributes:
        head_bytes_max: Request line and headers; beyond it 431.
        body_bytes_max: Body; beyond it 413.
        tensors_max: Inputs and requested outputs of one request; beyond it 400.
        connections_max: Open connections of a worker; beyond it 503 for all but health.
        pipelined_max: Requests of one connection not yet answered; beyond it reading pauses.
        read_s_max: From a request's first byte to its last; beyond it 408.
        idle_s_max: Between two requests of a connection; beyond it closed.
        write_s_max: For a client to take an answer; beyond it closed.
        compute_s_max: One batch in the model; beyond it liveness fails.
    """

    head_bytes_max: int = 16 * 1024
    body_bytes_max: int = 64 * 1024 * 1024
    tensors_max: int = 64
    connections_max: int = 10_000
    pipelined_max: int = 16
    read_s_max: float = 20.0
    idle_s_max: float = 75.0
    write_s_max: float = 20.0
    compute_s_max: float = 30.0


class ListenConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One address to listen on.

    Attributes:
        host: Address; ``0.0.0.0`` in a pod.
        port: Port; 0 lets the kernel choose.
        only_ready: Open it when the model is ready and close it when drain begins, for a port that
            several processes share; otherwise it is open from the start, to answer probes.
    """

    host: str = "0.0.0.0"  # noqa: S104  a pod's probes come from outside the pod
    port: int = endpoints.HTTP_PORT
    only_ready: bool = False


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that one server process group needs to know.

    Attributes:
        http: Addresses for HTTP; the first is the service's own.
        grpc: Address for gRPC; None for none.
        workers: Processes that share the ports; None takes the CPU limit of the cgroup.
        deadline_s_default: A request's time to answer when the caller gives none [s, > 0]; None for none.
        lame_duck_s: Served on after readiness fails, so that endpoints can go away [s, >= 0].
        grace_s: From SIGTERM to exit at the latest [s].
        window_s: Length of the sliding window of the percentiles [s].
        execution: Where the model runs: in the event loop, in a thread, or as measured at warm-up.
    """

    model: ModelConfig
    batching: BatchingConfig = BatchingConfig()
    limits: LimitsConfig = LimitsConfig()
    http: tuple[ListenConfig, ...] = (ListenConfig(),)
    grpc: ListenConfig | None = None
    workers: int | None = 1
    deadline_s_default: float | None = None
    lame_duck_s: float = 5.0
    grace_s: float = 30.0
    window_s: float = 30.0
    execution: Literal["auto", "inline", "thread"] = "auto"
    log_format: Literal["text", "json"] = "text"
    otlp_endpoint: str | None = None
