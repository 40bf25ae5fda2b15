"""Reads ``ModelService`` and ``TrainingJob`` documents from text and files, and what they refer to.

A parser reports every problem of a document at once: what the text itself shows, what is
wrong with single fields, and what does not agree between fields. For the last, fields that could not be
read are taken out and the rest is checked, leaving out the rules that need them.
"""

from __future__ import annotations

import copy
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from tonnage.errors import Problem, SpecError
from tonnage.kube.paths import Path, format_path
from tonnage.kube.text import TEXT_BYTES_MAX, Document, read_text
from tonnage.spec.fields import nearest
from tonnage.spec.model import SampleTensor
from tonnage.spec.problems import (
    PROBLEMS_MAX,
    Locator,
    document_path,
    field_problems,
    shorten,
    show,
    suggested_name,
)
from tonnage.spec.samples import check_sample
from tonnage.spec.scalars import Part
from tonnage.spec.service import KIND, UNREAD, ModelService

if TYPE_CHECKING:
    from tonnage.spec.training import TrainingJob

P = TypeVar("P", bound=Part)

_ROUNDS_MAX: Final = 8
_SAMPLE_BYTES_MAX: Final = 64 * 1024 * 1024
_ANY_STAND_INS: Final[dict[Path, Any]] = {
    ("apiVersion",): "tonnage.dev/v1alpha1",
    ("metadata",): {"name": "stand-in"},
    ("metadata", "name"): "stand-in",
}
_STAND_INS: Final[dict[str, dict[Path, Any]]] = {
    KIND: {
        **_ANY_STAND_INS,
        ("kind",): KIND,
        ("spec", "model"): {"format": "onnx", "path": "stand-in"},
        ("spec", "model", "format"): "onnx",
        ("spec", "model", "path"): "stand-in",
    },
    "TrainingJob": {
        **_ANY_STAND_INS,
        ("kind",): "TrainingJob",
        ("spec", "framework"): "pytorch",
        ("spec", "image"): "stand-in",
        ("spec", "command"): ["stand-in"],
    },
}
"""By kind, valid values for required fields that could not be read, so that the rest can be checked."""


def load_model_service(path: str | FilePath) -> ModelService:
    """Reads the ModelService in a file.

    Args:
        path: A YAML or JSON file; ``-`` reads standard input.

    Raises:
        SpecError: The file cannot be read, or the document is wrong; it holds every problem.
    """
    text, source = _text_of(path)
    return parse_model_service(text, source=source)


def load_training_job(path: str | FilePath) -> TrainingJob:
    """Reads the TrainingJob in a file; see ``load_model_service``."""
    text, source = _text_of(path)
    return parse_training_job(text, source=source)


def _text_of(path: str | FilePath) -> tuple[str, str]:
    """A file's text and its name in problems."""
    name = "<stdin>" if str(path) == "-" else str(path)
    try:
        if name == "<stdin>":
            data = sys.stdin.buffer.read(TEXT_BYTES_MAX + 1)
        else:
            with FilePath(path).open("rb") as file:
                data = file.read(TEXT_BYTES_MAX + 1)
    except OSError as error:
        raise SpecError(
            [Problem("", f"must be a readable file, got {error.strerror or error}", name)]
        ) from None
    if len(data) > TEXT_BYTES_MAX:
        raise SpecError([Problem("", f"must be at most {TEXT_BYTES_MAX} bytes, got more", name)])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SpecError(
            [Problem("", f"must be UTF-8 text, got byte 0x{data[error.start]:02x}", name, line)]
        ) from None
    return text, name


def parse_model_service(text: str, *, source: str = "<text>") -> ModelService:
    """Reads a ModelService.

    Args:
        text: YAML or JSON with exactly one document of kind ``ModelService`` and no other.
        source: The file's name in problems.

    Raises:
        SpecError: The document is wrong; it holds every problem, in the text's order.
    """
    return _parse(text, source, ModelService)


def parse_training_job(text: str, *, source: str = "<text>") -> TrainingJob:
    """Reads a TrainingJob; see ``parse_model_service``."""
    from tonnage.spec.training import TrainingJob  # whoever serves a model does not wait for its classes

    return _parse(text, source, TrainingJob)


