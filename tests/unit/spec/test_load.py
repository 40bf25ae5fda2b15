"""Documents, packages and samples are read from files, and what is wrong with a file is a SpecError."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from spec_documents import FOUNDING, MINIMAL, with_model

from tonnage.errors import SpecError
from tonnage.spec import (
    ModelService,
    load_model_service,
    load_warmup_inputs,
    parse_model_service,
    resolve_reference,
)

INPUTS = "inputs: [{name: x, datatype: FP32, shape: [-1, 2]}]"


def problem_of(caught: pytest.ExceptionInfo[SpecError]) -> str:
    (problem,) = caught.value.problems
    return str(problem)


def test_a_file_is_read_like_its_text(tmp_path: Path) -> None:
    """A document from a file, with or without a byte order mark, equals the one from its text."""
    plain, marked = tmp_path / "a.yaml", tmp_path / "b.yaml"
    plain.write_text(FOUNDING, encoding="utf-8")
    marked.write_text(FOUNDING, encoding="utf-8-sig")
    assert load_model_service(plain) == load_model_service(str(marked)) == parse_model_service(FOUNDING)


def test_json_is_read_too(tmp_path: Path) -> None:
    """The same document as JSON, indented by tabs, is the same service."""
    service = parse_model_service(FOUNDING)
    path = tmp_path / "a.json"
    path.write_text(json.dumps(service.to_document(), indent="\t"), encoding="utf-8")
    assert load_model_service(path) == service


def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Problems of standard input are told of <stdin>."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MINIMAL.encode())))
    assert load_model_service("-").name == "digits"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(SpecError, match=r"^<stdin>:1:1: must hold a ModelService, got no document$"):
        load_model_service("-")


def test_a_missing_file_is_the_authors_fault(tmp_path: Path) -> None:
    """The message says which file and why."""
    with pytest.raises(SpecError) as caught:
        load_model_service(tmp_path / "no.yaml")
    assert problem_of(caught) == f"{tmp_path}/no.yaml: must be a readable file, got No such file or directory"


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """The line of the first wrong byte is told."""
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(SpecError) as caught:
        load_model_service(path)
    assert problem_of(caught) == f"{path}:2: must be UTF-8 text, got byte 0xff"


def test_a_file_without_end_is_not_read_to_its_end() -> None:
    """Reading stops at the limit."""
    with pytest.raises(SpecError, match="must be at most 1048576 bytes, got more"):
        load_model_service("/dev/zero")


def test_comments_anchors_and_aliases_are_understood() -> None:
    """What an alias stands for is read as if it were written out."""
    text = MINIMAL + (
        "  probes:  # the same path for both\n"
        "    readiness: {path: &path /ready}\n"
        "    liveness: {path: *path}\n"
    )
    probes = parse_model_service(text).spec.probes
    assert probes.readiness is not None
    assert probes.liveness is not None
    assert probes.readiness.path == probes.liveness.path == "/ready"


def test_a_path_is_relative_to_the_document(tmp_path: Path) -> None:
    """A relative path starts at the document's folder, an absolute one at the root."""
    assert resolve_reference("models/a.onnx", base=tmp_path) == tmp_path / "models/a.onnx"
    assert resolve_reference("/srv/a.onnx", base=tmp_path) == Path("/srv/a.onnx")


def test_a_file_of_a_package_is_found_without_importing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's folder is asked for, its code is not run."""
    package = tmp_path / "exploding"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "models" / "m.onnx").write_bytes(b"")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (
        resolve_reference("package:exploding/models/m.onnx", base=Path("/")) == package / "models" / "m.onnx"
    )


def test_a_file_of_a_distribution_is_found_by_the_distributions_name() -> None:
    """The name on the package index does, where it differs from the one that is imported."""
    path = resolve_reference("package:ruamel.yaml/yaml/main.py", base=Path("/"))
    assert path.name == "main.py"
    assert path.is_file()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "package:no-such-thing/a.onnx",
            'spec.model.path: must name an installed package, got "no-such-thing"; pip install no-such-thing',
        ),
        (
            "package:pytest/no.onnx",
            'spec.model.path: must name a file of the installed package pytest, got "no.onnx"',
        ),
    ],
)
def test_a_package_or_file_that_is_not_there_is_named(reference: str, message: str) -> None:
    """The message says whether the package or the file inside it is missing."""
    with pytest.raises(SpecError) as caught:
        resolve_reference(reference, base=Path("/"))
    assert problem_of(caught) == message


def _service(file: str) -> ModelService:
    return parse_model_service(with_model(f"{INPUTS}\nwarmup: {{file: {file}}}"))


def test_a_sample_is_read_from_its_file(tmp_path: Path) -> None:
    """A request in the protocol's JSON form is a sample; parameters beside tensors are passed over."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [[0.5, 1]]}
    (tmp_path / "s.json").write_text(json.dumps({"inputs": [tensor | {"parameters": {"a": 1}}]}))
    sample = load_warmup_inputs(_service("s.json"), base=tmp_path)
    assert sample is not None
    assert (sample[0].name, sample[0].shape, sample[0].data) == ("x", (1, 2), ((0.5, 1),))


def test_a_sample_in_the_document_needs_no_file(tmp_path: Path) -> None:
    """Inputs written in the document are the sample; a document without one has none."""
    written = parse_model_service(
        with_model(
            f"{INPUTS}\nwarmup: {{inputs: [{{name: x, datatype: FP32, shape: [1, 2], data: [0.1, 2]}}]}}"
        )
    )
    sample = load_warmup_inputs(written, base=tmp_path)
    assert sample is not None
    assert sample[0].data == (0.1, 2)
    assert load_warmup_inputs(parse_model_service(MINIMAL), base=tmp_path) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "spec.model.warmup.file: must hold JSON, got"),
        ("[]", 'inputs: must be a list, as in {"inputs": [...]}'),
        ('{"inputs": [{"name": "x"}]}', "inputs[0].datatype: must be given"),
        (
            '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2, 3]}]}',
            "inputs[0].data: must hold 2 elements for shape [1, 2], got 3",
        ),
        (
            '{"inputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}',
            'inputs[0].name: must be a declared input (x), got "y"',
        ),
        ("[" * 100_000, "spec.model.warmup.file: must hold JSON, got"),
    ],
)
def test_a_sample_that_does_not_fit_says_why(tmp_path: Path, content: str, message: str) -> None:
    """The message names the file and the field in it."""
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(SpecError) as caught:
        load_warmup_inputs(_service("s.json"), base=tmp_path)
    assert str(caught.value.problems[0]).startswith(f"{tmp_path}/s.json: {message}")
