"""Fraction of a GPU.

What it finds:
    An extended resource with a quantity that is no whole number, such as 0.5 or 500m.
Why it matters:
    The API server refuses it. A GPU is shared by MIG, time slicing or MPS of the device plug-in, which hand
    out whole devices of another name or of a larger number.
    Source: kubernetes.io/docs/concepts/configuration/manage-resources-containers, extended resources.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          limits:
            nvidia.com/gpu: 500m
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources:
          limits:
            nvidia.com/mig-1g.10gb: 1
How to fix:
    Ask for whole devices, and for a slice by its own name, such as nvidia.com/mig-1g.10gb.
Limits:
    Whether the cluster has such slices cannot be seen here; --nodes tells TNG023.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container, is_extended, quantity_or_none
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    for which in ("limits", "requests"):
        for name, value in container.amounts(which).items():
            amount = quantity_or_none(value)
            if is_extended(name) and amount is not None and not amount.is_whole:
                path = (*container.path, "resources", which, name)
                yield Hit(path, f"{name} must be a whole number, got {value}")
                return


RULE = Rule("TNG002", "error", "container", _check, __doc__)
