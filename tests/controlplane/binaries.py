"""Where the control plane's programs come from: ``KUBEBUILDER_ASSETS``, or built once into the user's cache.

The pins are ``go.mod`` and ``go.sum`` beside this file, and of each folder that has them for the operators: one
folder for those that can share their dependencies, since most of a cold build is these. A cold build takes
minutes on two cores; Go's build cache and ours, which is named after the pins and the compiler, make every
later start immediate. Files of an operator, such as its CustomResourceDefinitions, are read where Go keeps the
modules that it has fetched.

``python -m tests.programs`` builds all of them beforehand.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from upstream.build import NoGo, cache, compiled, compiler

__all__ = [
    "COSCHEDULING",
    "HELM",
    "JOBSET",
    "KUEUE",
    "KWOK",
    "NAMES",
    "TRAINER",
    "TRAINING_OPERATOR",
    "VOLCANO",
    "NoGo",
    "Upstream",
    "built",
    "program",
    "programs",
    "sources",
]

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


@dataclass(frozen=True, slots=True)
class Upstream:
    """A module that a folder beside this file pins.

    Attributes:
        folder: The folder.
        module: Its path.
        package: The program's Go package; empty where only files are wanted.
    """

    folder: str
    module: str
    package: str = ""


HELM = Upstream("helm", "helm.sh/helm/v3", "helm.sh/helm/v3/cmd/helm")
KWOK = Upstream("kwok", "sigs.k8s.io/kwok", "sigs.k8s.io/kwok/cmd/kwok")
JOBSET = Upstream("kueue", "sigs.k8s.io/jobset", "sigs.k8s.io/jobset")
TRAINER = Upstream(
    "kueue", "github.com/kubeflow/trainer/v2", "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"
)
KUEUE = Upstream("kueue", "sigs.k8s.io/kueue", "sigs.k8s.io/kueue/cmd/kueue")
TRAINING_OPERATOR = Upstream(
    "training-operator",
    "github.com/kubeflow/training-operator",
    "github.com/kubeflow/training-operator/cmd/training-operator.v1",
)
COSCHEDULING = Upstream(
    "coscheduling", "sigs.k8s.io/scheduler-plugins", "sigs.k8s.io/scheduler-plugins/cmd/scheduler"
)
VOLCANO = Upstream("volcano", "volcano.sh/apis", "sigs.k8s.io/controller-tools/cmd/controller-gen")
"""Volcano's types, and what writes its CustomResourceDefinitions from them."""


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
        return found if not absent else {**found, **built(MODULE, {name: NAMES[name] for name in absent})}
    return built(MODULE, NAMES)


def program(upstream: Upstream) -> Path:
    """An operator's program.

    Raises:
        NoGo: It has to be built, and there is no compiler that can.
        subprocess.CalledProcessError: It did not build.
    """
    name = f"{upstream.folder}-{upstream.package.rpartition('/')[2]}"
    return built(MODULE / upstream.folder, {name: upstream.package}, stamp="")[name]


@functools.cache
def sources(upstream: Upstream) -> Path:
    """The folder of a module's own files, fetched when they are not there.

    Raises:
        NoGo: There is no compiler, which fetches modules.
        subprocess.CalledProcessError: It could not be fetched.
    """
    command = [compiler(), "mod", "download", "-json", upstream.module]
    run = subprocess.run(command, cwd=MODULE / upstream.folder, capture_output=True, check=True)
    return Path(json.loads(run.stdout)["Dir"])


def built(module: Path, packages: dict[str, str], stamp: str = _STAMP) -> dict[str, Path]:
    """Programs of any folder with pins, by name.

    Args:
        module: The folder of ``go.mod`` and ``go.sum``.
        packages: Name to Go package.
        stamp: What the linker writes into them; by itself, the version of Kubernetes.

    Raises:
        NoGo: They have to be built, and there is no compiler that can.
        subprocess.CalledProcessError: They did not build.
    """
    go = compiler()
    folder = cache("controlplane") / _digest(module, go)
    command = [go, "build", "-ldflags", f"-s -w {stamp}".strip()]
    return {name: compiled(folder / name, command, package, module) for name, package in packages.items()}


def _digest(module: Path, go: str) -> str:
    key = hashlib.sha256()
    key.update(subprocess.run([go, "version"], capture_output=True, check=True).stdout)
    key.update(_STAMP.encode())
    for name in ("go.mod", "go.sum"):
        key.update((module / name).read_bytes())
    return key.hexdigest()[:16]
