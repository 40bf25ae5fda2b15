"""PyTorch's own environment for tests: 4 GB that the project's environment is spared.

Made once in the user's cache folder, under a name with the hash of the pinned requirements, and only
when asked for by ``TONNAGE_TEST_TORCH=1``. The code under test is put on the path, not installed, so
that it is never a stale copy. The pinned list leaves ``triton`` out, 1 GB that only compiling needs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
VARIABLE = "TONNAGE_TEST_TORCH"
HOW = f"{VARIABLE}=1 ./dev test tests/torch (installs PyTorch, 4 GB, once)"


def wanted() -> bool:
    """Whether the tests with PyTorch are to run."""
    return os.environ.get(VARIABLE) == "1"


def folder() -> Path:
    """Where the environment is, or is to be."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    return cache / "tonnage" / f"torch-{digest[:16]}"


def ensure() -> Path:
    """Make the environment unless it is there.

    Returns:
        Its interpreter.

    Raises:
        subprocess.CalledProcessError: The packages could not be installed.
    """
    home = folder()
    python = home / "bin" / "python"
    stamp = home / "complete"
    if stamp.exists():
        return python
    shutil.rmtree(home, ignore_errors=True)
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    venv.create(home, with_pip=uv is None, symlinks=True)
    installer = (
        [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
    )
    # --no-deps: the list is whole but for what is left out on purpose
    subprocess.run(
        [*installer, "--quiet", "--no-deps", "--require-hashes", "-r", str(REQUIREMENTS)], check=True
    )
    stamp.touch()
    return python


def command(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest there on the code here; its output is both kept and shown in failures."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


if __name__ == "__main__":
    sys.stdout.write(f"{ensure()}\n")
