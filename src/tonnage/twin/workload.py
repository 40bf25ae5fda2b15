"""The Deployment of a scenario: its template, how it is rolled out, and how its replicas live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tonnage.scheduling import Pod
from tonnage.twin.pod_life import PodLife, require


@dataclass(frozen=True, slots=True)
class Revision:
    """A pod template and what its pods do.

    Attributes:
        pod: The template as the scheduler sees it; its name is replaced.
        life: Its times and answers.
        server: Index of its model server in ``Scenario.servers``.
        label: For people, such as an image tag.
    """

    pod: Pod
    life: PodLife = field(default_factory=PodLife)
    server: int = 0
    label: str = ""


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """The Deployment's strategy, with Kubernetes' defaults.

    Attributes:
        strategy: RollingUpdate or Recreate.
        max_surge: Pods above the replicas, or a share like ``"25%"``, which is rounded up.
        max_unavailable: Pods that may be away, or a share, which is rounded down.
        min_ready_s: A pod is available when it was ready for so long [s, >= 0].
        progress_deadline_s: Without progress for so long the rollout counts as failed [s, > 0].

    Source: k8s.io/kubernetes v1.37.2 pkg/apis/apps/v1/defaults.go SetDefaults_Deployment.
    """

    strategy: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    min_ready_s: float = 0.0
    progress_deadline_s: float = 600.0

    def __post_init__(self) -> None:
        for name in ("max_surge", "max_unavailable"):
            value = getattr(self, name)
            share = isinstance(value, str) and value.endswith("%") and value[:-1].isdigit()
            whole = isinstance(value, int) and value >= 0
            require(share or whole, name, "a number >= 0 or a share like 25%", value)
        require(self.min_ready_s >= 0, "min_ready_s", ">= 0", self.min_ready_s)
        require(self.progress_deadline_s > 0, "progress_deadline_s", "> 0", self.progress_deadline_s)


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment at the start of the run.

    Attributes:
        name: Its name.
        namespace: Its namespace.
        labels: Labels that its selector matches, and that its pods have.
        replicas: ``spec.replicas`` at the start [>= 0].
        revision: Its template.
        rollout: Its strategy.
        started: Whether its pods are ready at time 0 (else the run begins with its creation).
        container: Name of the model server's container.
    """

    name: str
    revision: Revision
    replicas: int = 1
    namespace: str = "default"
    labels: Mapping[str, str] = field(default_factory=dict)
    rollout: RolloutPlan = RolloutPlan()
    started: bool = True
    container: str = "server"

    def __post_init__(self) -> None:
        require(bool(self.name), "name", "given", repr(self.name))
        require(self.replicas >= 0, "replicas", ">= 0", self.replicas)
