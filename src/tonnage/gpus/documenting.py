"""Answers as plain data for ``--json``: names in the form of Kubernetes, equal answers in equal bytes."""

from __future__ import annotations

from typing import Any

from tonnage.gpus.answer import Change, Fit
from tonnage.gpus.explain import Explanation
from tonnage.gpus.inventory import Holding, Inventory, NodeGpus, Total


def inventory_document(stock: Inventory, sizes: tuple[int, ...]) -> dict[str, Any]:
    """An inventory.

    Args:
        stock: It.
        sizes: GPUs of one pod for which it is said how many fit.
    """
    return {
        "nodes": [_node(one, sizes) for one in stock.nodes],
        "totals": [_total(one) for one in stock.totals],
        "waiting": [
            {"pod": one.pod, "resource": one.resource, "count": one.count} for one in stock.waiting
        ],
        "nodesKnown": stock.nodes_known,
        "typeLabel": stock.type_label,
        "notes": list(stock.notes),
    }


def _node(node: NodeGpus, sizes: tuple[int, ...]) -> dict[str, Any]:
    return {
        "name": node.name,
        "type": node.type or None,
        "typeLabelled": node.labelled,
        "product": node.identity.product or None,
        "productLabel": node.identity.key or None,
        "memoryMiB": node.identity.memory_mib,
        "zone": node.zone or None,
        "instanceType": node.instance_type or None,
        "ready": node.ready,
        "cordoned": node.cordoned,
        "usable": node.usable,
        "taints": list(node.taints),
        "mig": dict(node.mig),
        "gpus": [_holding(node, one, sizes) for one in node.holdings],
    }


def _holding(node: NodeGpus, one: Holding, sizes: tuple[int, ...]) -> dict[str, Any]:
    return {
        "vendor": one.vendor or None,
        "resource": one.resource,
        "kind": one.kind,
        "profile": one.profile or None,
        "allocation": one.allocation,
        "capacity": one.capacity,
        "allocatable": one.allocatable,
        "used": one.used,
        "free": one.free,
        "fits": {str(size): node.fits(one, size) for size in sizes},
    }


def _total(one: Total) -> dict[str, Any]:
    return {
        "vendor": one.vendor or None,
        "resource": one.resource,
        "type": one.type or None,
        "nodes": one.nodes,
        "capacity": one.capacity,
        "allocatable": one.allocatable,
        "used": one.used,
        "free": one.free,
        "blocked": one.blocked,
        "fits": {str(size): count for size, count in one.fits.items()},
    }


def fit_document(answer: Fit) -> dict[str, Any]:
    """Whether pods fit, and what would help."""
    return {
        "fits": answer.fits,
        "gang": answer.gang,
        "pods": list(answer.pods),
        "placed": dict(answer.placed),
        "partial": dict(answer.partial),
        "equallyGood": {pod: list(nodes) for pod, nodes in answer.equals.items()},
        "stuck": answer.stuck,
        "message": answer.message,
        "rejected": {
            node: {"plugin": answer.plugins[node], "reasons": list(reasons)}
            for node, reasons in answer.rejected.items()
        },
        "changes": [_change(one) for one in answer.changes],
        "notes": list(answer.notes),
    }


def _change(one: Change) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "text": one.text,
        "how": list(one.how),
        "placed": dict(one.placed),
        "victims": list(one.victims),
        "automatic": one.automatic,
    }


def explanation_document(one: Explanation) -> dict[str, Any]:
    """Why a node takes a pod or not."""
    return {
        "node": one.node,
        "pod": one.pod,
        "rejectedBy": one.rejected_by or None,
        "reasons": list(one.reasons),
        "cordoned": one.cordoned,
        "taints": [{"taint": text, "tolerated": tolerated} for text, tolerated in one.taints],
        "labels": [{"asked": asked, "has": has, "matches": good} for asked, has, good in one.labels],
        "amounts": [
            {
                "resource": amount.resource,
                "asked": amount.asked,
                "allocatable": amount.allocatable,
                "used": amount.used,
                "enough": amount.enough,
            }
            for amount in one.amounts
        ],
        "chosen": one.chosen,
        "scores": {plugin: {"here": here, "chosen": there} for plugin, (here, there) in one.scores.items()},
    }
