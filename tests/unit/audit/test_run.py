"""An audit as a whole: what is well made gives nothing, what is odd does no harm, excuses hold."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonnage.audit import RULES, Measured, audit
from tonnage.audit.ignoring import excuses_of
from tonnage.kube.objects import KubeObject, Reference, read_objects
from tonnage.kube.text import Document

WELL_MADE = (Path(__file__).parent / "well_made.yaml").read_text()
FACTS = Measured(ready_s_max=90, unloaded_s_p99=0.02, request_s_max=20)


def objects_of(text):
    objects, problems = read_objects(text, source="in.yaml")
    assert problems == []
    return objects


def codes_in(text, **facts):
    return [one.code for one in audit(objects_of(text), **facts).findings]


def test_what_is_well_made_gives_no_finding():
    """No rule finds anything in a service that follows them all, with and without measured facts."""
    assert codes_in(WELL_MADE) == []
    assert codes_in(WELL_MADE, measured=FACTS) == []


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("maxSurge: 0, maxUnavailable: 1", "maxSurge: 1, maxUnavailable: 0", ["TNG040"]),
        ("path: /livez", "path: /health", ["TNG031"]),
        ("maxUnavailable: 1\n  unhealthy", "maxUnavailable: 0\n  unhealthy", ["TNG054"]),
        ("minReplicas: 3", "minReplicas: 1", ["TNG066"]),
        ("name: requests_in_flight}", "name: queries_total}", ["TNG063", "TNG064"]),
        ("ranker:1.4.2", "ranker", ["TNG090"]),
        ("targetPort: http}", "targetPort: web}", ["TNG081"]),
        ("preStop: {sleep: {seconds: 5}}", "preStop: {sleep: {seconds: 60}}", ["TNG043"]),
    ],
)
def test_one_fault_gives_its_finding_and_no_other(before, after, codes):
    """A single change of a well-made service is found by the rule that it breaks."""
    assert before in WELL_MADE
    assert sorted(codes_in(WELL_MADE.replace(before, after, 1))) == codes


def test_measured_facts_are_compared():
    """With a profile, probes, grace and window are judged by what was measured."""
    slow = Measured(ready_s_max=400, request_s_max=120)
    assert sorted(codes_in(WELL_MADE, measured=slow)) == ["TNG033", "TNG041", "TNG065"]


def test_every_finding_knows_its_line():
    """A finding names the line of its field in a later document of the file."""
    (finding,) = audit(objects_of(WELL_MADE.replace("minReplicas: 3", "minReplicas: 1"))).findings
    line = WELL_MADE.splitlines().index("  minReplicas: 3") + 1
    assert (finding.line, finding.path, finding.document) == (line, "spec.minReplicas", 3)
    assert str(finding.object) == "HorizontalPodAutoscaler/ranker"


def test_objects_of_another_namespace_do_not_count():
    """A budget and a Service of another namespace protect and select nothing here."""
    parts = WELL_MADE.split("---\n")
    parts[1] = parts[1].replace("namespace: serving", "namespace: other")
    parts[2] = parts[2].replace("namespace: serving", "namespace: other")
    assert codes_in("---\n".join(parts)) == ["TNG055"]


def test_lists_are_taken_apart():
    """What kubectl prints as a List gives the same findings, with paths inside of the list."""
    values = [item.plain() for item in objects_of(WELL_MADE)]
    values[3]["spec"]["minReplicas"] = 1
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": values})
    (finding,) = audit(objects_of(text)).findings
    assert (finding.code, finding.path) == ("TNG066", "items[3].spec.minReplicas")


def test_an_excuse_with_a_reason_hides_a_finding():
    """The finding is kept beside its reason."""
    bad = WELL_MADE.replace("minReplicas: 3", "minReplicas: 1").replace(
        "kind: HorizontalPodAutoscaler\nmetadata:\n",
        "kind: HorizontalPodAutoscaler\nmetadata:\n"
        '  annotations: {tonnage.dev/ignore: "TNG066: nights are quiet; TNG064 : none"}\n',
    )
    report = audit(objects_of(bad))
    assert [(one.code, reason) for one, reason in report.suppressed] == [("TNG066", "nights are quiet")]
    assert [one.code for one in report.findings] == ["TNG902"]


def test_a_reason_may_hold_any_mark():
    """A reason goes up to the next code, semicolons and colons included."""
    value = {"metadata": {"annotations": {"tonnage.dev/ignore": "TNG001: a; b: c\nTNG002: d"}}}
    item = KubeObject(Reference("Pod", "p"), value, "in.yaml", Document(value))
    assert [(one.code, one.reason) for one in excuses_of(item)] == [("TNG001", "a; b: c"), ("TNG002", "d")]


def test_chart_tests_are_left_out():
    """Pods that Helm runs only as a chart's test are no part of the service."""
    text = """
    apiVersion: v1
    kind: Pod
    metadata: {name: check, annotations: {helm.sh/hook: test}}
    spec: {containers: [{name: curl, image: curl}]}
    """
    assert audit(objects_of(text)).objects == 0


LEAF = st.none() | st.booleans() | st.integers(-5, 100) | st.sampled_from(["", "x", "25%", "1Gi", "-1"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_shape_of_an_object_breaks_a_rule(data):
    """Whatever stands in a field, an audit ends, and each finding has a line and a path."""
    objects = objects_of(WELL_MADE)
    item = data.draw(st.sampled_from(objects))
    paths = sorted(
        (path for path in item.document.places if path and path[:1] != ("metadata",) and path[0] != "kind"),
        key=str,
    )
    path = data.draw(st.sampled_from(paths))
    value = copy.deepcopy(item.value)
    holder = value
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = data.draw(LEAF | st.lists(LEAF, max_size=2) | st.dictionaries(st.just("a"), LEAF))
    broken = KubeObject(item.reference, value, item.source, item.document, item.index)
    report = audit([broken if one is item else one for one in objects], measured=FACTS)
    assert all(one.line >= 1 and one.column >= 1 for one in report.findings)


def test_findings_are_in_order_and_the_same_each_time():
    """Two audits of the same objects agree, and findings follow the text."""
    text = "---\n".join(rule.sections["Bad"] + "\n" for rule in RULES if rule.subject == "container")
    first, second = audit(objects_of(text)).findings, audit(objects_of(text)).findings
    assert first == second
    assert [one.rank for one in first] == sorted(one.rank for one in first)
