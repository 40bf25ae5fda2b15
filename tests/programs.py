"""Builds every Go program that the tests run, once, into the user's cache.

    python -m tests.programs

The tests build what they need by themselves; cold, that takes minutes in the middle of a test, with nothing to see.
So the whole test run does it first. What is built is named after its pins and the compiler.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from cluster.service_network import kube_proxy
from controlplane import binaries
from controlplane.dns import coredns
from upstream import build

PROGRAMS: dict[str, Callable[[], object]] = {
    "Kubernetes' own HPA": lambda: build.program("hpa"),
    "Kubernetes' own scheduler": lambda: build.program("scheduler"),
    "control plane": binaries.programs,
    "kube-proxy": kube_proxy,
    "CoreDNS": coredns,
    "Helm": lambda: binaries.program(binaries.HELM),
    "KWOK": lambda: binaries.program(binaries.KWOK),
    "Training Operator": lambda: binaries.program(binaries.TRAINING_OPERATOR),
    "JobSet": lambda: binaries.program(binaries.JOBSET),
    "Trainer": lambda: binaries.program(binaries.TRAINER),
    "Kueue": lambda: binaries.program(binaries.KUEUE),
    "coscheduling": lambda: binaries.program(binaries.COSCHEDULING),
    "Volcano's types": lambda: binaries.program(binaries.VOLCANO),
}
"""What is built, in the order in which the tests want it."""


def main() -> None:
    """Build what is missing; without a compiler nothing, since the tests that need it are skipped."""
    for name, make in PROGRAMS.items():
        began_s = time.monotonic()
        try:
            make()
        except binaries.NoGo as error:
            sys.stderr.write(f"not built: {error}; the tests that need it are skipped\n")
            return
        except subprocess.CalledProcessError as error:
            sys.stderr.write(f"{name}: could not be built: {error}; the tests that need it will say so too\n")
            continue
        taken_s = time.monotonic() - began_s
        if taken_s > 1:
            sys.stderr.write(f"{name}: built in {taken_s:.0f} s\n")


if __name__ == "__main__":
    main()
