"""Runs the checks of ``inside/`` in PyTorch's own environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torch import environment

# the first time downloads 0.6 GB
pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(2400)]

INSIDE = Path(__file__).with_name("inside")


@pytest.mark.parametrize("file", sorted(INSIDE.glob("check_*.py")), ids=lambda file: file.stem)
def test_the_checks_pass_with_pytorch(python: Path, file: Path) -> None:
    """Every check of the file passes, and at least one ran."""
    done = environment.command(python, str(file))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
