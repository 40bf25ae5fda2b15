"""``ModelService``: the document that every command of Tonnage reads.

The class is the document: a frozen value whose fields have the document's names in Python's form, and
whose construction checks each field and what must hold between them. It knows nothing of YAML, files
or positions; ``spec.load`` does.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, ValidationInfo, model_validator

from tonnage.errors import SpecError
from tonnage.spec.body import ModelServiceSpec
from tonnage.spec.checking import breaches
from tonnage.spec.root import Root
from tonnage.spec.rules import RULES, objective_latency
from tonnage.spec.scalars import DnsLabel, LabelKey, LabelValue, Part, ServiceName
from tonnage.units import Duration

API_VERSION: Final = "tonnage.dev/v1alpha1"
KIND: Final = "ModelService"
UNREAD: Final = "unread"
"""Key of the validation context that holds the paths whose values were left out."""


class Metadata(Part):
    """Name, namespace, labels and annotations, as on every Kubernetes object."""

    name: ServiceName
    """Name of the service and of the objects made for it."""
    namespace: DnsLabel | None = None
    """Namespace; null takes the one of the current context."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """Labels put on every object made."""
    annotations: dict[LabelKey, str] = Field(default_factory=dict)
    """Annotations put on every object made."""


class ModelService(Root):
    """A model to be served: one document for serving, planning, rendering and simulating."""

    api_version: Literal["tonnage.dev/v1alpha1"]
    """The version of this document's form."""
    kind: Literal["ModelService"]
    """The kind of document."""
    metadata: Metadata
    """Name, namespace, labels and annotations."""
    spec: ModelServiceSpec
    """What is served, how well, with what, and where."""

    @model_validator(mode="after")
    def _fields_agree(self, info: ValidationInfo) -> ModelService:
        problems = breaches(RULES, self.spec, (info.context or {}).get(UNREAD, frozenset()))
        if problems:
            raise SpecError(problems)
        return self

    @property
    def name(self) -> str:
        """The service's name."""
        return self.metadata.name

    @property
    def model_name(self) -> str:
        """The model's name in ``/v2/models/<name>``."""
        return self.spec.model.name or self.metadata.name

    @property
    def deadline_default(self) -> Duration | None:
        """The time to answer where the caller names none: the document's, else the objective's."""
        return self.spec.batching.deadline or objective_latency(self.spec)
