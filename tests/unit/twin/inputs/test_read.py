"""From Kubernetes objects or a ModelService to a scenario: what comes out, what is assumed, what is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from input_texts import (
    DEPLOYMENT,
    HPA,
    MODEL_SERVICE,
    NODES,
    POOLS,
    SERVICE,
    TRAFFIC,
    experiment,
    simulation,
    texts,
)

from tonnage.plan.price import example_prices
from tonnage.twin.inputs import Options, read
from tonnage.twin.requests import Balancing, MeasuredService, ParametricService
from tonnage.twin.scenario import (
    PLAIN_ENDPOINTS,
    TONNAGE_ENDPOINTS,
    Annotated,
    ControllerRestarted,
    HpaEdited,
    MetricsOutage,
    NodeDrained,
    NodeFails,
    NodeRecovers,
    Objective,
    PodKilled,
    ReplicasEdited,
    Rollout,
    SpotInterruption,
)


def test_a_plain_deployment_and_its_hpa_make_a_scenario() -> None:
    """Names, labels, replicas, probes, resources and the autoscaler come from the objects."""
    scenario = experiment(DEPLOYMENT, HPA, SERVICE).scenario
    workload = scenario.workload
    assert (workload.name, workload.namespace, workload.replicas) == ("web", "default", 3)
    assert workload.labels == {"app": "web"}
    assert workload.container == "model"
    life = workload.revision.life
    assert life.readiness is not None
    assert (life.readiness.initial_delay_s, life.readiness.period_s, life.readiness.timeout_s) == (30, 5, 1)
    assert life.liveness is not None
    assert (life.liveness.initial_delay_s, life.liveness.period_s, life.liveness.failure_threshold) == (60, 10, 3)
    assert life.startup is None
    assert (life.compute.cpu_request_cores, life.compute.cpu_limit_cores) == (2.0, 4.0)
    assert life.compute.memory_limit_bytes == 8 * 2**30
    assert life.termination.grace_s == 30
    assert workload.revision.pod.spec.requests.cpu_millicores == 2000
    assert scenario.autoscaler is not None
    assert (scenario.autoscaler.replicas_min, scenario.autoscaler.replicas_max) == (2, 9)
    (metric,) = scenario.metrics.metrics
    assert (metric.name, metric.meaning, metric.scope) == ("inference_latency_p99", "latency_p99", "pod")
    assert scenario.duration_s == TRAFFIC.duration_s


def test_a_plain_server_answers_probes_where_it_answers_requests() -> None:
    """Without knowledge of the server, load can fail its liveness; a profile of ours says that it is ours."""
    plain = experiment(DEPLOYMENT).scenario.workload.revision.life
    assert plain.endpoints == PLAIN_ENDPOINTS
    assert plain.liveness is not None
    assert plain.liveness.endpoint == "health"
    ours = experiment(DEPLOYMENT, measured=True).scenario.workload.revision.life
    assert ours.endpoints == TONNAGE_ENDPOINTS
    other = experiment(DEPLOYMENT.replace("livenessProbe:\n            httpGet: {path: /health", "livenessProbe:\n            httpGet: {path: /live"))
    liveness = other.scenario.workload.revision.life.liveness
    assert liveness is not None
    assert liveness.endpoint == "live"


def test_limits_stand_for_requests_that_are_not_given() -> None:
    """As the API server fills them in."""
    text = DEPLOYMENT.replace('            requests: {cpu: "2", memory: 4Gi}\n', "")
    scenario = experiment(text).scenario
    compute = scenario.workload.revision.life.compute
    assert (compute.cpu_request_cores, compute.memory_request_bytes) == (4.0, 8 * 2**30)
    assert scenario.workload.revision.pod.spec.requests.cpu_millicores == 4000


def test_a_container_without_resources_has_none() -> None:
    """What happens without limits can be simulated."""
    lines = DEPLOYMENT.splitlines(keepends=True)
    start = next(index for index, line in enumerate(lines) if "resources:" in line)
    compute = experiment("".join(lines[:start] + lines[start + 3 :])).scenario.workload.revision.life.compute
    assert (compute.cpu_request_cores, compute.cpu_limit_cores) == (None, None)
    assert (compute.memory_request_bytes, compute.memory_limit_bytes) == (None, None)


def test_a_profile_gives_times_and_settings() -> None:
    """Start-up samples, batches by size, the measured server's settings, memory and CPU."""
    scenario = experiment(DEPLOYMENT, measured=True).scenario
    life = scenario.workload.revision.life
    assert life.load_s.values == (20.0, 30.0, 41.5)
    assert life.process_s.values == (0.4, 0.5)
    assert life.warmup_s.values == (1.0, 2.0)
    (server,) = scenario.servers
    assert isinstance(server.service, MeasuredService)
    assert server.service.sizes == (1, 4, 16)
    assert server.service.mean_s(4) == pytest.approx(0.0122)
    assert (server.size_max, server.gather_max, server.queue_max, server.workers) == (16, 8, 1000, 2)
    assert (server.deadline_s, server.wait_s_max) == (0.5, 0.001)
    assert (server.batch_overhead_s, server.request_overhead_s) == (0.0002, 0.0001)
    assert server.warmup[0][0] == 1
    assert life.compute.memory_ready_bytes == 300_000_000
    assert life.compute.memory_load_bytes == 400_000_000
    assert life.compute.cpu_busy_cores == pytest.approx(2 * 0.8, rel=0.02)
    assert life.compute.cpu_bound_ratio == pytest.approx(0.8, rel=0.02)
    assert scenario.metrics.sustainable_per_s == 350.0


