"""Several objects as one: all of them, or none that was not there before."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_server import FakeServer, status

from tonnage.cluster import apply as module
from tonnage.cluster.apply import apply_all, pieces_of, try_all
from tonnage.cluster.faults import ClusterFault, Exists, Forbidden, KindMissing, Refused, Several
from tonnage.cluster.resources import Offered, Resource

SERVICES = Resource("", "v1", "Service", "services")
JOBS = Resource("batch", "v1", "Job", "jobs")
OFFERED = Offered((SERVICES, JOBS))
OBJECTS = (
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"x": 1}},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}, "spec": {"x": 1}},
    {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"}, "spec": {"x": 1}},
)
A = "/api/v1/namespaces/default/services/a"
B = "/api/v1/namespaces/default/services/b"
TRAIN = "/apis/batch/v1/namespaces/default/jobs/train"


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(module, "_LOOK_S", 0.001)


def refuse(path, *, dry=False, answer=None):
    """Fails one object's apply."""

    def fails(request):
        mine = request.method == "PATCH" and request.url.path == path
        if mine and ("dryRun" in request.url.params) is dry:
            return answer or status(403, 'x is forbidden: User "bob" cannot create resource "x"', "Forbidden")
        return None

    return fails


def run(work):
    async def go():
        server = FakeServer()
        async with server.api() as api:
            return await work(server, api)

    return asyncio.run(go())


async def apply(api, *, new=True):
    tried = await try_all(api, pieces_of(OFFERED, OBJECTS, "default"), new=new)
    return await apply_all(api, tried, new=new)


def test_all_are_made_in_their_order_and_the_last_one_owns_the_others():
    async def work(server, api):
        done = await apply(api)
        made = [one.partition(" ")[2] for one in server.asked if one.startswith("PATCH")]
        assert made[3:6] == [A, B, TRAIN]
        uid = server.objects[TRAIN]["metadata"]["uid"]
        for path in (A, B):
            owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "train", "uid": uid}
            assert server.objects[path]["metadata"]["ownerReferences"] == [owner]
        assert [piece.title for piece in done] == ["services/a", "services/b", "jobs.batch/train"]

    run(work)


def test_what_the_server_would_refuse_is_known_before_anything_is_made():
    """All of it at once."""

    async def work(server, api):
        one, other = refuse(A, dry=True), refuse(TRAIN, dry=True, answer=status(422, "spec.x: wrong", "Invalid"))
        server.fails = lambda request: one(request) or other(request)
        with pytest.raises(Several) as caught:
            await apply(api)
        assert len(caught.value.faults) == 2
        assert server.objects == {}

    run(work)


@pytest.mark.parametrize("path", [A, B, TRAIN])
def test_whichever_fails_none_is_left(path):
    async def work(server, api):
        server.fails = refuse(path)
        with pytest.raises(Forbidden):
            await apply(api)
        assert server.objects == {}

    run(work)


MISSES_B = 'admission webhook "jobs" denied the request: Service "b" not found: it must be created before'


def test_what_admission_misses_another_one_for_is_tried_when_that_one_is_there():
    async def work(server, api):
        server.fails = refuse(TRAIN, dry=True, answer=status(403, MISSES_B, "Forbidden"))
        done = await apply(api)
        assert [piece.title for piece in done] == ["services/a", "services/b", "jobs.batch/train"]

    run(work)


def test_what_admission_refuses_then_leaves_none():
    async def work(server, api):
        server.fails = refuse(TRAIN, answer=status(403, MISSES_B, "Forbidden"))
        with pytest.raises(Refused, match="must be created before"):
            await apply(api)
        assert server.objects == {}

    run(work)


def test_what_admission_misses_and_none_of_them_is_refused_before_anything_is_made():
    async def work(server, api):
        text = MISSES_B.replace('"b"', '"c"')
        server.fails = refuse(TRAIN, dry=True, answer=status(403, text, "Forbidden"))
        with pytest.raises(Refused, match='"c" not found'):
            await apply(api)
        assert server.objects == {}

    run(work)


def test_what_the_server_did_without_being_able_to_say_so_is_undone_too():
    """The connection is lost after the object was made: whether it was is found out."""

    async def work(server, api):
        def fails(request):
            if request.method == "PATCH" and request.url.path == TRAIN and "dryRun" not in request.url.params:
                managed = [{"manager": "tonnage", "operation": "Apply"}]
                server._put(TRAIN, {**OBJECTS[2], "metadata": {"name": "train", "managedFields": managed}})
                return httpx2.ReadError("connection reset")
            return None

        server.fails = fails
        with pytest.raises(ClusterFault, match="the connection was lost"):
            await apply(api)
        assert server.objects == {}

    run(work)


def test_another_ones_object_of_the_name_is_not_deleted():
    async def work(server, api):
        def fails(request):
            if request.method == "PATCH" and request.url.path == TRAIN and "dryRun" not in request.url.params:
                server._put(TRAIN, {**OBJECTS[2], "metadata": {"name": "train"}})
                return httpx2.ReadError("connection reset")
            return None

        server.fails = fails
        with pytest.raises(ClusterFault):
            await apply(api)
        assert set(server.objects) == {TRAIN}

    run(work)


def test_what_was_there_gets_its_former_fields_back():
    async def work(server, api):
        managed = [{"manager": "tonnage", "operation": "Apply", "fieldsV1": {"f:spec": {"f:x": {}}}}]
        before = {**OBJECTS[0], "metadata": {"name": "a", "managedFields": managed}, "spec": {"x": 0}}
        await server.put(A, before)
        server.fails = refuse(TRAIN)
        with pytest.raises(Forbidden):
            await apply(api, new=False)
        assert set(server.objects) == {A}
        assert server.objects[A]["spec"] == {"x": 0}

    run(work)


def test_an_object_that_is_there_already_is_not_taken_over():
    async def work(server, api):
        await server.put(B, OBJECTS[1])
        with pytest.raises(Exists, match=r"^services/b in namespace default: exists already$"):
            await apply(api)
        assert set(server.objects) == {B}

    run(work)


def test_an_interruption_undoes_what_was_begun():
    """The request that is under way is waited for, since it may make its object still."""

    async def work(server, api):
        started = asyncio.Event()

        def fails(request):
            if request.method == "PATCH" and request.url.path == B and "dryRun" not in request.url.params:
                started.set()

        server.fails = fails
        task = asyncio.create_task(apply(api))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.objects == {}

    run(work)


def test_what_cannot_be_undone_is_named():
    async def work(server, api):
        refused = refuse(TRAIN)

        def fails(request):
            return status(500, "etcd is gone") if request.method == "DELETE" else refused(request)

        server.fails = fails
        with pytest.raises(Several) as caught:
            await apply(api)
        last = str(caught.value).splitlines()[-1]
        assert last == (
            "left behind: services/b, services/a could not be undone"
            "; delete them: kubectl delete -n default services/b services/a"
        )

    run(work)


def test_kinds_that_are_missing_are_named_together():
    with pytest.raises(KindMissing):
        pieces_of(Offered((SERVICES,)), OBJECTS, "default")
    with pytest.raises(Several):
        pieces_of(Offered(()), OBJECTS, "default")
