"""Objects as files: one for each, and the ``kustomization.yaml`` that names them in the order of applying."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from tonnage.manifests.text import dump_objects

KUSTOMIZATION: Final = "kustomization.yaml"
KUSTOMIZE_VERSION: Final = "kustomize.config.k8s.io/v1beta1"
Form = Literal["yaml", "json"]


def object_files(objects: Sequence[Mapping[str, Any]], form: Form = "yaml") -> dict[str, str]:
    """Lays objects out as files.

    Args:
        objects: As ``render`` makes them.
        form: What each file holds.

    Returns:
        File name to text, in the order of the objects; the kustomization is the last.
    """
    files = {
        f"{file_stem(one)}.{form}": dump_objects([one]) if form == "yaml" else json_text(one)
        for one in objects
    }
    assert len(files) == len(objects), "no two objects of one kind have one name"
    kustomization = {"apiVersion": KUSTOMIZE_VERSION, "kind": "Kustomization", "resources": list(files)}
    return {**files, KUSTOMIZATION: dump_objects([kustomization])}


def list_text(objects: Sequence[Mapping[str, Any]]) -> str:
    """All objects as one JSON text, which ``kubectl apply`` takes."""
    return json_text({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def json_text(value: Mapping[str, Any]) -> str:
    """One JSON text, indented."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def file_stem(value: Mapping[str, Any]) -> str:
    """Name of an object's file: its kind and its name, such as ``network-policy-filetype``."""
    kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", value["kind"]).lower()
    name = re.sub(r"[^a-z0-9.-]", "-", value["metadata"]["name"])
    return f"{kind}-{name}"
