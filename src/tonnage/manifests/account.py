"""The ServiceAccount: an identity of the service's own, without a token in its pods."""

from __future__ import annotations

from typing import Final

from lightkube.models import core_v1

from tonnage.manifests.names import metadata
from tonnage.spec.service import ModelService

API_VERSION: Final = "v1"


def service_account(service: ModelService) -> core_v1.ServiceAccount | None:
    """The account that the pods run as; None where the document names one that exists.

    The server asks the API server nothing, so a token could only be stolen.
    """
    if service.spec.scheduling.service_account_name is not None:
        return None
    return core_v1.ServiceAccount(
        apiVersion=API_VERSION,
        kind="ServiceAccount",
        metadata=metadata(service),
        automountServiceAccountToken=False,
    )
