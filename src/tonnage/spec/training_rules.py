"""What must hold between fields of a ``TrainingJob``, whichever back end runs it.

What only some back ends can do (an elastic range, parameter servers, names of their pods) is checked where a
back end is known, in ``training``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.errors import Problem
from tonnage.kube.paths import format_path
from tonnage.spec.checking import Rule
from tonnage.spec.rules import gpu_problems, limit_problems, toleration_problems
from tonnage.spec.training_body import TrainingJobSpec
from tonnage.spec.training_parts import DURABLE_VOLUMES

_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108  the path itself is meant
RESERVED_MOUNTS: Final = ("/", "/dev", _SHARED_MEMORY, "/proc", "/sys", "/tmp")  # noqa: S108
RESERVED_VOLUMES: Final = ("tmp", "shared-memory")
RESERVED_VARIABLES: Final = frozenset(
    {"JOB_COMPLETION_INDEX", "MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK", "TF_CONFIG"}
)
RESERVED_PREFIXES: Final = ("TONNAGE_", "PET_", "JAX_COORDINATOR", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


def _resources(spec: TrainingJobSpec) -> Iterator[Problem]:
    held = [("spec.resources", spec.resources)]
    chief, servers = spec.roles.chief, spec.roles.parameter_servers
    if chief is not None and chief.resources is not None:
        held.append(("spec.roles.chief.resources", chief.resources))
    if servers is not None:
        held.append(("spec.roles.parameterServers.resources", servers.resources))
    for where, resources in held:
        yield from limit_problems(where, resources)
        if resources.gpu is not None:
            yield from gpu_problems(f"{where}.gpu", resources.gpu)


def _shared_memory_fits(spec: TrainingJobSpec) -> Iterator[Problem]:
    limit = spec.resources.memory_limit
    if spec.shared_memory is not None and spec.shared_memory > limit:
        yield Problem(
            "spec.sharedMemory",
            f"must be <= the worker's memory ({limit}), which it counts to, got {spec.shared_memory}",
        )


def _processes_have_gpus(spec: TrainingJobSpec) -> Iterator[Problem]:
    where, processes, gpus = "spec.processesPerWorker", spec.processes_per_worker, spec.gpus_per_worker
    if processes == "auto":
        return
    if spec.framework != "pytorch" and processes > 1:
        by_command = "let the command start them" if spec.framework == "plain" else None
        yield Problem(
            where,
            f"must be 1 with framework {spec.framework}, got {processes}",
            hint=by_command or "one process of it uses all GPUs of its worker",
        )
    elif spec.framework == "pytorch" and gpus and processes > gpus:
        yield Problem(
            where,
            f"must be <= spec.resources.gpu.count ({gpus}), got {processes}",
            hint="each process trains on a GPU of its own",
        )
    elif spec.framework == "pytorch" and gpus and gpus % processes:
        yield Problem(
            where,
            f"must divide spec.resources.gpu.count ({gpus}), got {processes}",
            hint="otherwise some GPUs are asked for and never used",
        )


def _launcher_fits(spec: TrainingJobSpec) -> Iterator[Problem]:
    if spec.launcher == "torchrun" and spec.framework != "pytorch":
        yield Problem("spec.launcher", f"must be auto or none with framework {spec.framework}, got torchrun")
    if spec.launcher == "none" and spec.framework == "pytorch" and spec.processes > 1:
        hint = "let torchrun start them: launcher: auto"
        yield Problem("spec.launcher", f"must start {spec.processes} processes a worker, got none", hint=hint)


def _elastic_range(spec: TrainingJobSpec) -> Iterator[Problem]:
    elastic = spec.elastic
    if elastic is None:
        return
    if spec.framework != "pytorch" or spec.launcher == "none":
        yield Problem(
            "spec.elastic",
            f"must not be given with framework {spec.framework} and launcher {spec.launcher}",
            hint="only torchrun regroups workers while a job runs",
        )
    if elastic.min > elastic.max:
        yield Problem("spec.elastic.min", f"must be <= max ({elastic.max}), got {elastic.min}")
    elif not elastic.min <= spec.workers <= elastic.max:
        yield Problem(
            "spec.workers",
            f"must be from spec.elastic.min ({elastic.min}) to max ({elastic.max}), got {spec.workers}",
        )


def _roles_fit(spec: TrainingJobSpec) -> Iterator[Problem]:
    if spec.framework == "tensorflow":
        return
    for name, role in (("chief", spec.roles.chief), ("parameterServers", spec.roles.parameter_servers)):
        if role is not None:
            what = f"must be null with framework {spec.framework}"
            yield Problem(f"spec.roles.{name}", what, hint="roles are TensorFlow's")


def _volumes_are_apart(spec: TrainingJobSpec) -> Iterator[Problem]:
    names: set[str] = set()
    paths: set[str] = set()
    for index, volume in enumerate(spec.volumes):
        where = f"spec.volumes[{index}]"
        if volume.name in names:
            yield Problem(f"{where}.name", f"must be given once, got a second {volume.name}")
        if volume.name in RESERVED_VOLUMES:
            what = f"must not be one of {', '.join(RESERVED_VOLUMES)}, got {volume.name}"
            yield Problem(f"{where}.name", what, hint="every worker has them already")
        if volume.mount_path in paths:
            yield Problem(f"{where}.mountPath", f"must be given once, got a second {volume.mount_path}")
        if volume.mount_path in RESERVED_MOUNTS:
            hint = "spec.sharedMemory sizes /dev/shm" if volume.mount_path == _SHARED_MEMORY else None
            what = f"must not be one of {', '.join(RESERVED_MOUNTS)}, got {volume.mount_path}"
            yield Problem(f"{where}.mountPath", what, hint=hint)
        names.add(volume.name)
        paths.add(volume.mount_path)


def _sources_are_one(spec: TrainingJobSpec) -> Iterator[Problem]:
    for index, source in enumerate(spec.env_from):
        if (source.secret is None) == (source.config_map is None):
            yield Problem(f"spec.envFrom[{index}]", "must name a secret or a configMap, and not both")


def _variables_are_free(spec: TrainingJobSpec) -> Iterator[Problem]:
    for name in spec.env:
        if name in RESERVED_VARIABLES or name.startswith(RESERVED_PREFIXES):
            yield Problem(
                format_path(("spec", "env", name)),
                "must be another name, because it tells workers their place",
                hint="leave it out: it is set for every process",
            )


def _checkpoint_lasts(spec: TrainingJobSpec) -> Iterator[Problem]:
    checkpoint = spec.checkpoint
    if checkpoint is None:
        return
    by_name = {volume.name: volume for volume in spec.volumes}
    if checkpoint.volume is not None and checkpoint.volume not in by_name:
        names = ", ".join(by_name) or "none"
        yield Problem(
            "spec.checkpoint.volume", f"must be one of spec.volumes ({names}), got {checkpoint.volume}"
        )
        return
    candidates = [by_name[checkpoint.volume]] if checkpoint.volume is not None else list(spec.volumes)
    holders = [one for one in candidates if _holds(one.mount_path, checkpoint.path)]
    if not holders:
        where = f"{candidates[0].mount_path}" if checkpoint.volume is not None else "a volume's mountPath"
        yield Problem(
            "spec.checkpoint.path",
            f"must lie on {where}, got {checkpoint.path}",
            hint="what a container writes elsewhere ends with it",
        )
        return
    holder = max(holders, key=lambda one: len(one.mount_path))
    if holder.type not in DURABLE_VOLUMES:
        what = f"must lie on a volume that outlives its pod, got {holder.name} of type {holder.type}"
        yield Problem("spec.checkpoint.path", what, hint="use a volume of type claim or nfs")
    elif holder.read_only:
        yield Problem("spec.checkpoint.path", f"must lie on a volume that can be written, got {holder.name}")


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _restart_has_checkpoint(spec: TrainingJobSpec) -> Iterator[Problem]:
    restart = spec.restart
    if restart.policy == "Never":
        for name, given in (("limit", bool(restart.limit)), ("fromStart", restart.from_start)):
            if given:
                yield Problem(f"spec.restart.{name}", "must not be given with policy Never")
        return
    wanted = restart.policy == "OnFailure" or bool(restart.limit)
    if wanted and spec.checkpoint is None and not restart.from_start:
        yield Problem(
            "spec.checkpoint",
            "must be given, because spec.restart restarts the job, which would lose all it has learnt",
            hint="write checkpoint: {path: /checkpoints}, or restart: {fromStart: true} to begin again",
        )


def _topology_has_label(spec: TrainingJobSpec) -> Iterator[Problem]:
    topology = spec.topology
    if topology is not None and topology.pack in ("rack", "block") and topology.label is None:
        yield Problem(
            "spec.topology.label",
            f"must be given with pack {topology.pack}, because clouds label it differently",
            hint=f"such as cloud.provider.com/topology-{topology.pack}; see kubectl get nodes --show-labels",
        )


def _tolerations_are_whole(spec: TrainingJobSpec) -> Iterator[Problem]:
    for index, toleration in enumerate(spec.scheduling.tolerations):
        yield from toleration_problems(f"spec.scheduling.tolerations[{index}]", toleration)


def _gpu_label_agrees(spec: TrainingJobSpec) -> Iterator[Problem]:
    gpu, selector = spec.resources.gpu, spec.scheduling.node_selector
    if gpu is None or not gpu.types_in_order or gpu.type_label not in selector:
        return
    if selector[gpu.type_label] not in gpu.types_in_order:
        yield Problem(
            format_path(("spec", "scheduling", "nodeSelector", gpu.type_label)),
            f"must be among the types of spec.resources.gpu ({', '.join(gpu.types_in_order)}), "
            f"got {selector[gpu.type_label]}",
        )


RULES: Final[tuple[Rule[TrainingJobSpec], ...]] = (
    Rule(_launcher_fits, ("spec.launcher", "spec.framework", "spec.processesPerWorker")),
    Rule(_variables_are_free, ("spec.env",)),
    Rule(_sources_are_one, ("spec.envFrom",)),
    Rule(
        _processes_have_gpus, ("spec.processesPerWorker", "spec.framework", "spec.resources.gpu.count")
    ),
    Rule(_resources, ("spec.resources", "spec.roles")),
    Rule(_shared_memory_fits, ("spec.sharedMemory", "spec.resources")),
    Rule(_volumes_are_apart, ("spec.volumes",)),
    Rule(_checkpoint_lasts, ("spec.checkpoint", "spec.volumes")),
    Rule(_restart_has_checkpoint, ("spec.restart", "spec.checkpoint")),
    Rule(_elastic_range, ("spec.elastic", "spec.workers", "spec.framework", "spec.launcher")),
    Rule(_roles_fit, ("spec.roles", "spec.framework")),
    Rule(_topology_has_label, ("spec.topology",)),
    Rule(_tolerations_are_whole, ("spec.scheduling.tolerations",)),
    Rule(_gpu_label_agrees, ("spec.scheduling.nodeSelector", "spec.resources.gpu")),
)
"""Every rule, in the order of the document."""
