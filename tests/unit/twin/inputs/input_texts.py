"""Texts that the tests of this room share."""

from __future__ import annotations

from typing import Any

import pytest

from tonnage.errors import SpecError
from tonnage.profile import Distribution, ModelProfile, dump_profile
from tonnage.profile.load_parts import Capacity, InFlight, Memory, Objective, Overhead, ProcessMemory
from tonnage.profile.parts import Batch, Metadata, ModelIdentity, Settings, Startup
from tonnage.traffic import PoissonArrivals
from tonnage.twin.inputs import Experiment, InputTexts, Options, TextFile, read

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: model
          image: model:v1
          ports: [{containerPort: 8080}]
          resources:
            requests: {cpu: "2", memory: 4Gi}
            limits: {cpu: "4", memory: 8Gi}
          readinessProbe:
            httpGet: {path: /health, port: 8080}
            initialDelaySeconds: 30
            periodSeconds: 5
          livenessProbe:
            httpGet: {path: /health, port: 8080}
            initialDelaySeconds: 60
"""
HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: web-hpa
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 2
  maxReplicas: 9
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
    - type: Pods
      pods:
        metric: {name: inference_latency_p99}
        target: {type: AverageValue, averageValue: 100m}
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
"""
NODES = """\
apiVersion: v1
kind: NodeList
items:
  - metadata: {name: n1, labels: {topology.kubernetes.io/zone: a, gpu-type: a10g}}
    status: {capacity: {cpu: "8", memory: 32Gi, nvidia.com/gpu: "2"}, allocatable: {cpu: 7500m, memory: 30Gi, pods: "20", nvidia.com/gpu: "2"}}
  - metadata: {name: n2, labels: {topology.kubernetes.io/zone: b, node.kubernetes.io/instance-type: g5.xlarge}}
    status: {capacity: {cpu: "8", memory: 32Gi}}
"""
POOLS = """\
apiVersion: tonnage.dev/v1alpha1
kind: NodePools
metadata: {name: small}
spec:
  autoscaler: {type: clusterAutoscaler, scaleDownUtilization: 0.4}
  priceSource: a contract
  currency: EUR
  pools:
    - name: cpu
      count: 4
      min: 1
      max: 8
      zones: [a, b, c]
      capacity: {cpu: 8, memory: 32Gi, pods: 30}
      reserved: {cpu: 500m, memory: 2Gi}
      startup: [90s, 120s]
      pricePerHour: 0.4
      spot: {interruptionsPerHour: 0.1}
"""
MODEL_SERVICE = """\
apiVersion: tonnage.dev/v1alpha1
kind: ModelService
metadata: {name: measured}
spec:
  model: {format: onnx, path: model.onnx}
  objective: {requestsPerSecond: 200, latency: {p99: 100ms}}
  resources: {cpu: "2", memory: 1Gi}
  batching: {sizeMax: 16}
  scaling: {minReplicas: 2, maxReplicas: 6, metrics: [{type: cpu}, {type: latency}, {type: load}]}
"""
SIMULATION = """\
apiVersion: tonnage.dev/v1alpha1
kind: Simulation
metadata: {name: trial}
spec:
"""


def simulation(block: str) -> str:
    """A Simulation; ``block`` stands under ``spec``."""
    return SIMULATION + "".join(f"  {line}\n" for line in block.splitlines())


def profile() -> ModelProfile:
    """What a server of two workers measured."""

    def times(*values: float) -> Distribution:
        return Distribution.of(values, keep=True)

    return ModelProfile(
        api_version="tonnage.dev/v1alpha1",
        kind="ModelProfile",
        metadata=Metadata(name="measured", created="2026-11-24T00:00:00Z"),
        origin="measured",
        model=ModelIdentity(name="measured"),
        settings=Settings(
            size_max=16,
            wait_max_s=0.001,
            gather_max=8,
            queue_max=1000,
            workers=2,
            threads=1,
            execution="inline",
            deadline_s=0.5,
            payload="random",
            payload_bytes=100.0,
            seed=0,
            quick=False,
            step_s=5.0,
        ),
        startup=Startup(
            process_s=times(0.4, 0.5),
            load_s=times(20.0, 30.0, 41.5),
            first_batch_s=times(0.1, 0.2),
            warmup_s=times(1.0, 2.0),
            ready_s=times(21.5, 33.0, 44.5),
        ),
        batches=tuple(
            Batch(
                size=size,
                steady_s=times(*(0.004 + 0.002 * size + 0.0001 * step for step in range(5))),
                cpu_s=(0.004 + 0.002 * size) * 0.8,
            )
            for size in (1, 4, 16)
        ),
        overhead=Overhead(per_request_s=0.0001, per_batch_s=0.0002, idle_ratio=0.01, requests=1000),
        memory=Memory(
            ready=ProcessMemory(rss_bytes=200_000_000, pss_bytes=180_000_000),
            after_traffic=ProcessMemory(rss_bytes=300_000_000, pss_bytes=280_000_000),
            peak_bytes=400_000_000,
        ),
        capacity=Capacity(
            objective=Objective(percentile=99.0, latency_s=0.1, origin="option"),
            sustainable_per_s=350.0,
            confirmed=True,
            in_flight=InFlight(mean=6.25, p99=20.0, max=31.0),
        ),
    )


PROFILE_TEXT = dump_profile(profile())
TRAFFIC = PoissonArrivals(100.0, 60.0)


def texts(*inputs: str, measured: bool = False, **traces: str) -> InputTexts:
    """Files ``a.yaml``, ``b.yaml`` and so on; with a profile where it was measured."""
    return InputTexts(
        tuple(TextFile(f"{'abcdefgh'[index]}.yaml", text) for index, text in enumerate(inputs)),
        TextFile("profile.json", PROFILE_TEXT) if measured else None,
        {f"{name}.csv": TextFile(f"{name}.csv", text) for name, text in traces.items()},
    )


def experiment(*inputs: str, measured: bool = False, **options: Any) -> Experiment:
    """What the files come to; a request takes 10 ms where nothing was measured."""
    options.setdefault("traffic", TRAFFIC)
    if not measured:
        options.setdefault("service_time_s", 0.01)
    return read(texts(*inputs, measured=measured), Options(**options))


def problems(*inputs: str, measured: bool = False, **options: Any) -> list[str]:
    """What is wrong with the files."""
    with pytest.raises(SpecError) as caught:
        experiment(*inputs, measured=measured, **options)
    return [str(problem) for problem in caught.value.problems]
