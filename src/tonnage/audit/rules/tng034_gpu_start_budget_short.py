"""Less than a minute to start on a GPU.

What it finds:
    A startup probe of a GPU container whose whole budget is under 60 s.
Why it matters:
    Creating a CUDA context, reading weights and compiling kernels take minutes: vLLM needed 277 s for one
    model, 210 s of them for compiling.
    Source: vllm#44881; kserve#5062.
Bad:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
        startupProbe: {httpGet: {path: /health, port: 8080}}
Good:
    apiVersion: v1
    kind: Pod
    metadata: {name: ranker}
    spec:
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
        startupProbe: {httpGet: {path: /health, port: 8080}, failureThreshold: 60}
How to fix:
    Measure the start (tonnage profile) and give three times as much.
Limits:
    Silent with --profile, where TNG033 knows better.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Container
from tonnage.audit.rule import Hit, Rule


def _check(container: Container) -> Iterator[Hit]:
    startup = container.probe("startup")
    if startup is None or not container.gpus or container.workload.context.measured.ready_s_max is not None:
        return
    if startup.budget_s < 60:
        yield Hit(startup.path, f"a model on a GPU is given {startup.budget_s} s to start")


RULE = Rule("TNG034", "warning", "container", _check, __doc__)
