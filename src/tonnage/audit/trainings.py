"""Views of training jobs: the core Job, Kubeflow's operators, Trainer and JobSet, as roles of like pods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.audit.pods import PodView
from tonnage.audit.views import AnyView, quantity_or_none
from tonnage.kube.objects import KubeObject
from tonnage.kube.paths import Path

KUBEFLOW: Final = "kubeflow.org/"
TRAINER: Final = "trainer.kubeflow.org/"
JOBSET: Final = "jobset.x-k8s.io/"
RAY: Final = "ray.io/"
_RAY_CLUSTERS: Final[Mapping[str, Path]] = {
    "RayCluster": ("spec",),
    "RayService": ("spec", "rayClusterConfig"),
    "RayJob": ("spec", "rayClusterSpec"),
}
"""Where KubeRay's kinds describe their pods. Source: ray-project/kuberay ray-operator/apis/ray/v1."""
OPERATED: Final = ("PyTorchJob", "TFJob", "JAXJob", "XGBoostJob", "PaddleJob")
"""Kinds of the Training Operator alone.

Source: kubeflow/training-operator v1.9.3 pkg/apis/kubeflow.org/v1.
"""
QUEUE: Final = "kueue.x-k8s.io/queue-name"
_RESTARTED_UNSAID: Final = ("PyTorchJob",)
"""Kinds that restart where nothing is said. Source: the same, pkg/apis/kubeflow.org/v1/*_types.go."""
_MEETING: Final = re.compile(
    r"torchrun|torch\.distributed|accelerate launch|\bdeepspeed\b|horovodrun|\bmpirun\b|\bmpiexec\b"
    r"|MASTER_ADDR|WORLD_SIZE|--nnodes|init_process_group|JAX_COORDINATOR|TF_CONFIG|\bNCCL_|PET_NNODES"
)
"""What programs say whose processes meet each other."""
_TRAINS: Final = re.compile(
    r"(?<![a-z])(pre-?)?train(?!ed)|fine-?tun|(?<![a-z])epochs?(?![a-z])", re.IGNORECASE
)
_KEEPERS: Final = frozenset(
    {
        "persistentVolumeClaim", "nfs", "csi", "hostPath", "ephemeral", "azureFile", "cephfs", "glusterfs",
        "gcePersistentDisk", "awsElasticBlockStore", "azureDisk", "iscsi", "fc", "rbd", "flexVolume",
    }
)  # fmt: skip
"""Volumes that outlive a container; those that are somewhere else for the next pod are not told apart."""
_STORES: Final = re.compile(r"\b(s3a?|gs|gcs|abfss?|wasbs?|hdfs|oss|oci|r2|minio)://", re.IGNORECASE)
_STORE_NAMES: Final = re.compile(r"BUCKET|CHECKPOINT|CKPT|S3_|AWS_S3|GCS_", re.IGNORECASE)
_SPOT: Final = re.compile(
    r"gke-(spot|preemptible)|capacityType|capacity-type|scalesetpriority|lifecycle", re.IGNORECASE
)
_SPOT_VALUES: Final = re.compile(r"^(true|spot|preemptible|ec2spot)$", re.IGNORECASE)
_DEFAULT_SCHEDULERS: Final = ("", "None", "default-scheduler")


@dataclass(frozen=True, slots=True, eq=False)
class Role:
    """Like pods of a training.

    Attributes:
        name: Such as ``Worker``; empty for the only one.
        path: Of what holds their number and their template.
        replicas: How many pods.
        pod: One of them.
    """

    name: str
    path: Path
    replicas: int
    pod: PodView


def pod_paths(item: KubeObject) -> Iterator[Path]:
    """Where the pods' specs of an object with several roles stand; nothing in any other object."""
    version = item.reference.api_version
    if version.startswith(KUBEFLOW):
        for holder, _ in _replica_specs(item):
            yield (*holder, "template", "spec")
    elif version.startswith(JOBSET) and item.kind == "JobSet":
        for holder, _ in _replicated_jobs(item):
            yield (*holder, "template", "spec", "template", "spec")
    elif version.startswith(RAY) and item.kind in _RAY_CLUSTERS:
        yield from _ray_pods(item, _RAY_CLUSTERS[item.kind])


