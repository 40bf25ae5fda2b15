"""Who takes part in a job: workers, and with TensorFlow a chief and parameter servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tonnage.kube.quantity import Quantity
from tonnage.manifests.gpu import resource_name
from tonnage.spec.placement import Resources
from tonnage.spec.training import TrainingJob
from tonnage.training import names


@dataclass(frozen=True, slots=True)
class Role:
    """Pods that are alike.

    Attributes:
        name: worker, chief or parameter-server.
        task: What TensorFlow calls it.
        count: Pods.
        count_min: Pods without which the job does not run.
        resources: What each asks for.
    """

    name: str
    task: str
    count: int
    count_min: int
    resources: Resources


def roles_of(job: TrainingJob) -> tuple[Role, ...]:
    """The roles of a job; who leads comes first."""
    spec = job.spec
    found = [Role(names.WORKER, "worker", spec.workers, spec.workers_min, spec.resources)]
    if spec.roles.chief is not None:
        found.insert(0, Role(names.CHIEF, "chief", 1, 1, spec.roles.chief.resources or spec.resources))
    servers = spec.roles.parameter_servers
    if servers is not None:
        count = servers.replicas
        found.append(Role(names.PARAMETER_SERVER, "ps", count, count, servers.resources))
    return tuple(found)


def pods_min(job: TrainingJob) -> int:
    """Pods without which the job does not run."""
    return sum(role.count_min for role in roles_of(job))


def requests_of(job: TrainingJob, resources: Resources) -> Mapping[str, Quantity]:
    """What one pod requests, by the names of Kubernetes' resources."""
    found = {"cpu": resources.cpu, "memory": resources.memory}
    if resources.gpu is not None and resources.gpu.allocation != "dra":
        found[resource_name(resources.gpu)] = Quantity.of(resources.gpu.count)
    rdma = job.spec.network.rdma
    if rdma is not None:
        found[rdma.resource] = Quantity.of(rdma.count)
    return found


def requests_min(job: TrainingJob) -> dict[str, str]:
    """What the pods request together without which the job does not run."""
    total: dict[str, Quantity] = {}
    for role in roles_of(job):
        for name, amount in requests_of(job, role.resources).items():
            of_role = amount * role.count_min
            total[name] = total[name] + of_role if name in total else of_role
    return {name: str(amount) for name, amount in total.items()}
