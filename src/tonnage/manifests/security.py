"""What a container may not do: everything that the Pod Security Standard ``restricted`` forbids, and writing.

The user is the image's own and must not be root; it is not named here, because some clusters (OpenShift)
give each namespace its own. The root file system is read-only, with an empty ``/tmp``.

Source: kubernetes v1.37.2, k8s.io/pod-security-admission/policy (the checks of level restricted).
"""

from __future__ import annotations

from typing import Final

from lightkube.models import core_v1

TMP: Final = "tmp"
TMP_PATH: Final = "/tmp"  # noqa: S108  a volume of the pod's own
RESTRICTED_LABELS: Final = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
}
"""Labels of a namespace that admits nothing less."""


def pod_security() -> core_v1.PodSecurityContext:
    """For the pod: not root, and the runtime's own filter of system calls."""
    return core_v1.PodSecurityContext(
        runAsNonRoot=True, seccompProfile=core_v1.SeccompProfile(type="RuntimeDefault")
    )


def container_security() -> core_v1.SecurityContext:
    """For a container: no way to more rights, and nothing to write but volumes."""
    return core_v1.SecurityContext(
        allowPrivilegeEscalation=False,
        capabilities=core_v1.Capabilities(drop=["ALL"]),
        readOnlyRootFilesystem=True,
    )


def tmp_volume() -> core_v1.Volume:
    """The one folder that can be written; it ends with the pod."""
    return core_v1.Volume(name=TMP, emptyDir=core_v1.EmptyDirVolumeSource())


def tmp_mount() -> core_v1.VolumeMount:
    """Where it is."""
    return core_v1.VolumeMount(name=TMP, mountPath=TMP_PATH)


def home() -> core_v1.EnvVar:
    """Libraries that keep a cache look for HOME, which a user without an entry in passwd does not have."""
    return core_v1.EnvVar(name="HOME", value=TMP_PATH)
