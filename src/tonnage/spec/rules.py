"""What must hold between fields of a ``ModelService``, as pure functions from a spec to breaches.

How rules are gone through is in ``checking.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.errors import Problem
from tonnage.kube.paths import format_path
from tonnage.spec.body import ModelServiceSpec
from tonnage.spec.checking import Rule
from tonnage.spec.placement import Gpu, Resources, Toleration
from tonnage.spec.samples import check_paths, check_warmup
from tonnage.spec.scaling import LatencyMetric
from tonnage.units import Duration

PERCENTILES: Final = ("p50", "p95", "p99")


def objective_latency(spec: ModelServiceSpec) -> Duration | None:
    """The objective's latency at its highest percentile; None when there is none."""
    latency = spec.objective.latency
    return latency.p99 or latency.p95 or latency.p50


def _percentiles_in_order(spec: ModelServiceSpec) -> Iterator[Problem]:
    before: tuple[str, Duration] | None = None
    for name in PERCENTILES:
        value: Duration | None = getattr(spec.objective.latency, name)
        if value is None:
            continue
        if before is not None and value < before[1]:
            yield Problem(
                f"spec.objective.latency.{name}", f"must be >= {before[0]} ({before[1]}), got {value}"
            )
        before = (name, value)


def _gathered_fit_a_batch(spec: ModelServiceSpec) -> Iterator[Problem]:
    gathered, size_max = spec.batching.gather_max, spec.batching.size_max
    if gathered is not None and gathered > size_max:
        yield Problem(
            "spec.batching.gatherMax", f"must be <= spec.batching.sizeMax ({size_max}), got {gathered}"
        )


def _limits_cover_requests(spec: ModelServiceSpec) -> Iterator[Problem]:
    yield from limit_problems("spec.resources", spec.resources)


def limit_problems(where: str, resources: Resources) -> Iterator[Problem]:
    """Limits below their requests.

    Args:
        where: Path of the resources.
        resources: What is asked for.
    """
    for name, request, limit in (
        ("cpu", resources.cpu, resources.limits.cpu),
        ("memory", resources.memory, resources.limits.memory),
    ):
        if limit is not None and limit < request:
            yield Problem(
                f"{where}.limits.{name}",
                f"must be >= {where}.{name} ({request}), got {limit}",
            )


def _gpu_is_one_thing(spec: ModelServiceSpec) -> Iterator[Problem]:
    if spec.resources.gpu is not None:
        yield from gpu_problems("spec.resources.gpu", spec.resources.gpu)


def gpu_problems(where: str, gpu: Gpu) -> Iterator[Problem]:
    """Fields of a GPU that contradict each other.

    Args:
        where: Path of the GPU.
        gpu: What is asked for.
    """
    if gpu.type is not None and gpu.types:
        yield Problem(
            f"{where}.types", "must not be given beside type", hint="put every acceptable type into types"
        )
    if len(set(gpu.types)) != len(gpu.types):
        yield Problem(f"{where}.types", f"must name each type once, got {', '.join(gpu.types)}")
    if gpu.mig_profile is not None and gpu.vendor != "nvidia":
        yield Problem(f"{where}.migProfile", f"must not be given with vendor {gpu.vendor}, MIG is NVIDIA's")
    if gpu.sharing != "exclusive" and gpu.vendor != "nvidia":
        yield Problem(f"{where}.sharing", f"must be exclusive with vendor {gpu.vendor}, got {gpu.sharing}")
    if gpu.device_class is not None and gpu.allocation != "dra":
        yield Problem(f"{where}.deviceClass", "must be given only with allocation dra")
    if gpu.resource_name is not None and gpu.allocation != "plugin":
        yield Problem(f"{where}.resourceName", "must be given only with allocation plugin")


def _ports_differ(spec: ModelServiceSpec) -> Iterator[Problem]:
    if spec.server.port == spec.server.grpc_port:
        yield Problem(
            "spec.server.grpcPort",
            f"must differ from spec.server.port, got {spec.server.grpc_port} for both",
            hint="null switches gRPC off",
        )


def _probes_ask_a_served_port(spec: ModelServiceSpec) -> Iterator[Problem]:
    for name in ("startup", "readiness", "liveness"):
        probe = getattr(spec.probes, name)
        if probe is not None and probe.port not in (None, spec.server.port):
            yield Problem(
                f"spec.probes.{name}.port",
                f"must be spec.server.port ({spec.server.port}), where health is answered, got {probe.port}",
            )


def _drain_fits(spec: ModelServiceSpec) -> Iterator[Problem]:
    server = spec.server
    if server.lame_duck >= server.grace_period:
        yield Problem(
            "spec.server.lameDuck",
            f"must be shorter than spec.server.gracePeriod ({server.grace_period}), got {server.lame_duck}",
        )


def _deadline_allows_objective(spec: ModelServiceSpec) -> Iterator[Problem]:
    deadline, latency = spec.batching.deadline, objective_latency(spec)
    if deadline is not None and latency is not None and deadline < latency:
        yield Problem(
            "spec.batching.deadline",
            f"must be >= the objective's latency ({latency}), got {deadline}",
            hint="a shorter one refuses requests that would meet the objective",
        )


