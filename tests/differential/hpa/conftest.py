"""Upstream's side of the comparison, built once; without Go these tests are skipped, and say so."""

from __future__ import annotations

from pathlib import Path

import pytest

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
