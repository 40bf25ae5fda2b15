"""May run as root.

What it finds:
    A workload that serves, with a container for which neither it nor the pod says runAsNonRoot or a user.
Why it matters:
    Whoever escapes through a model file is root on the node as far as the kernel lets him, and the namespace
    cannot enforce the restricted Pod Security Standard.
    Source: kubernetes.io/docs/concepts/security/pod-security-standards.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          securityContext: {runAsNonRoot: true}
          containers: [{name: server, ports: [{containerPort: 8080}]}]
How to fix:
    Set runAsNonRoot to true, and a user if the image names none by number.
Limits:
    What user the image has is not known, so this is for information; runAsUser 0 is reported as a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tonnage.audit.context import Container, Workload
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    if not workload.serves:
        return
    for container in workload.containers:
        user, non_root = (_either(container, workload, name) for name in ("runAsUser", "runAsNonRoot"))
        if user == 0 and non_root is not True:
            yield Hit((*container.path, "securityContext"), f"container {container.name} runs as root")
            return
        if not user and non_root is not True:
            message = f"container {container.name} runs as root if its image does"
            yield Hit((*container.path, "securityContext"), message, severity="info")
            return


def _either(container: Container, workload: Workload, name: str) -> Any:
    own = container.at("securityContext", name)
    return own if own is not None else workload.at("securityContext", name)


RULE = Rule("TNG092", "warning", "workload", _check, __doc__)
