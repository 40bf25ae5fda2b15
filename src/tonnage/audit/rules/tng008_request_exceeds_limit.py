"""Request above the limit.

What it finds:
    A CPU, memory or storage request that is larger than its limit.
Why it matters:
    The API server refuses the object.
    Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go, ValidateResourceRequirements.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests: {memory: 8Gi}
          limits: {memory: 8000M}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests: {memory: 8Gi}
          limits: {memory: 8Gi}
How to fix:
    Raise the limit or lower the request; mind that M is 1000 to the power of 2 and Mi is 1024.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container, is_extended
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    for name in container.amounts("requests"):
        request, limit = container.amount("requests", name), container.amount("limits", name)
        if request is not None and limit is not None and request > limit and not is_extended(name):
            path = (*container.path, "resources", "requests", name)
            yield Hit(path, f"{name} must be requested within its limit ({limit}), got {request}")


RULE = Rule("TNG008", "error", "container", _check, __doc__)
