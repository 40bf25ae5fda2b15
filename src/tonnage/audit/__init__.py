"""Finds in Kubernetes objects what hurts services that serve models; findings about values, no I/O."""

from tonnage.audit.finding import SEVERITIES, Change, Finding, Severity
from tonnage.audit.measured import Measured, measured_of
from tonnage.audit.registry import RULES
from tonnage.audit.run import Report, audit

__all__ = [
    "RULES",
    "SEVERITIES",
    "Change",
    "Finding",
    "Measured",
    "Report",
    "Severity",
    "audit",
    "measured_of",
]
