"""Image without a version.

What it finds:
    An image with the tag latest, or with neither a tag nor a digest.
Why it matters:
    Replicas that start later run something else than their siblings: a scale-out under load becomes a rollout
    that nobody asked for, and there is no version to roll back to.
    Source: kubernetes.io/docs/concepts/containers/images, image names.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        image: registry.example.com/ranker:latest
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        image: registry.example.com/ranker:1.4.2
How to fix:
    Name a version, or better a digest.
Limits:
    Whether a tag is moved cannot be seen. A name that holds a version itself is told for information, and
    what a build tool (ko://) or a kustomization of the same folder replaces is passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Container, is_placeholder
from tonnage.audit.rule import Hit, Rule

_BUILT: Final = ("ko://", "nix:")
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+")


def _check(container: Container) -> Iterator[Hit]:
    image = container.value.get("image")
    if not isinstance(image, str) or not image or "@" in image or image.startswith(_BUILT):
        return
    if image.partition(":")[0] in container.workload.context.images_replaced:
        return
    tag = image.rpartition("/")[2].partition(":")[2]
    if tag == "latest" or (not tag and not is_placeholder(image)):
        named = not tag and _VERSION.search(image.rpartition("/")[2])
        message = f"{image} may be another image in each replica"
        yield Hit((*container.path, "image"), message, severity="info" if named else None)


RULE = Rule("TNG090", "warning", "container", _check, __doc__)
