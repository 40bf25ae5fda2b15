"""``--set``: which document and field it reaches, and what it says when it reaches none."""

from __future__ import annotations

import json

import pytest

from tonnage.cli.set_option import parse_setting, with_settings
from tonnage.errors import SpecError
from tonnage.kube.objects import read_objects
from tonnage.twin.inputs import InputTexts, TextFile

TEXT = """\
# two documents
apiVersion: apps/v1
kind: Deployment
metadata: {name: web.v1}
spec: {replicas: 3, ratio: 0.1, list: [{a: 1}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec: {replicas: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
"""


def after(*settings):
    texts = InputTexts((TextFile("a.yaml", TEXT), TextFile("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n")))
    changed = with_settings(texts, [parse_setting(text) for text in settings])
    return changed, {item.name: item.plain() for file in changed.inputs for item in read_objects(file.text, source=file.name)[0]}


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("Service.spec.type=NodePort", ("spec", "type"), "NodePort"),
        ("Deployment/web.v1.spec.replicas=20", ("spec", "replicas"), 20),
        ("Pod.spec.containers[0].name=x", ("spec", "containers", 0, "name"), "x"),
        ('Pod.spec.x={"a":[1,2]}', ("spec", "x"), {"a": [1, 2]}),
        ("Pod.spec.x=null", ("spec", "x"), None),
        ("Pod.spec.for=30s", ("spec", "for"), "30s"),
    ],
)
def test_settings_are_read(text, path, value):
    """Kind, path and value; JSON where it is JSON, else text."""
    setting = parse_setting(text)
    assert (setting.path, setting.value) == (path, value)


def test_a_field_is_changed_made_and_taken_out():
    """What was there is replaced, what was not is made on the way, and null takes out."""
    _, seen = after(
        "Deployment/other.spec.replicas=7", "Service.spec.ports[0].port=80", "Deployment/web.v1.spec.list[0].a=2", "Deployment/web.v1.spec.replicas=null",
    )  # fmt: skip
    assert seen["other"]["spec"] == {"replicas": 7}
    assert seen["web"]["spec"] == {"ports": [{"port": 80}]}
    assert seen["web.v1"]["spec"] == {"ratio": 0.1, "list": [{"a": 2}]}


def test_other_files_stay_as_they_were_written():
    """Only what is changed loses its form, and nothing does without a setting."""
    changed, _ = after("Service.spec.x=1")
    assert changed.inputs[1].text.startswith("apiVersion: v1\nkind: Pod")
    assert after()[0].inputs[0].text == TEXT


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("replicas=3", "--set: must be like HorizontalPodAutoscaler.spec.maxReplicas=20, got 'replicas=3'"),
        ("Deployment.spec.replicas=3", "--set: must name one document, got 2 of kind Deployment; write the name too, such as Deployment/web.v1"),
        ("Servise.spec.x=3", "--set: must name a document, got 'Servise'; did you mean \"Service\"?"),
        ("Service.metadata.name.x=3", "--set: must name a field of a mapping, got 'x' in 'Service.metadata.name.x=3'"),
        ("Deployment/web.v1.spec.list[4].a=3", "--set: must name an item that there is, got [4] of a list of 1"),
        ("Service.spec..x=3", "--set: must have a path like spec.metrics[0].type, got 'spec..x'"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    """The form, the document and the path each have their message."""
    with pytest.raises(SpecError) as error:
        after(text)
    assert str(error.value) == message


def test_numbers_keep_their_value():
    """An exact decimal is written as the same number."""
    changed, _ = after("Service.spec.x=1", "Deployment/other.spec.y=2")
    first = json.loads(changed.inputs[0].text.split("\n---\n")[0])
    assert first["spec"]["ratio"] == 0.1
