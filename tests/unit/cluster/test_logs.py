"""Logs of a container, through restarts and broken lines."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_server import FakeServer, status

from tonnage.cluster import logs as module
from tonnage.cluster.faults import Forbidden, Invalid
from tonnage.cluster.lines import time_ns
from tonnage.cluster.logs import LogPart, LogSource, follow_log, life_of, read_log

SOURCE = LogSource("default", "p", "main", "worker-0")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    for name, value in (("WAIT_S", 0.001), ("WAIT_S_MAX", 0.002), ("_LOOK_S", 0.001), ("_SETTLE_S", 0.05)):
        monkeypatch.setattr(module, name, value)


def stamp(second):
    return f"1970-01-01T00:00:{second:02d}.000000000Z"


def running(start, restarts=0, last=None):
    state = {"name": "main", "restartCount": restarts, "state": {"running": {"startedAt": stamp(start)}}}
    if last is not None:
        state["lastState"] = {"terminated": {"startedAt": stamp(last), "exitCode": 1}}
    return {"spec": {"restartPolicy": "OnFailure"}, "status": {"phase": "Running", "containerStatuses": [state]}}


def waiting(last, restarts=0):
    state = {
        "name": "main",
        "restartCount": restarts,
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"startedAt": stamp(last), "exitCode": 1}},
    }
    return {"spec": {"restartPolicy": "OnFailure"}, "status": {"phase": "Running", "containerStatuses": [state]}}


def ended(start, restarts=0, code=0):
    state = {
        "name": "main",
        "restartCount": restarts,
        "state": {"terminated": {"startedAt": stamp(start), "exitCode": code}},
    }
    return {"spec": {"restartPolicy": "Never"}, "status": {"phase": "Succeeded", "containerStatuses": [state]}}


class World:
    """A pod and its node's logs: a script of answers, each of which may move the pod on."""

    def __init__(self, *steps):
        self.steps = list(steps)
        self.pod = None
        self.asked = []
        self.told = []

    def answer(self, request):
        params = dict(request.url.params)
        self.asked.append(params)
        if "previous" in params:
            return status(400, "previous terminated container not found", "BadRequest")
        answer, self.pod = self.steps.pop(0)
        return answer

    def follow(self, pod, **more):
        self.pod = pod

        async def go():
            server = FakeServer()
            server.fails = self.answer
            async with server.api() as api, asyncio.timeout(20):
                lines = follow_log(api, SOURCE, lambda: self.pod, told=self.told.append, **more)
                return [line.text async for line in lines]

        return asyncio.run(go())


def log(*lines):
    return httpx2.Response(200, text="".join(f"{stamp(second)} {text}\n" for second, text in lines))


def test_what_is_written_is_read_with_its_time():
    async def go():
        server = FakeServer()
        server.fails = lambda _: httpx2.Response(200, text=f"{stamp(5)} loss 0.5\nno time\n{stamp(6)} \n")
        async with server.api() as api:
            return [line async for line in read_log(api, SOURCE, LogPart(tail=5, since_s=0))]

    lines = asyncio.run(go())
    assert [(one.text, one.time_ns) for one in lines] == [
        ("loss 0.5", time_ns(stamp(5))),
        ("no time", time_ns(stamp(5))),
        ("", time_ns(stamp(6))),
    ]


def test_the_part_that_is_wanted_is_what_the_server_is_asked_for():
    assert LogPart(tail=0, since_s=0, previous=True).params == {
        "previous": "true",
        "tailLines": "0",
        "sinceSeconds": "1",
    }


def test_a_container_that_ends_for_good_ends_its_log():
    world = World((log((1, "a"), (2, "b")), ended(0)))
    assert world.follow(running(0)) == ["a", "b"]
    assert world.told == []


def test_a_line_that_breaks_goes_on_without_a_line_twice_or_lost():
    broken = httpx2.Response(200, content=cut(f"{stamp(1)} a\n{stamp(2)} b\n"))
    world = World((broken, running(0)), (log((2, "b"), (2, "c"), (3, "d")), ended(0)))
    assert world.follow(running(0)) == ["a", "b", "c", "d"]
    assert world.asked[1]["sinceTime"] == "1970-01-01T00:00:02Z"


def cut(text):
    async def stream():
        yield text.encode()
        raise httpx2.ReadError("connection reset by peer")

    return stream()


def test_a_stream_that_ends_while_its_container_runs_goes_on():
    """A proxy on the way has closed it."""
    world = World((log((1, "a")), running(0)), (log((1, "a"), (2, "b")), ended(0)))
    assert world.follow(running(0)) == ["a", "b"]


def test_a_container_that_is_started_again_goes_on_with_its_next_life():
    world = World((log((1, "a")), running(2, restarts=1, last=0)), (log((3, "b")), ended(2, restarts=1)))
    assert world.follow(running(0)) == ["a", "b"]
    assert world.told == ["worker-0: its container was started again (1)"]
    assert "previous" in world.asked[1]


def test_the_next_life_is_waited_for_while_it_is_backed_off():
    states = iter([waiting(0), waiting(0, 1), running(5, 1, 0)])
    world = World((log((1, "a")), waiting(0)), (log((6, "b")), ended(5, 1)))
    current = [running(0)]

    async def go():
        server = FakeServer()
        server.fails = world.answer
        world.pod = current[0]

        def now():
            if world.pod["status"]["containerStatuses"][0]["state"].get("waiting"):
                world.pod = next(states, world.pod)
            return world.pod

        async with server.api() as api, asyncio.timeout(20):
            return [line.text async for line in follow_log(api, SOURCE, now, told=world.told.append)]

    assert asyncio.run(go()) == ["a", "b"]


def test_a_pod_that_is_gone_ends_its_log():
    world = World((log((1, "a")), None))
    assert world.follow(running(0)) == ["a"]


def test_a_node_that_does_not_answer_is_told_once_and_tried_again():
    refused = status(500, 'Get "https://10.0.0.9:10250/containerLogs": connection refused')
    world = World(*[(refused, running(0))] * 4, (log((1, "a")), ended(0)))
    assert world.follow(running(0)) == ["a"]
    assert len(world.told) == 1
    assert "connection refused" in world.told[0]


def test_the_log_of_a_container_that_is_over_is_not_asked_for_without_end():
    refused = status(500, "the node is gone")
    world = World(*[(refused, ended(0))] * 3)
    assert world.follow(ended(0)) == []


def test_logs_that_are_not_ours_to_read_are_a_fault():
    denied = status(403, 'pods "p" is forbidden: User "bob" cannot get resource "pods/log"', "Forbidden")
    with pytest.raises(Forbidden):
        World((denied, running(0))).follow(running(0))


def test_a_container_that_has_not_begun_is_invalid_where_nobody_follows():
    async def go():
        server = FakeServer()
        server.fails = lambda _: status(400, 'container "main" in pod "p" is waiting to start', "BadRequest")
        async with server.api() as api:
            return [line async for line in read_log(api, SOURCE, LogPart())]

    with pytest.raises(Invalid):
        asyncio.run(go())


def test_lives_are_told_apart_by_when_they_began():
    first, again = life_of(running(0), "main"), life_of(running(7, 1, 0), "main")
    assert first.key == life_of(waiting(0), "main").key
    assert first.key != again.key
    assert life_of(None, "main").over
    assert life_of(ended(0), "main").over
    assert not life_of(waiting(0), "main").over
    assert life_of({"status": {"phase": "Pending"}}, "main").key == ""
