"""Documents of every form that the rules let through."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.spec.training import TrainingJob

GPUS = st.fixed_dictionaries(
    {"count": st.integers(1, 8), "vendor": st.sampled_from(["nvidia", "amd", "intel"])},
    optional={
        "types": st.sampled_from([["a100"], ["h100", "a100"], []]),
        "allocation": st.sampled_from(["plugin", "dra"]),
    },
)
RESOURCES = st.fixed_dictionaries(
    {"cpu": st.sampled_from(["500m", "4", "1500m"]), "memory": st.sampled_from(["1Gi", "1536Mi", "64Gi"])},
    optional={"gpu": GPUS},
)
VOLUMES = [
    {"type": "claim", "name": "c", "claim": "c", "mountPath": "/c"},
    {"type": "emptyDir", "name": "e", "mountPath": "/e"},
    {"type": "hostPath", "name": "h", "path": "/x", "mountPath": "/h"},
]
SPECS = st.fixed_dictionaries(
    {
        "framework": st.sampled_from(["pytorch", "tensorflow", "jax", "plain"]),
        "image": st.just("t:v1"),
        "command": st.sampled_from([["python", "t.py"], ["/t"], ["torchrun", "t.py"]]),
        "workers": st.integers(1, 20),
        "volumes": st.just(VOLUMES),
    },
    optional={
        "args": st.just(["--x"]),
        "launcher": st.sampled_from(["auto", "none"]),
        "env": st.just({"A": "b", "HOME": "/h", "PYTHONUNBUFFERED": "0", "NCCL_SOCKET_IFNAME": "^lo"}),
        "resources": RESOURCES,
        "checkpoint": st.just({"path": "/c/x"}),
        "restart": st.sampled_from(
            [{"policy": "Never"}, {"limit": 5}, {"fromStart": True}, {"fatalExitCodes": [3]}]
        ),
        "elastic": st.fixed_dictionaries({"min": st.integers(1, 4), "max": st.integers(10, 30)}),
        "roles": st.sampled_from([{"chief": {}}, {"parameterServers": {"replicas": 3}}]),
        "queue": st.just("q"),
        "topology": st.sampled_from([{"pack": "zone"}, {"pack": "node", "required": True}]),
        "network": st.sampled_from(
            [{"interface": "eth0"}, {"hostNetwork": True}, {"rdma": {"resource": "rdma/hca"}}]
        ),
        "scheduling": st.just({"priorityClassName": "p", "tolerations": [{"key": "k", "operator": "Exists"}]}),
        "security": st.just({"user": 1000, "group": 1000}),
        "cleanup": st.sampled_from([{"ttl": "1h"}, {"pods": "All"}]),
        "deadline": st.just("1d"),
        "gracePeriod": st.just("60s"),
        "sharedMemory": st.just("64Mi"),
    },
)


def _job(spec: dict[str, Any]) -> TrainingJob | None:
    try:
        return TrainingJob.model_validate(
            {
                "apiVersion": "tonnage.dev/v1alpha1",
                "kind": "TrainingJob",
                "metadata": {"name": "t", "labels": {"team": "x"}, "annotations": {"note": "y"}},
                "spec": spec,
            }
        )
    except SpecError:
        return None


JOBS: st.SearchStrategy[TrainingJob] = SPECS.map(_job).filter(lambda job: job is not None)  # type: ignore[assignment]
