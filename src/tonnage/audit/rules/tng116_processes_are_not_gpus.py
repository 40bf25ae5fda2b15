"""Processes and GPUs in different numbers.

What it finds:
    A training whose processes for each pod are given as a number that is not that of the pod's GPUs:
    --nproc-per-node, nprocPerNode, numProcPerNode, slotsPerWorker.
Why it matters:
    Each process takes one GPU. With fewer, GPUs are held and idle; with more, two processes share one, and
    NCCL refuses that, or a process finds no device.
    Source: docs.pytorch.org, torchrun; docs.nvidia.com/deeplearning/nccl, duplicate GPU detected.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: worker
            command: [torchrun, --nproc-per-node=8, train.py]
            resources: {limits: {nvidia.com/gpu: 4}}
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: worker
            command: [torchrun, --nproc-per-node=4, train.py]
            resources: {limits: {nvidia.com/gpu: 4}}
How to fix:
    Make both the same; torchrun takes gpu or auto for the number.
Limits:
    Numbers in scripts are not seen. Pods without GPUs, and with MIG slices, are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule
from tonnage.kube.paths import Path

_OPTION: Final = re.compile(r"--nproc[-_]per[-_]node[= ]([0-9]+)(?![0-9])")
_FIELDS: Final[tuple[Path, ...]] = (
    ("spec", "nprocPerNode"),
    ("spec", "elasticPolicy", "nProcPerNode"),
    ("spec", "trainer", "numProcPerNode"),
    ("spec", "slotsPerWorker"),
)


def _check(training: Training) -> Iterator[Hit]:
    gpus = sum(count for name, count in training.gpus.items() if "/mig-" not in name)
    if not gpus or len(training.gpus) != 1:
        return
    for field in _FIELDS:
        said = training.item.at(*field)
        if str(said).isdecimal() and int(str(said)) != gpus:
            yield _hit(field, int(str(said)), gpus)
    for role in training.roles:
        for one in role.pod.container_views:
            own = sum(one.gpus.values())
            words = [str(word) for name in ("command", "args") for word in _listed(one.at(name))]
            found = _OPTION.search(" ".join(words))
            if found is not None and own and int(found[1]) != own:
                name = "command" if _OPTION.search(" ".join(map(str, _listed(one.at("command"))))) else "args"
                yield _hit((*one.path, name), int(found[1]), own)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _hit(path: Path, processes: int, gpus: int) -> Hit:
    return Hit(path, f"{processes} processes are started for {gpus} GPUs")


RULE = Rule("TNG116", "warning", "training", _check, __doc__)
