"""Runs the checks of ``inside/`` in PyTorch's own environment."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

# the first time downloads 0.6 GB
pytestmark = [pytest.mark.torch, pytest.mark.slow, pytest.mark.timeout(2400)]

INSIDE = Path(__file__).with_name("inside")


def _environment() -> Any:
    """The module beside this one; pytest's importlib mode puts no test folder on the path."""
    spec = importlib.util.spec_from_file_location("torch_environment", INSIDE.with_name("environment.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment = _environment()


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return environment.ensure()
    except environment.Unavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("file", sorted(INSIDE.glob("check_*.py")), ids=lambda file: file.stem)
def test_the_checks_pass_with_pytorch(python: Path, file: Path) -> None:
    """Every check of the file passes, and at least one ran."""
    done = environment.command(python, str(file))
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
