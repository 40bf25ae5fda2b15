"""The same objects as a Helm chart, with the values that people expect to set.

A chart is text with holes. The objects are made as ever, a mark is put where a hole belongs, and the mark's
line becomes the template's. What is in the objects itself and looks like a template is escaped. With its own
values the chart gives the objects that ``render`` gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tonnage.manifests.files import file_stem
from tonnage.manifests.order import ordered
from tonnage.manifests.text import dump_objects
from tonnage.spec.service import ModelService

CHART_VERSION: Final = "0.1.0"
"""Of the chart that is made; who publishes it counts on from there."""
_MARK: Final = "TONNAGE-VALUE"
_LINE: Final = re.compile(rf"^(?P<indent> *)(?P<key>[A-Za-z]+): {_MARK}-(?P<name>[A-Za-z.]+)\n", re.MULTILINE)
_IMAGE: Final = re.compile(
    r"(?P<repository>.+?)(?::(?P<tag>[^:/@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_SCALED: Final = ".Values.autoscaling.enabled"
_BOUNDS: Final = ("minReplicas", "maxReplicas")
_OPTIONAL: Final[Mapping[str, Any]] = {
    "nodeSelector": {},
    "tolerations": [],
    "affinity": {},
    "imagePullSecrets": [],
    "priorityClassName": "",
}
"""Fields of the pod that are values, and are left out where their value is the empty one."""


def chart_files(service: ModelService, objects: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Lays a service's objects out as a chart.

    Args:
        service: The document.
        objects: What ``render`` made of it.

    Returns:
        File name, with ``/`` for folders, to text.
    """
    deployment = next(one for one in objects if one["kind"] == "Deployment")
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    chart = {
        "apiVersion": "v2",
        "name": service.name,
        "description": f"Serves the model {service.model_name}",
        "type": "application",
        "version": CHART_VERSION,
        "appVersion": _image_values(image)["tag"] or service.spec.model.version,
    }
    values = _values(service, objects, deployment)
    files = {"Chart.yaml": dump_objects([chart]), "values.yaml": dump_objects([values])}
    scaled = _scaler(objects) is not None
    return {**files, **{f"templates/{file_stem(one)}.yaml": _template(one, scaled) for one in objects}}


def _values(
    service: ModelService, objects: Sequence[Mapping[str, Any]], deployment: Mapping[str, Any]
) -> dict[str, Any]:
    pod = deployment["spec"]["template"]["spec"]
    scaler = _scaler(objects)
    values: dict[str, Any] = {
        "image": _image_values(pod["containers"][0]["image"]),
        "replicaCount": service.spec.replicas,
    }
    if scaler is not None:
        bounds = {name: scaler["spec"][name] for name in _BOUNDS}
        values |= {"replicaCount": bounds["minReplicas"], "autoscaling": {"enabled": True, **bounds}}
    values["resources"] = pod["containers"][0]["resources"]
    return {**values, **{name: pod.get(name, empty) for name, empty in _OPTIONAL.items()}}


def _scaler(objects: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((one for one in objects if one["kind"] == "HorizontalPodAutoscaler"), None)


def _image_values(image: str) -> dict[str, str]:
    match = _IMAGE.fullmatch(image)
    assert match is not None
    return {name: match[name] or "" for name in ("repository", "tag", "digest")}


def _template(value: Mapping[str, Any], scaled: bool) -> str:
    """One object's template."""
    text = dump_objects([ordered(_marked(value))]).replace("{{", '{{ "{{" }}')
    text = _LINE.sub(lambda match: _hole(match["indent"], match["key"], match["name"], scaled), text)
    if value["kind"] == "HorizontalPodAutoscaler":
        return f"{{{{- if {_SCALED} }}}}\n{text}{{{{- end }}}}\n"
    return text


def _marked(value: Mapping[str, Any]) -> dict[str, Any]:
    """The object with marks for holes, and without a namespace: that is the release's."""
    metadata = {key: item for key, item in value["metadata"].items() if key != "namespace"}
    marked: dict[str, Any] = {**value, "metadata": metadata}
    if value["kind"] == "HorizontalPodAutoscaler":
        marked["spec"] = {**value["spec"], **{name: f"{_MARK}-autoscaling.{name}" for name in _BOUNDS}}
    if value["kind"] == "Deployment":
        template = value["spec"]["template"]
        holes = {name: f"{_MARK}-{name}" for name in ("image", "resources")}
        pod = {
            **template["spec"],
            **{name: f"{_MARK}-{name}" for name in _OPTIONAL},
            "containers": [{**template["spec"]["containers"][0], **holes}],
        }
        marked["spec"] = {
            **value["spec"],
            "replicas": f"{_MARK}-replicaCount",
            "template": {**template, "spec": pod},
        }
    return marked


def _hole(indent: str, key: str, name: str, scaled: bool) -> str:
    """The template's lines for one mark."""
    plain = f"{key}: {{{{ .Values.{name} }}}}"
    if name == "image":
        parts = "{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}"
        lines = [f'{key}: "{{{{ with .Values.image }}}}{parts}{{{{ end }}}}"']
    elif name == "replicaCount" and scaled:
        lines = [f"{{{{- if not {_SCALED} }}}}", plain, "{{- end }}"]
    elif name == "priorityClassName":
        lines = [f"{{{{- with .Values.{name} }}}}", f"{key}: {{{{ . }}}}", "{{- end }}"]
    elif name == "resources" or name in _OPTIONAL:
        inner = f"  {{{{- toYaml . | nindent {len(indent) + 2} }}}}"
        lines = [f"{{{{- with .Values.{name} }}}}", f"{key}:", inner, "{{- end }}"]
    else:
        lines = [plain]
    return "".join(f"{indent}{line}\n" for line in lines)
