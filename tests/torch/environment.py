"""PyTorch's own environment for tests: 2 GB that the project's environment is spared.

Made once in the user's cache folder, under a name with the hash of its pinned requirements and of
``standins.py``. They leave out what PyTorch needs for GPUs and for compiling models, 4 GB; stand-ins take the
place of the libraries among it. The code under test is put on the path, not installed, so that it is never a
stale copy. ``requirements.txt`` is ``requirements.in`` locked: ``uv pip compile --universal --generate-hashes``
without triton, the CUDA toolkit and NVIDIA's packages but the CUDA runtime and CUPTI (``--no-emit-package``).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import environments
from tests.environments import Unavailable
from tests.torch import standins

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
REQUIREMENTS = HERE / "requirements.txt"
VARIABLE = "TONNAGE_TEST_TORCH"
INSTALL_S_MAX = 1500.0
FREE_BYTES_MIN = 6 * 10**9


def folder() -> Path:
    """Where the environment is, or is to be."""
    key = hashlib.sha256(sys.version.encode())
    for file in (REQUIREMENTS, HERE / "standins.py"):
        key.update(file.read_bytes())
    return environments.cache() / f"torch-{key.hexdigest()[:16]}"


def ensure() -> Path:
    """Make the environment unless it is there.

    Returns:
        Its interpreter.

    Raises:
        Unavailable: It is not wanted, or cannot be made here.
    """
    if os.environ.get(VARIABLE) == "0":
        raise Unavailable(f"{VARIABLE} is 0; else PyTorch would be installed for the tests, 2 GB")
    home = folder()
    environments.kept(home, lambda: _make(home))
    return home / "bin" / "python"


def environment() -> Mapping[str, str]:
    """Variables for a program there, on the code here."""
    path = f"{folder() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    # a GPU that is here is not used: its libraries are stand-ins
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT / "src"), "CUDA_VISIBLE_DEVICES": ""}


def command(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest there on the code here; its output is both kept and shown in failures."""
    return subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def _check(cache: Path) -> None:
    if not sys.platform.startswith("linux"):
        raise Unavailable(f"PyTorch's environment for tests is made on Linux only, got {sys.platform}")
    if missing := standins.missing_tools():
        raise Unavailable(f"PyTorch's environment needs {', '.join(missing)} (Debian: apt-get install gcc)")
    free = shutil.disk_usage(cache).free
    if free < FREE_BYTES_MIN:
        raise Unavailable(
            f"PyTorch's environment needs {FREE_BYTES_MIN / 1e9:.0f} GB free, got {free / 1e9:.1f} GB"
        )


def _make(home: Path) -> None:
    _check(home.parent)
    environments.install(REQUIREMENTS, INSTALL_S_MAX, python=environments.interpreter(home))
    standins.make(next(home.glob("lib/python*/site-packages")))


if __name__ == "__main__":
    sys.stdout.write(f"{ensure()}\n")
