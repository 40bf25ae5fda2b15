"""Requests to an API server: pages, room, and lines that break."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_server import FakeServer, status

from tonnage.cluster import api as module
from tonnage.cluster.faults import Busy, Changed, KindMissing, Missing, Unreachable
from tonnage.cluster.resources import PODS, Resource

JOBS = Resource("batch", "v1", "Job", "jobs")
AT = "/apis/batch/v1/namespaces/default/jobs/train"
JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, "spec": {"x": 1}}


def run(work):
    """Runs work against a new server."""

    async def go():
        server = FakeServer()
        async with server.api() as api:
            return await work(server, api)

    return asyncio.run(go())


def test_long_lists_come_in_pages_and_items_say_what_they_are():
    async def work(server, api):
        for number in range(1203):
            await server.put(f"/api/v1/namespaces/default/pods/p{number:04}", {"metadata": {"name": f"p{number:04}"}})
        listing = await api.list(PODS, namespace="default")
        assert len(listing.items) == 1203
        assert {(one["kind"], one["apiVersion"]) for one in listing.items} == {("Pod", "v1")}
        assert len(server.asked) == 3

    run(work)


def test_a_list_whose_pages_expire_begins_again():
    async def work(server, api):
        for number in range(700):
            await server.put(f"/api/v1/namespaces/default/pods/p{number}", {"metadata": {"name": f"p{number}"}})
        gone = []

        def fails(request):
            if "continue" in request.url.params and not gone:
                gone.append(1)
                return status(410, "the provided continue parameter is too old", "Expired")
            return None

        server.fails = fails
        assert len((await api.list(PODS, namespace="default")).items) == 700

    run(work)


def test_apply_says_whether_the_object_is_new():
    async def work(server, api):
        assert (await api.apply(JOBS, JOB, namespace="default", dry_run=True))[0] is True
        assert server.objects == {}
        assert (await api.apply(JOBS, JOB, namespace="default"))[0] is True
        assert (await api.apply(JOBS, JOB, namespace="default"))[0] is False

    run(work)


def test_delete_means_one_object_and_not_its_successor():
    async def work(server, api):
        await api.apply(JOBS, JOB, namespace="default")
        with pytest.raises(Changed):
            await api.delete(JOBS, "train", namespace="default", uid="another")
        await api.delete(JOBS, "train", namespace="default", uid=server.objects[AT]["metadata"]["uid"])
        with pytest.raises(Missing):
            await api.delete(JOBS, "train", namespace="default")
        assert await api.find(JOBS, "train", namespace="default") is None

    run(work)


def test_a_request_that_was_not_taken_for_lack_of_room_is_made_again(monkeypatch):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    async def work(server, api):
        answers = [status(429, "too many requests", **{"retry-after": "3"})] * 2
        server.fails = lambda _: answers.pop() if answers else None
        await api.apply(JOBS, JOB, namespace="default")
        assert AT in server.objects

    monkeypatch.setattr(module.asyncio, "sleep", sleep)
    run(work)
    assert waits == [3.0, 3.0]


def test_other_failures_are_the_callers_to_repeat():
    async def work(server, api):
        server.fails = lambda _: status(503, "the server is currently unable to handle the request")
        with pytest.raises(Busy):
            await api.apply(JOBS, JOB, namespace="default")
        assert len(server.asked) == 1

    run(work)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (httpx2.ConnectError("Connection refused"), "must be reachable, got Connection refused; is the cluster"),
        (httpx2.ConnectTimeout(""), "must be reachable, got nobody answers in time; is the cluster"),
        (httpx2.ReadTimeout(""), "get jobs.batch/train in namespace default: the connection was lost: ReadTimeout"),
        (
            httpx2.ConnectError(
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer (_ssl.c:1000)"
            ),
            "its certificate must be one that context test trusts: unable to get local issuer; correct the",
        ),
    ],
)
def test_a_line_that_fails_says_what_to_look_at(error, text):
    async def work(server, api):
        server.fails = lambda _: error
        with pytest.raises(Unreachable) as caught:
            await api.read(JOBS, "train", namespace="default")
        assert text in str(caught.value)

    run(work)


def test_an_answer_that_is_no_object_is_no_api_servers():
    async def work(server, api):
        server.fails = lambda _: httpx2.Response(200, text="<html>welcome</html>")
        with pytest.raises(Unreachable, match=r"with an object in JSON$"):
            await api.offered()

    run(work)


def test_discovery_of_an_old_server_goes_version_by_version_and_passes_over_what_is_away():
    documents = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "groups": [
                {"versions": [{"groupVersion": "batch/v1"}]},
                {"versions": [{"groupVersion": "metrics.k8s.io/v1beta1"}]},
            ],
        },
        "/api/v1": {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True}]},
        "/apis/batch/v1": {"resources": [{"name": "jobs", "kind": "Job", "namespaced": True}]},
    }

    async def work(server, api):
        def fails(request):
            found = documents.get(request.url.path)
            return httpx2.Response(200, json=found) if found else status(503, "unavailable")

        server.fails = fails
        offered = await api.offered()
        assert offered.served == {("", "v1", "pods"), ("batch", "v1", "jobs")}
        assert offered.stale == ("metrics.k8s.io/v1beta1",)
        with pytest.raises(KindMissing):
            offered.of({"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics"})

    run(work)


def test_the_name_of_the_servers_certificate_can_be_another_than_its_address():
    async def work():
        server = FakeServer()
        seen = []
        server.fails = lambda request: seen.append(request.extensions.get("sni_hostname"))
        async with server.api(**{"tls-server-name": "inner.example"}) as api:
            await api.list(PODS, namespace=None)
        assert seen == ["inner.example"]

    asyncio.run(work())
