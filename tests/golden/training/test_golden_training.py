"""Each folder here is one flow: from a TrainingJob in ``spec.yaml`` to the objects of its back end, and notes.

What is made must be the same bytes as what is stored. ``TONNAGE_UPDATE_GOLDEN=1`` rewrites the stored files;
where ``CI`` is set that is refused.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tonnage.manifests.text import dump_objects
from tonnage.spec.load import load_training_job
from tonnage.spec.training_body import BackendName
from tonnage.training import Rendering, choose_unseen, render

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/spec.yaml"))
KUBERNETES = "1.37.0"
CORE = ("v1", "batch/v1", "resource.k8s.io/v1")
"""API groups whose schemas are here; operators' objects are checked on a real control plane."""


def made(folder: Path) -> Rendering:
    job = load_training_job(folder / "spec.yaml")
    choice = choose_unseen(job)
    assert choice.reasons == (), "golden documents leave nothing to choose"
    return render(job, backend=choice.backend, gang=choice.gang)


def compared(text: str, stored: Path) -> None:
    if os.environ.get("TONNAGE_UPDATE_GOLDEN"):
        assert not os.environ.get("CI"), "golden files are not rewritten in CI"
        stored.write_text(text, encoding="utf-8")
    assert text == stored.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_objects_are_byte_for_byte_what_they_were(folder: Path) -> None:
    """A change of what is made shows in a diff, and is meant."""
    rendering = made(folder)
    compared(dump_objects(rendering.objects), folder / "objects.yaml")
    compared("".join(f"{note}\n" for note in rendering.notes), folder / "notes.txt")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_core_objects_are_what_kubernetes_takes(folder: Path) -> None:
    """Each satisfies Kubernetes 1.37's own schema, unknown fields refused."""
    for document in YAML(typ="safe").load_all(dump_objects(made(folder).objects)):
        if document["apiVersion"] in CORE:
            kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_every_back_end_has_a_folder() -> None:
    """None is without a golden file."""
    assert {folder.name.partition("-")[0] for folder in FOLDERS} == set(get_args(BackendName))
