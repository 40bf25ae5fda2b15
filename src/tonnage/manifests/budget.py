"""The PodDisruptionBudget: how many replicas a drain of nodes may take at once."""

from __future__ import annotations

from typing import Final

from lightkube.models import meta_v1, policy_v1

from tonnage.manifests.names import metadata, selector_labels
from tonnage.spec.service import ModelService

API_VERSION: Final = "policy/v1"
UNAVAILABLE_MAX: Final = "10%"
"""A share, so that fifty replicas are not drained one by one; it is rounded up, so that one may always go and
no drain waits for ever, not even for a service of one replica.

Source: kubernetes v1.37.2 pkg/controller/disruption/disruption.go, getExpectedPodCount.
"""


def disruption_budget(service: ModelService) -> policy_v1.PodDisruptionBudget:
    """The budget of a service.

    A replica that is not ready carries no load: ``AlwaysAllow`` lets it go whatever the budget says, so that
    a model that never loads, or takes minutes to, does not block the drain of its node.
    """
    return policy_v1.PodDisruptionBudget(
        apiVersion=API_VERSION,
        kind="PodDisruptionBudget",
        metadata=metadata(service),
        spec=policy_v1.PodDisruptionBudgetSpec(
            maxUnavailable=UNAVAILABLE_MAX,
            selector=meta_v1.LabelSelector(matchLabels=selector_labels(service)),
            unhealthyPodEvictionPolicy="AlwaysAllow",
        ),
    )
