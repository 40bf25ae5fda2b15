"""Reads a HorizontalPodAutoscaler from Kubernetes' JSON, with the API server's defaulting and validation."""

from __future__ import annotations

from collections.abc import Mapping

from tonnage.hpa.spec import Hpa


def hpa_from_object(document: Mapping[str, object]) -> Hpa:
    """Reads an ``autoscaling/v2`` or ``autoscaling/v1`` HorizontalPodAutoscaler.

    Args:
        document: The object as parsed from JSON or YAML.

    Returns:
        Its spec after defaulting.

    Raises:
        SpecError: The API server would refuse it, or a part of it is not modelled; carries all problems.
    """
    raise NotImplementedError