def test_a_document_that_says_how_many_are_gathered_is_obeyed() -> None:
    """What the measured server chose by itself holds where the document leaves it to the server."""
    said = MODEL_SERVICE.replace("sizeMax: 16", "sizeMax: 16, gatherMax: 3")
    gathered = [experiment(text, measured=True).scenario.servers[0].gather_max for text in (MODEL_SERVICE, said)]
    assert gathered == [8, 3]


def test_a_server_of_which_only_the_time_is_known_is_plain() -> None:
    """One worker, batches of one, a long queue, no deadline."""
    (server,) = experiment(DEPLOYMENT, service_time_s=0.02).scenario.servers
    assert server.service == ParametricService(item_s=0.02)
    assert (server.size_max, server.workers, server.queue_max, server.deadline_s) == (1, 1, 4096, math.inf)


def test_a_model_service_becomes_its_own_manifests() -> None:
    """The document's batching, objective and drain go before what the profile was measured with."""
    found = experiment(MODEL_SERVICE, POOLS, measured=True)
    scenario = found.scenario
    assert scenario.name == scenario.workload.name == "measured"
    assert scenario.objective == Objective(99.0, 0.1)
    (server,) = scenario.servers
    assert (server.size_max, server.workers, server.queue_max) == (16, 2, 4096)
    assert server.deadline_s == 0.1
    life = scenario.workload.revision.life
    assert life.termination.lame_duck_s == 5.0
    assert life.startup is not None
    assert life.startup.failure_threshold == 67
    assert life.liveness is not None
    assert life.liveness.endpoint == "live"
    assert [one.meaning for one in scenario.metrics.metrics] == ["latency_p99", "in_flight"]
    assert scenario.workload.replicas == 2
    assert "the run begins with 2 replicas, the HPA's minimum" in found.assumed


def test_the_objectives_rate_is_traffic_where_none_is_given() -> None:
    """A ModelService by itself can be simulated, and what was assumed is said."""
    found = experiment(MODEL_SERVICE, measured=True, traffic=None)
    assert found.scenario.duration_s == 600
    assert "traffic is the objective's 200 requests/s, Poisson, for 600 s" in found.assumed


def test_objects_that_are_given_go_before_those_that_are_made() -> None:
    """A rendered and then edited Deployment is the one that runs."""
    given = DEPLOYMENT.replace("name: web", "name: measured")
    found = experiment(MODEL_SERVICE, given, measured=True)
    assert found.scenario.workload.replicas == 3
    assert "Deployment/measured is the one given, not the one made of the ModelService" in found.assumed


def test_nodes_are_those_of_the_cluster() -> None:
    """Allocatable counts; where only capacity is given, it is all allocatable; prices come from the table."""
    found = experiment(DEPLOYMENT, NODES)
    first, second = found.scenario.cluster.nodes
    assert (first.node.name, first.node.allocatable.cpu_millicores, first.node.pods_max) == ("n1", 7500, 20)
    assert (first.cpu_cores, first.memory_bytes, first.gpus) == (8.0, 32 * 2**30, 2)
    assert first.node.labels["kubernetes.io/hostname"] == "n1"
    assert (second.node.allocatable.cpu_millicores, second.node.pods_max) == (8000, 110)
    assert second.price_per_h > 0
    assert any(text.startswith("n1 cost nothing") for text in found.assumed)


def test_pools_are_dealt_over_their_zones() -> None:
    """Each zone is a pool of its own; counts, least and most are shared out in turn."""
    found = experiment(DEPLOYMENT, POOLS)
    cluster = found.scenario.cluster
    assert [(one.name, one.start, one.size_min, one.size_max) for one in cluster.pools] == [
        ("cpu-a", 2, 1, 3),
        ("cpu-b", 1, 0, 3),
        ("cpu-c", 1, 0, 2),
    ]
    plan = cluster.pools[1].template
    assert plan.node.labels["topology.kubernetes.io/zone"] == "b"
    assert (plan.node.allocatable.cpu_millicores, plan.node.allocatable.memory_bytes) == (7500, 30 * 2**30)
    assert (plan.node.pods_max, plan.price_per_h) == (30, 0.4)
    assert plan.spot is not None
    assert plan.spot.interruptions_per_h == 0.1
    assert cluster.pools[0].startup_s.values == (90.0, 120.0)
    assert cluster.autoscaler is not None
    assert (cluster.autoscaler.kind, cluster.autoscaler.utilization_max) == ("cluster-autoscaler", 0.4)
    assert found.currency == "EUR"
    assert "prices are from a contract" in found.assumed


