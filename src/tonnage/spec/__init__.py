"""The documents that users write: their fields, how they are read, and what must hold in them."""

from __future__ import annotations

from tonnage.spec.load import (
    load_model_service,
    load_training_job,
    load_warmup_inputs,
    parse_model_service,
    parse_training_job,
    resolve_reference,
)
from tonnage.spec.service import API_VERSION, KIND, Metadata, ModelService
from tonnage.spec.usage import COMMANDS, unused_fields

__all__ = [
    "API_VERSION",
    "COMMANDS",
    "KIND",
    "Metadata",
    "ModelService",
    "load_model_service",
    "load_training_job",
    "load_warmup_inputs",
    "parse_model_service",
    "parse_training_job",
    "resolve_reference",
    "unused_fields",
]
