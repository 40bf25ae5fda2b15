"""Training jobs that use everything a document can say, for every back end that can do it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from operator_world import document

from tonnage.errors import SpecError
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training import render

BACKENDS: tuple[BackendName, ...] = ("job", "jobset", "trainjob", "pytorchjob", "tfjob")
GANGS: tuple[GangName, ...] = ("none", "core", "kueue", "volcano", "coscheduling")
_PLACES: dict[str, Any] = {
    "volumes": [
        {"name": "state", "type": "claim", "claim": "shared", "mountPath": "/state"},
        {"name": "data", "type": "nfs", "server": "files.example", "path": "/data", "mountPath": "/data", "readOnly": True},
        {"name": "settings", "type": "configMap", "configMap": "settings", "mountPath": "/settings"},
        {"name": "keys", "type": "secret", "secret": "keys", "mountPath": "/keys"},
        {"name": "work", "type": "emptyDir", "sizeLimit": "10Gi", "mountPath": "/work"},
    ],
    "checkpoint": {"path": "/state/run"},
    "envFrom": [{"secret": "keys"}, {"configMap": "settings"}],
    "env": {"EPOCHS": "3"},
}
_PLACING: dict[str, Any] = {
    "topology": {"pack": "zone", "required": True},
    "scheduling": {
        "nodeSelector": {"pool": "training"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "priorityClassName": "training",
        "serviceAccountName": "trainer",
    },
    "security": {"user": 1000, "group": 1000},
    "gracePeriod": "120s",
    "deadline": "24h",
}
_AMD = {"cpu": "8", "memory": "64Gi", "gpu": {"vendor": "amd", "count": 8, "types": ["mi300x", "mi250x"]}}
_DRA = {"cpu": "8", "memory": "64Gi", "gpu": {"vendor": "nvidia", "count": 2, "allocation": "dra"}}
_MIG = {"cpu": "8", "memory": "64Gi", "gpu": {"vendor": "nvidia", "count": 2, "migProfile": "1g.10gb"}}
_RDMA = {"interface": "eth0", "hostNetwork": True, "rdma": {"resource": "rdma/hca_shared_devices_a", "count": 2}}
_ROLES = {"chief": {}, "parameterServers": {"replicas": 2, "resources": {"cpu": "4", "memory": "8Gi"}}}

DOCUMENTS: tuple[TrainingJob, ...] = (
    document("least", resources={}),
    document("full", **_PLACES, **_PLACING),
    document("restarts", **_PLACES, restart={"policy": "OnFailure", "limit": 5, "fatalExitCodes": [2, 42]}),
    document("elastic", elastic={"min": 1, "max": 4}, restart={"policy": "OnFailure", "limit": 3, "fromStart": True}),
    document("cleaned", cleanup={"ttl": "1h", "pods": "All"}),
    document("amd", resources=_AMD, sharedMemory="16Gi"),
    document("mig", resources=_MIG),
    document("dra", resources=_DRA),
    document("rdma", network=_RDMA),
    document("jax", "jax"),
    document("plain", "plain", workers=4),
    document("alone", workers=1),
    document("tensorflow", "tensorflow"),
    document("roles", "tensorflow", roles=_ROLES),
)
"""One for each part of the document, and one with most of them."""


def cases() -> Iterator[tuple[TrainingJob, BackendName, GangName]]:
    """Every document with every back end and gang that can do what it asks."""
    for job in DOCUMENTS:
        for backend in BACKENDS:
            for gang in GANGS:
                wanted = job
                if gang == "kueue":
                    spec = job.to_document()["spec"] | {"queue": "gpus"}
                    wanted = TrainingJob.model_validate(job.to_document() | {"spec": spec})
                try:
                    render(wanted, backend=backend, gang=gang)
                except SpecError:
                    continue
                yield wanted, backend, gang