def _ray_pods(item: KubeObject, cluster: Path) -> Iterator[Path]:
    groups = item.at(*cluster, "workerGroupSpecs")
    count = len(groups) if isinstance(groups, list) else 0
    workers = [(*cluster, "workerGroupSpecs", index) for index in range(count)]
    for holder in ((*cluster, "headGroupSpec"), *workers):
        path = (*holder, "template", "spec")
        if isinstance(item.at(*path), Mapping):
            yield path


def _replica_specs(item: KubeObject) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    spec = item.at("spec")
    for field, roles in spec.items() if isinstance(spec, Mapping) else ():
        if str(field).endswith("ReplicaSpecs") and isinstance(roles, Mapping):
            for name, role in roles.items():
                if isinstance(role, Mapping) and isinstance(
                    item.at("spec", field, name, "template", "spec"), Mapping
                ):
                    yield ("spec", str(field), str(name)), role


def _replicated_jobs(item: KubeObject) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    jobs = item.at("spec", "replicatedJobs")
    for index, job in enumerate(jobs if isinstance(jobs, list) else ()):
        path: Path = ("spec", "replicatedJobs", index)
        if isinstance(job, Mapping) and isinstance(
            item.at(*path, "template", "spec", "template", "spec"), Mapping
        ):
            yield path, job


def is_training(item: KubeObject) -> bool:
    """Whether an object is of a kind that trainings have."""
    version, kind = item.reference.api_version, item.kind
    if version.startswith(KUBEFLOW):
        return kind in OPERATED or kind == "MPIJob"
    if version.startswith(TRAINER):
        return kind == "TrainJob"
    return (version.startswith(JOBSET) and kind == "JobSet") or (kind, version) == ("Job", "batch/v1")


