"""Mirrors stay true whatever happens to the line."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_server import FakeServer, status

from tonnage.cluster import watch as module
from tonnage.cluster.faults import Forbidden, Unreachable
from tonnage.cluster.resources import PODS
from tonnage.cluster.watch import Followed, Mirror

AT = "/api/v1/namespaces/default/pods/"


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch):
    monkeypatch.setattr(module, "WAIT_S", 0.001)
    monkeypatch.setattr(module, "WAIT_S_MAX", 0.002)


def pod(name, phase="Pending"):
    return {"metadata": {"name": name}, "status": {"phase": phase}}


async def until(holds):
    """Wait for what must come to hold."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def listen(followed):
    """Take news until that is over."""
    async with asyncio.timeout(20):
        async for _ in followed.news():
            pass


def names(mirror):
    return sorted(name for _, name in mirror.objects)


def test_a_mirror_has_what_was_there_and_then_each_change():
    async def work():
        server = FakeServer()
        await server.put(AT + "a", pod("a"))
        async with server.api() as api, Mirror(api, PODS, namespace="default") as mirror:
            assert names(mirror) == ["a"]
            await server.put(AT + "b", pod("b"))
            await until(lambda: names(mirror) == ["a", "b"])
            await server.put(AT + "a", pod("a", "Running"))
            await until(lambda: mirror.objects["default", "a"]["status"]["phase"] == "Running")
            await server.drop(AT + "a")
            await until(lambda: names(mirror) == ["b"])

    asyncio.run(work())


def test_a_line_that_breaks_goes_on_where_it_was():
    async def work():
        server = FakeServer()
        async with server.api() as api, Mirror(api, PODS, namespace="default") as mirror:
            for number in range(5):
                await server.cut()
                await server.put(f"{AT}p{number}", pod(f"p{number}"))
                await until(lambda: len(mirror.objects) == number + 1)  # noqa: B023
            lists = [one for one in server.asked if one == "GET /api/v1/namespaces/default/pods"]
            assert mirror.away == ""
            assert len(lists) >= 6

    asyncio.run(work())


def test_a_version_that_is_kept_no_longer_begins_a_new_list():
    async def work():
        server = FakeServer()
        await server.put(AT + "a", pod("a"))
        async with server.api() as api, Mirror(api, PODS, namespace="default") as mirror:
            server.fails = lambda request: httpx2.ConnectError("refused")
            await server.cut()
            await until(lambda: mirror.away)
            await server.drop(AT + "a")
            await server.put(AT + "b", pod("b"))
            server.forget()
            server.fails = lambda request: None
            await until(lambda: names(mirror) == ["b"])
            assert mirror.away == ""

    asyncio.run(work())


def test_a_server_that_is_away_for_too_long_is_given_up():
    async def work():
        server = FakeServer()
        async with server.api() as api:
            followed = Followed()
            mirror = Mirror(api, PODS, namespace="default", changed=followed.changed, away_s_max=0.02)
            async with mirror:
                followed.mirrors.append(mirror)
                server.fails = lambda request: httpx2.ConnectError("refused")
                await server.cut()
                with pytest.raises(Unreachable):
                    await listen(followed)

    asyncio.run(work())


def test_what_waiting_cannot_help_ends_it_at_once():
    async def work():
        server = FakeServer()
        async with server.api() as api:
            followed = Followed()
            mirror = Mirror(api, PODS, namespace="default", changed=followed.changed)
            async with mirror:
                followed.mirrors.append(mirror)
                denied = 'pods is forbidden: User "bob" cannot watch resource "pods"'
                server.fails = lambda request: status(403, denied, "Forbidden")
                await server.cut()
                with pytest.raises(Forbidden):
                    await listen(followed)

    asyncio.run(work())


def test_a_server_that_is_away_at_first_is_a_fault_at_once():
    async def work():
        server = FakeServer()
        server.fails = lambda request: httpx2.ConnectError("refused")
        async with server.api() as api:
            with pytest.raises(Unreachable):
                async with Mirror(api, PODS, namespace="default"):
                    pass

    asyncio.run(work())


def test_changes_that_come_together_are_told_once():
    async def work():
        server = FakeServer()
        async with server.api() as api:
            followed = Followed()
            async with Mirror(api, PODS, namespace="default", changed=followed.changed) as mirror:
                followed.mirrors.append(mirror)
                turns = 0
                async for _ in followed.news(pause_s=0.05):
                    turns += 1
                    if turns == 1:
                        for number in range(50):
                            await server.put(f"{AT}p{number}", pod(f"p{number}"))
                    if len(mirror.objects) == 50:
                        break
                assert turns < 10

    asyncio.run(work())


def test_bookmarks_move_the_version_and_nothing_else():
    async def work():
        server = FakeServer()
        async with server.api() as api:
            mirror = Mirror(api, PODS, namespace="default")
            line = '{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "77"}}}'
            mirror._take(line, None)
            assert mirror._version == "77"
            assert mirror.objects == {}

    asyncio.run(work())
