"""Kubernetes objects come out of any text, each with its file, line and path."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, Reference, plain, read_objects
from tonnage.kube.text import read_json

HELM = """\
---
# Source: chart/templates/empty.yaml
---
# Source: chart/templates/service.yaml
apiVersion: v1
kind: Service
metadata:
  name: front
  namespace: shop
spec:
  selector: {app: front}
---
apiVersion: v1
kind: List
items:
  - apiVersion: v1
    kind: Pod
    metadata: {name: a}
  - apiVersion: v1
    kind: PodList
    items:
      - metadata: {name: b}
        spec:
          nodeName: 7
"""


def read(text: str) -> list[KubeObject]:
    objects, problems = read_objects(text, source="x.yaml")
    assert problems == []
    return objects


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in read_objects(text, source="x.yaml")[1]]


def test_documents_and_lists_are_taken_apart() -> None:
    """Helm's output, a List, and a typed list inside it whose items do not repeat their kind."""
    assert [item.reference for item in read(HELM)] == [
        Reference("Service", "front", "shop", "v1"),
        Reference("Pod", "a", "default", "v1"),
        Reference("Pod", "b", "default", "v1"),
    ]


def test_json_is_read_too() -> None:
    """What ``kubectl get -o json`` prints is a text of objects."""
    (item,) = read('{"apiVersion": "v1", "kind": "NodeList", "items": [{"metadata": {"name": "n"}}]}')
    assert str(item.reference) == "Node/n"


def test_a_problem_has_the_place_of_its_field() -> None:
    """Inside a list the path starts at the document, and the position is the value's."""
    item = read(HELM)[2]
    problem = item.problem(("spec", "nodeName"), "must be a string, got 7")
    assert str(problem) == "x.yaml:24:21: items[1].items[0].spec.nodeName: must be a string, got 7"


def test_a_missing_field_has_the_place_of_its_holder() -> None:
    """The nearest thing that is written is where the reader must look."""
    item = read(HELM)[0]
    assert str(item.problem(("spec", "ports", 0), "must be given")) == (
        "x.yaml:11:3: spec.ports[0]: must be given"
    )


def test_a_problem_by_path_text_is_placed() -> None:
    """Rooms that know only paths get file, line and column."""
    item = read(HELM)[2]
    placed = item.placed(Problem("spec.nodeName", "must be a string", hint="quote it"))
    assert str(placed) == "x.yaml:24:21: items[1].items[0].spec.nodeName: must be a string; quote it"


def test_what_is_no_object_is_told_at_once() -> None:
    """Every such document is named with what it lacks."""
    text = "- 1\n---\nkind: Pod\n---\napiVersion: v1\nkind: 3\nmetadata: {name: [], namespace: 1}\n"
    assert problems_of(text) == [
        "x.yaml:1:1: must be a Kubernetes object, got a list",
        "x.yaml:3:1: apiVersion: must be given",
        "x.yaml:3:1: metadata.name: must be given",
        "x.yaml:6:7: kind: must be a string, got 3",
        "x.yaml:7:18: metadata.name: must be a string, got a list",
        "x.yaml:7:33: metadata.namespace: must be a string, got 1",
    ]


def test_text_that_is_no_yaml_is_refused() -> None:
    """A tab where indentation must be is one problem, with its line."""
    with pytest.raises(SpecError, match=r"^x\.yaml:2:1: must be valid YAML"):
        read_objects("a:\n\tb: 1\n", source="x.yaml")


def test_our_documents_pass_unread() -> None:
    """A ModelService without a name is for its own reader to refuse."""
    (item,) = read("apiVersion: tonnage.dev/v1alpha1\nkind: ModelService\nspec: 5\n")
    assert item.is_ours
    assert item.kind == "ModelService"


def test_values_are_found_by_path() -> None:
    """What is not there, or of another kind, is None."""
    item = read(HELM)[0]
    assert item.at("spec", "selector", "app") == "front"
    assert item.at("spec", "selector", 0) is None
    assert item.at("spec", "selector", "app", "x") is None
    assert item.at("metadata", "labels", "x") is None


def test_an_item_stands_alone() -> None:
    """Taken out of its list, an item's paths begin at itself and its positions stay."""
    item = read(HELM)[2]
    alone = item.alone()
    assert alone.places["spec", "nodeName"].line == 24
    assert alone.value == {"metadata": {"name": "b"}, "spec": {"nodeName": 7}}


def test_plain_data_has_no_decimals() -> None:
    """What goes on to other rooms is what JSON would have given them."""
    item = read("apiVersion: v1\nkind: X\nmetadata: {name: x}\nspec: [0.5, {a: 1}]\n")[0]
    assert item.plain()["spec"] == [0.5, {"a": 1}]
    assert isinstance(item.plain()["spec"][0], float)
    assert plain({"a": [1]}) == {"a": [1]}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5).filter(lambda key: key != "<<"), JSON_VALUES, max_size=3))
def test_reading_without_places_gives_the_same_values(spec: dict[str, Any]) -> None:
    """The fast reader and the one that knows lines agree on every object."""
    value = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": spec}
    text = json.dumps(value)
    fast, slow = (read_objects(text, source="x", places=places) for places in (False, True))
    assert fast[1] == slow[1]
    assert [(item.reference, item.value) for item in fast[0]] == [
        (item.reference, item.value) for item in slow[0]
    ]


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', '{"a": 1', "a: 1", '{"a": 1}\n---\n{"b": 2}'])
def test_what_is_not_one_sound_json_document_is_left_to_the_careful_reader(text: str) -> None:
    """Duplicate keys, numbers that are none, YAML, and several documents."""
    assert read_json(text) is None


def test_numbers_stay_exact_in_the_fast_reader() -> None:
    """0.1 is a tenth."""
    document = read_json('{"a": 0.1}')
    assert document is not None
    assert document.value == {"a": Decimal("0.1")}
