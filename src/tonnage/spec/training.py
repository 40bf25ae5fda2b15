"""``TrainingJob``: a training on several workers, and all that a cluster must know to run it.

As ``ModelService`` is for serving, the class is the document: a frozen value whose fields have the document's
names in Python's form, and whose construction checks each field and what must hold between them.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import ValidationInfo, model_validator

from tonnage.errors import SpecError
from tonnage.spec.checking import breaches
from tonnage.spec.root import Root
from tonnage.spec.scalars import ServiceName
from tonnage.spec.service import UNREAD, Metadata
from tonnage.spec.training_body import TrainingJobSpec
from tonnage.spec.training_rules import RULES

TRAINING_KIND: Final = "TrainingJob"


class TrainingMetadata(Metadata):
    """Name, namespace, labels and annotations, as on every Kubernetes object."""

    name: ServiceName
    """Name of the job, with which the names of its objects and pods begin."""


class TrainingJob(Root):
    """A training on several workers: one document for every kind of operator."""

    api_version: Literal["tonnage.dev/v1alpha1"]
    """The version of this document's form."""
    kind: Literal["TrainingJob"]
    """The kind of document."""
    metadata: TrainingMetadata
    """Name, namespace, labels and annotations."""
    spec: TrainingJobSpec
    """What is trained, with how many workers, on what, and what happens when one fails."""

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> TrainingJob:
        problems = breaches(RULES, self.spec, (info.context or {}).get(UNREAD, frozenset()))
        if problems:
            raise SpecError(problems)
        return self

    @property
    def name(self) -> str:
        """The job's name."""
        return self.metadata.name