def test_a_default_cluster_holds_the_workload_and_is_said() -> None:
    """Room for the most replicas and their surge, one node more, in three zones, from the price table."""
    gpu = DEPLOYMENT.replace("memory: 8Gi}", "memory: 8Gi, nvidia.com/gpu: 1}").replace(
        "memory: 4Gi}", "memory: 4Gi, nvidia.com/gpu: 1}"
    )
    for text, resource in ((DEPLOYMENT, None), (gpu, "nvidia.com/gpu")):
        found = experiment(text, HPA)
        pools = found.scenario.cluster.pools
        requests = found.scenario.workload.revision.pod.spec.requests
        node = pools[0].template.node
        per_node = min(
            node.allocatable.cpu_millicores // requests.cpu_millicores,
            node.allocatable.memory_bytes // requests.memory_bytes,
        )
        if resource is not None:
            per_node = min(per_node, dict(node.allocatable.scalars)[resource])
        assert per_node >= 1
        assert sum(pool.start for pool in pools) * per_node >= 9 + 3
        assert len({pool.template.node.labels["topology.kubernetes.io/zone"] for pool in pools}) == 3
        assert any(text.startswith("no nodes were given: ") for text in found.assumed)


def test_a_default_cluster_has_the_labels_that_the_pod_asks_for() -> None:
    """A selector or a required affinity is met, also where no instance of the table has such a GPU."""
    text = DEPLOYMENT.replace(
        "    spec:\n      containers:",
        "    spec:\n      nodeSelector: {gpu-type: unheard-of}\n      containers:",
    ).replace("memory: 8Gi}", "memory: 8Gi, nvidia.com/mig-1g.10gb: 2}")
    found = experiment(text)
    node = found.scenario.cluster.pools[0].template.node
    assert node.labels["gpu-type"] == "unheard-of"
    assert dict(node.allocatable.scalars) == {"nvidia.com/mig-1g.10gb": 2}
    assert any("without a price" in text for text in found.assumed)


@pytest.mark.parametrize(
    ("key", "value", "gpu_type"),
    [
        ("gpu-type", "a100", "a100"),
        ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB", "a100"),
        ("cloud.google.com/gke-accelerator", "nvidia-l4", "l4"),
        ("gpu-type", "unheard-of", None),
        ("disk", "ssd", "any"),
    ],
)
def test_a_default_cluster_has_the_gpu_that_is_asked_for(key: str, value: str, gpu_type: str | None) -> None:
    """The type is found in the label's words; of a type without a price the nodes have none."""
    text = DEPLOYMENT.replace(
        "    spec:\n      containers:", f"    spec:\n      nodeSelector: {{{key}: {value}}}\n      containers:"
    ).replace("memory: 8Gi}", "memory: 8Gi, nvidia.com/gpu: 1}")
    plan = experiment(text).scenario.cluster.pools[0].template
    by_name = {instance.name: instance.gpu_type for instance in example_prices().instances}
    found = by_name.get(plan.node.labels["node.kubernetes.io/instance-type"])
    assert found == gpu_type or (gpu_type == "any" and found is not None)
    assert (plan.price_per_h > 0) is (gpu_type is not None)
    assert plan.node.labels[key] == value


def test_a_gpu_type_that_no_node_has_is_no_error() -> None:
    """The twin shows the pods Pending; the nodes are taken as they are."""
    text = DEPLOYMENT.replace(
        "    spec:\n      containers:", "    spec:\n      nodeSelector: {gpu-type: h100}\n      containers:"
    )
    assert len(experiment(text, NODES).scenario.cluster.nodes) == 2


def test_other_workloads_take_room_on_the_nodes() -> None:
    """Other Deployments' replicas and Pods are other pods; the workload's own pods are not counted twice."""
    other = DEPLOYMENT.replace("web", "batch").replace("replicas: 3", "replicas: 2")
    pods = """\
apiVersion: v1
kind: PodList
items:
  - metadata: {name: web-1, labels: {app: web}}
    spec: {nodeName: n1, containers: [{name: c}]}
  - metadata: {name: agent, namespace: kube-system}
    spec: {nodeName: n2, containers: [{name: c, resources: {requests: {cpu: 100m, memory: 64Mi}}}]}
  - metadata: {name: done}
    spec: {containers: [{name: c}]}
    status: {phase: Succeeded}
"""
    found = experiment(DEPLOYMENT, other, pods, NODES, workload="web")
    others = found.scenario.cluster.other_pods
    assert [(one.pod.name, one.node) for one in others] == [("batch-0", None), ("batch-1", None), ("agent", "n2")]
    assert others[2].cpu_cores == 0.1
    assert others[2].memory_bytes == 64 * 2**20


