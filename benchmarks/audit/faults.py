"""Faults that hurt model services, each as one change of a service in which no rule of ours finds anything.

Where a fault comes from: ``B`` and a number are our collection of what users of such services complained of,
each with its issue threads; ``A5`` are the checks that auditors are compared by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: What it is, for a table.
        origin: Who told of it.
        edits: Text to be replaced, and by what; each is found once in the base.
        beside: Sound objects that are put beside the base's first; edits may change them too.
        needs: ``profile`` or ``nodes`` where only measured facts or the cluster's nodes show it.
    """

    name: str
    origin: str
    edits: tuple[tuple[str, str], ...]
    beside: str = ""
    needs: str = ""


_LIMITS: Final = "limits: {memory: 8Gi, nvidia.com/gpu: 1}"
_REQUESTS: Final = "requests: {cpu: 2, memory: 4Gi, nvidia.com/gpu: 1}"
_STARTUP: Final = (
    "startupProbe: {httpGet: {path: /health, port: http}, periodSeconds: 5, failureThreshold: 60}"
)
_READINESS: Final = "readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 5}"
_LIVENESS: Final = "livenessProbe: {httpGet: {path: /livez, port: http}, timeoutSeconds: 5}"
_TOLERATION: Final = "{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}"
_EAGER: Final = "livenessProbe: {httpGet: {path: /livez, port: http}, periodSeconds: 3, failureThreshold: 2}"
_SURGE: Final = ("maxSurge: 0, maxUnavailable: 1", "maxSurge: 1, maxUnavailable: 0")
_PRESTOP: Final = "        lifecycle: {preStop: {sleep: {seconds: 5}}}\n"
_METRIC: Final = """  - type: Pods
    pods:
      metric: {name: requests_in_flight}
      target: {type: AverageValue, averageValue: "4"}
"""
_DIVIDED: Final = """  - type: External
    external:
      metric: {name: request_latency_p95}
      target: {type: AverageValue, averageValue: 200m}
"""
_CPU: Final = """  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}
"""
_SPREAD: Final = """      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: ScheduleAnyway
        labelSelector:
          matchLabels: {app.kubernetes.io/name: ranker}
        matchLabelKeys: [pod-template-hash]
"""
_PDB: Final = """apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: ranker
  namespace: serving
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {app.kubernetes.io/name: ranker}
---
"""
_QUEUED: Final = ", labels: {kueue.x-k8s.io/queue-name: team}"
_OTHER: Final = """---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other, namespace: serving}
spec:
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true}
      containers:
      - name: other
        image: registry.example.com/other:1.0.0
        resources: {requests: {cpu: 1, memory: 1Gi}, limits: {memory: 1Gi}}
"""
_JOB: Final = """---
apiVersion: batch/v1
kind: Job
metadata: {name: train, namespace: serving, labels: {kueue.x-k8s.io/queue-name: team}}
spec:
  completionMode: Indexed
  completions: 8
  parallelism: 8
  backoffLimit: 40
  activeDeadlineSeconds: 86400
  template:
    metadata: {labels: {app.kubernetes.io/name: train}}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true}
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      containers:
      - name: worker
        image: registry.example.com/train:1.4.2
        command: [torchrun, --nnodes=8, --nproc-per-node=1, train.py, --checkpoints=s3://team/train]
        resources:
          requests: {cpu: 2, memory: 4Gi, nvidia.com/gpu: 1}
          limits: {memory: 8Gi, nvidia.com/gpu: 1}
"""

