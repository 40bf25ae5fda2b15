"""How the processes of a job find each other: variables of every worker, and torchrun's part.

torchrun is told everything by ``PET_*`` variables, so that a command which calls it itself gets the same.
The rendezvous is ``c10d``: the agent of worker 0 holds the store at ``<job>-0``. That name is both the host
name of its pod, by which the agent knows that it is the one, and a Service, by which the others find it.

A worker's process that dies is started again by its agent, together with all others: their agents see the
regrouping and do not count it. A pod that dies is replaced, and its new agent takes the old one's place. When
it was worker 0 the store is gone, so that all agents end and their pods are replaced.

Source: pytorch torch/distributed/run.py (variables ``PET_<OPTION>``), elastic/rendezvous/utils.py
    (_matches_machine_hostname), elastic/rendezvous/dynamic_rendezvous.py (_RendezvousExitOp,
    _RendezvousJoinOp),
    elastic/agent/server/api.py (SimpleElasticAgent._invoke_run: membership changes do not count as retries),
    elastic/rendezvous/dynamic_rendezvous.py (next_rendezvous, for the store: pytorch/pytorch#135712).
Source: jax jax/_src/distributed.py (JAX_COORDINATOR_ADDRESS).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tonnage.spec.training import TrainingJob
from tonnage.training import names

STORE_TIMEOUT_S: Final = 300
"""How long an agent waits for the store's host to come up, whose image may still be pulled."""
JOIN_TIMEOUT_S: Final = 1800
"""How long agents wait for the last of them."""
UNBUFFERED: Final = "PYTHONUNBUFFERED"
OWN_STORE: Final = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"
"""Has trainers meet in a store of their own instead of their agents'. In the agents' store worker 0 says in
its first round only where trainers meet, so that the agent of a replaced pod waits for it in vain."""
_SCRIPT_LAUNCHERS: Final = ("torchrun", "accelerate", "deepspeed", "lightning")
_MODULE_LAUNCHERS: Final = ("torch.distributed.run", "torch.distributed.launch", "accelerate.commands.launch")


def variable(name: str, value: str) -> dict[str, Any]:
    """A variable of a container."""
    return {"name": name, "value": value}


def from_field(name: str, path: str) -> dict[str, Any]:
    """A variable that is a field of the pod."""
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def calls_launcher(job: TrainingJob) -> bool:
    """Whether the command itself starts the processes of a worker."""
    command = job.spec.command
    return command[0].rpartition("/")[2] in _SCRIPT_LAUNCHERS or any(
        module in command for module in _MODULE_LAUNCHERS
    )


def uses_torchrun(job: TrainingJob) -> bool:
    """Whether the command is put under torchrun."""
    if job.spec.launcher != "auto":
        return job.spec.launcher == "torchrun"
    return job.spec.framework == "pytorch" and not calls_launcher(job)


def under_torchrun(job: TrainingJob) -> bool:
    """Whether torchrun starts the processes, put there by us or called by the command."""
    return uses_torchrun(job) or (job.spec.framework == "pytorch" and calls_launcher(job))


def command(job: TrainingJob) -> list[str]:
    """What a worker's container runs.

    The Python of the command also runs torchrun, so that an image with several has the right one.
    """
    given = [*job.spec.command, *job.spec.args]
    if not uses_torchrun(job):
        return given
    program = job.spec.command[0]
    is_python = program.rpartition("/")[2].startswith("python")
    return [*([program, "-m", "torch.distributed.run"] if is_python else ["torchrun"]), "--no-python", *given]


def torchrun_variables(job: TrainingJob, *, endpoint: str) -> list[dict[str, Any]]:
    """Torchrun's options as variables.

    Args:
        job: The document.
        endpoint: Host name and port of the store.
    """
    spec = job.spec
    nodes = f"{spec.workers_min}:{spec.workers_max}" if spec.elastic is not None else str(spec.workers)
    found = [
        variable("PET_NNODES", nodes),
        variable("PET_NPROC_PER_NODE", str(spec.processes)),
        variable("PET_RDZV_BACKEND", "c10d"),
        variable("PET_RDZV_ENDPOINT", endpoint),
        variable("PET_RDZV_ID", job.name),
        variable("PET_RDZV_CONF", f"join_timeout={JOIN_TIMEOUT_S},read_timeout={STORE_TIMEOUT_S}"),
        variable("PET_MAX_RESTARTS", str(spec.restart_limit)),
    ]
    if spec.network.host_network:
        # The name of a node need not be known to the other nodes.
        found.append(from_field("PET_LOCAL_ADDR", "status.podIP"))
    return found


