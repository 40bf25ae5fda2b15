"""Which worker of a training a pod is, whatever made it. Pure.

Source: kubernetes v1.37.2 staging/src/k8s.io/api/batch/v1/types.go (JobCompletionIndexAnnotation); Kubeflow
Training Operator v1.9 pkg/apis/kubeflow.org/v1/common_types.go (ReplicaIndexLabel, ReplicaTypeLabel).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.training.names import ROLE_LABEL, WORKER

_INDEXES: Final = ("batch.kubernetes.io/job-completion-index", "training.kubeflow.org/replica-index")


@dataclass(frozen=True, slots=True, order=True)
class Worker:
    """One worker.

    Attributes:
        role: worker, chief or parameter-server.
        index: Its number within the role, from 0; -1 where its pod does not say.
        pod: Name of its pod, where the number is not known; else empty.
    """

    role: str
    index: int
    pod: str = ""

    @property
    def title(self) -> str:
        """Its name for people, such as ``worker-0``."""
        return self.pod or f"{self.role}-{self.index}"


def worker_of(pod: Mapping[str, Any]) -> Worker:
    """The worker that a pod is."""
    metadata = pod["metadata"]
    labels = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
    role = str(labels.get(ROLE_LABEL) or WORKER)
    for key in _INDEXES:
        text = str(labels.get(key, ""))
        if text.isdecimal():
            return Worker(role, int(text))
    return Worker(role, -1, str(metadata["name"]))
