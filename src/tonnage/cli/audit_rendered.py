"""Our own documents as ``tonnage audit`` judges them: by the objects that they become."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from tonnage.cli.object_text import STDIN
from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, read_objects
from tonnage.manifests import Release
from tonnage.manifests.render import render_text
from tonnage.manifests.text import dump_objects
from tonnage.profile import ModelProfile
from tonnage.spec.documents import read_part
from tonnage.spec.load import load_warmup_inputs
from tonnage.spec.service import KIND, ModelService
from tonnage.spec.training import TRAINING_KIND, TrainingJob

_IMAGE: Final = "example.com/model:audited"
"""Stands in a rendered pod where the document names no image."""


def is_rendered(item: KubeObject) -> bool:
    """Whether it is a document that becomes objects."""
    return item.is_ours and item.kind in (KIND, TRAINING_KIND)


def rendered(item: KubeObject, problems: list[Problem], profile: ModelProfile | None) -> list[KubeObject]:
    """The objects that a document becomes; findings name lines of their text.

    Args:
        item: A ModelService or a TrainingJob.
        problems: Takes what is wrong with it.
        profile: What was measured of the model.
    """
    try:
        text = _service(item, problems, profile) if item.kind == KIND else _training(item, problems)
    except SpecError as error:
        problems += [item.placed(problem) for problem in error.problems]
        return []
    if text is None:
        return []
    objects, _ = read_objects(text, source=f"{item.source} (rendered)")
    return objects


def _service(item: KubeObject, problems: list[Problem], profile: ModelProfile | None) -> str | None:
    document: Any
    document, wrong = read_part(item, ModelService)
    problems += wrong
    if document is None:
        return None
    base = Path.cwd() if item.source == STDIN else Path(item.source).parent
    release = Release(warmup_inputs=load_warmup_inputs(document, base=base))
    return render_text(document, profile, image=_IMAGE, release=release)


def _training(item: KubeObject, problems: list[Problem]) -> str | None:
    """With the back end and the gang that the document names, else what every cluster has."""
    from tonnage.training import choose_unseen, render

    document: Any
    document, wrong = read_part(item, TrainingJob)
    problems += wrong
    if document is None:
        return None
    choice = choose_unseen(document)
    return dump_objects(render(document, backend=choice.backend, gang=choice.gang).objects)
