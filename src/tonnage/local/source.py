"""What the user names on the command line, a document or a bare model, as settings of a server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tonnage.contract import endpoints
from tonnage.contract.server_config import ListenConfig, ModelConfig, ServerConfig
from tonnage.errors import Problem, SpecError
from tonnage.spec.load import load_model_service, load_warmup_inputs, parse_model_service, resolve_reference
from tonnage.spec.model import MODULE_CLASS_PATTERN
from tonnage.spec.server_settings import server_settings
from tonnage.spec.service import ModelService

DOCUMENTS = frozenset({".yaml", ".yml", ".json"})
FORMATS = {".onnx": "onnx", ".pt2": "torch", ".pt": "torch", ".pth": "torch"}


@dataclass(frozen=True, slots=True)
class Source:
    """What is to be served.

    Attributes:
        config: The settings of its server.
        service: The document; None for a bare model.
    """

    config: ServerConfig
    service: ModelService | None


def read_source(named: str, *, host: str, stdin: str | None = None) -> Source:
    """Read what the user named.

    Args:
        named: A document, a model file, ``module:Class``, or ``-`` for a document in ``stdin``.
        host: Address to listen on.
        stdin: The text of standard input.

    Raises:
        SpecError: There is no such file, it is of no known kind, or the document is wrong.
    """
    if named == "-":
        service = parse_model_service(stdin or "", source="<stdin>")
        return _from_document(service, Path.cwd(), host)
    path = Path(named)
    if path.suffix.lower() in DOCUMENTS:
        return _from_document(load_model_service(path), path.parent, host)
    if re.fullmatch(MODULE_CLASS_PATTERN, named):
        name = re.sub(r"[^a-z0-9]+", "-", named.partition(":")[2].lower()).strip("-")
        model = ModelConfig(name=name, format="python", path=named, python_path=(str(Path.cwd()),))
        return Source(_bare(model, host), None)
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise SpecError(
            [
                Problem(
                    "",
                    f"must be a document ({', '.join(sorted(DOCUMENTS))}), a model ({', '.join(FORMATS)}) "
                    f"or module:Class, got {named!r}",
                )
            ]
        )
    if not path.is_file():
        raise SpecError([Problem("", f"must be a file, got {named!r}")])
    return Source(_bare(ModelConfig(name=path.stem, format=form, path=str(path.resolve())), host), None)


def _from_document(service: ModelService, base: Path, host: str) -> Source:
    model = service.spec.model
    path = model.path
    if model.format != "python":
        file = resolve_reference(path, base=base).resolve()
        if not file.is_file():
            raise SpecError([Problem("spec.model.path", f"must be a file, got {file}")])
        path = str(file)
    config = server_settings(
        service,
        model_path=path,
        base=base,
        warmup_inputs=load_warmup_inputs(service, base=base),
        host=host,
    )
    return Source(config, service)


def _bare(model: ModelConfig, host: str) -> ServerConfig:
    grpc = ListenConfig(host=host, port=endpoints.GRPC_PORT)
    return ServerConfig(model=model, http=(ListenConfig(host=host),), grpc=grpc, workers=None)
