"""Our server's settings among the objects: what ``tonnage render`` wrote into a ConfigMap and mounted.

A pod reads them at its start, so they are what it serves by; a ModelService that is given too says the same.
A ConfigMap that is not there, or that another program wrote, tells nothing, and that is no problem here.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tonnage.contract.server_config import ServerConfig
from tonnage.kube.objects import KubeObject
from tonnage.manifests.settings import SETTINGS_FILE


def rendered_settings(deployment: KubeObject, objects: Sequence[KubeObject]) -> ServerConfig | None:
    """The settings that the Deployment's pods mount.

    Args:
        deployment: Of a sound shape.
        objects: Everything that was given.

    Returns:
        None where no ConfigMap of the pods holds settings of our server.
    """
    volumes = deployment.at("spec", "template", "spec", "volumes") or []
    mounted = {(volume.get("configMap") or {}).get("name") for volume in volumes}
    for item in objects:
        if item.kind != "ConfigMap" or item.namespace != deployment.namespace or item.name not in mounted:
            continue
        text = item.at("data", SETTINGS_FILE)
        if isinstance(text, str):
            try:
                return msgspec.json.decode(text, type=ServerConfig)
            except msgspec.DecodeError:
                return None
    return None
