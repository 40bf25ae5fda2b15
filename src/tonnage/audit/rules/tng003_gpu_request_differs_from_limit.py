"""GPU request and limit differ.

What it finds:
    An extended resource whose request is not its limit.
Why it matters:
    The API server refuses the object: devices cannot be overcommitted.
    Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/validation/validation.go, ValidateResourceRequirements.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests: {nvidia.com/gpu: 1}
          limits: {nvidia.com/gpu: 2}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          requests: {nvidia.com/gpu: 2}
          limits: {nvidia.com/gpu: 2}
How to fix:
    Make the request equal to the limit, or leave the request out.
Limits:
    None that is known.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container, is_extended, quantity_or_none
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    for name, value in container.amounts("requests").items():
        request, limit = quantity_or_none(value), container.amount("limits", name)
        if is_extended(name) and request is not None and limit is not None and request != limit:
            path = (*container.path, "resources", "requests", name)
            change = Change(path, container.amounts("limits")[name])
            yield Hit(path, f"{name} must be requested as it is limited ({limit}), got {request}", (change,))


RULE = Rule("TNG003", "error", "container", _check, __doc__)
