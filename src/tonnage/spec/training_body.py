"""``spec`` of a ``TrainingJob``: everything about a training but its name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tonnage.spec.body import ImageReference
from tonnage.spec.placement import Resources
from tonnage.spec.scalars import DnsLabel, DnsSubdomain, Memory, Part, PositiveWholeSeconds, Text, Whole
from tonnage.spec.training_parts import (
    RESTARTS_WITH_CHECKPOINT,
    WORKERS_MAX,
    Checkpoint,
    Cleanup,
    Elastic,
    EnvSource,
    Restart,
    Roles,
    Topology,
    TrainingNetwork,
    TrainingScheduling,
    TrainingSecurity,
    VariableName,
    Volume,
)

Framework = Literal["pytorch", "tensorflow", "jax", "plain"]
BackendName = Literal["job", "pytorchjob", "tfjob", "trainjob", "jobset"]
GangName = Literal["none", "core", "kueue", "volcano", "coscheduling"]


class TrainingJobSpec(Part):
    """What is trained, with how many workers, on what, and what happens when one fails."""

    framework: Framework
    """How workers find each other: `pytorch` is started by torchrun, `tensorflow` by `TF_CONFIG`, `jax` by \
its coordinator; `plain` workers are only told their number."""
    image: ImageReference
    """The container image that workers run."""
    image_pull_secrets: tuple[DnsSubdomain, ...] = ()
    """Secrets for the image's registry."""
    command: Annotated[tuple[Text, ...], Field(min_length=1)]
    """What each process runs, such as `[python, /app/train.py]`."""
    args: tuple[Text, ...] = ()
    """Its arguments, behind the command."""
    launcher: Literal["auto", "torchrun", "none"] = "auto"
    """Who starts the processes of a worker: torchrun for framework `pytorch`, unless the command itself \
calls it."""
    env: dict[VariableName, str] = Field(default_factory=dict)
    """Variables of every process."""
    env_from: tuple[EnvSource, ...] = ()
    """Secrets and ConfigMaps whose keys become variables."""
    workers: Annotated[Whole, Field(ge=1, le=WORKERS_MAX)] = 1
    """Workers, each a pod."""
    processes_per_worker: Literal["auto"] | Annotated[Whole, Field(ge=1, le=64)] = "auto"
    """Processes that torchrun starts in a worker; `auto` takes one for each GPU, and one without GPUs."""
    resources: Resources = Resources()
    """What one worker asks for."""
    shared_memory: Memory | None = None
    """Size of /dev/shm, which data loaders and NCCL use; null takes half of the memory where there are GPUs \
or several processes, and leaves the runtime's 64Mi otherwise."""
    volumes: tuple[Annotated[Volume, Field(discriminator="type")], ...] = ()
    """Volumes of every worker."""
    checkpoint: Checkpoint | None = None
    """Where state is kept that outlives a worker; null keeps none."""
    restart: Restart = Restart()
    """What happens when a worker fails."""
    elastic: Elastic | None = None
    """How many workers the job can go on with (framework `pytorch`); null needs all."""
    roles: Roles = Roles()
    """Pods beside the workers (framework `tensorflow`)."""
    backend: Literal["auto"] | BackendName = "auto"
    """The kind of Kubernetes object that runs the job; `auto` takes the best that the cluster has."""
    gang: Literal["auto"] | GangName = "auto"
    """Who sees to it that all workers start or none; `auto` takes what the cluster has."""
    queue: DnsLabel | None = None
    """The queue that the job waits in: a LocalQueue of Kueue, or a queue of Volcano."""
    topology: Topology | None = None
    """How near the workers must be to each other; null does not care."""
    network: TrainingNetwork = TrainingNetwork()
    """How workers find and reach each other."""
    scheduling: TrainingScheduling = TrainingScheduling()
    """Which nodes workers may run on."""
    security: TrainingSecurity = TrainingSecurity()
    """Whom processes run as."""
    grace_period: PositiveWholeSeconds | None = None
    """Time from SIGTERM to SIGKILL, for a last checkpoint; null takes Kubernetes' 30s."""
    deadline: PositiveWholeSeconds | None = None
    """Time after which the job has failed if it has not ended; null never."""
    cleanup: Cleanup = Cleanup()
    """What is left of a job that has ended."""

    @property
    def gpus_per_worker(self) -> int:
        """GPUs of one worker; 0 without."""
        return self.resources.gpu.count if self.resources.gpu is not None else 0

    @property
    def processes(self) -> int:
        """Processes of one worker, ``auto`` resolved."""
        if self.processes_per_worker != "auto":
            return self.processes_per_worker
        return max(1, self.gpus_per_worker) if self.framework == "pytorch" else 1

    @property
    def restarts(self) -> bool:
        """Whether the job is restarted when a worker fails."""
        if self.restart.policy is None:
            return self.checkpoint is not None or self.restart.from_start
        return self.restart.policy == "OnFailure"

    @property
    def restart_limit(self) -> int:
        """Restarts at most; 0 where the policy has none."""
        if not self.restarts:
            return 0
        return RESTARTS_WITH_CHECKPOINT if self.restart.limit is None else self.restart.limit

    @property
    def workers_min(self) -> int:
        """Workers without which the job does not run."""
        return self.elastic.min if self.elastic is not None else self.workers

    @property
    def workers_max(self) -> int:
        """Workers that it may grow to."""
        return self.elastic.max if self.elastic is not None else self.workers
