"""One slow answer makes a replica unready.

What it finds:
    A readiness probe of a container that serves, with failureThreshold 1 and a timeout of 1 s.
Why it matters:
    Under load one late answer takes a replica out, its requests go to the others, which are late next: the
    service oscillates. Pods that are unready because of overload also stop counting in the HPA's CPU average.
    Source: kubernetes#84095, #51650, #64088.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
            readinessProbe: {httpGet: {path: /health, port: 8080}, failureThreshold: 1}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          containers:
          - name: server
            ports: [{containerPort: 8080}]
            readinessProbe: {httpGet: {path: /health, port: 8080}, failureThreshold: 3}
How to fix:
    Let two or three tries fail, or give each some seconds.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    probe = container.probe("readiness")
    if probe is not None and container.workload.serves and probe.failures == 1 and probe.timeout_s <= 1:
        yield Hit(probe.path, "one answer later than 1 s takes the replica out of service")


RULE = Rule("TNG039", "warning", "container", _check, __doc__)
