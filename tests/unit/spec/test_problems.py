"""Every problem of a document is told at once, with its place, what must hold, and the next step."""

from __future__ import annotations

import pytest
from spec_bad_documents import BAD
from spec_documents import MINIMAL, with_spec

from tonnage.errors import SpecError
from tonnage.spec import parse_model_service
from tonnage.spec.problems import PROBLEMS_MAX


def problems_of(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse_model_service(text, source="f.yaml")
    return [str(problem).removeprefix("f.yaml:") for problem in caught.value.problems]


@pytest.mark.parametrize(("document", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_document_gets_exactly_these_problems(document: str, expected: list[str]) -> None:
    """The messages are part of the product and are held word for word."""
    assert problems_of(document) == expected


def test_faults_of_fields_and_between_fields_are_told_together() -> None:
    """A misspelt field hides neither another wrong value nor a disagreement elsewhere."""
    text = with_spec(
        "batching: {sizemax: 8, waitMax: 5}\n"
        "server: {lameDuck: 40s}\n"
        "scaling: {minReplicas: 5, maxReplicas: 3, metrics: [{type: cpuu}]}"
    ).replace("path: digits.onnx", "pfad: digits.onnx")
    paths = [line.split(": ")[1] for line in problems_of(text)]
    assert paths == [
        "spec.model.path",
        "spec.model.pfad",
        "spec.batching.sizemax",
        "spec.batching.waitMax",
        "spec.server.lameDuck",
        "spec.scaling.minReplicas",
        "spec.scaling.metrics[0].type",
    ]


@pytest.mark.parametrize(
    "block",
    [
        "scaling: {minReplicas: 20, maxReplica: 30}",
        "scaling: {minReplicas: 20, maxReplicas: many}",
        "server: {lameDuck: 40s, graceperiod: 60s}",
        "resources: {cpu: 4000q, limits: {cpu: 500m}}",
    ],
)
def test_what_only_follows_from_another_fault_is_not_told(block: str) -> None:
    """A field that could not be read is not taken for its default when fields are compared."""
    assert len(problems_of(with_spec(block))) == 1


def test_a_problem_carries_file_line_column_path_and_hint() -> None:
    """Tools get the parts of a problem, and do not have to take the text apart."""
    with pytest.raises(SpecError) as caught:
        parse_model_service(with_spec("batching: {sizemax: 8}"), source="service.yaml")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.column) == ("service.yaml", 9, 14)
    assert (problem.path, problem.hint) == ("spec.batching.sizemax", 'did you mean "sizeMax"?')
    assert problem.message == 'must be a known field, got "sizemax"'


def test_a_document_of_nonsense_gets_a_bounded_report() -> None:
    """Beyond a hundred problems the rest is counted."""
    text = MINIMAL + "".join(f"  nonsense{number}: 1\n" for number in range(PROBLEMS_MAX + 50))
    problems = problems_of(text)
    assert len(problems) == PROBLEMS_MAX + 1
    assert problems[0] == "1:1: must be sound, got 50 more problems like these"


def test_a_long_or_unprintable_value_is_cut_and_escaped() -> None:
    """A message stays one short line whatever the document holds."""
    (problem,) = problems_of(with_spec('image: "' + "x" * 600 + '"'))
    assert len(problem) < 200
    (problem,) = problems_of(with_spec('image: "a\\u001b[31m\\nb"'))
    assert "\x1b" not in problem
    assert "\n" not in problem
