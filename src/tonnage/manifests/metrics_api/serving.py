"""The Deployment that answers, with its Service, its budget, its settings and its NetworkPolicy.

Two replicas on two nodes where there are two: each reads all pods by itself and answers alone, so one may go
at any time. Without an answer the HPA holds every service's replicas where they are.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from lightkube.models import apps_v1, core_v1, meta_v1, networking_v1, policy_v1

from tonnage.manifests import security
from tonnage.manifests.files import json_text
from tonnage.manifests.metrics_api.identity import (
    NAME,
    PORT,
    PORT_NAME,
    MetricsApi,
    labels,
    metadata,
    selector_labels,
)
from tonnage.manifests.metrics_api.registration import SECRET, SERVICE_PORT
from tonnage.manifests.settings import HASH_ANNOTATION, SETTINGS_FOLDER, SETTINGS_VOLUME

REPLICAS: Final = 2
CONFIG_FILE: Final = "metrics-api.json"
CONFIG_NAME: Final = f"{NAME}-settings"
TLS_VOLUME: Final = "tls"
TLS_FOLDER: Final = "/etc/tonnage-tls"
COMMAND: Final = ("tonnage", "metrics-api", "--config", f"{SETTINGS_FOLDER}/{CONFIG_FILE}")
GRACE_S: Final = 20
CPU: Final = ("100m", "1")
"""Requested and at most: 1,000 pods every 5 s take a part of a core, and reading pages does not wait well."""
MEMORY: Final = "256Mi"
PROBE_TIMEOUT_S: Final = 2
"""For a TLS handshake and an answer; no probe is asked more often."""


def serving(wanted: MetricsApi) -> list[dict[str, Any]]:
    """The objects, as plain data."""
    config = core_v1.ConfigMap(
        apiVersion="v1",
        kind="ConfigMap",
        metadata=metadata(CONFIG_NAME, wanted.namespace),
        data={CONFIG_FILE: _settings_text(wanted)},
    )
    return [
        one.to_dict()
        for one in (config, _network(wanted), _service(wanted), _deployment(wanted), _budget(wanted))
    ]


def _settings_text(wanted: MetricsApi) -> str:
    """Its settings: where it listens, who it is and how it proves that; the rest is its own defaults."""
    return json_text(
        {
            "port": PORT,
            "certificate": f"{TLS_FOLDER}/tls.crt",
            "key": f"{TLS_FOLDER}/tls.key",
            "service": f"{wanted.namespace}/{NAME}",
        }
    )


def _settings_hash(wanted: MetricsApi) -> str:
    return hashlib.sha256(_settings_text(wanted).encode()).hexdigest()


def _service(wanted: MetricsApi) -> core_v1.Service:
    port = core_v1.ServicePort(name=PORT_NAME, port=SERVICE_PORT, targetPort=PORT_NAME)
    return core_v1.Service(
        apiVersion="v1",
        kind="Service",
        metadata=metadata(namespace=wanted.namespace),
        spec=core_v1.ServiceSpec(selector=selector_labels(), ports=[port]),
    )


def _deployment(wanted: MetricsApi) -> apps_v1.Deployment:
    return apps_v1.Deployment(
        apiVersion="apps/v1",
        kind="Deployment",
        metadata=metadata(namespace=wanted.namespace),
        spec=apps_v1.DeploymentSpec(
            replicas=REPLICAS,
            selector=meta_v1.LabelSelector(matchLabels=selector_labels()),
            strategy=apps_v1.DeploymentStrategy(
                type="RollingUpdate",
                rollingUpdate=apps_v1.RollingUpdateDeployment(maxSurge=1, maxUnavailable=0),
            ),
            template=core_v1.PodTemplateSpec(
                metadata=meta_v1.ObjectMeta(
                    labels=labels(),
                    annotations={HASH_ANNOTATION: _settings_hash(wanted)},
                ),
                spec=_pod(wanted),
            ),
        ),
    )


def _pod(wanted: MetricsApi) -> core_v1.PodSpec:
    own = meta_v1.LabelSelector(matchLabels=selector_labels())
    term = core_v1.PodAffinityTerm(topologyKey="kubernetes.io/hostname", labelSelector=own)
    apart = core_v1.PodAntiAffinity(
        preferredDuringSchedulingIgnoredDuringExecution=[
            core_v1.WeightedPodAffinityTerm(weight=100, podAffinityTerm=term)
        ]
    )
    return core_v1.PodSpec(
        affinity=core_v1.Affinity(podAntiAffinity=apart),
        automountServiceAccountToken=True,
        containers=[_container(wanted)],
        enableServiceLinks=False,
        priorityClassName="system-cluster-critical",
        securityContext=security.pod_security(),
        serviceAccountName=NAME,
        terminationGracePeriodSeconds=GRACE_S,
        volumes=[
            core_v1.Volume(
                name=SETTINGS_VOLUME, configMap=core_v1.ConfigMapVolumeSource(name=CONFIG_NAME)
            ),
            core_v1.Volume(name=TLS_VOLUME, secret=core_v1.SecretVolumeSource(secretName=SECRET)),
            security.tmp_volume(),
        ],
    )


def _container(wanted: MetricsApi) -> core_v1.Container:
    return core_v1.Container(
        name="metrics-api",
        image=wanted.image,
        command=list(COMMAND),
        env=[security.home()],
        ports=[core_v1.ContainerPort(name=PORT_NAME, containerPort=PORT)],
        resources=core_v1.ResourceRequirements(
            requests={"cpu": CPU[0], "memory": MEMORY}, limits={"cpu": CPU[1], "memory": MEMORY}
        ),
        startupProbe=_probe("/readyz", period_s=2, failures=30),
        readinessProbe=_probe("/readyz", period_s=5, failures=3),
        livenessProbe=_probe("/livez", period_s=10, failures=6),
        securityContext=security.container_security(),
        volumeMounts=[
            core_v1.VolumeMount(name=SETTINGS_VOLUME, mountPath=SETTINGS_FOLDER, readOnly=True),
            core_v1.VolumeMount(name=TLS_VOLUME, mountPath=TLS_FOLDER, readOnly=True),
            security.tmp_mount(),
        ],
    )


def _probe(path: str, *, period_s: int, failures: int) -> core_v1.Probe:
    return core_v1.Probe(
        httpGet=core_v1.HTTPGetAction(path=path, port=PORT_NAME, scheme="HTTPS"),
        failureThreshold=failures,
        periodSeconds=period_s,
        timeoutSeconds=PROBE_TIMEOUT_S,
    )


def _budget(wanted: MetricsApi) -> policy_v1.PodDisruptionBudget:
    return policy_v1.PodDisruptionBudget(
        apiVersion="policy/v1",
        kind="PodDisruptionBudget",
        metadata=metadata(namespace=wanted.namespace),
        spec=policy_v1.PodDisruptionBudgetSpec(
            maxUnavailable=1,
            selector=meta_v1.LabelSelector(matchLabels=selector_labels()),
            unhealthyPodEvictionPolicy="AlwaysAllow",
        ),
    )


def _network(wanted: MetricsApi) -> networking_v1.NetworkPolicy:
    """Anyone may ask on its one port (the API server has no label); it asks pods on any port they have."""
    port = networking_v1.NetworkPolicyPort(port=PORT_NAME, protocol="TCP")
    return networking_v1.NetworkPolicy(
        apiVersion="networking.k8s.io/v1",
        kind="NetworkPolicy",
        metadata=metadata(namespace=wanted.namespace),
        spec=networking_v1.NetworkPolicySpec(
            podSelector=meta_v1.LabelSelector(matchLabels=selector_labels()),
            policyTypes=["Ingress"],
            ingress=[networking_v1.NetworkPolicyIngressRule(ports=[port])],
        ),
    )
