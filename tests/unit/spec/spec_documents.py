"""Documents that the tests of this room share."""

from __future__ import annotations

MINIMAL = """\
apiVersion: tonnage.dev/v1alpha1
kind: ModelService
metadata:
  name: digits
spec:
  model:
    format: onnx
    path: digits.onnx
"""

FOUNDING = """\
apiVersion: tonnage.dev/v1alpha1
kind: ModelService
metadata:
  name: model-serving
  labels: {app: model-serving}
spec:
  model: {format: onnx, path: model.onnx}
  image: model-serving:v1.2.3
  replicas: 10
  objective:
    requestsPerSecond: 10k
    latency: {p99: 100ms}
  resources:
    cpu: "2"
    memory: 4Gi
    limits: {cpu: "4", memory: 8Gi}
    gpu: {vendor: nvidia, type: a100, count: 1}
  server: {port: 8080}
  probes:
    startup: null
    readiness: {path: /health, initialDelay: 30s, period: 5s}
    liveness: {path: /health, initialDelay: 60s, period: 10s}
  scheduling:
    nodeSelector: {gpu-type: a100}
    tolerations:
      - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
    antiAffinity: {mode: preferred, weight: 100, topologyKey: kubernetes.io/hostname}
  scaling:
    minReplicas: 3
    maxReplicas: 50
    metrics:
      - {type: cpu, utilization: 70}
      - {type: pods, name: inference_latency_p99, averageValue: 100m}
    behavior:
      scaleUp:
        stabilizationWindow: 30s
        policies: [{type: Percent, value: 100, period: 15s}]
      scaleDown:
        stabilizationWindow: 300s
        policies: [{type: Percent, value: 10, period: 60s}]
"""


def with_spec(block: str) -> str:
    """The minimal document with more under ``spec``; ``block`` is indented by two."""
    return MINIMAL + "".join(f"  {line}\n" for line in block.splitlines())


def with_model(block: str) -> str:
    """The minimal document with more under ``spec.model``."""
    return MINIMAL + "".join(f"    {line}\n" for line in block.splitlines())
