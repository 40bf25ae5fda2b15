"""Any of our documents, whichever file and company it stands in: a text may hold several kinds.

``load.py`` reads the one ModelService or TrainingJob of a file; here a document that a text of many gave is
turned into the value of its kind, with the same care for problems and positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject
from tonnage.spec.fields import nearest
from tonnage.spec.load import validate_document
from tonnage.spec.nodepools import NODE_POOLS_KIND, NodePools
from tonnage.spec.problems import Locator, field_problems
from tonnage.spec.scalars import Part
from tonnage.spec.service import KIND, ModelService
from tonnage.spec.simulation import SIMULATION_KIND, Simulation
from tonnage.spec.training import TRAINING_KIND, TrainingJob

KINDS: Final[Mapping[str, type[Part]]] = {
    KIND: ModelService,
    NODE_POOLS_KIND: NodePools,
    SIMULATION_KIND: Simulation,
    TRAINING_KIND: TrainingJob,
}
"""The kinds that users write by hand."""

P = TypeVar("P", bound=Part)


def read_part(item: KubeObject, root: type[P]) -> tuple[P | None, list[Problem]]:
    """Makes a value of a document.

    Args:
        item: The document, as an item of a text.
        root: Its kind.

    Returns:
        The value, or None and every problem, in the text's order.
    """
    document = item.alone()
    locator = Locator(document, item.source, root)
    value: Any = None
    problems: list[Problem] = []
    if root in (ModelService, TrainingJob):
        value, problems = validate_document(document, locator, root)
    else:
        try:
            value = root.model_validate(document.value, by_alias=True, by_name=False)
        except SpecError as error:
            problems = [locator.problem(one.path, one.message, one.hint) for one in error.problems]
        except ValidationError as error:
            problems = field_problems(error, locator)
    return value, sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0))


def unknown_kind(item: KubeObject, known: tuple[str, ...] = tuple(KINDS)) -> Problem:
    """Words that a document of ours is of a kind that is not known."""
    meant = nearest(item.kind, known)
    hint = f'did you mean "{meant}"?' if meant else None
    return item.problem(("kind",), f'must be one of {", ".join(known)}, got "{item.kind}"', hint)
