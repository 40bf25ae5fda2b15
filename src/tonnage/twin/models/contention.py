"""CPU and memory of a node, shared: who gets how much, who is slowed, who is killed.

CPU is shared by weight: the kernel gives each control group its part in proportion to its requests, never
more than its limit, and what one does not use goes to the others. A container without a limit takes what is
free. Memory is not shared: over its limit a container is killed; when the node runs short the kubelet evicts
who uses most beyond its request, and when there is nothing left the kernel kills by score.

Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/cm/helpers_linux.go (MilliCPUToShares, MilliCPUToQuota),
    pkg/kubelet/qos/policy.go (GetContainerOOMScoreAdjust), pkg/kubelet/eviction/helpers.go
    (rankMemoryPressure: exceeds requests, priority, usage above request), eviction_manager.go (looks every
    10 s), pkg/kubelet/eviction/defaults_linux.go (memory.available<100Mi).

Deviations:
    * The control groups of the QoS classes are left out: all containers of a node share at one level.
    * Quota is an average: throttling within a period of 100 ms is not resolved.
    * The taint of memory pressure, which keeps new pods off for five minutes, is left out.
    * Exclusive cores (static CPU manager) and NUMA are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SHARES_MIN: Final = 2
SHARES_PER_CORE: Final = 1024
EVICTION_BYTES: Final = 100 * 1024 * 1024
"""With less available the kubelet evicts [bytes]."""
EVICTION_LOOK_S: Final = 10.0
"""Time between two looks of the kubelet's eviction manager [s]."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a container wants of its node's cores.

    Attributes:
        want_cores: What it would use [cores, >= 0].
        request_cores: Its request, which is its weight [cores]; None for none.
        limit_cores: Its limit [cores]; None for none.
    """

    want_cores: float
    request_cores: float | None = None
    limit_cores: float | None = None

    @property
    def bounded_cores(self) -> float:
        """What it wants within its limit [cores]."""
        return self.want_cores if self.limit_cores is None else min(self.want_cores, self.limit_cores)

    @property
    def shares(self) -> float:
        """Its weight."""
        return max(SHARES_MIN, (self.request_cores or 0.0) * SHARES_PER_CORE)


def shared(demands: Sequence[Demand], cores: float) -> list[float]:
    """What each gets [cores]: by weight, what is not wanted goes round again.

    Args:
        demands: Who wants what.
        cores: What there is [cores, > 0].
    """
    got = [0.0] * len(demands)
    hungry = [index for index, demand in enumerate(demands) if demand.bounded_cores > 0]
    left = cores
    while hungry and left > 1e-12:
        weight = sum(demands[index].shares for index in hungry)
        unit = left / weight
        full = [i for i in hungry if demands[i].bounded_cores <= unit * demands[i].shares * (1 + 1e-12)]
        if not full:
            for index in hungry:
                got[index] = unit * demands[index].shares
            break
        for index in full:
            got[index] = demands[index].bounded_cores
            left -= got[index]
        hungry = [index for index in hungry if index not in set(full)]
    return got


def speed(share: float, cpu_bound_ratio: float) -> float:
    """How fast batches run that get a share of the CPU that they want.

    Args:
        share: The share, in (0, 1].
        cpu_bound_ratio: The part of a batch's time that the CPU computes [0 to 1].
    """
    return 1.0 / (1.0 - cpu_bound_ratio + cpu_bound_ratio / max(share, 1e-3))


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """A container's memory.

    Attributes:
        name: Its pod.
        used_bytes: What it uses [bytes].
        request_bytes: Its request; None for none [bytes].
        limit_bytes: Its limit; None for none [bytes].
        cpu_guaranteed: Whether its CPU request is given and equals its limit.
        priority: Its pod's priority.
    """

    name: str
    used_bytes: float
    request_bytes: int | None = None
    limit_bytes: int | None = None
    cpu_guaranteed: bool = False
    priority: int = 0


def oom_score(use: MemoryUse, node_bytes: float) -> float:
    """The kernel's badness of a container: the highest is killed when nothing is left."""
    return 1000.0 * use.used_bytes / node_bytes + oom_adjustment(use, node_bytes)


def oom_adjustment(use: MemoryUse, node_bytes: float) -> int:
    """What the kubelet adds to the badness: by QoS class, the requested part of the node protects."""
    if use.cpu_guaranteed and use.request_bytes is not None and use.request_bytes == use.limit_bytes:
        return -997
    if not use.request_bytes:
        return 1000
    return max(3, min(999, 1000 - int(1000 * use.request_bytes / node_bytes)))


def oom_victim(uses: Sequence[MemoryUse], node_bytes: float) -> str | None:
    """Whom the kernel kills; None while all fits.

    Args:
        uses: All containers of the node.
        node_bytes: The node's memory [bytes].
    """
    if sum(use.used_bytes for use in uses) <= node_bytes:
        return None
    return max(uses, key=lambda use: (oom_score(use, node_bytes), use.name)).name


def eviction_victim(uses: Sequence[MemoryUse], node_bytes: float) -> str | None:
    """Whom the kubelet evicts; None while enough is available.

    Args:
        uses: All containers of the node.
        node_bytes: The node's memory [bytes].
    """
    if not uses or node_bytes - sum(use.used_bytes for use in uses) >= EVICTION_BYTES:
        return None

    def order(use: MemoryUse) -> tuple[bool, int, float, str]:
        over = use.used_bytes - (use.request_bytes or 0)
        return (over > 0, -use.priority, over, use.name)

    return max(uses, key=order).name
