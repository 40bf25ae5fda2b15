"""Where the control plane's programs come from: ``KUBEBUILDER_ASSETS``, or built once into the user's cache.

The pins are ``go.mod`` and ``go.sum`` beside this file. A cold build takes minutes on two cores; Go's build
cache and ours, which is named after the pins and the compiler, make every later start immediate.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from pathlib import Path

from upstream.build import NoGo, compiler

__all__ = ["NAMES", "NoGo", "kwok", "programs"]

MODULE = Path(__file__).parent
NAMES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
}
"""Program to its Go package."""
# what a release build sets, so that the API server says which version it is; source: hack/lib/version.sh
_VERSION = "v1.37.2"
_STAMP = " ".join(
    f"-X k8s.io/component-base/version.{name}={value}"
    for name, value in {"gitVersion": _VERSION, "gitMajor": "1", "gitMinor": "37"}.items()
)


def programs() -> dict[str, Path]:
    """The programs of a control plane, by name.

    Raises:
        NoGo: They have to be built, and there is no compiler that can.
        subprocess.CalledProcessError: They did not build.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets:
        found = {name: Path(assets) / name for name in NAMES}
        missing = [
            name for name, path in found.items() if not path.exists() and name in ("etcd", "kube-apiserver")
        ]
        if missing:
            raise NoGo(f"KUBEBUILDER_ASSETS: must hold {', '.join(missing)} too, got {assets}")
        absent = [name for name, path in found.items() if not path.exists()]
        return found if not absent else {**found, **_built(MODULE, {name: NAMES[name] for name in absent})}
    return _built(MODULE, NAMES)


def kwok() -> Path:
    """KWOK, which keeps fake nodes and the pods on them alive."""
    return _built(MODULE / "kwok", {"kwok": "sigs.k8s.io/kwok/cmd/kwok"})["kwok"]


def _built(module: Path, packages: dict[str, str]) -> dict[str, Path]:
    go = compiler()
    folder = _cache() / _digest(module, go)
    found = {name: folder / name for name in packages}
    if all(path.exists() for path in found.values()):
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, path in found.items():
            if not path.exists():
                unfinished = folder / f"{name}.unfinished"
                command = [go, "build", "-ldflags", f"-s -w {_STAMP}", "-o", str(unfinished), packages[name]]
                subprocess.run(command, cwd=module, check=True)
                unfinished.rename(path)
    return found


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tonnage" / "controlplane"


def _digest(module: Path, go: str) -> str:
    key = hashlib.sha256()
    key.update(subprocess.run([go, "version"], capture_output=True, check=True).stdout)
    key.update(_STAMP.encode())
    for name in ("go.mod", "go.sum"):
        key.update((module / name).read_bytes())
    return key.hexdigest()[:16]
