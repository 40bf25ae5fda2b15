"""The schema for editors and the reference page say what the program does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML
from spec_bad_documents import BAD
from spec_documents import FOUNDING, MINIMAL

from tonnage.spec import parse_model_service
from tonnage.spec.fields import all_fields
from tonnage.spec.schema import (
    PAGE_FILE,
    SCHEMA_FILE,
    main,
    model_service_schema,
    reference_page,
    schema_text,
)

ROOT = Path(__file__).parents[3]

VALIDATOR = Draft202012Validator(model_service_schema())

FOUND_BY_EDITORS = (
    "unknown field near miss", "snake case", "unknown far", "int duration", "bool word", "zero replicas",
    "null", "float int", "vendor", "memory GB", "rate text", "port range", "mig form", "metric type",
    "metric none", "policy type", "image", "name digit", "format", "no path", "version", "datatype", "shape",
    "apiVersion", "kind", "list", "scalar spec",
)  # fmt: skip


def test_the_schema_is_a_valid_one() -> None:
    """It satisfies the meta-schema of draft 2020-12."""
    Draft202012Validator.check_schema(model_service_schema())
    assert model_service_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("text", [MINIMAL, FOUNDING])
def test_a_good_document_pleases_the_schema(text: str) -> None:
    """An editor shows no error where the program finds none, for the whole and the short form."""
    assert list(VALIDATOR.iter_errors(YAML(typ="safe").load(text))) == []
    whole = parse_model_service(text).model_dump(mode="json", by_alias=True)
    assert list(VALIDATOR.iter_errors(whole)) == []


@pytest.mark.parametrize("name", FOUND_BY_EDITORS)
def test_what_a_schema_can_find_is_found_in_the_editor(name: str) -> None:
    """Unknown fields, wrong forms, choices and bounds need no run of the program."""
    assert list(VALIDATOR.iter_errors(YAML(typ="safe").load(BAD[name][0]))) != []


def test_every_field_is_described() -> None:
    """An editor and the page have a sentence for each field."""
    assert [entry.path for entry in all_fields() if not entry.info.description] == []


def test_defaults_in_the_schema_have_the_form_of_documents() -> None:
    """A default can be copied from the schema into a document."""
    definitions = model_service_schema()["$defs"]
    assert definitions["Server"]["properties"]["lameDuck"]["default"] == "5s"
    assert definitions["Resources"]["properties"]["memory"]["default"] == "1Gi"
    assert definitions["Batching"]["properties"]["waitMax"]["default"] == "0s"


def test_the_committed_schema_is_the_generated_one() -> None:
    """``python -m tonnage.spec.schema --write`` was run."""
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()
    json.loads(schema_text())


def test_the_committed_page_is_the_generated_one() -> None:
    """``python -m tonnage.spec.schema --write`` was run."""
    assert (ROOT / PAGE_FILE).read_text(encoding="utf-8") == reference_page()


def test_the_page_has_a_row_for_every_field() -> None:
    """No field is missing from the reference."""
    page = reference_page()
    assert [entry.path for entry in all_fields() if f"| `{entry.name}` |" not in page] == []
    assert "PydanticUndefined" not in page
    assert "Annotated" not in page


def test_the_entry_point_tells_stale_files_and_writes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --write it only looks."""
    assert main(["--root", str(tmp_path)]) == 1
    assert "run with --write" in capsys.readouterr().err
    assert main(["--root", str(tmp_path), "--write"]) == 0
    assert main(["--root", str(tmp_path)]) == 0
