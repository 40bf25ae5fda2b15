"""The parts of a ``TrainingJob``: volumes, checkpoint, restarts, roles, placement and network."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from tonnage.spec.placement import Resources, Toleration
from tonnage.spec.scalars import (
    Bytes,
    DnsLabel,
    DnsSubdomain,
    Flag,
    LabelKey,
    LabelValue,
    Part,
    Port,
    Text,
    Whole,
    WholeSeconds,
    text_form,
)

WORKERS_MAX: Final = 10_000
RESTARTS_WITH_CHECKPOINT: Final = 3
"""How often a job is restarted where its document does not say."""

AbsolutePath = Annotated[
    str,
    text_form(
        r"/([^/:\x00-\x1f]+(/[^/:\x00-\x1f]+)*)?",
        'must be an absolute path such as /data, without ":" and without "/" at its end',
        length_max=1024,
    ),
]
VariableName = Annotated[
    str,
    text_form(
        r"[A-Za-z_][A-Za-z0-9_]*", "must be letters, digits and _, and not begin with a digit", length_max=253
    ),
]
InterfaceName = Annotated[
    str,
    text_form(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}", "must be the name of one interface, such as eth0"),
]


class _Mounted(Part):
    """What every volume has."""

    name: DnsLabel
    """Its name in the pod."""
    mount_path: AbsolutePath
    """Where workers find it."""
    read_only: Flag = False
    """Whether workers may only read it."""


class ClaimVolume(_Mounted):
    """A PersistentVolumeClaim that exists; workers on several nodes need one with access ReadWriteMany."""

    type: Literal["claim"]
    """`claim`"""
    claim: DnsSubdomain
    """Name of the claim."""


class NfsVolume(_Mounted):
    """A folder of an NFS server."""

    type: Literal["nfs"]
    """`nfs`"""
    server: Text
    """Host name or address of the server."""
    path: AbsolutePath
    """The folder that it exports."""


class HostPathVolume(_Mounted):
    """A folder of the node; namespaces that enforce the standards `baseline` or `restricted` refuse it."""

    type: Literal["hostPath"]
    """`hostPath`"""
    path: AbsolutePath
    """The folder on the node."""


class EmptyDirVolume(_Mounted):
    """A folder that ends with the pod."""

    type: Literal["emptyDir"]
    """`emptyDir`"""
    size_limit: Bytes | None = None
    """Bytes at most; the pod is evicted beyond them."""


class ConfigMapVolume(_Mounted):
    """The files of a ConfigMap."""

    type: Literal["configMap"]
    """`configMap`"""
    config_map: DnsSubdomain
    """Name of the ConfigMap."""


class SecretVolume(_Mounted):
    """The files of a Secret."""

    type: Literal["secret"]
    """`secret`"""
    secret: DnsSubdomain
    """Name of the Secret."""


Volume = ClaimVolume | NfsVolume | HostPathVolume | EmptyDirVolume | ConfigMapVolume | SecretVolume
DURABLE_VOLUMES: Final = ("claim", "nfs", "hostPath")
"""Types of volume whose content outlives a pod and that can be written."""


class EnvSource(Part):
    """Where variables come from that the document does not hold; one of the two."""

    secret: DnsSubdomain | None = None
    """Name of a Secret, each of whose keys becomes a variable."""
    config_map: DnsSubdomain | None = None
    """Name of a ConfigMap, each of whose keys becomes a variable."""


class Checkpoint(Part):
    """Where the training keeps its state, from which a restarted job goes on."""

    path: AbsolutePath
    """The folder, told to every process as `TONNAGE_CHECKPOINT_DIR`; it lies on a volume."""
    volume: DnsLabel | None = None
    """The volume that it lies on; null takes the one whose `mountPath` holds it."""


class Restart(Part):
    """What happens when a worker fails."""

    policy: Literal["OnFailure", "Never"] | None = None
    """Whether the job is restarted; null restarts it where there is a checkpoint to go on from."""
    limit: Annotated[Whole, Field(ge=0, le=1000)] | None = None
    """Restarts at most, after which the job has failed; null takes 3 where the policy restarts."""
    from_start: Flag = False
    """Allows a restart without a checkpoint: the job begins again at its start."""
    fatal_exit_codes: tuple[Annotated[Whole, Field(ge=1, le=255)], ...] = ()
    """Exit codes of a container after which a restart is pointless: the job fails at once."""


class Elastic(Part):
    """How many workers the job can go on with."""

    min: Annotated[Whole, Field(ge=1, le=WORKERS_MAX)]
    """Workers at least."""
    max: Annotated[Whole, Field(ge=1, le=WORKERS_MAX)]
    """Workers at most."""


class Chief(Part):
    """The worker that leads, where it is one of its own."""

    resources: Resources | None = None
    """What it asks for; null takes `spec.resources`."""


class ParameterServers(Part):
    """Processes that hold the parameters while workers compute."""

    replicas: Annotated[Whole, Field(ge=1, le=WORKERS_MAX)] = 1
    """How many."""
    resources: Resources = Resources()
    """What each asks for."""


class Roles(Part):
    """Pods beside the workers (framework `tensorflow`)."""

    chief: Chief | None = None
    """A chief beside the workers; null makes worker 0 the chief."""
    parameter_servers: ParameterServers | None = None
    """Parameter servers; null has none."""


class Topology(Part):
    """How near the workers must be to each other."""

    pack: Literal["node", "rack", "block", "zone"]
    """What all of them share."""
    label: LabelKey | None = None
    """The node label whose values are these; null takes the usual one, and racks and blocks have none."""
    required: Flag = False
    """Whether the job rather waits than spreads over several."""


class Rdma(Part):
    """Network devices that workers reach past the kernel (InfiniBand, RoCE, EFA)."""

    resource: LabelKey
    """The extended resource of their device plug-in, such as `rdma/hca_shared_devices_a`."""
    count: Annotated[Whole, Field(ge=1, le=64)] = 1
    """Devices of one worker."""


class TrainingNetwork(Part):
    """How workers find and reach each other."""

    port: Port = 29500
    """Port at which the first worker is met."""
    interface: InterfaceName | None = None
    """The interface of NCCL and gloo; null lets them find it."""
    host_network: Flag = False
    """Whether workers use the node's own network."""
    rdma: Rdma | None = None
    """RDMA devices; null has none."""


