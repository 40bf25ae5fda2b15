"""The command line's one funnel of errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

ABSENT = "import sys; sys.modules['{name}'] = None; sys.argv[0] = 'tonnage'; from tonnage.cli.main import main; main()"


@pytest.mark.parametrize("package", ["rich", "numba"])
def test_a_package_that_is_not_installed_is_named(package):
    """The image for pods has few of them; that is no bug, and ends with 3."""
    command = [sys.executable, "-c", ABSENT.format(name=package), "simulate", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        command[-1:] = ["examples/filetype/service.yaml", "--rate", "10", "--duration", "1s"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, f"tonnage simulate: needs {package}, which is not installed here\n")
