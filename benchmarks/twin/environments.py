"""The virtual environment of each peer, made from its pinned requirements when first needed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from benchmarks.serving.environments import find_uv

REQUIREMENTS = Path(__file__).parent / "requirements"


def ensure(name: str, cache: Path) -> Path:
    """Makes the environment of one peer, or reuses it while its requirements are unchanged.

    Args:
        name: The peer's name; ``requirements/<name>.txt`` holds its pinned packages.
        cache: Folder that holds the environments.

    Returns:
        The environment's Python.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    home, stamp = cache / name, cache / name / "requirements.sha256"
    python = home / "bin" / "python"
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"{name}: making {home}", file=sys.stderr, flush=True)
        uv = find_uv()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True)
        install = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(python)]
        subprocess.run([*install, "-r", str(requirements)], check=True)
        stamp.write_text(digest)
    return python
