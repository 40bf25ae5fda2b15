"""The fields of an object that we have applied, from what the server notes of them."""

from __future__ import annotations

from tonnage.cluster.fields import fields_of


def entry(fields, manager="tonnage", operation="Apply", **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields, **more}


def test_only_our_fields_come_back():
    value = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "a",
            "namespace": "ml",
            "uid": "u",
            "labels": {"ours": "1", "theirs": "2"},
            "managedFields": [
                entry({"f:metadata": {"f:labels": {"f:theirs": {}}}}, manager="kubectl"),
                entry({"f:status": {"f:x": {}}}, subresource="status"),
                entry({"f:spec": {"f:clusterIP": {}}}, operation="Update"),
                entry(
                    {
                        "f:metadata": {"f:labels": {"f:ours": {}}},
                        "f:spec": {
                            "f:selector": {},
                            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:name": {}}},
                        },
                    }
                ),
            ],
        },
        "spec": {
            "selector": {"app": "a"},
            "clusterIP": "10.0.0.1",
            "ports": [
                {"port": 80, "protocol": "TCP", "name": "http", "nodePort": 30000},
                {"port": 81, "protocol": "TCP", "name": "other"},
            ],
        },
    }
    assert fields_of(value) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "namespace": "ml", "labels": {"ours": "1"}},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "protocol": "TCP", "name": "http"}]},
    }


def test_items_of_sets_and_lists_by_index_are_found():
    fields = {"f:metadata": {"f:finalizers": {'v:"ours"': {}}}, "f:spec": {"f:args": {"i:1": {}}}}
    value = {
        "apiVersion": "v1",
        "kind": "X",
        "metadata": {"name": "a", "finalizers": ["theirs", "ours"], "managedFields": [entry(fields)]},
        "spec": {"args": ["a", "b"]},
    }
    found = fields_of(value)
    assert found["metadata"]["finalizers"] == ["ours"]
    assert found["spec"]["args"] == ["b"]


def test_an_object_that_we_never_applied_has_none():
    value = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": {"x": 1}}
    assert fields_of(value) == {"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}}
