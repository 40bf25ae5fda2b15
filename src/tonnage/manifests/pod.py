"""The pod that a replica is: one container with its resources, ports, probes, settings and time to end.

There is no preStop hook, because the server itself goes on serving for ``spec.server.lameDuck`` after SIGTERM
while endpoints go away, and refuses nothing meanwhile; a hook would only take that time twice.
``terminationGracePeriodSeconds`` covers that and the drain.
"""

from __future__ import annotations

from typing import Final

from lightkube.models import core_v1, meta_v1

from tonnage.contract import autoscaling, endpoints
from tonnage.manifests import placement, probes, security, settings
from tonnage.manifests.autoscaler import sustainable_in_flight
from tonnage.manifests.claims import CLAIM, pod_claims
from tonnage.manifests.gpu import resource_name
from tonnage.manifests.names import CONTAINER, GRPC_PORT_NAME, HTTP_PORT_NAME, labels
from tonnage.manifests.release import Release
from tonnage.manifests.shared_memory import shared_memory_mount, shared_memory_volume
from tonnage.profile import ModelProfile
from tonnage.spec.service import ModelService

COMMAND: Final = ("python", "-m", "tonnage.server", "--config", settings.SETTINGS_PATH)
"""What a replica runs, whatever entry point its image has."""
MODEL_VOLUME: Final = "model"


def resources(service: ModelService, *, claimed: bool) -> core_v1.ResourceRequirements:
    """Requests and limits; GPUs are whole, and their request equals their limit as Kubernetes demands.

    Args:
        service: The document.
        claimed: Whether devices of dynamic resource allocation are claimed, or are asked for by the name of
            an extended resource.
    """
    wanted = service.spec.resources
    by_claim = claimed and wanted.gpu is not None and wanted.gpu.allocation == "dra"
    gpus = (
        {resource_name(wanted.gpu): str(wanted.gpu.count)} if wanted.gpu is not None and not by_claim else {}
    )
    return core_v1.ResourceRequirements(
        claims=[core_v1.ResourceClaim(name=CLAIM)] if by_claim else None,
        requests={"cpu": str(wanted.cpu), "memory": str(wanted.memory), **gpus},
        limits={"cpu": str(wanted.cpu_limit), "memory": str(wanted.memory_limit), **gpus},
    )


def _ports(service: ModelService) -> list[core_v1.ContainerPort]:
    server = service.spec.server
    found = [core_v1.ContainerPort(name=HTTP_PORT_NAME, containerPort=server.port)]
    if server.grpc_port is not None:
        found.append(core_v1.ContainerPort(name=GRPC_PORT_NAME, containerPort=server.grpc_port))
    return found


def pod_template(
    service: ModelService, profile: ModelProfile | None, *, image: str, release: Release | None
) -> core_v1.PodTemplateSpec:
    """The template of a replica's pod.

    Args:
        service: The document.
        profile: What was measured, for the startup probe; None for nothing.
        image: The container image.
        release: How it is deployed; None leaves out what neither schedules nor scales.
    """
    spec = service.spec
    container = core_v1.Container(
        name=CONTAINER,
        image=image,
        ports=_ports(service),
        resources=resources(service, claimed=release is not None),
        startupProbe=probes.startup_probe(spec.probes, profile),
        readinessProbe=probes.readiness_probe(spec.probes),
        livenessProbe=probes.liveness_probe(spec.probes),
    )
    pull_secrets = [core_v1.LocalObjectReference(name=name) for name in spec.image_pull_secrets]
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(
            labels=labels(service), annotations=dict(service.metadata.annotations) or None
        ),
        spec=core_v1.PodSpec(
            containers=[container],
            affinity=placement.affinity(service),
            automountServiceAccountToken=None if spec.scheduling.service_account_name else False,
            imagePullSecrets=pull_secrets or None,
            nodeSelector=placement.node_selector(spec.scheduling.node_selector, spec.resources.gpu),
            priorityClassName=spec.scheduling.priority_class_name,
            runtimeClassName=spec.scheduling.runtime_class_name,
            serviceAccountName=spec.scheduling.service_account_name,
            terminationGracePeriodSeconds=round(spec.server.grace_period.seconds),
            tolerations=placement.tolerations(spec.scheduling.tolerations, spec.resources.gpu),
            topologySpreadConstraints=placement.spread(service),
        ),
    )
    if release is not None:
        _release(template, service, profile, release)
    return template


def _release(
    template: core_v1.PodTemplateSpec, service: ModelService, profile: ModelProfile | None, release: Release
) -> None:
    """Adds what a pod needs to run: command, settings, model, identity, and what it may not do."""
    assert template.spec is not None
    assert template.metadata is not None
    pod, container = template.spec, template.spec.containers[0]
    template.metadata.annotations = {
        **_metrics_annotations(service, profile),
        **(template.metadata.annotations or {}),
        settings.HASH_ANNOTATION: settings.settings_hash(service, release),
    }
    pod.serviceAccountName = service.spec.scheduling.service_account_name or service.name
    pod.enableServiceLinks = False  # they would be hundreds of variables where a namespace is large
    pod.securityContext = security.pod_security()
    pod.resourceClaims = pod_claims(service)
    pod.volumes = _volumes(service, release)
    container.command = list(COMMAND)
    container.env = [security.home()]
    container.securityContext = security.container_security()
    container.volumeMounts = _mounts(release)
    shared = shared_memory_volume(service)
    if shared is not None:
        pod.volumes.append(shared)
        container.volumeMounts.append(shared_memory_mount())


def _metrics_annotations(service: ModelService, profile: ModelProfile | None) -> dict[str, str]:
    """What the metrics API must be told of a pod: another port than the usual, and how much it sustains."""
    found = {}
    if service.spec.server.port != endpoints.HTTP_PORT:
        found[autoscaling.PORT_ANNOTATION] = str(service.spec.server.port)
    sustainable = sustainable_in_flight(profile)
    if sustainable is not None:
        found[autoscaling.SUSTAINABLE_ANNOTATION] = repr(float(sustainable))
    return found


def _volumes(service: ModelService, release: Release) -> list[core_v1.Volume]:
    source = core_v1.ConfigMapVolumeSource(name=settings.settings_name(service))
    volumes = [core_v1.Volume(name=settings.SETTINGS_VOLUME, configMap=source), security.tmp_volume()]
    if release.model_image is not None:
        image = core_v1.ImageVolumeSource(reference=release.model_image)
        volumes.append(core_v1.Volume(name=MODEL_VOLUME, image=image))
    return volumes


def _mounts(release: Release) -> list[core_v1.VolumeMount]:
    mounts = [
        core_v1.VolumeMount(name=settings.SETTINGS_VOLUME, mountPath=settings.SETTINGS_FOLDER, readOnly=True),
        security.tmp_mount(),
    ]
    if release.model_image is not None:
        mounts.append(core_v1.VolumeMount(name=MODEL_VOLUME, mountPath=settings.MODEL_FOLDER, readOnly=True))
    return mounts