def test_the_deployment_with_an_autoscaler_is_the_workload() -> None:
    """Of several, the only one with an HPA is meant."""
    other = DEPLOYMENT.replace("web", "batch")
    assert experiment(other, DEPLOYMENT, HPA).scenario.workload.name == "web"


def test_the_rollout_strategy_and_the_budget_are_read() -> None:
    """Surge, unavailable, Recreate, progress deadline, and the disruption budget of these pods."""
    text = DEPLOYMENT.replace(
        "  replicas: 3\n",
        "  replicas: 3\n  minReadySeconds: 5\n  progressDeadlineSeconds: 60\n"
        "  strategy: {rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}\n",
    )
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}\n"
    scenario = experiment(text, budget).scenario
    plan = scenario.workload.rollout
    assert (plan.max_surge, plan.max_unavailable, plan.min_ready_s, plan.progress_deadline_s) == (2, 0, 5.0, 60.0)
    assert scenario.cluster.budget is not None
    assert scenario.cluster.budget.min_available == "50%"
    recreate = DEPLOYMENT.replace("  replicas: 3\n", "  strategy: {type: Recreate}\n")
    assert experiment(recreate).scenario.workload.rollout.strategy == "Recreate"


def test_priorities_come_from_their_classes() -> None:
    """A PriorityClass among the files gives the pod's priority."""
    text = DEPLOYMENT.replace(
        "    spec:\n      containers:", "    spec:\n      priorityClassName: high\n      containers:"
    )
    klass = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 1000\n"
    assert experiment(text, klass).scenario.workload.revision.pod.spec.priority == 1000


@pytest.mark.parametrize(
    ("hook", "sleep_s", "absent"),
    [
        ("{preStop: {sleep: {seconds: 15}}}", 15.0, False),
        ('{preStop: {exec: {command: ["/bin/sh", "-c", "sleep 7"]}}}', 7.0, False),
        ("{preStop: {exec: {command: [drain]}}}", 0.0, True),
    ],
)
def test_a_prestop_hook_that_sleeps_is_known(hook: str, sleep_s: float, absent: bool) -> None:
    """One that does something else takes no time, and is listed."""
    text = DEPLOYMENT.replace("          image: model:v1\n", f"          image: model:v1\n          lifecycle: {hook}\n")
    scenario = experiment(text).scenario
    assert scenario.workload.revision.life.termination.pre_stop_s == sleep_s
    assert any("preStop" in line for line in scenario.not_modelled) is absent


def test_what_is_not_modelled_is_listed() -> None:
    """Volumes, init containers, sidecars, hooks, foreign kinds and Service options; not what has no effect."""
    text = DEPLOYMENT.replace(
        "    spec:\n      containers:\n",
        "    spec:\n      volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]\n"
        "      initContainers: [{name: fetch, image: x}]\n      containers:\n"
        "        - {name: sidecar, image: y}\n",
    )
    others = (
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {name: so}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n"
    )
    service = SERVICE + "  sessionAffinity: ClientIP\n"
    found = "\n".join(experiment(text, others, service).scenario.not_modelled)
    for part in ("volumes", "initContainers fetch", "container sidecar", "ScaledObject/so", "sessionAffinity"):
        assert part in found
    assert "ConfigMap" not in found
    assert experiment(DEPLOYMENT, HPA, SERVICE).scenario.not_modelled == ()


