"""How a document reaches its pods: as the server's settings, in a ConfigMap that a pod reads at its start.

The image holds code and, at ``/model``, the document's folder (baked in, or mounted from an image of its
own); paths in the document are relative to its folder there as here. The ConfigMap holds the rest, word for
word what ``tonnage serve`` would run with. The pod template carries its hash, so that a change of settings is
a rollout and never something that half of the replicas know.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from lightkube.models import core_v1

from tonnage.errors import Problem
from tonnage.manifests.names import metadata
from tonnage.manifests.release import Release
from tonnage.spec.server_settings import server_settings
from tonnage.spec.service import ModelService

API_VERSION: Final = "v1"
MODEL_FOLDER: Final = "/model"
"""The document's folder in the pod."""
SETTINGS_FOLDER: Final = "/etc/tonnage"
SETTINGS_FILE: Final = "server.json"
SETTINGS_PATH: Final = f"{SETTINGS_FOLDER}/{SETTINGS_FILE}"
SETTINGS_VOLUME: Final = "settings"
HASH_ANNOTATION: Final = "tonnage.dev/settings-sha256"
HOST: Final = "0.0.0.0"  # noqa: S104  a pod's probes come from outside the pod
BYTES_MAX: Final = 1024 * 1024
"""Of a ConfigMap's data. Source: kubernetes v1.37.2 pkg/apis/core/types.go, MaxSecretSize."""


def settings_problems(service: ModelService, release: Release) -> Iterator[Problem]:
    """Paths that mean nothing in a pod, and settings that no ConfigMap holds."""
    model = service.spec.model
    if model.path.startswith("package:"):
        yield Problem(
            "spec.model.path",
            f"must be a file in the document's folder or of the image, got {model.path}",
            hint="where the package lies in the image is not known here; copy the file beside the document",
        )
    elif model.format != "python" and _is_outside(model.path):
        yield _outside("spec.model.path", model.path)
    for index, folder in enumerate(model.python_path):
        if _is_outside(folder):
            yield _outside(f"spec.model.pythonPath[{index}]", folder)
    size = len(settings_text(service, release).encode())
    if size > BYTES_MAX:
        yield Problem(
            "spec.model.warmup",
            f"must fit a ConfigMap with the other settings ({BYTES_MAX} bytes), got {size}",
            hint="give a smaller sample request",
        )


def settings_text(service: ModelService, release: Release) -> str:
    """The server's settings as its ConfigMap holds them; equal documents give equal bytes.

    Args:
        service: The document.
        release: How it is deployed.
    """
    model = service.spec.model
    path = model.path if model.format == "python" else posixpath.join(MODEL_FOLDER, model.path)
    config = server_settings(
        service,
        model_path=path if model.format == "python" else posixpath.normpath(path),
        base=Path(MODEL_FOLDER),
        warmup_inputs=release.warmup_inputs,
        host=HOST,
    )
    return msgspec.json.format(msgspec.json.encode(config, order="sorted"), indent=2).decode() + "\n"


def settings_hash(service: ModelService, release: Release) -> str:
    """What the pod template says of the settings: SHA-256 in hexadecimal digits."""
    return hashlib.sha256(settings_text(service, release).encode()).hexdigest()


def settings_name(service: ModelService) -> str:
    """Name of the ConfigMap."""
    return f"{service.name}-settings"


def settings_map(service: ModelService, release: Release) -> core_v1.ConfigMap:
    """The ConfigMap."""
    return core_v1.ConfigMap(
        apiVersion=API_VERSION,
        kind="ConfigMap",
        metadata=metadata(service, settings_name(service)),
        data={SETTINGS_FILE: settings_text(service, release)},
    )


def _is_outside(path: str) -> bool:
    """Whether a relative path leaves the document's folder; an absolute one is the image's own."""
    inside = posixpath.normpath(posixpath.join(MODEL_FOLDER, path))
    relative = not path.startswith("/")
    return path.startswith("~") or (relative and f"{inside}/".startswith(f"{MODEL_FOLDER}/") is False)


def _outside(where: str, path: str) -> Problem:
    return Problem(
        where,
        f"must lie in the document's folder, which is {MODEL_FOLDER} in the pod, got {path}",
        hint="or name an absolute path of the image",
    )
