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

PACKAGE = Path(compiled.__file__).parents[2]
_USE = """
from tonnage.traffic import PoissonArrivals
from tonnage.twin.requests import RequestConfig, RequestWorld, ServerModel, plan_of
from tonnage.twin.requests.play import KERNEL
world = RequestWorld(RequestConfig(), (ServerModel(),), plan_of(PoissonArrivals(50.0, 1.0), seed=1))
world.advance(2.0)
print(sum(KERNEL.lazy.stats.cache_hits.values()), sum(KERNEL.lazy.stats.cache_misses.values()))
"""


def test_the_stamp_changes_with_any_file(tmp_path: Path):
    """A byte more in a file of the room, or of those it takes numbers from, gives another stamp."""
    package = tmp_path / "tonnage"
    for room in ("twin/requests", "batching", "contract"):
        shutil.copytree(PACKAGE / room, package / room, ignore=shutil.ignore_patterns("__pycache__"))
    copy = package / "twin" / "requests"
    stamps = {compiled.sources_stamp(), compiled.sources_stamp(copy)}
    assert len(stamps) == 1
    for file in (copy / "rng.py", package / "batching" / "service_times.py", package / "contract" / "new.py"):
        with file.open("a") as text:
            text.write("\n")
        stamps.add(compiled.sources_stamp(copy))
    assert len(stamps) == 4


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
