"""What the user names on the command line, a document or a bare model, as settings of a server.

A bare model is served sooner for it that what reads documents is imported only for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tonnage.contract import endpoints
from tonnage.contract.server_config import ListenConfig, ModelConfig, ServerConfig
from tonnage.errors import Problem, SpecError

if TYPE_CHECKING:
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
        from tonnage.spec.load import parse_model_service

        service = parse_model_service(stdin or "", source="<stdin>")
        return _from_document(service, Path.cwd(), host)
    path = Path(named)
    if path.suffix.lower() in DOCUMENTS:
        from tonnage.spec.load import load_model_service

        return _from_document(load_model_service(path), path.parent, host)
    if _names_class(named):
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


def _names_class(named: str) -> bool:
    """Whether it is ``module:Class``."""
    module, colon, class_name = named.partition(":")
    return bool(colon) and class_name.isidentifier() and all(map(str.isidentifier, module.split(".")))


def _from_document(service: ModelService, base: Path, host: str) -> Source:
    from tonnage.spec.load import load_warmup_inputs, resolve_reference
    from tonnage.spec.server_settings import server_settings

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
