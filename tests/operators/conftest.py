"""The marker of tests that need programs of others, whose cold builds are the longest."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "operators: runs operators of others, which are built once (minutes) and cached"
    )
