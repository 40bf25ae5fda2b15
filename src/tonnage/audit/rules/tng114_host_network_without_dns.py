"""Host network without the cluster's names.

What it finds:
    A training whose pods meet each other on the host's network, without dnsPolicy ClusterFirstWithHostNet.
Why it matters:
    A pod on the host's network asks the node's name servers, which know neither Services nor the other
    workers: the rendezvous finds nobody.
    Source: kubernetes.io/docs/concepts/services-networking/dns-pod-service, pod's DNS policy.
Bad:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Worker:
          replicas: 2
          template:
            spec:
              hostNetwork: true
              containers: [{name: pytorch}]
Good:
    apiVersion: kubeflow.org/v1
    kind: PyTorchJob
    metadata: {name: ranker}
    spec:
      pytorchReplicaSpecs:
        Worker:
          replicas: 2
          template:
            spec:
              hostNetwork: true
              dnsPolicy: ClusterFirstWithHostNet
              containers: [{name: pytorch}]
How to fix:
    Set dnsPolicy to ClusterFirstWithHostNet.
Limits:
    Workers that are given addresses instead of names do not need it; excuse the finding then.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    for role in training.roles if training.meets else ():
        if role.pod.at("hostNetwork") is True and role.pod.at("dnsPolicy") in (None, "ClusterFirst"):
            path = (*role.pod.path, "dnsPolicy")
            change = Change(path, "ClusterFirstWithHostNet")
            yield Hit(path, "on the host's network names of Services and workers are not known", (change,))


RULE = Rule("TNG114", "error", "training", _check, __doc__)
