"""The pod that a replica is: one container with its resources, ports, probes and time to end.

The image's own entry point serves the document. There is no preStop hook, because the server itself goes on
serving for ``spec.server.lameDuck`` after SIGTERM while endpoints go away; ``terminationGracePeriodSeconds``
covers that and the drain.
"""

from __future__ import annotations

from lightkube.models import core_v1, meta_v1

from tonnage.manifests import placement, probes
from tonnage.manifests.gpu import resource_name
from tonnage.manifests.names import CONTAINER, GRPC_PORT_NAME, HTTP_PORT_NAME, labels
from tonnage.profile import ModelProfile
from tonnage.spec.service import ModelService


def resources(service: ModelService) -> core_v1.ResourceRequirements:
    """Requests and limits; GPUs are whole, and their request equals their limit as Kubernetes demands."""
    wanted = service.spec.resources
    gpus = {resource_name(wanted.gpu): str(wanted.gpu.count)} if wanted.gpu is not None else {}
    return core_v1.ResourceRequirements(
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
    service: ModelService, profile: ModelProfile | None, *, image: str
) -> core_v1.PodTemplateSpec:
    """The template of a replica's pod.

    Args:
        service: The document.
        profile: What was measured, for the startup probe; None for nothing.
        image: The container image.
    """
    spec = service.spec
    container = core_v1.Container(
        name=CONTAINER,
        image=image,
        ports=_ports(service),
        resources=resources(service),
        startupProbe=probes.startup_probe(spec.probes, profile),
        readinessProbe=probes.readiness_probe(spec.probes),
        livenessProbe=probes.liveness_probe(spec.probes),
    )
    pull_secrets = [core_v1.LocalObjectReference(name=name) for name in spec.image_pull_secrets]
    return core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(
            labels=labels(service), annotations=dict(service.metadata.annotations) or None
        ),
        spec=core_v1.PodSpec(
            containers=[container],
            affinity=placement.affinity(service),
            automountServiceAccountToken=None if spec.scheduling.service_account_name else False,
            imagePullSecrets=pull_secrets or None,
            nodeSelector=placement.node_selector(service),
            priorityClassName=spec.scheduling.priority_class_name,
            runtimeClassName=spec.scheduling.runtime_class_name,
            serviceAccountName=spec.scheduling.service_account_name,
            terminationGracePeriodSeconds=round(spec.server.grace_period.seconds),
            tolerations=placement.tolerations(service),
            topologySpreadConstraints=placement.spread(service),
        ),
    )
