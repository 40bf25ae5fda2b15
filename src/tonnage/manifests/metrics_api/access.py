"""What the metrics API may do in the cluster, and who may ask it: no more than each of them needs.

It reads pods, finds the pods of Services and Deployments, and sees whose the API is; it asks the API server
who may do what (``system:auth-delegator``) and by which certificate the API server itself is known (a
ConfigMap in ``kube-system``). The HPA controller may read metrics, which no default role lets it.

Source: kubernetes v1.37.2 plugin/pkg/auth/authorizer/rbac/bootstrappolicy (policy.go, controller_policy.go,
namespace_policy.go).
"""

from __future__ import annotations

from typing import Any, Final

from lightkube.models import core_v1, rbac_v1

from tonnage.manifests.metrics_api.identity import GROUP, NAME, VERSIONS, MetricsApi, metadata

API_VERSION: Final = "rbac.authorization.k8s.io/v1"
RBAC_GROUP: Final = "rbac.authorization.k8s.io"
READER: Final = f"{NAME}-reader"
CONTROLLERS: Final = "kube-system"
HPA_ACCOUNT: Final = "horizontal-pod-autoscaler"
_WATCH: Final = ("get", "list", "watch")


def roles(wanted: MetricsApi) -> list[dict[str, Any]]:
    """Account, roles and bindings, as plain data."""
    own = rbac_v1.Subject(kind="ServiceAccount", name=NAME, namespace=wanted.namespace)
    hpa = rbac_v1.Subject(kind="ServiceAccount", name=HPA_ACCOUNT, namespace=CONTROLLERS)
    made = (
        core_v1.ServiceAccount(
            apiVersion="v1",
            kind="ServiceAccount",
            metadata=metadata(namespace=wanted.namespace),
            automountServiceAccountToken=False,
        ),
        _role(
            NAME,
            rbac_v1.PolicyRule(apiGroups=[""], resources=["pods", "services"], verbs=list(_WATCH)),
            rbac_v1.PolicyRule(apiGroups=["apps"], resources=["deployments"], verbs=list(_WATCH)),
            rbac_v1.PolicyRule(
                apiGroups=["apiregistration.k8s.io"],
                resources=["apiservices"],
                resourceNames=[f"{version}.{GROUP}" for version in VERSIONS],
                verbs=["get"],
            ),
        ),
        _binding(NAME, NAME, own),
        _binding(f"{NAME}-auth-delegator", "system:auth-delegator", own),
        rbac_v1.RoleBinding(
            apiVersion=API_VERSION,
            kind="RoleBinding",
            metadata=metadata(f"{NAME}-auth-reader", CONTROLLERS),
            roleRef=rbac_v1.RoleRef(
                apiGroup=RBAC_GROUP, kind="Role", name="extension-apiserver-authentication-reader"
            ),
            subjects=[own],
        ),
        _role(READER, rbac_v1.PolicyRule(apiGroups=[GROUP], resources=["*"], verbs=["get", "list"])),
        _binding(f"{READER}-hpa", READER, hpa),
    )
    return [one.to_dict() for one in made]


def _role(name: str, *rules: rbac_v1.PolicyRule) -> rbac_v1.ClusterRole:
    return rbac_v1.ClusterRole(
        apiVersion=API_VERSION, kind="ClusterRole", metadata=metadata(name), rules=list(rules)
    )


def _binding(name: str, role: str, subject: rbac_v1.Subject) -> rbac_v1.ClusterRoleBinding:
    return rbac_v1.ClusterRoleBinding(
        apiVersion=API_VERSION,
        kind="ClusterRoleBinding",
        metadata=metadata(name),
        roleRef=rbac_v1.RoleRef(apiGroup=RBAC_GROUP, kind="ClusterRole", name=role),
        subjects=[subject],
    )
