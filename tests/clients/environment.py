"""The environments of clients that are not ours: they need other versions than the project does.

Each is made once in the user's cache folder, under a name with the hash of its pinned requirements.
perf_analyzer is a program and not a library: its own wheel wants glibc 2.38, and what needs less came
with tritonclient until 2.51, for x86-64. That one wants two libraries, which nvidia-pytriton carries.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests import environments
from tests.environments import Unavailable

HERE = Path(__file__).resolve().parent
INSTALL_S_MAX = 600.0


def clients() -> Path:
    """The interpreter that has tritonclient, kserve and pytest.

    Raises:
        Unavailable: The packages could not be installed.
    """

    def make(home: Path, requirements: Path) -> None:
        environments.install(requirements, INSTALL_S_MAX, python=environments.interpreter(home))

    return _ensure(HERE / "requirements.txt", make) / "bin" / "python"


def perf_analyzer() -> tuple[list[str], dict[str, str]]:
    """The command that runs perf_analyzer, and the variables that it needs.

    Raises:
        Unavailable: No release of it runs on this machine, or it could not be installed.
    """
    glibc = platform.libc_ver()[1]
    if platform.machine() not in ("x86_64", "aarch64") or not glibc:
        raise Unavailable(f"perf_analyzer is built for Linux with glibc only, got {platform.platform()}")
    release = tuple(int(part) for part in glibc.split(".")[:2])
    if release >= (2, 38):
        home = _ensure(HERE / "perf-analyzer.txt", _make_folder)
        program, libraries = home / "perf_analyzer" / "bin" / "perf_analyzer", {}
    elif release >= (2, 35) and platform.machine() == "x86_64":
        home = _ensure(HERE / "perf-analyzer-glibc-2.35.txt", _make_folder)
        program, libraries = home / "bin" / "perf_analyzer", {"LD_LIBRARY_PATH": str(home / "lib-perf")}
        _link(home / "nvidia_pytriton.libs", home / "lib-perf")
    else:
        raise Unavailable(
            f"perf_analyzer needs glibc 2.38, or 2.35 on x86-64; got {glibc} on {platform.machine()}"
        )
    program.chmod(0o755)
    tried = subprocess.run(
        [program, "--version"], env={**os.environ, **libraries}, capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        raise Unavailable(f"perf_analyzer does not start here: {(tried.stderr or tried.stdout).strip()}")
    return [str(program)], libraries


def _ensure(requirements: Path, make: Callable[[Path, Path], None]) -> Path:
    """The folder of an environment, made by ``make`` unless it is there and whole."""
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    home = environments.cache() / f"{requirements.parent.name}-{requirements.stem}-{digest[:16]}"
    environments.kept(home, lambda: make(home, requirements))
    return home


def _make_folder(home: Path, requirements: Path) -> None:
    home.mkdir(parents=True)
    environments.install(requirements, INSTALL_S_MAX, target=home)


def _link(libraries: Path, folder: Path) -> None:
    """Give libraries that a wheel carries under changed names the names that programs ask for."""
    folder.mkdir(exist_ok=True)
    for wanted, pattern in (("libb64.so.0d", "libb64-*.so.0d"), ("libcudart.so.12", "libcudart-*.so.12.*")):
        link = folder / wanted
        if not link.exists():
            link.symlink_to(next(libraries.glob(pattern)))
