"""Amounts of resources in the scheduler's own units: millicores, bytes, counts.

The scheduler does not compute with quantities: it rounds each up to whole millicores (CPU) or whole units
(everything else) and compares integers. So does this room.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tonnage.kube.quantity import Quantity

CPU: Final = "cpu"
MEMORY: Final = "memory"
STORAGE: Final = "ephemeral-storage"
PODS: Final = "pods"

CPU_MILLICORES_DEFAULT: Final = 100
"""What a container that requests no CPU counts for when nodes are scored."""
MEMORY_BYTES_DEFAULT: Final = 200 * 1024 * 1024
"""What a container that requests no memory counts for when nodes are scored."""

_NATIVE: Final = (CPU, MEMORY, STORAGE)


def is_scalar(name: str) -> bool:
    """Whether the scheduler counts a resource beyond CPU, memory, storage and pods.

    Extended resources (``nvidia.com/gpu``, ``nvidia.com/mig-1g.10gb``), huge pages, resources below
    ``kubernetes.io/`` and attachable volumes are counted; any other name is ignored.

    Source: k8s.io/kubernetes v1.37.2, pkg/scheduler/util/utils.go, IsScalarResourceName.
    """
    if "kubernetes.io/" in name or name.startswith(("hugepages-", "attachable-volumes-")):
        return True
    return "/" in name and not name.startswith("requests.")


def amount_of(name: str, quantity: Quantity) -> int:
    """A quantity as the scheduler counts it: millicores for CPU, else whole units; both rounded up."""
    return quantity.milli_value if name == CPU else quantity.value


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much of each resource.

    Attributes:
        cpu_millicores: CPU [1/1000 core, >= 0].
        memory_bytes: Memory [bytes, >= 0].
        storage_bytes: Ephemeral storage [bytes, >= 0].
        scalars: Everything else that is counted, by name, sorted: devices, huge pages.
    """

    cpu_millicores: int = 0
    memory_bytes: int = 0
    storage_bytes: int = 0
    scalars: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, quantities: Mapping[str, Quantity]) -> Amounts:
        """Rounds quantities as the scheduler does; names that it does not count are left out."""
        scalars = (
            (name, quantity.value)
            for name, quantity in quantities.items()
            if name not in _NATIVE and name != PODS and is_scalar(name)
        )
        return cls(
            _amount(quantities, CPU),
            _amount(quantities, MEMORY),
            _amount(quantities, STORAGE),
            tuple(sorted(scalars)),
        )

    def items(self) -> Iterable[tuple[str, int]]:
        """Every resource with its amount; CPU, memory and storage first, zeros included."""
        yield CPU, self.cpu_millicores
        yield MEMORY, self.memory_bytes
        yield STORAGE, self.storage_bytes
        yield from self.scalars


def _amount(quantities: Mapping[str, Quantity], name: str) -> int:
    quantity = quantities.get(name)
    return 0 if quantity is None else amount_of(name, quantity)