def _parse(text: str, source: str, root: type[P]) -> P:
    documents, problems = read_text(text, source=source)
    document, strangers = _choose(documents, source, kind_of(root))
    problems += strangers
    value: P | None = None
    if document is not None:
        known = {problem.path for problem in problems}
        value, found = validate_document(document, Locator(document, source, root), root)
        problems += [problem for problem in found if problem.path not in known]
    if problems or value is None:
        raise SpecError(sorted(problems, key=lambda problem: (problem.line or 0, problem.column or 0)))
    return value


def kind_of(root: type[Part]) -> str:
    """The one kind that documents of a class have."""
    return str(get_args(root.model_fields["kind"].annotation)[0])


def _choose(documents: list[Document], source: str, wanted: str) -> tuple[Document | None, list[Problem]]:
    """Finds the document of a kind among a text's documents, and says what the others are."""
    if not documents:
        return None, [Problem("", f"must hold a {wanted}, got no document", source, 1, 1)]
    if len(documents) == 1:
        value = documents[0].value
        kind = value.get("kind", wanted) if isinstance(value, dict) else wanted
        near = nearest(kind, (wanted,)) if isinstance(kind, str) else wanted
        if near is None:
            return None, [_stranger(documents[0], source, wanted)]
        return documents[0], []
    ours = [document for document in documents if _kind(document) == wanted]
    problems = [_stranger(document, source, wanted) for document in documents if _kind(document) != wanted]
    for document in ours[1:]:
        place = document.places[()]
        problems.append(
            Problem("", f"must hold one {wanted}, got another one", source, place.line, place.column)
        )
    return (ours[0] if ours else None), problems


def _kind(document: Document) -> Any:
    return document.value.get("kind") if isinstance(document.value, dict) else None


def _stranger(document: Document, source: str, wanted: str) -> Problem:
    place = document.places.get(("kind",), document.places[()])
    kind = _kind(document)
    got = shorten(kind) if isinstance(kind, str) else f"{show(document.value)} without a kind"
    return Problem("kind", f"must be {wanted}, got {got}", source, place.line, place.column)


def validate_document(document: Document, locator: Locator, root: type[P]) -> tuple[P | None, list[Problem]]:
    """Makes a value of a document; None and every problem when it is wrong.

    Args:
        document: What was read.
        locator: Finds positions in it; of the same kind.
        root: The kind: a class whose documents other commands read whole.
    """
    try:
        return root.model_validate(document.value, by_alias=True, by_name=False), []
    except SpecError as error:
        return None, [_placed(problem, locator) for problem in error.problems]
    except ValidationError as error:
        problems = field_problems(error, locator)
        if error.error_count() > PROBLEMS_MAX:
            return None, problems
        return None, problems + [_placed(p, locator) for p in _other_problems(error, document, root)]


def _placed(problem: Problem, locator: Locator) -> Problem:
    return locator.problem(problem.path, problem.message, problem.hint)


def _other_problems(error: ValidationError, document: Document, root: type[Part]) -> tuple[Problem, ...]:
    """Checks between fields what could be read, once what could not be is taken out."""
    stand_ins = _STAND_INS.get(kind_of(root), {})
    value, unread = copy.deepcopy(document.value), set[str]()
    for _ in range(_ROUNDS_MAX):
        cuts = set[Path]()
        for detail in error.errors(include_url=False):
            path = _outside_lists(document_path(detail["loc"], root))
            cuts.add(path)
            if detail["type"] == "extra_forbidden" and path == detail["loc"]:
                # What a misspelt field stands for was not read either.
                meant = suggested_name(path, document, root)
                if meant is not None:
                    unread.add(format_path((*path[:-1], meant)))
            else:
                unread.add(format_path(path))
        for path in cuts:
            _take_out(value, path, stand_ins)
        try:
            root.model_validate(
                value, by_alias=True, by_name=False, context={UNREAD: frozenset(unread)}
            )
        except SpecError as found:
            return found.problems
        except ValidationError as again:
            error = again
            continue
        return ()
    return ()


def _outside_lists(path: Path) -> Path:
    """The path itself, or that of the outermost list on it: lists are taken out as a whole."""
    indexes = [position for position, step in enumerate(path) if isinstance(step, int)]
    return path[: indexes[0]] if indexes else path


