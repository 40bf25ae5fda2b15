"""Field that does not exist.

What it finds:
    A field that the object's kind does not have, or a value of a wrong type.
Why it matters:
    kubectl apply refuses it; a server-side client drops it in silence, and a probe or a limit that was
    written is not there.
    Source: Kubernetes' OpenAPI 1.37; k8s.io/cli-runtime v0.37.2 pkg/resource/query_param_verifier.go.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        readynessProbe: {httpGet: {path: /health, port: 8080}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        readinessProbe: {httpGet: {path: /health, port: 8080}}
How to fix:
    Use the name and the type that the API has; kubectl explain prints them.
Limits:
    Kinds outside of Kubernetes itself are not checked, nor are fields that are missing, nor placeholders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tonnage.audit.context import ObjectView, is_placeholder
from tonnage.audit.rule import Hit, Rule
from tonnage.kube.paths import parse_path
from tonnage.kube.shape import shape_problems

_MARKS: Final = ("$patch", "$retainKeys", "$setElementOrder")
"""What kustomize and kubectl write into patches."""


def _check(view: ObjectView) -> Iterator[Hit]:
    depth = len(view.item.prefix)
    for problem in shape_problems(view.item):
        path = parse_path(problem.path)
        value = view.item.at(*path[depth:]) if path is not None else None
        if path is None or is_placeholder(value) or _is_braced(value) or path[-1] in _MARKS:
            continue
        if not problem.message.startswith("must be given"):
            hint = f"; {problem.hint}" if problem.hint else ""
            yield Hit(path[depth:], f"{problem.message}{hint}")


def _is_braced(value: object) -> bool:
    """Whether a value is to be filled in: ``{volume-id}`` is a mapping for YAML."""
    return isinstance(value, Mapping) and len(value) == 1 and list(value.values()) == [None]


RULE = Rule("TNG082", "error", "object", _check, __doc__)
