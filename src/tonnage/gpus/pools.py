"""Nodes that a ``NodePools`` document describes, as objects: a cluster that there is only on paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tonnage.scheduling import Node
from tonnage.scheduling.node import HOSTNAME
from tonnage.spec.nodepools import NodePools
from tonnage.twin.inputs.cluster import pools_from_document


def nodes_of_pools(document: NodePools) -> list[Mapping[str, Any]]:
    """A Node object for each node that the pools begin with."""
    pools, _ = pools_from_document(document)
    return [
        _object(pool.template.node, f"{pool.name}-{rank + 1}") for pool in pools for rank in range(pool.start)
    ]


def _object(node: Node, name: str) -> Mapping[str, Any]:
    amounts = node.allocatable
    allocatable = {
        "cpu": f"{amounts.cpu_millicores}m",
        "memory": str(amounts.memory_bytes),
        "pods": str(node.pods_max),
        **{resource: str(count) for resource, count in amounts.scalars},
    }
    if amounts.storage_bytes:
        allocatable["ephemeral-storage"] = str(amounts.storage_bytes)
    taints = [{"key": one.key, "value": one.value, "effect": one.effect} for one in node.taints]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**node.labels, HOSTNAME: name}},
        "spec": {"taints": taints},
        "status": {"allocatable": allocatable, "capacity": allocatable},
    }
