"""The schema of TrainingJob for editors says what the program does, and every field has a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tonnage.spec.fields import all_fields
from tonnage.spec.load import load_training_job
from tonnage.spec.schema import DESCRIBED, document_schema, reference_page, schema_text
from tonnage.spec.training import TrainingJob

ROOT = Path(__file__).parents[3]
GOLDEN = sorted((ROOT / "tests/golden/training").glob("*/spec.yaml"))
VALIDATOR = Draft202012Validator(document_schema("TrainingJob"))


def test_there_are_documents() -> None:
    """The checks below look at something."""
    assert len(GOLDEN) > 5


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.parent.name)
def test_a_good_document_pleases_the_schema(path: Path) -> None:
    """As it is written, and with every default written out."""
    assert list(VALIDATOR.iter_errors(YAML(typ="safe").load(path.read_text()))) == []
    whole = load_training_job(path).model_dump(mode="json", by_alias=True)
    assert list(VALIDATOR.iter_errors(whole)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("framework", "torch"),
        ("workers", 0),
        ("processesPerWorker", "all"),
        ("command", []),
        ("deadline", "12"),
        ("backend", "kubeflow"),
        ("volumes", [{"type": "pvc", "name": "a", "mountPath": "/a"}]),
        ("checkpoint", {"path": "relative"}),
        ("worker", 2),
        ("restart", {"fatalExitCodes": [0]}),
    ],
)
def test_what_a_schema_can_find_is_found_in_the_editor(field: str, value: object) -> None:
    """Unknown fields, wrong forms, choices and bounds need no run of the program."""
    document = YAML(typ="safe").load(GOLDEN[0].read_text())
    document["spec"][field] = value
    assert list(VALIDATOR.iter_errors(document)) != []


def test_every_field_is_described() -> None:
    """An editor and the page have a sentence for each field."""
    assert [entry.path for entry in all_fields(TrainingJob) if not entry.info.description] == []


def test_the_committed_files_are_the_generated_ones() -> None:
    """``python -m tonnage.spec.schema --write`` was run."""
    described = DESCRIBED["TrainingJob"]
    assert (ROOT / described.schema).read_text(encoding="utf-8") == schema_text("TrainingJob")
    assert (ROOT / described.page).read_text(encoding="utf-8") == reference_page("TrainingJob")
