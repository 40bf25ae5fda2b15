"""``tonnage render``: a service's Kubernetes objects, as text, a folder for kustomize, or a Helm chart."""

from __future__ import annotations

import base64
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import click

from tonnage.cli.render_folder import write_folder
from tonnage.errors import Problem, SpecError
from tonnage.manifests import Release, render
from tonnage.manifests.chart import chart_files
from tonnage.manifests.files import list_text, object_files
from tonnage.manifests.metrics_api import SYSTEM_NAMESPACE, MetricsApi, metrics_api_objects
from tonnage.manifests.text import dump_objects
from tonnage.profile import ModelProfile, load_profile
from tonnage.spec.load import load_model_service, load_warmup_inputs, parse_model_service
from tonnage.spec.service import ModelService
from tonnage.spec.usage import unused_fields

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_CERTIFICATES_BYTES_MAX: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """The command line as it was read; each field is the option of its name."""

    spec: str | None
    profile: Path | None
    image: str | None
    model_image: str | None
    pod_monitor: bool
    headless_service: bool
    metrics_api: bool
    namespace: str
    ca_bundle: Path | None
    output: Path | None
    form: Literal["yaml", "json", "kustomize", "helm"]
    force: bool


@click.command("render", short_help="Make the Kubernetes objects of a service.")
@click.argument("spec", metavar="[SPEC]", required=False)
@click.option("--profile", type=_FILE, help="What was measured.  [default: NAME.profile.json, if any]")
@click.option("--image", help="The image that pods run.  [default: spec.image]")
@click.option(
    "--model-image",
    metavar="IMAGE",
    help="OCI image or artifact with the document's folder, mounted at /model.  [default: --image has it]",
)
@click.option("--pod-monitor", is_flag=True, help="Add a PodMonitor for the Prometheus operator.")
@click.option(
    "--headless-service",
    is_flag=True,
    help="Add a Service without an address, for clients that balance by themselves.",
)
@click.option("--metrics-api", is_flag=True, help="Make the metrics API's objects, behind those of SPEC.")
@click.option(
    "--metrics-api-namespace",
    "namespace",
    default=SYSTEM_NAMESPACE,
    show_default=True,
    help="Where the metrics API runs.",
)
@click.option(
    "--ca-bundle",
    type=_FILE,
    help="PEM certificates that vouch for the metrics API.  [default: cert-manager issues and injects them]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: stdout]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["yaml", "json", "kustomize", "helm"]),
    default="yaml",
    show_default=True,
    help="YAML or JSON documents, a folder for kustomize, or a Helm chart.",
)
@click.option("--force", is_flag=True, help="Write over files that tonnage render did not write.")
def render_command(**values: Any) -> None:
    """Make the Kubernetes objects of the service that SPEC describes.

    The image holds the server and, at /model, the document's folder; the document itself goes along as
    the server's settings. With -o each object gets a file, and a kustomization.yaml names them.
    """
    options = RenderOptions(**values)
    _check(options)
    service, objects = _objects(options)
    if options.form == "helm":
        assert service is not None
        assert options.output is not None
        write_folder(options.output, chart_files(service, objects), force=options.force)
    elif options.output is not None:
        form: Literal["yaml", "json"] = "json" if options.form == "json" else "yaml"
        write_folder(options.output, object_files(objects, form), force=options.force)
    else:
        click.echo(list_text(objects) if options.form == "json" else dump_objects(objects), nl=False)


def _check(options: RenderOptions) -> None:
    problems = []
    if options.spec is None and not options.metrics_api:
        problems.append(Problem("SPEC", "must be given, or --metrics-api"))
    if options.form in ("kustomize", "helm") and options.output is None:
        problems.append(Problem("--output", f"must be given with --format {options.form}, which is a folder"))
    if options.form == "helm" and (options.metrics_api or options.spec is None):
        hint = "render it by itself: a cluster has one, and many services"
        problems.append(Problem("--metrics-api", "must not be given with --format helm", hint=hint))
    if options.metrics_api and options.spec is None and options.image is None:
        problems.append(Problem("--image", "must be given: the image with the metrics API"))
    if problems:
        raise SpecError(problems)


def _objects(options: RenderOptions) -> tuple[ModelService | None, list[Mapping[str, Any]]]:
    """The service and all objects that the command line asks for."""
    service = None
    objects: list[Mapping[str, Any]] = []
    image = options.image
    if options.spec is not None:
        service, base = _read(options.spec)
        if image is not None:
            service = _with_image(service, image)
        image = service.spec.image
        release = Release(
            warmup_inputs=load_warmup_inputs(service, base=base),
            model_image=options.model_image,
            pod_monitor=options.pod_monitor,
            headless=options.headless_service,
        )
        objects += render(service, _profile(options, service, base), release=release)
        unused = unused_fields(service, "render")
        if unused:
            click.echo(f"tonnage render: not used here: {', '.join(unused)}", err=True)
    if options.metrics_api:
        assert image is not None
        bundle = _bundle(options.ca_bundle) if options.ca_bundle is not None else None
        objects += metrics_api_objects(MetricsApi(image=image, namespace=options.namespace, ca_bundle=bundle))
    return service, objects


def _read(spec: str) -> tuple[ModelService, Path]:
    """The document and its folder."""
    if spec == "-":
        return parse_model_service(sys.stdin.read(), source="<stdin>"), Path.cwd()
    return load_model_service(spec), Path(spec).parent


def _with_image(service: ModelService, image: str) -> ModelService:
    """The document with another image, checked as if it stood there."""
    document = service.to_document()
    document["spec"]["image"] = image
    try:
        return ModelService.model_validate(document, by_alias=True, by_name=False)
    except ValueError:
        hint = "such as registry.example.com/team/model:v1.2.3"
        problem = Problem("--image", f"must be an image reference, got {image!r}", hint=hint)
        raise SpecError([problem]) from None


def _profile(options: RenderOptions, service: ModelService, base: Path) -> ModelProfile | None:
    path = options.profile or base / f"{service.name}.profile.json"
    return load_profile(path) if options.profile is not None or path.is_file() else None


def _bundle(path: Path) -> str:
    """Certificates as Kubernetes holds them: the PEM text in base64.

    Raises:
        SpecError: It holds no certificate.
    """
    with path.open("rb") as file:
        data = file.read(_CERTIFICATES_BYTES_MAX)
    try:
        ssl.create_default_context(cadata=data.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        message = f"must hold certificates in PEM form, got {error}"
        raise SpecError([Problem("--ca-bundle", message, str(path))]) from None
    return base64.b64encode(data).decode("ascii")