def test_a_simulation_says_the_rest() -> None:
    """Client, network, control plane, pods, start, metrics, objective, duration, seed and assertions."""
    block = """\
duration: 2m
interval: 5s
seed: 9
traffic: {type: poisson, rate: 50}
client: {timeout: 1s, retries: 2, balancing: leastRequest, connections: 7, roundTrip: 2ms}
server: {serviceTime: {perBatch: 4ms, perItem: 2ms, spread: 0.5}, sizeMax: 8, waitMax: 1ms, workers: 3}
pod: {imagePull: 1m, load: [30s, 20s], cpuAtStart: 3, lameDuck: 4s, livenessUnderLoad: answers, loadCrashes: 0.25}
start: {replicas: 5, ready: false}
metrics:
  resource: {resolution: 60s}
  custom: {type: prometheusAdapter, idle: last}
control: {syncPeriod: 30s, tolerance: 0.2, nodeMonitorGrace: 40s, evictionAfter: 1m}
objective: {latency: {p95: 80ms}, errorRatioMax: 0.01}
assertions: ["p99<=100ms"]
"""
    found = experiment(DEPLOYMENT, HPA, simulation(block), traffic=None, service_time_s=None)
    scenario = found.scenario
    assert (scenario.name, scenario.duration_s, scenario.interval_s, scenario.seed) == ("trial", 120.0, 5.0, 9)
    assert scenario.objective == Objective(95.0, 0.08, 0.01)
    assert (scenario.client.timeout_s, scenario.client.retries_max) == (1.0, 2)
    assert (scenario.network.balancing, scenario.network.connections) == (Balancing.LEAST_REQUEST, 7)
    assert scenario.network.round_trip_s == 0.002
    (server,) = scenario.servers
    law = server.service
    assert isinstance(law, ParametricService)
    assert (law.batch_s, law.item_s, law.shape, law.variation) == (0.004, 0.002, "lognormal", 0.5)
    assert (server.size_max, server.wait_s_max, server.workers) == (8, 0.001, 3)
    life = scenario.workload.revision.life
    assert (life.image_pull_s.values, life.load_s.values) == ((60.0,), (20.0, 30.0))
    assert (life.compute.cpu_start_cores, life.termination.lame_duck_s) == (3.0, 4.0)
    assert life.crash.load_ratio == 0.25
    assert not life.endpoint("live").shares_queue
    assert (scenario.workload.replicas, scenario.workload.started) == (5, False)
    assert scenario.metrics.resource is not None
    assert scenario.metrics.resource.resolution_s == 60.0
    custom = scenario.metrics.custom
    assert custom is not None
    assert (custom.kind, custom.window_s, custom.stale_s) == ("prometheus-adapter", 120.0, 300.0)
    assert (custom.warming, custom.terminating, custom.idle) == ("answers", "answers", "last")
    assert (scenario.control.hpa.sync_period_s, scenario.control.hpa.tolerance) == (30.0, 0.2)
    assert (scenario.control.node_monitor_grace_s, scenario.control.toleration_s) == (40.0, 60.0)
    assert found.assertions == ("p99<=100ms",)


def test_options_go_before_documents() -> None:
    """The command line has the last word."""
    text = simulation("duration: 2m\nseed: 9\nstart: {replicas: 5}\ntraffic: {type: constant, rate: 1}\n")
    scenario = experiment(
        DEPLOYMENT, text, duration_s=30.0, seed=4, replicas=1, interval_s=2.0, name="mine"
    ).scenario
    assert (scenario.duration_s, scenario.seed, scenario.interval_s, scenario.name) == (30.0, 4, 2.0, "mine")
    assert scenario.workload.replicas == 1
    assert scenario.traffic.kind == "rates"


def test_metrics_of_other_names_are_told_what_they_mean() -> None:
    """By option or by document; a fleet's metric has its own scope."""
    text = HPA.replace("inference_latency_p99", "app_ms") + (
        "    - type: External\n      external:\n        metric: {name: queue_depth}\n"
        "        target: {type: AverageValue, averageValue: 5}\n"
    )
    meanings = simulation("metrics: {meanings: {app_ms: {meaning: p95, scale: 1000}}}\n")
    plan = experiment(DEPLOYMENT, text, meanings, meanings={"queue_depth": "queue"}).scenario.metrics
    assert [(one.name, one.meaning, one.scope, one.scale) for one in plan.metrics] == [
        ("app_ms", "latency_p95", "pod", 1000.0),
        ("queue_depth", "queue", "fleet", 1.0),
    ]


def test_a_lenient_simulation_lets_a_metric_fail() -> None:
    """What happens when nothing serves a metric can be simulated."""
    text = HPA.replace("inference_latency_p99", "nothing")
    assert experiment(DEPLOYMENT, text, simulation("lenient: true\n")).scenario.metrics.metrics == ()


def test_changes_are_made_before_the_start() -> None:
    """A merge patch on the Deployment or the HPA, as if the file had said so."""
    block = (
        "changes:\n"
        "  - {target: HorizontalPodAutoscaler, patch: {spec: {maxReplicas: 4, metrics: null}}}\n"
        "  - {target: Deployment/web, patch: {spec: {replicas: 2, template: {spec: {terminationGracePeriodSeconds: 5}}}}}\n"
    )
    scenario = experiment(DEPLOYMENT, HPA, simulation(block)).scenario
    assert scenario.autoscaler is not None
    assert scenario.autoscaler.replicas_max == 4
    assert len(scenario.autoscaler.metrics) == 1
    assert scenario.workload.replicas == 2
    assert scenario.workload.revision.life.termination.grace_s == 5


