"""Machine code is kept between processes where it can be, is never stale, and is not needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba.core.caching
import pytest

from tonnage.twin.requests import compiled

ROOM = Path(compiled.__file__).parent
_USE = """
from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import RequestConfig, RequestWorld, ServerModel, plan_of
from tonnage.twin.requests.play import KERNEL
world = RequestWorld(RequestConfig(), (ServerModel(),), plan_of(PoissonArrivals(50.0, 1.0), seed=1))
world.advance(2.0)
print(sum(KERNEL.lazy.stats.cache_hits.values()), sum(KERNEL.lazy.stats.cache_misses.values()))
"""


def test_the_stamp_changes_with_any_file(tmp_path: Path):
    """A byte more in one file of the room gives another stamp, and with it other entries of the cache."""
    room = tmp_path / "room"
    shutil.copytree(ROOM, room, ignore=shutil.ignore_patterns("__pycache__"))
    assert compiled.sources_stamp(room) == compiled.sources_stamp()
    with (room / "rng.py").open("a") as file:
        file.write("\n")
    assert compiled.sources_stamp(room) != compiled.sources_stamp()


def test_without_a_writable_folder_nothing_is_kept(monkeypatch: pytest.MonkeyPatch):
    """Where numba finds no place for its cache the function works all the same."""
    monkeypatch.setattr(numba.core.caching.CacheImpl, "_locator_classes", [])
    assert compiled.entry(_twice)(4) == 8


def _twice(x: int) -> int:
    return 2 * x


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_second_process_need_not_compile(tmp_path: Path):
    """The first process fills the cache, the second only reads it."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = [
        subprocess.run([sys.executable, "-c", _USE], env=env, check=True, capture_output=True, text=True)
        for _ in range(2)
    ]
    assert [one.stdout.split() for one in said] == [["0", "1"], ["1", "0"]]