def _count(value: Any, default: int = 1) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass(frozen=True, slots=True, eq=False)
class TrainingView(AnyView):
    """A training job, or a Job that may be none: ask ``trains``."""

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.item.kind

    @property
    def is_core(self) -> bool:
        """Whether it is Kubernetes' own Job."""
        return self.kind == "Job"

    @property
    def is_kubeflow(self) -> bool:
        """Whether the Training Operator, or MPI's, runs it."""
        return self.item.reference.api_version.startswith(KUBEFLOW)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Its roles; none for a TrainJob, whose pods a runtime describes."""
        item = self.item
        if self.is_core:
            path: Path = ("spec", "template", "spec")
            pods = _count(item.at("spec", "parallelism"))
            return (Role("", ("spec",), pods, PodView(item, path)),) if item.at(*path) is not None else ()
        found: list[Role] = []
        for holder, role in _replica_specs(item) if self.is_kubeflow else ():
            pod = PodView(item, (*holder, "template", "spec"))
            found.append(Role(str(holder[-1]), holder, _count(role.get("replicas")), pod))
        for holder, role in _replicated_jobs(item) if self.kind == "JobSet" else ():
            pod = PodView(item, (*holder, "template", "spec", "template", "spec"))
            parallel = _count(item.at(*holder, "template", "spec", "parallelism"))
            count = _count(role.get("replicas")) * parallel
            found.append(Role(str(role.get("name") or ""), (*holder, "template", "spec"), count, pod))
        return tuple(found)

    def role(self, name: str) -> Role | None:
        """The role of a name, upper or lower case."""
        return next((one for one in self.roles if one.name.casefold() == name.casefold()), None)

    @property
    def pods(self) -> int:
        """How many pods run at a time."""
        if self.kind == "TrainJob":
            return _count(self.item.at("spec", "trainer", "numNodes"))
        return sum(one.replicas for one in self.roles)

    @property
    def gpus(self) -> dict[str, int]:
        """GPUs of one pod, of the role that has most, by resource."""
        if self.kind == "TrainJob":
            return self._trainer_gpus()
        found: dict[str, int] = {}
        for role in self.roles:
            for name, count in role.pod.gpus.items():
                found[name] = max(found.get(name, 0), count)
        return found

    def _trainer_gpus(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for which in ("requests", "limits"):
            amounts = self.item.at("spec", "trainer", "resourcesPerNode", which)
            for name, value in amounts.items() if isinstance(amounts, Mapping) else ():
                amount = quantity_or_none(value)
                if "/" in str(name) and "gpu" in str(name) and amount is not None:
                    found[str(name)] = amount.value
        return found

    @property
    def words(self) -> str:
        """Commands, arguments and variables of all its containers."""
        found = [str(self.item.at("spec", "trainer", name) or "") for name in ("command", "args", "env")]
        for role in self.roles:
            for one in role.pod.container_views:
                found += _texts(one.at("command")) + _texts(one.at("args"))
                for variable in one.at("env") if isinstance(one.at("env"), list) else ():
                    if isinstance(variable, Mapping):
                        found.append(f"{variable.get('name')}={variable.get('value', '')}")
        return " ".join(found)

    @property
    def meets(self) -> bool:
        """Whether its pods work as one and need each other."""
        if self.pods < 2:
            return False
        return self.is_kubeflow or self.kind == "TrainJob" or bool(_MEETING.search(self.words))

    @property
    def trains(self) -> bool:
        """Whether it is a training, as far as its kind, name and commands tell."""
        if self.is_kubeflow or self.kind == "TrainJob":
            return True
        images = " ".join(
            str(one.value.get("image") or "") for role in self.roles for one in role.pod.container_views
        )
        said = f"{self.item.name} {self.words} {images}"
        return bool(_MEETING.search(self.words) or _TRAINS.search(said))

    @property
    def is_queued(self) -> bool:
        """Whether a label puts it into a queue of Kueue."""
        labels = self.item.at("metadata", "labels")
        return isinstance(labels, Mapping) and QUEUE in labels

    @property
    def keeps(self) -> bool:
        """Whether something of its pods outlives them: a volume, or a store that its words name."""
        if _STORES.search(self.words) or _STORE_NAMES.search(self.words):
            return True
        if self.item.at("spec", "volumeClaimPolicies") is not None:
            return True
        return any(
            _KEEPERS & set(volume) for role in self.roles for _, volume in role.pod.listed("volumes")
        )

    @property
    def is_on_spot(self) -> bool:
        """Whether its pods choose nodes that the provider may take back."""
        return any(_on_spot(role.pod) for role in self.roles)

    @property
    def restarts(self) -> Path | None:
        """The field by which a failed pod is started again; None where none is."""
        item = self.item
        if self.is_core:
            limit = _count(item.at("spec", "backoffLimit"), 6)
            return ("spec", "backoffLimit") if limit > 0 else None
        if self.kind == "JobSet":
            path: Path = ("spec", "failurePolicy", "maxRestarts")
            return path if _count(item.at(*path), 0) > 0 else None
        for role in self.roles:
            said = item.at(*role.path, "restartPolicy")
            unsaid = said is None and self.kind in _RESTARTED_UNSAID
            if unsaid or said in ("OnFailure", "Always", "ExitCode"):
                return (*role.path, "restartPolicy")
        return None

    @property
    def is_placed_together(self) -> bool:
        """Whether somebody sees to it that its pods come all or not at all, as far as it tells."""
        policy = self.item.at("spec", "runPolicy", "schedulingPolicy")
        if self.is_queued or policy is not None or self.kind == "TrainJob":
            return True
        for role in self.roles:
            pod = role.pod
            metadata = self.item.at(*pod.path[:-1], "metadata")
            named = "pod-group" in str(metadata) or "group-name" in str(metadata)
            grouped = pod.at("schedulingGroup") is not None or pod.at("workloadRef") is not None
            if named or grouped or str(pod.at("schedulerName")) not in _DEFAULT_SCHEDULERS:
                return True
        return False


def _texts(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _on_spot(pod: PodView) -> bool:
    selector = pod.at("nodeSelector")
    pairs = list(selector.items()) if isinstance(selector, Mapping) else []
    required = ("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    for _, expression in pod.listed(*required, "nodeSelectorTerms", 0, "matchExpressions"):
        values = expression.get("values")
        if expression.get("operator") == "In" and isinstance(values, list):
            pairs += [(expression.get("key"), value) for value in values]
    return any(_SPOT.search(str(key)) and _SPOT_VALUES.search(str(value)) for key, value in pairs)