def test_single_fields_are_set_by_their_paths() -> None:
    """Beside a patch, which replaces whole lists, a path changes one field of one container."""
    block = (
        "changes:\n"
        "  - target: Deployment\n"
        "    patch: {spec: {replicas: 4}}\n"
        "    set:\n"
        "      spec.template.spec.containers[0].livenessProbe: null\n"
        "      spec.template.spec.containers[0].readinessProbe.periodSeconds: 7\n"
        "      spec.template.spec.containers[1]: {name: sidecar}\n"
        "      'metadata.labels[\"example.com/a\"]': b\n"
        "happenings:\n"
        "  - {type: edit, at: 5s, target: Deployment, set: {'spec.template.spec.containers[1]': null}}\n"
    )
    scenario = experiment(DEPLOYMENT, HPA, simulation(block)).scenario
    life = scenario.workload.revision.life
    assert scenario.workload.replicas == 4
    assert life.liveness is None
    assert life.readiness is not None
    assert (life.readiness.period_s, life.readiness.initial_delay_s) == (7, 30)
    assert any("container sidecar" in line for line in scenario.not_modelled)
    (rollout,) = scenario.happenings
    assert isinstance(rollout, Rollout)
    assert rollout.revision.pod.labels != scenario.workload.revision.pod.labels


def test_the_window_of_our_percentiles_is_the_servers_own() -> None:
    """``spec.server.latencyWindow`` of a ModelService, unless the Simulation says another."""
    text = MODEL_SERVICE + "  server: {latencyWindow: 45s}\n"
    custom = experiment(text, measured=True).scenario.metrics.custom
    assert custom is not None
    assert custom.window_s == 45.0
    other = experiment(text, simulation("metrics: {custom: {window: 10s}}\n"), measured=True).scenario.metrics.custom
    assert other is not None
    assert other.window_s == 10.0


def test_happenings_come_in_order_of_time() -> None:
    """Each kind has its form in the twin."""
    block = """\
duration: 1h
happenings:
  - {type: note, at: 19m, text: calm}
  - {type: nodeFails, at: 10m, zone: a, recoversAfter: 5m}
  - {type: nodeFails, at: 10m, node: cpu-c-2}
  - {type: nodeDrained, at: 11m, node: cpu-b-1, uncordonAfter: 1m}
  - {type: spotInterruption, at: 12m}
  - {type: podKilled, at: 13m, by: crash}
  - {type: controllerRestarts, at: 17m, controller: nodeLifecycle}
  - {type: metricsOutage, at: 18m, lasts: 3m, which: custom}
  - {type: autoscalerDeleted, at: 20m}
"""
    happenings = experiment(DEPLOYMENT, HPA, POOLS, simulation(block)).scenario.happenings
    assert happenings == (
        NodeFails(600.0, "cpu-a-1"),
        NodeRecovers(900.0, "cpu-a-1"),
        NodeFails(600.0, "cpu-a-2"),
        NodeRecovers(900.0, "cpu-a-2"),
        NodeFails(600.0, "cpu-c-2"),
        NodeDrained(660.0, "cpu-b-1", 60.0),
        SpotInterruption(720.0, None, 120.0),
        PodKilled(780.0, None, "crash"),
        ControllerRestarted(1020.0, "node-lifecycle", 15.0),
        MetricsOutage(1080.0, 1260.0, "custom"),
        Annotated(1140.0, "calm"),
        HpaEdited(1200.0, None),
    )


def test_edits_add_up() -> None:
    """Each edit works on what the ones before it have left."""
    block = """\
happenings:
  - {type: edit, at: 10s, target: HorizontalPodAutoscaler, patch: {spec: {maxReplicas: 4}}}
  - {type: edit, at: 20s, target: HorizontalPodAutoscaler, patch: {spec: {minReplicas: 3}}}
  - {type: edit, at: 30s, target: Deployment, patch: {spec: {replicas: 7}}}
  - {type: edit, at: 40s, target: Deployment, patch: {metadata: {labels: {a: b}}}}
"""
    first, second, third = experiment(DEPLOYMENT, HPA, simulation(block)).scenario.happenings
    assert isinstance(first, HpaEdited)
    assert isinstance(second, HpaEdited)
    assert first.autoscaler is not None
    assert second.autoscaler is not None
    assert (first.autoscaler.replicas_min, first.autoscaler.replicas_max) == (2, 4)
    assert (second.autoscaler.replicas_min, second.autoscaler.replicas_max) == (3, 4)
    assert third == ReplicasEdited(30.0, 7)


