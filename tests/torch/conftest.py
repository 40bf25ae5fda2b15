"""PyTorch's own environment, for all tests that need it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.environments import or_skip
from tests.torch import environment


@pytest.fixture(scope="module")
def python() -> Path:
    """The Python that has PyTorch; made when it is not there yet, which fetches 0.6 GB the first time."""
    return or_skip(environment.ensure)
