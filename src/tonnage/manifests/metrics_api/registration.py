"""How the API server finds the metrics API and knows it: two APIServices, and a certificate.

With a CA bundle the user brings the Secret. Without one, cert-manager issues a certificate that signs itself,
renews it, and puts its authority into the APIServices; the running pods read what is new by themselves.

Source: kube-aggregator v0.37.2 pkg/apis/apiregistration/v1/types.go (group priority, version priority).
Source: cert-manager docs, reference/annotations (``cert-manager.io/inject-ca-from``).
"""

from __future__ import annotations

from typing import Any, Final

from lightkube.models import apiregistration_v1 as registration

from tonnage.manifests.metrics_api.identity import GROUP, NAME, VERSIONS, MetricsApi, labels, metadata

API_VERSION: Final = "apiregistration.k8s.io/v1"
SECRET: Final = f"{NAME}-tls"
SERVICE_PORT: Final = 443
INJECT_ANNOTATION: Final = "cert-manager.io/inject-ca-from"
CERT_MANAGER_VERSION: Final = "cert-manager.io/v1"
GROUP_PRIORITY: Final = 100
VERSION_PRIORITY_MAX: Final = 200


def registrations(wanted: MetricsApi) -> list[dict[str, Any]]:
    """The APIServices, as plain data."""
    return [_registration(wanted, place, version) for place, version in enumerate(VERSIONS)]


def _registration(wanted: MetricsApi, place: int, version: str) -> dict[str, Any]:
    made = metadata(f"{version}.{GROUP}")
    if wanted.ca_bundle is None:
        made.annotations = {INJECT_ANNOTATION: f"{wanted.namespace}/{NAME}"}
    service = registration.ServiceReference(name=NAME, namespace=wanted.namespace, port=SERVICE_PORT)
    spec = registration.APIServiceSpec(
        caBundle=wanted.ca_bundle,
        group=GROUP,
        groupPriorityMinimum=GROUP_PRIORITY,
        service=service,
        version=version,
        versionPriority=VERSION_PRIORITY_MAX - 100 * place,
    )
    return registration.APIService(
        apiVersion=API_VERSION, kind="APIService", metadata=made, spec=spec
    ).to_dict()


def certificates(wanted: MetricsApi) -> list[dict[str, Any]]:
    """What cert-manager needs to issue the certificate; nothing where the user brings it."""
    if wanted.ca_bundle is not None:
        return []
    head = {"name": NAME, "namespace": wanted.namespace, "labels": labels()}
    host = f"{NAME}.{wanted.namespace}.svc"
    issuer = {
        "apiVersion": CERT_MANAGER_VERSION,
        "kind": "Issuer",
        "metadata": head,
        "spec": {"selfSigned": {}},
    }
    certificate = {
        "apiVersion": CERT_MANAGER_VERSION,
        "kind": "Certificate",
        "metadata": head,
        "spec": {
            "secretName": SECRET,
            "dnsNames": [host, f"{host}.cluster.local"],
            "issuerRef": {"kind": "Issuer", "name": NAME},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
            "usages": ["digital signature", "server auth"],
        },
    }
    return [issuer, certificate]
