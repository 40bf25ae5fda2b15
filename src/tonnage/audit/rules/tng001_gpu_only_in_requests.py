"""GPU asked for in requests only.

What it finds:
    A container that names a GPU or another extended resource in requests and not in limits.
Why it matters:
    The API server refuses the object, because devices are never overcommitted.
    Source: kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus;
    k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go, ValidateResourceRequirements.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests:
            nvidia.com/gpu: 1
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          limits:
            nvidia.com/gpu: 1
How to fix:
    Write the same number in limits; the request may then be left out.
Limits:
    Init containers are not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container, is_extended
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    limits = container.amounts("limits")
    for name, value in container.amounts("requests").items():
        if is_extended(name) and name not in limits:
            path = (*container.path, "resources", "requests", name)
            change = Change((*container.path, "resources", "limits", name), value)
            yield Hit(path, f"{name} must be in limits too, or the API server refuses the object", (change,))


RULE = Rule("TNG001", "error", "container", _check, __doc__)
