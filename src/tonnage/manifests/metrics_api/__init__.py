"""The metrics API's own objects: what a cluster needs once, for the HPAs of all services.

Rendered apart from any service, because the API they register is the cluster's and not a service's.
"""

from __future__ import annotations

from typing import Any, Final

from tonnage.manifests.metrics_api.access import roles
from tonnage.manifests.metrics_api.identity import SYSTEM_NAMESPACE, MetricsApi, namespace
from tonnage.manifests.metrics_api.registration import certificates, registrations
from tonnage.manifests.metrics_api.serving import serving
from tonnage.manifests.order import ordered

__all__: Final = ("SYSTEM_NAMESPACE", "MetricsApi", "metrics_api_objects")


def metrics_api_objects(wanted: MetricsApi) -> tuple[dict[str, Any], ...]:
    """Makes the objects.

    Args:
        wanted: Image, namespace and who vouches for its certificate.

    Returns:
        Objects as plain data, in the order in which to apply them: the registration is the last, so that
        nobody is sent to an API that is not there.
    """
    made = [namespace(wanted).to_dict(), *roles(wanted), *certificates(wanted), *serving(wanted)]
    return tuple(map(ordered, [*made, *registrations(wanted)]))
