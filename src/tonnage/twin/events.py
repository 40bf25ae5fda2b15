"""What comes first when several things happen at one instant.

Kubernetes promises no order there; the twin needs one, so that a run can be repeated. The order follows
cause and effect: the world outside changes before what watches it looks, and a number is measured before it
is decided upon. What one action causes "at once" still runs after everything of a smaller number that is
planned for the same instant.

    priority     what                                              why there
    HAPPENING    the scenario's edits, failures, outages           causes come from outside
    NODE         a machine joins, dies, is taken back              its containers die with it
    CONTAINER    a process starts, has loaded, ends                what probes then see
    PROBE        a probe's tick and its result
    KUBELET      a kubelet acts on a pod's desired state
    STATUS       a status reaches the API server                   what controllers then see
    ENDPOINTS    EndpointSlices and kube-proxies follow
    SCRAPE       metrics are read                                  before they are decided upon
    LIFECYCLE    node lifecycle, taint eviction, pod collection
    HPA          the autoscaler's look
    WORKLOAD     Deployment and ReplicaSet controllers             they act on what the HPA wrote
    SCHEDULER    the next pod is placed                            after pods were made
    PROVISIONER  cluster-autoscaler, Karpenter                     after the scheduler gave up on a pod
    OBSERVE      the series take their levels                      last: what the instant ended with
"""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """Order within one instant; the module's table says why."""

    HAPPENING = 0
    NODE = 1
    CONTAINER = 2
    PROBE = 3
    KUBELET = 4
    STATUS = 5
    ENDPOINTS = 6
    SCRAPE = 7
    LIFECYCLE = 8
    HPA = 9
    WORKLOAD = 10
    SCHEDULER = 11
    PROVISIONER = 12
    OBSERVE = 13