def static_variables(job: TrainingJob, *, host: str, index: str) -> list[dict[str, Any]]:
    """Torchrun's options where all agents start and end together.

    Args:
        job: The document.
        host: Host name of worker 0.
        index: Name of the variable that holds the worker's number.
    """
    spec = job.spec
    return [
        variable("PET_NNODES", str(spec.workers)),
        variable("PET_NPROC_PER_NODE", str(spec.processes)),
        variable("PET_NODE_RANK", f"$({index})"),
        variable("PET_MASTER_ADDR", host),
        variable("PET_MASTER_PORT", str(spec.network.port)),
        static_timeout(),
    ]


def static_timeout() -> dict[str, Any]:
    """How long the agents of a static rendezvous wait for each other."""
    return variable("PET_RDZV_CONF", f"timeout={JOIN_TIMEOUT_S}")


def common_variables(job: TrainingJob, *, leader: str) -> list[dict[str, Any]]:
    """What every worker is told besides its number, whatever its framework.

    Args:
        job: The document.
        leader: Host name at which worker 0 is reached.
    """
    spec, port = job.spec, str(job.spec.network.port)
    found = [
        variable(UNBUFFERED, "1"),  # what a process has printed is in the log at once
        variable(names.WORKERS_VARIABLE, str(spec.workers)),
        variable(names.LEADER_VARIABLE, leader),
        variable(names.PORT_VARIABLE, port),
    ]
    if spec.checkpoint is not None:
        found.append(variable(names.CHECKPOINT_VARIABLE, spec.checkpoint.path))
    if uses_torchrun(job) or calls_launcher(job):
        found.append(variable(OWN_STORE, "1"))
    return found + network_variables(job)


def network_variables(job: TrainingJob) -> list[dict[str, Any]]:
    """Which interface NCCL and gloo use; ``=`` keeps NCCL from taking it for the beginning of a name.

    Source: NVIDIA NCCL, environment variables, NCCL_SOCKET_IFNAME; pytorch
        torch/csrc/distributed/c10d/init.cpp (GLOO_SOCKET_IFNAME).
    """
    interface = job.spec.network.interface
    if interface is None:
        return []
    return [variable("NCCL_SOCKET_IFNAME", f"={interface}"), variable("GLOO_SOCKET_IFNAME", interface)]


def framework_variables(
    job: TrainingJob, *, leader: str, hosts: list[str], index: str
) -> list[dict[str, Any]]:
    """What the framework reads.

    Args:
        job: The document.
        leader: Host name of worker 0.
        hosts: Host name of every worker.
        index: Name of the variable that holds the worker's number.
    """
    spec, port = job.spec, job.spec.network.port
    if spec.framework == "pytorch":
        if under_torchrun(job):
            return torchrun_variables(job, endpoint=f"{leader}:{port}")
        return [
            variable("MASTER_ADDR", leader),
            variable("MASTER_PORT", str(port)),
            variable("WORLD_SIZE", str(spec.workers)),
            variable("RANK", f"$({index})"),
        ]
    if spec.framework == "jax":
        return [
            variable("JAX_COORDINATOR_ADDRESS", f"{leader}:{port}"),
            variable("JAX_NUM_PROCESSES", str(spec.workers)),
            variable("JAX_PROCESS_ID", f"$({index})"),
        ]
    if spec.framework == "tensorflow":
        return [tensorflow_variable({"worker": [f"{host}:{port}" for host in hosts]}, "worker", index)]
    return []


def tensorflow_variable(cluster: Mapping[str, list[str]], task: str, index: str) -> dict[str, Any]:
    """``TF_CONFIG``: who takes part, and who this is.

    Args:
        cluster: Host names with ports, by task.
        task: This pod's.
        index: Name of the variable that holds its number.
    """
    config = {"cluster": dict(cluster), "task": {"type": task, "index": 0}}
    text = json.dumps(config, separators=(",", ":"))
    # The number is a reference, which stands where JSON wants digits.
    head, _, tail = text.rpartition('"index":0')
    return variable("TF_CONFIG", f'{head}"index":$({index}){tail}')
