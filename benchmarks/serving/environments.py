"""The virtual environment of each peer, made from its pinned requirements when first needed.

Peers disagree about the versions of what they share, so each has an environment of its own.  One is made
again when its requirements change.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
_LIST_PACKAGES = (
    "import importlib.metadata as m, json, sys;"
    "print(json.dumps({'python': sys.version.split()[0], "
    "**{d.name.lower(): d.version for d in m.distributions()}}))"
)


def find_uv() -> str:
    """The ``uv`` program, from this environment or the search path."""
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv: must be installed to make the peers' environments; pip install uv")
    return found


def ensure(name: str, cache: Path, *, python: str) -> Path:
    """Makes the environment of one peer, or reuses it while its requirements are unchanged.

    Args:
        name: The peer's name; ``requirements/<name>.txt`` holds its pinned packages.
        cache: Folder that holds the environments.
        python: Interpreter to make it with, a path or a version.

    Returns:
        The environment's ``bin`` folder.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + python.encode()).hexdigest()
    home, stamp = cache / name, cache / name / "requirements.sha256"
    if not stamp.exists() or stamp.read_text() != digest:
        print(f"{name}: making {home}", file=sys.stderr, flush=True)
        uv = find_uv()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python, str(home)], check=True)
        interpreter = str(home / "bin" / "python")
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", interpreter, "-r", str(requirements)], check=True
        )
        stamp.write_text(digest)
    return home / "bin"


def versions(bin_folder: Path) -> dict[str, str]:
    """Version of Python and of every package in an environment."""
    done = subprocess.run(
        [str(bin_folder / "python"), "-c", _LIST_PACKAGES], check=True, capture_output=True, text=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found
