"""Price tables, and the cheapest machine for a replica.

A table is a document of its own, since prices are the user's: what a contract says and not what a web
page says. The one that ships is an example, for a first idea; its file names source and date of each row.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.quantity import Quantity, QuantityError, parse_quantity
from tonnage.kube.text import Document, read_text

HOURS_PER_MONTH: Final = 730.0
"""A year's hours over twelve, as providers count a month."""
CPU_SHARE: Final = 0.94
"""Of an instance's CPU, what pods get: the rest is kept for the node's own processes."""
MEMORY_SHARE: Final = 0.88
"""Of an instance's memory, what pods get.

Both are round figures, a little below what managed node groups of 4 to 16 cores leave; ``--nodes`` with the
real nodes takes their own ``allocatable`` instead.
"""
_FIELDS: Final = ("kind", "currency", "date", "example", "instances")
_INSTANCE_FIELDS: Final = (
    "name", "provider", "region", "cpu", "memory", "gpus", "gpuType", "pricePerHour", "source",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instance:
    """A machine that can be rented.

    Attributes:
        name: As its provider calls it, and as nodes are labelled (``node.kubernetes.io/instance-type``).
        cpu_cores: Cores [> 0].
        memory_bytes: Memory [bytes, > 0].
        gpus: GPUs in it [>= 0].
        gpu_type: As ``spec.resources.gpu.type`` has it; empty without GPUs.
        per_hour: Price [currency/h, >= 0].
        region: Where that holds.
        provider: Who rents it out.
        source: Where the price is from.
    """

    name: str
    cpu_cores: float
    memory_bytes: int
    gpus: int
    gpu_type: str
    per_hour: float
    region: str = ""
    provider: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Instances with their prices.

    Attributes:
        currency: Of all prices.
        date: When they were looked up.
        example: Whether they are only an example.
        instances: At least one.
        source: The file.
    """

    currency: str
    date: str
    example: bool
    instances: tuple[Instance, ...]
    source: str


@dataclass(frozen=True, slots=True)
class ReplicaNeed:
    """What one replica takes of a node.

    Attributes:
        cpu_millicores: CPU request [1/1000 core, > 0].
        memory_bytes: Memory request [bytes, > 0].
        gpus: GPUs [>= 0].
        gpu_types: Acceptable types; empty for any.
        alone: Whether no two replicas may share a node.
    """

    cpu_millicores: int
    memory_bytes: int
    gpus: int = 0
    gpu_types: tuple[str, ...] = ()
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Packing:
    """How replicas fill one kind of instance.

    Attributes:
        instance: The instance.
        per_node: Replicas on each [>= 1].
        bound_by: What ends it: ``cpu``, ``memory``, ``gpus``, ``anti-affinity`` or ``the loss of a node``.
        nodes_min: Nodes at least, where there are that many replicas [>= 1].
    """

    instance: Instance
    per_node: int
    bound_by: str
    nodes_min: int = 1

    def nodes(self, replicas: float) -> int:
        """Nodes for so many replicas."""
        least = min(self.nodes_min, math.ceil(replicas))
        return max(least, math.ceil(replicas / self.per_node - 1e-9))

    def per_month(self, replicas: float) -> float:
        """Cost of the nodes of so many replicas for a month [currency]."""
        return self.nodes(replicas) * self.instance.per_hour * HOURS_PER_MONTH


def packing(instance: Instance, need: ReplicaNeed, losable: int | None = None) -> Packing | None:
    """How many replicas an instance takes; None where it takes none.

    Args:
        instance: The instance.
        need: What a replica takes.
        losable: Replicas that may go with one node [>= 1]; None where the loss of a node is not planned for.

    Returns:
        None too for a GPU instance where no GPU is needed: it would be paid for nothing.
    """
    if (instance.gpus > 0) != (need.gpus > 0):
        return None
    if need.gpu_types and instance.gpu_type not in need.gpu_types:
        return None
    rooms = {
        "cpu": int(instance.cpu_cores * CPU_SHARE * 1000) // need.cpu_millicores,
        "memory": int(instance.memory_bytes * MEMORY_SHARE) // need.memory_bytes,
    }
    if need.gpus:
        rooms["gpus"] = instance.gpus // need.gpus
    if need.alone:
        rooms["anti-affinity"] = 1
    if losable is not None:
        rooms["the loss of a node"] = max(1, losable)
    bound_by = min(rooms, key=lambda name: rooms[name])
    if rooms[bound_by] < 1:
        return None
    return Packing(instance, rooms[bound_by], bound_by, nodes_min=1 if losable is None else 2)


def cheapest(
    table: PriceTable, need: ReplicaNeed, replicas: float, losable: int | None = None
) -> Packing | None:
    """The instance whose nodes cost least for so many replicas; None where no instance takes one.

    Args:
        table: Instances.
        need: What a replica takes.
        replicas: How many there are.
        losable: Replicas that may go with one node; see ``packing``.

    Returns:
        Among equals the first of the acceptable GPU types, then the smaller node, then the table's order.
    """
    found = [fit for instance in table.instances if (fit := packing(instance, need, losable)) is not None]
    if not found:
        return None
    order = {kind: place for place, kind in enumerate(need.gpu_types)}
    return min(
        found,
        key=lambda fit: (fit.per_month(replicas), order.get(fit.instance.gpu_type, 0), fit.per_node),
    )


def example_prices() -> PriceTable:
    """The table that ships."""
    text = resources.files("tonnage.plan").joinpath("prices.yaml").read_text(encoding="utf-8")
    return parse_prices(text, source="the example price table")


def parse_prices(text: str, *, source: str) -> PriceTable:
    """Reads a price table.

    Args:
        text: YAML or JSON of kind ``PriceTable``.
        source: The file's name for problems.

    Raises:
        SpecError: The table is wrong; it holds every problem.
    """
    documents, problems = read_text(text, source=source)
    if problems:
        raise SpecError(problems)
    if len(documents) != 1 or not isinstance(documents[0].value, Mapping):
        raise SpecError([Problem("", "must be one document of kind PriceTable", source)])
    reader = _Reader(documents[0], source)
    table = reader.table()
    if reader.problems:
        raise SpecError(reader.problems)
    return table


class _Reader:
    """Reads one table and collects what is wrong with it."""

    def __init__(self, document: Document, source: str) -> None:
        self.document = document
        self.source = source
        self.problems: list[Problem] = []

    def table(self) -> PriceTable:
        value = self.document.value
        self._known((), value, _FIELDS)
        if value.get("kind") != "PriceTable":
            self._add(("kind",), f"must be PriceTable, got {_shown(value.get('kind'))}")
        rows = value.get("instances")
        if not isinstance(rows, list) or not rows:
            self._add(("instances",), "must be a list of at least one instance")
            rows = []
        example = value.get("example", False)
        if not isinstance(example, bool):
            self._add(("example",), f"must be true or false, got {_shown(example)}")
        return PriceTable(
            currency=self._text((), value, "currency", required=True),
            date=self._text((), value, "date", required=True),
            example=example is True,
            instances=tuple(self._instance(("instances", index), row) for index, row in enumerate(rows)),
            source=self.source,
        )

    def _instance(self, path: tuple[str | int, ...], row: Any) -> Instance:
        if not isinstance(row, Mapping):
            self._add(path, f"must be a mapping, got {_shown(row)}")
            row = {}
        self._known(path, row, _INSTANCE_FIELDS)
        gpus = int(self._number(path, row, "gpus", least=0.0, default=0.0))
        gpu_type = self._text(path, row, "gpuType", required=gpus > 0)
        return Instance(
            name=self._text(path, row, "name", required=True),
            cpu_cores=self._quantity(path, row, "cpu").nano / 1e9,
            memory_bytes=self._quantity(path, row, "memory").value,
            gpus=gpus,
            gpu_type=gpu_type,
            per_hour=self._number(path, row, "pricePerHour", least=0.0, default=None),
            region=self._text(path, row, "region"),
            provider=self._text(path, row, "provider"),
            source=self._text(path, row, "source"),
        )

    def _known(self, path: tuple[str | int, ...], value: Mapping[str, Any], names: Sequence[str]) -> None:
        for name in value:
            if name not in names:
                self._add((*path, name), f"must be a known field ({', '.join(names)}), got an unknown one")

    def _text(
        self, path: tuple[str | int, ...], value: Mapping[str, Any], name: str, *, required: bool = False
    ) -> str:
        given = value.get(name)
        if given is None and not required:
            return ""
        if not isinstance(given, str) or not given:
            self._add((*path, name), f"must be a text, got {_shown(given)}")
            return ""
        return given

    def _number(
        self,
        path: tuple[str | int, ...],
        value: Mapping[str, Any],
        name: str,
        *,
        least: float,
        default: float | None,
    ) -> float:
        given = value.get(name, default)
        if isinstance(given, bool) or not isinstance(given, int | float | Decimal) or given < least:
            self._add((*path, name), f"must be a number >= {least:g}, got {_shown(given)}")
            return least
        return float(given)

    def _quantity(self, path: tuple[str | int, ...], value: Mapping[str, Any], name: str) -> Quantity:
        given = value.get(name)
        try:
            quantity = parse_quantity(str(given)) if given is not None else Quantity.of(0)
        except QuantityError as error:
            self._add((*path, name), f"{error}, got {_shown(given)}")
            return Quantity.of(1)
        if quantity.nano <= 0:
            self._add((*path, name), f"must be a quantity > 0, such as 4 or 16Gi, got {_shown(given)}")
            return Quantity.of(1)
        return quantity

    def _add(self, path: tuple[str | int, ...], message: str) -> None:
        at: tuple[str | int, ...] = path
        while at and at not in self.document.places:
            at = at[:-1]
        place = self.document.places.get(at)
        written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        self.problems.append(
            Problem(
                written,
                message,
                self.source,
                place.line if place is not None else None,
                place.column if place is not None else None,
            )
        )


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return f'"{value}"' if isinstance(value, str) else str(value)[:60]