FAULTS: Final = (
    Fault("no CPU request", "A5", ((_REQUESTS, "requests: {memory: 4Gi, nvidia.com/gpu: 1}"),)),
    Fault("no memory limit", "A5", ((_LIMITS, "limits: {nvidia.com/gpu: 1}"),)),
    Fault("no readiness probe", "A5", ((_READINESS, "stdin: false"),)),
    Fault("liveness asks what readiness asks", "A5", (("path: /livez", "path: /health"),)),
    Fault("no spread over nodes", "A5", ((_SPREAD, ""),)),
    Fault(
        "fixed replicas beside an HPA",
        "A5",
        (("spec:\n  selector:\n", "spec:\n  replicas: 3\n  selector:\n"),),
    ),
    Fault("minReplicas 1", "A5", (("minReplicas: 3", "minReplicas: 1"),)),
    Fault("no disruption budget", "A5", ((_PDB, ""),)),
    Fault(
        "budget blocks drains", "A5", (("maxUnavailable: 1\n  unhealthy", "maxUnavailable: 0\n  unhealthy"),)
    ),
    Fault("budget protects broken pods", "A5", (("  unhealthyPodEvictionPolicy: AlwaysAllow\n", ""),)),
    Fault("image without a tag", "A5", (("ranker:1.4.2", "ranker"),)),
    Fault("GPU in requests only", "A5 bold", ((_LIMITS, "limits: {memory: 8Gi}"),)),
    Fault("half a GPU", "A5 bold", ((_LIMITS, "limits: {memory: 8Gi, nvidia.com/gpu: 500m}"),)),
    Fault(
        "GPU request differs from its limit",
        "A5 bold",
        ((_LIMITS, "limits: {memory: 8Gi, nvidia.com/gpu: 2}"),),
    ),
    Fault(
        "resource name that nobody serves",
        "A5 bold",
        (
            (_LIMITS, "limits: {memory: 8Gi, nvidia.com/gpus: 1}"),
            (_REQUESTS, "requests: {cpu: 2, memory: 4Gi}"),
        ),
    ),
    Fault("GPU nodes not tolerated", "A5 bold", ((f"      tolerations:\n      - {_TOLERATION}\n", ""),)),
    Fault(
        "GPU type not chosen",
        "A5 bold",
        (("      nodeSelector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}\n", ""),),
    ),
    Fault("no startup probe", "B12", ((_STARTUP, "stdin: false"),)),
    Fault(
        "killed before the model is loaded",
        "B12, A5 bold",
        (("failureThreshold: 60", "failureThreshold: 2"),),
        needs="profile",
    ),
    Fault("rollout needs a spare GPU", "B17, A5 bold", (_SURGE,)),
    Fault("no time to leave the endpoints", "B18", ((_PRESTOP, ""),)),
    Fault(
        "grace shorter than the longest request",
        "B18, A5 bold",
        (("terminationGracePeriodSeconds: 60", "terminationGracePeriodSeconds: 10"),),
        needs="profile",
    ),
    Fault("preStop uses up the grace", "B18", (("sleep: {seconds: 5}", "sleep: {seconds: 60}"),)),
    Fault(
        "target below the unloaded latency",
        "B8, A5 bold",
        ((_METRIC, _METRIC.replace("requests_in_flight", "inference_latency_p99").replace('"4"', "2m")),),
        needs="profile",
    ),
    Fault("scaled on a counter", "B9, A5 bold", (("name: requests_in_flight}", "name: queries_total}"),)),
    Fault(
        "latency divided by replicas",
        "B8",
        (
            (
                _METRIC,
                _DIVIDED,
            ),
        ),
    ),
    Fault(
        "metric that nothing serves", "B10, A5 bold", (("name: requests_in_flight}", "name: queue_depth}"),)
    ),
    Fault(
        "scales down sooner than a start",
        "B14, A5 bold",
        (("stabilizationWindowSeconds: 300", "stabilizationWindowSeconds: 0"),),
    ),
    Fault(
        "scale-up waits",
        "B15, A5 bold",
        (("stabilizationWindowSeconds: 30,", "stabilizationWindowSeconds: 300,"),),
    ),
    Fault(
        "GPU service scaled on CPU",
        "B3",
        (
            (
                _METRIC,
                _CPU,
            ),
        ),
    ),
    Fault("maximum beyond the GPUs", "A5 bold", (("maxReplicas: 12", "maxReplicas: 40"),), needs="nodes"),
    Fault(
        "spread counts the old revision",
        "B2",
        (("ScheduleAnyway", "DoNotSchedule"), ("        matchLabelKeys: [pod-template-hash]\n", "")),
    ),
    Fault(
        "selector counts others' pods",
        "B6",
        (
            (
                "selector: {matchLabels: {app: other}}",
                "selector: {matchLabels: {app.kubernetes.io/name: ranker}}",
            ),
            ("metadata: {labels: {app: other}}", "metadata: {labels: {app.kubernetes.io/name: ranker}}"),
        ),
        beside=_OTHER,
    ),
    Fault("liveness that load can fail", "B21", ((_LIVENESS, _EAGER),)),
    Fault("training placed one by one", "A6", ((_QUEUED, ""),), beside=_JOB),
    Fault("training restarts at zero", "A6", ((", --checkpoints=s3://team/train", ""),), beside=_JOB),
    Fault("one failure uses up the retries", "A6", (("  backoffLimit: 40\n", ""),), beside=_JOB),
    Fault("more processes than GPUs", "A6", (("--nproc-per-node=1", "--nproc-per-node=8"),), beside=_JOB),
    Fault("rendezvous for more workers than pods", "A6", (("--nnodes=8", "--nnodes=16"),), beside=_JOB),
)
"""In the order of the table."""
