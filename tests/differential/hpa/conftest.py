"""Upstream's side of the comparison, built once; without Go these tests are skipped, and say so."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))  # the comparisons are shared with benchmarks/differential

from tests.upstream import build


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "upstream: asks Kubernetes' own Go code, which is built once (minutes)")


@pytest.fixture(scope="session")
def program() -> Path:
    """The program that answers as Kubernetes does."""
    try:
        return build.program("hpa")
    except build.NoGo as missing:
        pytest.skip(str(missing))
