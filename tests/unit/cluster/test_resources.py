"""What a server offers, from both forms of discovery."""

from __future__ import annotations

import pytest

from tonnage.cluster.faults import KindMissing
from tonnage.cluster.resources import Offered, Resource, read_aggregated, read_list

JOBS = Resource("batch", "v1", "Job", "jobs", verbs=frozenset({"list"}))


def aggregated(group, version, kind, plural, scope="Namespaced", freshness="Current"):
    resource = {"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["list"]}
    return {
        "metadata": {"name": group},
        "versions": [{"version": version, "freshness": freshness, "resources": [resource]}],
    }


def test_one_document_tells_all_groups():
    core = {"items": [aggregated("", "v1", "Node", "nodes", "Cluster")]}
    groups = {"items": [aggregated("batch", "v1", "Job", "jobs")]}
    found = read_aggregated([core, groups])
    assert found.resources[1] == JOBS
    assert found.served == {("", "v1", "nodes"), ("batch", "v1", "jobs")}
    assert not found.resources[0].namespaced


def test_an_old_servers_list_tells_one_version_without_the_parts_of_objects():
    resources = [
        {"name": "jobs", "kind": "Job", "namespaced": True, "verbs": ["list"]},
        {"name": "jobs/status", "kind": "Job", "namespaced": True, "verbs": ["get"]},
    ]
    assert read_list("batch/v1", {"resources": resources}) == [JOBS]
    assert read_list("v1", {"resources": [{"name": "pods", "kind": "Pod"}]})[0].group == ""


def test_paths_are_the_apis():
    assert JOBS.path("ml", "train") == "/apis/batch/v1/namespaces/ml/jobs/train"
    assert JOBS.path() == "/apis/batch/v1/jobs"
    node = Resource("", "v1", "Node", "nodes", namespaced=False)
    assert node.path("ml", "n1") == "/api/v1/nodes/n1"
    assert (JOBS.title, JOBS.api_version, node.title, node.api_version) == ("jobs.batch", "batch/v1", "nodes", "v1")


def test_a_kind_of_another_version_is_missing_and_the_versions_there_are_named():
    offered = Offered((JOBS,))
    assert offered.of({"apiVersion": "batch/v1", "kind": "Job"}) is JOBS
    with pytest.raises(KindMissing, match=r"Job: the API server must have batch/v2; it has batch/v1$"):
        offered.of({"apiVersion": "batch/v2", "kind": "Job"})


def test_a_group_whose_own_server_is_away_is_not_taken_for_missing():
    found = read_aggregated([{"items": [{**aggregated("m", "v1", "X", "xs", freshness="Stale")}]}])
    with pytest.raises(KindMissing, match=r"it is registered, and its own server does not answer now$"):
        Offered((), found.stale).of({"apiVersion": "m/v1", "kind": "X"})
