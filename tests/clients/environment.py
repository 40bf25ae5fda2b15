"""The environments of clients that are not ours: they need other versions than the project does.

Each is made once in the user's cache folder, under a name with the hash of its pinned requirements.
perf_analyzer is a program and not a library: its own wheel wants glibc 2.38, and what needs less came
with tritonclient until 2.51, for x86-64. That one wants two libraries, which nvidia-pytriton carries.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
INSTALL_S_MAX = 600.0


class Unavailable(Exception):
    """An environment cannot be made here; says why."""


def clients() -> Path:
    """The interpreter that has tritonclient, kserve and pytest.

    Raises:
        Unavailable: The packages could not be installed.
    """

    def make(home: Path, requirements: Path) -> None:
        venv.create(home, with_pip=_uv() is None, symlinks=True)
        _install(requirements, python=home / "bin" / "python")

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


def _ensure(requirements: Path, make) -> Path:
    """The folder of an environment, made by ``make`` unless it is there and whole."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonnage"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    home = cache / f"{requirements.parent.name}-{requirements.stem}-{digest[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open(
        "w"
    ) as lock:  # two test runs at a time make one environment
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(home, ignore_errors=True)
            make(home, requirements)
            (home / "complete").touch()
    return home


def _make_folder(home: Path, requirements: Path) -> None:
    home.mkdir(parents=True)
    _install(requirements, target=home)


def _install(requirements: Path, *, python: Path | None = None, target: Path | None = None) -> None:
    uv = _uv()
    where = ["--python", str(python)] if uv and python else []
    command = (
        [uv, "pip", "install", *where] if uv else [str(python or sys.executable), "-m", "pip", "install"]
    )
    # --no-deps: the lists are whole, but for what is left out on purpose
    command += ["--quiet", "--no-deps", "--require-hashes", "-r", str(requirements)]
    command += ["--target", str(target)] if target else []
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{requirements.name} cannot be installed here: {error.stderr[-1000:]}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{requirements.name} was not installed within {INSTALL_S_MAX:g} s") from None


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _link(libraries: Path, folder: Path) -> None:
    """Give libraries that a wheel carries under changed names the names that programs ask for."""
    folder.mkdir(exist_ok=True)
    for wanted, pattern in (("libb64.so.0d", "libb64-*.so.0d"), ("libcudart.so.12", "libcudart-*.so.12.*")):
        link = folder / wanted
        if not link.exists():
            link.symlink_to(next(libraries.glob(pattern)))