def _take_out(value: Any, path: Path, stand_ins: Mapping[Path, Any]) -> None:
    """Removes a value; one that is required gets a stand-in, and what cannot go takes its holder along."""
    holder = value
    for step in path[:-1]:
        holder = holder.get(step) if isinstance(holder, dict) else None
    if not path or not isinstance(holder, dict):
        return
    if path in stand_ins:
        holder[str(path[-1])] = copy.deepcopy(stand_ins[path])
    elif path[-1] in holder:
        del holder[str(path[-1])]
    else:
        _take_out(value, path[:-1], stand_ins)


def resolve_reference(reference: str, *, base: FilePath, where: str = "spec.model.path") -> FilePath:
    """Finds the file that a document names.

    Args:
        reference: A path relative to the document, or ``package:<name>/<file>`` where the name is that
            of an importable package or of an installed distribution.
        base: The document's folder.
        where: The field that names it.

    Returns:
        The file's path; whether the file exists is checked for packages only.

    Raises:
        SpecError: The package or the file inside it is not installed.
    """
    if not reference.startswith("package:"):
        return base / FilePath(reference).expanduser()
    name, _, inside = reference.removeprefix("package:").partition("/")
    candidates = [folder / inside for folder in _package_folders(name)]
    candidates += _distribution_files(name, inside)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    if candidates:
        what, hint = f'must name a file of the installed package {name}, got "{inside}"', None
    else:
        what, hint = f'must name an installed package, got "{name}"', f"pip install {name}"
    raise SpecError([Problem(where, what, hint=hint)])


def _package_folders(name: str) -> list[FilePath]:
    if not name.isidentifier():
        return []
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return []
    return [FilePath(folder) for folder in (found.submodule_search_locations or ())] if found else []


def _distribution_files(name: str, inside: str) -> list[FilePath]:
    """Files of a distribution whose path ends as asked; its packages may have other names."""
    try:
        files = importlib.metadata.distribution(name).files or []
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    wanted = f"/{inside}"
    return [FilePath(str(file.locate())) for file in files if f"/{file.as_posix()}".endswith(wanted)]


def load_warmup_inputs(service: ModelService, *, base: FilePath) -> tuple[SampleTensor, ...] | None:
    """Reads the sample request that a service is warmed up with.

    Args:
        service: The document.
        base: The document's folder, which ``spec.model.warmup.file`` is relative to.

    Returns:
        The sample's inputs; None when the document has none.

    Raises:
        SpecError: The file cannot be read, is no request, or does not fit the declared inputs.
    """
    warmup = service.spec.model.warmup
    if warmup.inputs is not None or warmup.file is None:
        return warmup.inputs
    where = "spec.model.warmup.file"
    path = resolve_reference(warmup.file, base=base, where=where)
    try:
        with path.open("rb") as file:
            data = file.read(_SAMPLE_BYTES_MAX + 1)
        if len(data) > _SAMPLE_BYTES_MAX:
            raise SpecError(
                [Problem(where, f"must be at most {_SAMPLE_BYTES_MAX} bytes, got more", str(path))]
            )
        request = json.loads(data)
    except OSError as error:
        message = f"must be a readable file, got {error.strerror or error}"
        raise SpecError([Problem(where, message, str(path))]) from None
    except (ValueError, RecursionError) as error:
        raise SpecError([Problem(where, f"must hold JSON, got {error}", str(path))]) from None
    return _sample(request, service, str(path))


def _sample(request: Any, service: ModelService, source: str) -> tuple[SampleTensor, ...]:
    inputs = request.get("inputs") if isinstance(request, dict) else None
    if not isinstance(inputs, list):
        raise SpecError([Problem("inputs", 'must be a list, as in {"inputs": [...]}', source)])
    # Clients put parameters beside a tensor; a sample has no use for them.
    plain = [
        {key: value for key, value in tensor.items() if key != "parameters"}
        if isinstance(tensor, dict)
        else tensor
        for tensor in inputs
    ]
    try:
        sample = _SAMPLE.validate_python(plain, by_alias=True, by_name=False)
    except ValidationError as error:
        locator = Locator(Document({"inputs": plain}), source)
        raise SpecError(
            [
                Problem(f"inputs{p.path}", p.message, source, hint=p.hint)
                for p in field_problems(error, locator)
            ]
        ) from None
    problems = list(check_sample("inputs", sample, service.spec.model.inputs))
    if problems:
        raise SpecError([Problem(p.path, p.message, source, hint=p.hint) for p in problems])
    return sample


_SAMPLE: Final = TypeAdapter(tuple[SampleTensor, ...])
