"""Job that a sidecar keeps running.

What it finds:
    A Job with a proxy or an agent among its containers, beside the one that works.
Why it matters:
    A pod is done when all of its containers are. A proxy never ends, so that the Job never does, and its GPUs
    stay taken after the work.
    Source: kubernetes.io/docs/concepts/workloads/pods/sidecar-containers, sidecar containers and Jobs.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: train
            image: registry.example.com/train:1
          - name: proxy
            image: gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.11
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          initContainers:
          - name: proxy
            image: gcr.io/cloud-sql-connectors/cloud-sql-proxy:2.11
            restartPolicy: Always
          containers:
          - name: train
            image: registry.example.com/train:1
How to fix:
    Make it an init container with restartPolicy Always; such a sidecar is ended with the others.
Limits:
    Proxies and agents are known by the names of their images.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule

_FOREVER: Final = re.compile(
    r"cloud-?sql-(proxy|connector)|istio/proxyv2|envoyproxy|/envoy[:@]|fluent-?(bit|d)|filebeat|promtail"
    r"|vault-agent|datadog/agent|otel|opentelemetry-collector|node-exporter|dcgm-exporter|gcs-fuse-csi"
)


def _check(training: Training) -> Iterator[Hit]:
    for role in training.roles if training.is_core else ():
        containers = role.pod.container_views
        for one in containers if len(containers) > 1 else ():
            if _FOREVER.search(str(one.value.get("image") or "")):
                yield Hit(one.path, f"{one.name} never ends, so that the Job does not either")


RULE = Rule("TNG108", "warning", "training", _check, __doc__)
