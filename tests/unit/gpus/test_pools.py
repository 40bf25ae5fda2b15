"""Pools become the nodes that they begin with."""

from __future__ import annotations

from tonnage.gpus import inventory
from tonnage.gpus.pools import nodes_of_pools
from tonnage.kube.objects import read_objects
from tonnage.spec.documents import read_part
from tonnage.spec.nodepools import NodePools

POOLS = """
apiVersion: tonnage.dev/v1alpha1
kind: NodePools
metadata: {name: lab}
spec:
  pools:
    - name: big
      count: 3
      capacity: {cpu: 96, memory: 1Ti, nvidia.com/gpu: 8, ephemeral-storage: 100Gi}
      reserved: {cpu: 500m}
      labels: {gpu-type: a100}
      taints: [{key: nvidia.com/gpu, value: present}]
      zones: [a, b]
"""


def test_nodes_have_the_pools_labels_taints_and_what_is_not_reserved() -> None:
    """Zones are dealt in turn, each node has a host name, and the rest of the capacity can be requested."""
    (item,), _ = read_objects(POOLS, source="pools.yaml")
    document, problems = read_part(item, NodePools)
    assert document is not None, problems
    nodes = nodes_of_pools(document)
    labels = [one["metadata"]["labels"] for one in nodes]
    assert [one["metadata"]["name"] for one in nodes] == ["big-a-1", "big-a-2", "big-b-1"]
    assert [one["topology.kubernetes.io/zone"] for one in labels] == ["a", "a", "b"]
    assert [one["kubernetes.io/hostname"] for one in labels] == ["big-a-1", "big-a-2", "big-b-1"]
    assert nodes[0]["status"]["allocatable"] == {
        "cpu": "95500m", "memory": str(2**40), "pods": "110", "nvidia.com/gpu": "8", "ephemeral-storage": str(100 * 2**30),
    }  # fmt: skip
    assert inventory(nodes).nodes[0].taints == ("nvidia.com/gpu=present:NoSchedule",)