def test_a_new_template_is_a_rollout() -> None:
    """It has its own pods; a server of its own only where that is said; a restart is a rollout too."""
    block = """\
happenings:
  - {type: rolloutRestart, at: 5s}
  - type: edit
    at: 10s
    target: Deployment
    patch: {spec: {template: {spec: {nodeSelector: {disk: ssd}}}}}
  - type: edit
    at: 20s
    target: Deployment
    patch: {spec: {template: {metadata: {annotations: {version: "2"}}}}}
    server: {serviceTime: {perItem: 30ms}}
    pod: {load: 50s}
  - {type: edit, at: 30s, target: Deployment, patch: {spec: {strategy: {type: Recreate}}}}
"""
    scenario = experiment(DEPLOYMENT, HPA, simulation(block)).scenario
    assert len(scenario.servers) == 2
    restart, second, third = scenario.happenings
    assert isinstance(restart, Rollout)
    assert isinstance(second, Rollout)
    assert isinstance(third, Rollout)
    hashes = {
        one.pod.labels["pod-template-hash"]
        for one in (scenario.workload.revision, restart.revision, second.revision, third.revision)
    }
    assert len(hashes) == 4
    assert second.revision.pod.spec.node_selector == (("disk", "ssd"),)
    assert (second.revision.server, third.revision.server) == (0, 1)
    assert third.revision.life.load_s.values == (50.0,)
    assert any("spec.strategy" in line for line in scenario.not_modelled)


def test_pods_of_one_revision_are_spread_by_themselves() -> None:
    """``matchLabelKeys: [pod-template-hash]`` finds the hash in the template's labels."""
    spread = (
        "      topologySpreadConstraints:\n"
        "        - {topologyKey: topology.kubernetes.io/zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule,\n"
        "           labelSelector: {matchLabels: {app: web}}, matchLabelKeys: [pod-template-hash]}\n"
    )
    pod = experiment(DEPLOYMENT.replace("      containers:\n", f"{spread}      containers:\n")).scenario.workload.revision.pod
    (constraint,) = pod.spec.spread
    assert constraint.selector.matches(pod.labels)
    assert not constraint.selector.matches({**pod.labels, "pod-template-hash": "other"})


@pytest.mark.parametrize(
    ("traffic", "kind", "expected", "duration_s"),
    [
        ("{type: constant, rate: 10}", "counts-even", 1200, 120.0),
        ("{type: poisson, rate: 10}", "rates", 1200, 120.0),
        ("{type: diurnal, mean: 10, peak: 15, period: 2m, peakAt: 1m}", "rates", 1200, 120.0),
        ("{type: flash, base: 10, peak: 20, at: 30s, hold: 30s}", "rates", 1500, 120.0),
        ("{type: steps, steps: [{at: 0s, rate: 10}, {at: 1m, rate: 0}]}", "rates", 600, 120.0),
        ("{type: sum, parts: [{type: poisson, rate: 10}, {type: flash, base: 0, peak: 10, at: 0s}]}", "rates", 1800, 120.0),
        ("{type: trace, file: t.csv}", "counts-poisson", 12, 120.0),
        ("{type: trace, file: t.csv, spacing: constant, duration: 1s}", "counts-even", 6, 120.0),
        ("{type: trace, file: t.csv, speed: 2}", "counts-poisson", 12, 120.0),
    ],
)  # fmt: skip
def test_traffic_of_every_kind_is_played(traffic: str, kind: str, expected: float, duration_s: float) -> None:
    """The formula or the trace, for as long as the run lasts."""
    block = f"duration: 2m\ntraffic: {traffic}\n"
    found = read(
        texts(DEPLOYMENT, simulation(block), t="second,requests\n0,7\n1,5\n"), Options(service_time_s=0.01)
    )
    plan = found.scenario.traffic
    assert found.scenario.duration_s == duration_s
    assert plan.kind == kind
    assert plan.requests_expected == pytest.approx(expected)


def test_bursts_are_drawn_from_the_seed() -> None:
    """Equal seeds give equal bursts."""
    block = "duration: 2m\ntraffic: {type: bursty, states: [{rate: 1, dwell: 5s}, {rate: 50, dwell: 1s}]}\n"

    def rates(seed: int) -> np.ndarray:
        return experiment(DEPLOYMENT, simulation(block), traffic=None, seed=seed).scenario.traffic.values

    assert np.array_equal(rates(1), rates(1))
    assert not np.array_equal(rates(1), rates(2))


def test_a_trace_gives_the_length_where_nobody_says_one() -> None:
    """A run lasts as long as what is played."""
    text = simulation("traffic: {type: trace, file: t.csv}\n")
    found = read(texts(DEPLOYMENT, text, t="minute,requests\n0,60\n1,0\n2,30\n"), Options(service_time_s=0.01))
    assert found.scenario.duration_s == 180.0


def test_equal_texts_make_equal_scenarios() -> None:
    """Nothing but the texts and the options shows in what is made."""
    block = simulation("duration: 2m\nhappenings: [{type: rolloutRestart, at: 30s}]\n")
    one, other = (experiment(DEPLOYMENT, HPA, POOLS, block).scenario for _ in range(2))
    for name in ("workload", "cluster", "happenings", "servers", "metrics", "autoscaler", "control", "network"):
        assert getattr(one, name) == getattr(other, name), name