class TrainingScheduling(Part):
    """Which nodes workers may run on; GPU tolerations come from the vendor."""

    node_selector: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels that a node must have, beside what the GPU's type asks for."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints tolerated, beside the GPU vendor's."""
    priority_class_name: DnsSubdomain | None = None
    """The PriorityClass; null takes the cluster's default."""
    runtime_class_name: DnsSubdomain | None = None
    """The RuntimeClass; null takes the cluster's default."""
    service_account_name: DnsSubdomain | None = None
    """An existing ServiceAccount; null takes the namespace's, without its token."""
    scheduler_name: DnsSubdomain | None = None
    """The scheduler; null takes the one that the gang needs."""


class TrainingSecurity(Part):
    """Whom processes run as; they may do no more than the Pod Security Standard `restricted` allows."""

    user: Annotated[Whole, Field(ge=1, le=2**31 - 1)] | None = None
    """Numeric user; null takes the image's, which must not be root."""
    group: Annotated[Whole, Field(ge=1, le=2**31 - 1)] | None = None
    """Numeric group of the processes and of the volumes that are made theirs; null takes the image's."""
    writable_root: Flag = False
    """Whether the image's own folders can be written; /tmp always can."""


class Cleanup(Part):
    """What is left of a job that has ended."""

    ttl: WholeSeconds | None = None
    """Time after its end at which the job is deleted; null keeps it."""
    pods: Literal["None", "Running", "All"] = "Running"
    """Which pods are deleted at its end (back ends `pytorchjob` and `tfjob`)."""