def _waiting_leaves_time(spec: ModelServiceSpec) -> Iterator[Problem]:
    end = spec.batching.deadline or objective_latency(spec)
    if end is not None and spec.batching.wait_max >= end:
        name = "spec.batching.deadline" if spec.batching.deadline else "the objective's latency"
        yield Problem(
            "spec.batching.waitMax", f"must be shorter than {name} ({end}), got {spec.batching.wait_max}"
        )


def _padding_names_inputs(spec: ModelServiceSpec) -> Iterator[Problem]:
    if spec.model.inputs is None:
        return  # The runtime tells the inputs, and the server checks the names when it has loaded.
    declared = {tensor.name: tensor for tensor in spec.model.inputs}
    for name in spec.batching.padding:
        path = format_path(("spec", "batching", "padding", name))
        if name not in declared:
            yield Problem(path, f'must name a declared input ({", ".join(declared)}), got "{name}"')
        elif declared[name].datatype == "BYTES":
            yield Problem(path, f'must name an input of numbers, got "{name}" of datatype BYTES')


def _replicas_in_range(spec: ModelServiceSpec) -> Iterator[Problem]:
    scaling = spec.scaling
    if scaling is None:
        return
    if scaling.min_replicas > scaling.max_replicas:
        yield Problem(
            "spec.scaling.minReplicas",
            f"must be <= maxReplicas ({scaling.max_replicas}), got {scaling.min_replicas}",
        )
    elif "replicas" in spec.model_fields_set and not (
        scaling.min_replicas <= spec.replicas <= scaling.max_replicas
    ):
        yield Problem(
            "spec.replicas",
            f"must be from minReplicas ({scaling.min_replicas}) to maxReplicas ({scaling.max_replicas}), "
            f"got {spec.replicas}",
        )


def _metrics_have_targets(spec: ModelServiceSpec) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for index, metric in enumerate(spec.scaling.metrics if spec.scaling else ()):
        path = f"spec.scaling.metrics[{index}]"
        detail = getattr(metric, "percentile", "") or getattr(metric, "name", "")
        if (metric.type, detail) in seen:
            yield Problem(path, f"must be given once, got a second {f'{metric.type} {detail}'.strip()}")
        seen.add((metric.type, detail))
        if (
            isinstance(metric, LatencyMetric)
            and metric.target is None
            and getattr(spec.objective.latency, metric.percentile) is None
        ):
            yield Problem(
                f"{path}.target",
                f"must be given, because spec.objective.latency.{metric.percentile} is not",
                hint="write target: 100ms",
            )


def _tolerations_are_whole(spec: ModelServiceSpec) -> Iterator[Problem]:
    for index, toleration in enumerate(spec.scheduling.tolerations):
        yield from toleration_problems(f"spec.scheduling.tolerations[{index}]", toleration)


def toleration_problems(path: str, toleration: Toleration) -> Iterator[Problem]:
    """What Kubernetes refuses of a toleration.

    Args:
        path: Where it stands.
        toleration: The toleration.
    """
    if toleration.key is None and toleration.operator != "Exists":
        yield Problem(path, "must have a key, or operator Exists")
    if toleration.operator == "Exists" and toleration.value:
        yield Problem(f"{path}.value", f'must not be given with operator Exists, got "{toleration.value}"')
    if toleration.toleration_seconds is not None and toleration.effect != "NoExecute":
        yield Problem(f"{path}.tolerationSeconds", "must be given only with effect NoExecute")


RULES: Final[tuple[Rule[ModelServiceSpec], ...]] = (
    Rule(check_paths, ("spec.model.path", "spec.model.format", "spec.model.pythonPath")),
    Rule(
        check_warmup,
        ("spec.model.warmup", "spec.model.inputs", "spec.model.outputs", "spec.batching.sizeMax"),
    ),
    Rule(_gathered_fit_a_batch, ("spec.batching.gatherMax", "spec.batching.sizeMax")),
    Rule(_percentiles_in_order, ("spec.objective.latency",)),
    Rule(_limits_cover_requests, ("spec.resources",)),
    Rule(_gpu_is_one_thing, ("spec.resources.gpu",)),
    Rule(_ports_differ, ("spec.server.port", "spec.server.grpcPort")),
    Rule(_probes_ask_a_served_port, ("spec.probes", "spec.server.port")),
    Rule(_drain_fits, ("spec.server.lameDuck", "spec.server.gracePeriod")),
    Rule(_deadline_allows_objective, ("spec.batching.deadline", "spec.objective.latency")),
    Rule(_waiting_leaves_time, ("spec.batching.waitMax", "spec.batching.deadline", "spec.objective.latency")),
    Rule(_padding_names_inputs, ("spec.batching.padding", "spec.model.inputs")),
    Rule(_replicas_in_range, ("spec.scaling.minReplicas", "spec.scaling.maxReplicas", "spec.replicas")),
    Rule(_metrics_have_targets, ("spec.scaling.metrics", "spec.objective.latency")),
    Rule(_tolerations_are_whole, ("spec.scheduling.tolerations",)),
)
"""Every rule, in the order of the document."""
