"""What ``--nodes`` files say, handed to the rooms that know: nodes and pools, running pods, quotas."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, read_objects
from tonnage.kube.quantity import Quantity
from tonnage.kube.shape import quantity_of
from tonnage.manifests import render
from tonnage.plan.price import PriceTable
from tonnage.plan.stock import Quota, Stock, place_replicas
from tonnage.scheduling import Node, Pod
from tonnage.scheduling.objects import pod_from_object
from tonnage.spec.documents import read_part, unknown_kind
from tonnage.spec.nodepools import NODE_POOLS_KIND, NodePools
from tonnage.spec.service import ModelService
from tonnage.twin.inputs.cluster import nodes_from_objects, pools_from_document

_IMAGE: Final = "example.com/model:planned"
"""Stands in the pod that is placed where the document names no image; no image is pulled by planning."""
_HOSTNAME: Final = "kubernetes.io/hostname"


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """What the files say.

    Attributes:
        nodes: Each node with its price [currency/h], None where it is not known.
        pods: Running pods, each with its node.
        quotas: Each with its namespace.
    """

    nodes: tuple[tuple[Node, float | None], ...]
    pods: tuple[tuple[Pod, str], ...]
    quotas: tuple[tuple[str, Quota], ...]


def read_cluster(paths: Sequence[Path], prices: PriceTable) -> ClusterFiles:
    """Reads files of Nodes, Pods and ResourceQuotas (as ``kubectl get -o yaml`` writes them) and NodePools.

    Raises:
        SpecError: A file cannot be read or something in it is wrong; it holds every problem.
    """
    problems: list[Problem] = []
    objects: list[KubeObject] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8-sig")
            found, wrong = read_objects(text, source=str(path))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(Problem("", f"must be readable text, got {error}", str(path)))
        except SpecError as error:
            problems += error.problems
        else:
            objects += found
            problems += wrong
    nodes, _, wrong = nodes_from_objects([item for item in objects if item.kind == "Node"], prices)
    problems += wrong
    listed = {instance.name for instance in prices.instances}
    priced = [
        (plan.node, plan.price_per_h if _instance_type(plan.node) in listed else None) for plan in nodes
    ]
    pods: list[tuple[Pod, str]] = []
    quotas: list[tuple[str, Quota]] = []
    for item in objects:
        if item.is_ours and item.kind != NODE_POOLS_KIND:
            problems.append(unknown_kind(item, (NODE_POOLS_KIND,)))
        elif item.kind == NODE_POOLS_KIND:
            document, wrong = read_part(item, NodePools)
            problems += wrong
            priced += _pool_nodes(document) if document is not None else []
        elif item.kind == "Pod" and item.at("spec", "nodeName"):
            pods.append((pod_from_object(item.plain()), str(item.at("spec", "nodeName"))))
        elif item.kind == "ResourceQuota":
            quotas.append((item.namespace, _quota(item)))
    if not problems and not priced and not quotas:
        names = ", ".join(str(path) for path in paths)
        problems.append(
            Problem("--nodes", f"must hold Nodes, NodePools or ResourceQuotas, got none in {names}")
        )
    if problems:
        raise SpecError(problems)
    return ClusterFiles(tuple(priced), tuple(pods), tuple(quotas))


def stock_of(files: ClusterFiles, service: ModelService, replicas_max: int) -> Stock | None:
    """Places replicas of the service on the nodes; None where no nodes were given.

    Pods of the service that run already make room: the plan is for all of its replicas.
    """
    if not files.nodes:
        return None
    pod = _replica(service)
    own = set(pod.labels.items())
    others = [
        (other, node)
        for other, node in files.pods
        if other.namespace != pod.namespace or not own <= set(other.labels.items())
    ]
    return place_replicas(
        [node for node, _ in files.nodes],
        others,
        pod,
        prices={node.name: price for node, price in files.nodes if price is not None},
        replicas_max=replicas_max,
    )


def quotas_of(files: ClusterFiles, service: ModelService) -> tuple[Quota, ...]:
    """The quotas of the service's namespace."""
    namespace = service.metadata.namespace or "default"
    return tuple(quota for at, quota in files.quotas if at == namespace)


def taken_by(service: ModelService) -> dict[str, Quantity]:
    """What one replica takes, by the resource names of quotas."""
    container = _template(service)["spec"]["containers"][0]["resources"]
    requests = {name: quantity_of(value) for name, value in container.get("requests", {}).items()}
    limits = {f"limits.{name}": quantity_of(value) for name, value in container.get("limits", {}).items()}
    return {**limits, **requests}


def _template(service: ModelService) -> dict[str, Any]:
    objects = render(service, image=service.spec.image or _IMAGE)
    deployment = next(item for item in objects if item["kind"] == "Deployment")
    template: dict[str, Any] = deployment["spec"]["template"]
    return template


def _replica(service: ModelService) -> Pod:
    template = _template(service)
    metadata = {
        **template.get("metadata", {}),
        "name": service.name,
        "namespace": service.metadata.namespace or "default",
    }
    return pod_from_object({**template, "metadata": metadata})


def _instance_type(node: Node) -> str:
    return node.labels.get("node.kubernetes.io/instance-type", "")


def _pool_nodes(document: NodePools) -> Iterable[tuple[Node, float | None]]:
    """The nodes that pools can have at most, with their prices."""
    pools, _ = pools_from_document(document)
    found: list[tuple[Node, float | None]] = []
    for pool in pools:
        for index in range(pool.size_max):
            name = f"{pool.name}-{index + 1}"
            node = replace(
                pool.template.node, name=name, labels={**pool.template.node.labels, _HOSTNAME: name}
            )
            # a pool without a price is not free, its price is not known
            found.append((node, pool.template.price_per_h or None))
    return found


def _quota(item: KubeObject) -> Quota:
    hard: dict[str, Any] = item.at("status", "hard") or item.at("spec", "hard") or {}
    used: dict[str, Any] = item.at("status", "used") or {}
    left: dict[str, Quantity] = {}
    for name, value in hard.items():
        whole, gone = quantity_of(value), quantity_of(used.get(name, "0"))
        left[name] = Quantity(max(0, whole.nano - gone.nano), whole.format)
    return Quota(item.name, left)