def test_helm_hooks_are_no_part_of_a_release() -> None:
    """The pod of a chart's test is neither simulated nor counted, and that is said."""
    hook = """\
apiVersion: v1
kind: Pod
metadata: {name: web-test, annotations: {helm.sh/hook: test}}
spec: {containers: [{name: wget, image: busybox}]}
"""
    scenario = experiment(DEPLOYMENT, hook).scenario
    assert scenario.cluster.other_pods == ()
    assert scenario.not_modelled == ("Pod/web-test: it is a Helm hook, and no part of the release",)


def test_selectors_may_match_the_pods_of_foreign_kinds() -> None:
    """Beside an InferenceService, a Service that matches none of the known pods is no fault."""
    foreign = "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: m}\n"
    scenario = experiment(DEPLOYMENT, SERVICE.replace("app: web", "app: m"), foreign).scenario
    assert scenario.not_modelled == ("InferenceService/m: objects of this kind",)


def test_what_is_assumed_of_replicas_is_said() -> None:
    """Of a plain Deployment much; of a ModelService with a profile that images are there."""
    plain = "\n".join(experiment(DEPLOYMENT, POOLS).assumed)
    for field in ("pod.imagePull", "pod.load", "(server)", "pod.livenessUnderLoad", "pod.cpuBusy", "pod.memoryReady"):
        assert field in plain
    said = simulation(
        "pod: {imagePull: 20s, load: 30s, cpuBusy: 1, cpuBound: 0, memoryReady: 2Gi}\n"
    )
    fuller = "\n".join(experiment(DEPLOYMENT, POOLS, said).assumed)
    for field in ("pod.imagePull", "pod.load", "pod.cpuBusy", "pod.memoryReady"):
        assert field not in fuller
    measured = experiment(MODEL_SERVICE, POOLS, measured=True).assumed
    assert [text for text in measured if "(" in text] == [
        "images are on the nodes, so that no pod waits for a pull (pod.imagePull)"
    ]


def test_what_kubectl_prints_of_a_running_cluster_is_read() -> None:
    """Status, managed fields, and the ReplicaSet and pods that the Deployment already has."""
    text = """\
apiVersion: v1
kind: List
items:
  - apiVersion: apps/v1
    kind: ReplicaSet
    metadata:
      name: web-1
      uid: u
      managedFields: [{manager: x, operation: Update, fieldsType: FieldsV1, fieldsV1: {"f:spec": {}}}]
      ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: d, controller: true}]
    spec:
      replicas: 1
      selector: {matchLabels: {app: web, pod-template-hash: "1"}}
      template: {metadata: {labels: {app: web, pod-template-hash: "1"}}, spec: {containers: [{name: model}]}}
    status: {replicas: 1, observedGeneration: 3}
  - apiVersion: v1
    kind: Pod
    metadata:
      name: web-1-a
      labels: {app: web, pod-template-hash: "1"}
      creationTimestamp: "2026-11-24T00:00:00Z"
    spec: {nodeName: n1, containers: [{name: model}]}
    status: {phase: Running, startTime: "2026-11-24T00:00:00Z", conditions: [{type: Ready, status: "True"}]}
"""
    scenario = experiment(DEPLOYMENT, HPA, text, NODES).scenario
    assert scenario.cluster.other_pods == ()
    assert scenario.workload.replicas == 3

SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web-settings}
data:
  server.json: |
    {"model": {"name": "m", "format": "onnx", "path": "m.onnx"}, "lame_duck_s": 7.0, "window_s": 12.0,
     "workers": 2, "deadline_s_default": 0.25, "batching": {"size_max": 5, "queue_max": 77, "wait_s_max": 0.003}}
"""
MOUNTED = DEPLOYMENT.replace(
    "      containers:", "      volumes: [{name: settings, configMap: {name: web-settings}}]\n      containers:"
)


def test_the_settings_that_the_pods_mount_are_what_the_server_serves_by() -> None:
    """What `tonnage render` wrote beside the Deployment needs no ModelService to be told again."""
    scenario = experiment(MOUNTED, HPA, SERVICE, SETTINGS).scenario
    server, life = scenario.servers[0], scenario.workload.revision.life
    assert (server.size_max, server.queue_max, server.wait_s_max) == (5, 77, 0.003)
    assert (server.workers, server.deadline_s) == (2, 0.25)
    assert life.termination.lame_duck_s == 7.0
    assert scenario.metrics.custom is not None
    assert scenario.metrics.custom.window_s == 12.0


def test_settings_that_no_pod_mounts_tell_nothing() -> None:
    """Another workload's ConfigMap is not this one's."""
    server = experiment(DEPLOYMENT, HPA, SERVICE, SETTINGS).scenario.servers[0]
    assert server.size_max == 1
    other = SETTINGS.replace('"model"', '"something"')
    assert experiment(MOUNTED, HPA, SERVICE, other).scenario.servers[0].size_max == 1
