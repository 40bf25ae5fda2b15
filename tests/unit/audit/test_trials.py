"""The twin shows faults happening: every trial, as the objects are and repaired."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tonnage.audit import RULES, audit, measured_of
from tonnage.audit.trials import Known, proved
from tonnage.audit.trials.run import TRIALS, TRIALS_MAX
from tonnage.kube.objects import read_objects
from tonnage.profile import parse_profile

ROOT = Path(__file__).parents[3]
WELL_MADE = (Path(__file__).parent / "well_made.yaml").read_text()
PROFILE = ROOT / "tests" / "golden" / "load-metric" / "profile.json"
IN_FLIGHT = """\
  - type: Pods
    pods:
      metric: {name: requests_in_flight}
      target: {type: AverageValue, averageValue: "4"}
"""
DIVIDED = """\
  - type: External
    external:
      metric: {name: request_latency_p95}
      target: {type: AverageValue, averageValue: 200m}
"""
TOO_LOW = IN_FLIGHT.replace("requests_in_flight", "inference_latency_p99").replace('"4"', "6m")
NODES = """\
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}}
status: {allocatable: {cpu: 64, memory: 512Gi, nvidia.com/gpu: 4}}
"""
SELECTOR = "  selector:\n    matchLabels: {app.kubernetes.io/name: ranker}\n  strategy"
FAULTS = {
    "TNG020": ("{key: nvidia.com/gpu, operator", "{key: somebody.else/gpu, operator"),
    "TNG033": ("periodSeconds: 5, failureThreshold: 60", "periodSeconds: 5, failureThreshold: 2"),
    "TNG034": ("periodSeconds: 5, failureThreshold: 60", "periodSeconds: 5, failureThreshold: 6"),
    "TNG036": ("http}, timeoutSeconds: 5", "http}, periodSeconds: 5, failureThreshold: 2"),
    "TNG040": ("maxSurge: 0, maxUnavailable: 1", "maxSurge: 1, maxUnavailable: 0"),
    "TNG041": ("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 30"),
    "TNG042": ("        lifecycle: {preStop: {sleep: {seconds: 5}}}\n", ""),
    "TNG045": ("rollingUpdate: {maxSurge: 0, maxUnavailable: 1}", "type: Recreate"),
    "TNG054": ("maxUnavailable: 1\n  unhealthy", "maxUnavailable: 0\n  unhealthy"),
    "TNG060": (SELECTOR, f"  replicas: 3\n{SELECTOR}"),
    "TNG062": (IN_FLIGHT, TOO_LOW),
    "TNG065": ("stabilizationWindowSeconds: 300", "stabilizationWindowSeconds: 0"),
    "TNG066": ("minReplicas: 3", "minReplicas: 1"),
    "TNG067": ("maxReplicas: 12", "maxReplicas: 12"),
    "TNG074": ("stabilizationWindowSeconds: 30,", "stabilizationWindowSeconds: 300,"),
    "TNG076": (IN_FLIGHT, DIVIDED),
}
SHOWN = {
    "TNG020": lambda found, good: found["ready"] == 0 and good["ready"] == 3,
    "TNG033": lambda found, good: found["killed"] > 3 and found["ready"] == 0 < good["ready"],
    "TNG034": lambda found, good: found["killed"] > 3 and found["ready"] == 0 < good["ready"],
    "TNG036": lambda found, good: found["killed"] > 0 == good["killed"],
    "TNG040": lambda found, good: found["replaced"] == 0 and good["rolloutSeconds"] > 0,
    "TNG041": lambda found, good: found["failed"] > 0 == good["failed"],
    "TNG042": lambda found, good: found["failed"] > 0 == good["failed"],
    "TNG045": lambda found, good: found["noneReadySeconds"] > 60 and good["readyMin"] == 2,
    "TNG054": lambda found, good: found["podsKept"] == 1 and good["podsKept"] == 0,
    "TNG060": lambda found, good: found["p99Seconds"] > 5 * good["p99Seconds"],
    "TNG062": lambda found, good: found["replicasLast"] == 12 and good["replicasLast"] == 3,
    "TNG065": lambda found, good: found["turns"] > good["turns"],
    "TNG066": lambda found, good: found["noneReadySeconds"] > 0 == good["noneReadySeconds"],
    "TNG067": lambda found, good: found["pendingMax"] > 0 and found["p99Seconds"] > good["p99Seconds"],
    "TNG074": lambda found, good: found["firstChangeSeconds"] > 3 * good["firstChangeSeconds"],
    "TNG076": lambda found, good: found["replicasLast"] < good["replicasLast"],
}
MEASURED = {"TNG033", "TNG041", "TNG062"}
MANY_GPUS = {"TNG067"}


def told(code, text, known=None):
    """The report with only the findings of a rule, tried."""
    objects, problems = read_objects(text, source="in.yaml")
    assert problems == []
    known = known or Known()
    measured = measured_of(known.profile) if known.profile is not None else None
    report = audit(objects, measured=measured)
    report = dataclasses.replace(report, findings=tuple(one for one in report.findings if one.code == code))
    assert report.findings
    return proved(report, objects, known)


def case(code):
    before, after = FAULTS[code]
    assert before in WELL_MADE
    text = WELL_MADE.replace(before, after, 1) + (NODES if code in MANY_GPUS else "")
    if code not in MEASURED:
        return text, Known()
    if code == "TNG041":
        written = json.loads(PROFILE.read_text())
        written["batches"][-1]["steadySeconds"]["samples"][-1] = 45.0
        return text, known_by(json.dumps(written))
    return text, known_by(PROFILE.read_text())


def known_by(text):
    return Known(profile=parse_profile(text, source="profile.json"), profile_text=text)


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_the_fault_happens_and_the_repair_ends_it(code):
    """A run of the objects as they are shows the fault, and one of the repaired objects does not."""
    proof = told(code, *case(code))
    assert proof.notes == ()
    (finding,) = proof.report.findings
    evidence = finding.evidence
    assert evidence is not None
    assert SHOWN[code](evidence.numbers, evidence.numbers_repaired), evidence
    assert "\n" not in evidence.tried + evidence.found + evidence.repaired


def test_every_trial_belongs_to_a_rule_and_is_tested():
    """No trial is left without its rule, and none without a test here; TNG024 shares that of TNG067."""
    assert set(TRIALS) <= {rule.code for rule in RULES}
    assert set(TRIALS) == {*FAULTS, "TNG024"}


def test_the_same_objects_give_the_same_evidence():
    """Two audits agree in every number."""
    first, second = (told("TNG042", *case("TNG042")).report.findings[0] for _ in range(2))
    assert first.to_document() == second.to_document()


def test_what_was_assumed_is_told():
    """Without a profile the times of a request and of a start are named as assumptions."""
    (finding,) = told("TNG040", *case("TNG040")).report.findings
    assert "a request takes 20 ms, one after the other" in finding.evidence.assumed
    assert "a start takes 2 min" in finding.evidence.assumed


def test_what_is_said_goes_before_what_is_assumed():
    """A rate and a time of a request are those of the trial."""
    known = Known(service_time_s=0.1, rate_per_s=7.0)
    (finding,) = told("TNG040", case("TNG040")[0], known).report.findings
    assert "at 7 requests/s" in finding.evidence.tried
    assert not any("request takes" in one for one in finding.evidence.assumed)


@pytest.mark.parametrize(
    ("code", "text", "why"),
    [
        ("TNG074", case("TNG074")[0].replace("requests_in_flight", "wobble"), "--metric NAME=MEANING"),
        ("TNG042", case("TNG042")[0].replace("kind: Deployment", "kind: StatefulSet"), "knows Deployments"),
        ("TNG066", case("TNG066")[0].replace("  name: ranker", "  name: other", 1), "no workload"),
    ],
)
def test_why_something_was_not_tried_is_said(code, text, why):
    """A finding that the twin cannot show stays, with the reason beside it."""
    proof = told(code, text)
    assert why in " ".join(proof.notes)
    assert proof.report.findings[0].evidence is None


def test_an_audit_of_many_objects_tries_only_some():
    """More findings than the bound are told and not tried."""
    parts = [case("TNG066")[0].replace("namespace: serving", f"namespace: n{n}") for n in range(TRIALS_MAX + 2)]
    proof = told("TNG066", "---\n".join(parts))
    assert sum(one.evidence is not None for one in proof.report.findings) == TRIALS_MAX
    assert "2 findings more were not simulated" in " ".join(proof.notes)
