"""What a ModelService becomes: the rules behind the golden files, over many documents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.hpa import hpa_from_object
from tonnage.manifests import render, render_text
from tonnage.manifests.gpu import VENDORS, resource_name
from tonnage.manifests.probes import BUDGET_S_MIN, READY_FACTOR, startup_budget_s
from tonnage.profile import Distribution, ModelProfile
from tonnage.profile.load_parts import Capacity, CurvePoint, InFlight, Objective
from tonnage.profile.parts import Metadata, ModelIdentity, Startup
from tonnage.scheduling.objects import pod_from_object
from tonnage.spec import ModelService
from tonnage.spec.placement import Probes


def service(**spec: Any) -> ModelService:
    """A document with a model, an image and what is given."""
    return ModelService.model_validate(
        {
            "apiVersion": "tonnage.dev/v1alpha1",
            "kind": "ModelService",
            "metadata": {"name": "m"},
            "spec": {"model": {"format": "onnx", "path": "m.onnx"}, "image": "m:v1", **spec},
        }
    )


def profile(ready_s: tuple[float, ...] = (), in_flight: float | None = None) -> ModelProfile:
    """A profile with start-up times and a sustainable concurrency, where given."""
    times = Distribution.of(ready_s, keep=True) if ready_s else None
    objective = Objective(percentile=99, latency_s=0.1, origin="option")
    return ModelProfile(
        api_version="tonnage.dev/v1alpha1",
        kind="ModelProfile",
        metadata=Metadata(name="m", created="2026-11-24T00:00:00Z"),
        origin="measured",
        model=ModelIdentity(name="m"),
        startup=Startup(process_s=times, load_s=times, first_batch_s=times, warmup_s=times, ready_s=times)
        if times
        else None,
        capacity=Capacity(
            objective=objective,
            sustainable_per_s=100.0,
            in_flight=InFlight(mean=in_flight, p99=9.0, max=9.0),
        )
        if in_flight is not None
        else None,
        curve=(
            CurvePoint(
                purpose="curve", rate_per_s=1, achieved_per_s=1, latency_s=Distribution(mean=0.1), error_ratio=0
            ),
        ),
    )


def kinds(*objects: dict[str, Any]) -> list[str]:
    return [one["kind"] for one in objects]


def deployment(document: ModelService, measured: ModelProfile | None = None) -> dict[str, Any]:
    return next(one for one in render(document, measured) if one["kind"] == "Deployment")


def pod_spec(document: ModelService) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(document)["spec"]["template"]["spec"]
    return spec


def autoscaler(document: ModelService, measured: ModelProfile | None = None) -> dict[str, Any]:
    return next(one for one in render(document, measured) if one["kind"] == "HorizontalPodAutoscaler")


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    """With scaling the Deployment names none; without it there is no HPA and the Deployment does."""
    assert kinds(*render(service(scaling={}))) == ["Service", "Deployment", "HorizontalPodAutoscaler"]
    assert "replicas" not in deployment(service(scaling={}, replicas=5))["spec"]
    assert kinds(*render(service(replicas=5))) == ["Service", "Deployment"]
    assert deployment(service(replicas=5))["spec"]["replicas"] == 5


@given(
    vendor=st.sampled_from(sorted(VENDORS)),
    count=st.integers(1, 8),
    cpu=st.integers(1, 64_000),
    limit=st.integers(1, 64_000),
)
def test_gpus_are_requested_as_they_are_limited(vendor: str, count: int, cpu: int, limit: int) -> None:
    """Kubernetes refuses an extended resource whose request differs from its limit."""
    document = service(
        resources={
            "cpu": f"{min(cpu, limit)}m",
            "limits": {"cpu": f"{max(cpu, limit)}m"},
            "gpu": {"vendor": vendor, "count": count},
        }
    )
    resources = pod_spec(document)["containers"][0]["resources"]
    name = VENDORS[vendor].resource
    assert resources["requests"][name] == resources["limits"][name] == str(count)
    (toleration,) = pod_spec(document)["tolerations"]
    assert toleration == {"key": VENDORS[vendor].taint_key, "operator": "Exists", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("gpu", "name", "tolerated"),
    [
        ({}, "nvidia.com/gpu", ["nvidia.com/gpu"]),
        ({"migProfile": "3g.40gb"}, "nvidia.com/mig-3g.40gb", ["nvidia.com/gpu", "nvidia.com/mig-3g.40gb"]),
        (
            {"migProfile": "1g.10gb+me"},
            "nvidia.com/mig-1g.10gb.me",
            ["nvidia.com/gpu", "nvidia.com/mig-1g.10gb.me"],
        ),
        ({"vendor": "amd"}, "amd.com/gpu", ["amd.com/gpu"]),
        ({"vendor": "intel"}, "gpu.intel.com/i915", ["gpu.intel.com/i915"]),
        (
            {"vendor": "intel", "resourceName": "gpu.intel.com/xe"},
            "gpu.intel.com/xe",
            ["gpu.intel.com/i915", "gpu.intel.com/xe"],
        ),
        (
            {"vendor": "intel", "resourceName": "habana.ai/gaudi"},
            "habana.ai/gaudi",
            ["habana.ai/gaudi"],
        ),
        (
            {"allocation": "dra", "migProfile": "1g.10gb"},
            "deviceclass.resource.kubernetes.io/mig.nvidia.com",
            ["nvidia.com/gpu"],
        ),
        (
            {"allocation": "dra"},
            "deviceclass.resource.kubernetes.io/gpu.nvidia.com",
            ["nvidia.com/gpu"],
        ),
        (
            {"allocation": "dra", "deviceClass": "big.example.com"},
            "deviceclass.resource.kubernetes.io/big.example.com",
            ["nvidia.com/gpu"],
        ),
    ],
)
def test_gpus_have_the_names_that_plug_ins_register(
    gpu: dict[str, Any], name: str, tolerated: list[str]
) -> None:
    """The vendor table, MIG profiles, explicit names and device classes."""
    document = service(resources={"gpu": gpu})
    assert document.spec.resources.gpu is not None
    assert resource_name(document.spec.resources.gpu) == name
    assert pod_spec(document)["containers"][0]["resources"]["limits"][name] == "1"
    assert [one["key"] for one in pod_spec(document)["tolerations"]] == tolerated


def test_a_pod_without_gpus_tolerates_nothing() -> None:
    """A toleration of GPU nodes without need would fill them with CPU work."""
    assert "tolerations" not in pod_spec(service())


def test_one_type_is_selected_and_several_are_preferred_in_order() -> None:
    """One GPU type is a node selector; of several one is required, and earlier ones weigh more."""
    assert pod_spec(service(resources={"gpu": {"type": "t4"}}))["nodeSelector"] == {"gpu-type": "t4"}
    affinity = pod_spec(service(resources={"gpu": {"types": ["a", "b", "c"]}}))["affinity"]["nodeAffinity"]
    preferred = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert [one["weight"] for one in preferred] == [100, 50]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == ["a", "b", "c"]


def test_anti_affinity_is_preferred_by_hostname_with_full_weight() -> None:
    """The founding text's term; required, it looks only at its own revision; none leaves it out."""
    affinity = pod_spec(service())["affinity"]["podAntiAffinity"]
    (weighted,) = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert weighted["weight"] == 100
    assert weighted["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    required = pod_spec(service(scheduling={"antiAffinity": {"mode": "required"}}))["affinity"]
    (term,) = required["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["matchLabelKeys"] == ["pod-template-hash"]
    assert "affinity" not in pod_spec(service(scheduling={"antiAffinity": {"mode": "none"}}))


def test_replicas_are_spread_over_zones_within_their_revision() -> None:
    """A rolling update does not skew the count."""
    (one,) = pod_spec(service())["topologySpreadConstraints"]
    assert one["topologyKey"] == "topology.kubernetes.io/zone"
    assert one["matchLabelKeys"] == ["pod-template-hash"]
    assert one["whenUnsatisfiable"] == "ScheduleAnyway"


@given(ready_s=st.lists(st.floats(0.01, 3000), min_size=1, max_size=10).map(tuple))
def test_the_startup_budget_covers_the_slowest_start_measured(ready_s: tuple[float, ...]) -> None:
    """The probe gives a start three times the slowest that was seen, and at least a minute."""
    probes = Probes()
    assert probes.startup is not None
    budget_s = startup_budget_s(probes, profile(ready_s))
    assert budget_s >= max(READY_FACTOR * max(ready_s), BUDGET_S_MIN)
    assert budget_s < max(READY_FACTOR * max(ready_s), BUDGET_S_MIN) + probes.startup.period.seconds + 1e-6


def test_a_rollout_is_given_longer_than_a_start_may_take() -> None:
    """A model that loads for an hour is no failed rollout."""
    assert deployment(service(), profile((3600.0,)))["spec"]["progressDeadlineSeconds"] >= 3 * 3600 + 300
    assert deployment(service(), profile((1.0,)))["spec"]["progressDeadlineSeconds"] == 600


def test_the_documents_own_threshold_goes_before_the_profile() -> None:
    """Who writes a number means it."""
    document = service(probes={"startup": {"failureThreshold": 7}})
    container = deployment(document, profile((100.0,)))["spec"]["template"]["spec"]["containers"][0]
    assert container["startupProbe"]["failureThreshold"] == 7


def test_readiness_and_liveness_ask_different_paths() -> None:
    """Load can fail readiness, and never liveness."""
    container = pod_spec(service())["containers"][0]
    assert container["readinessProbe"]["httpGet"] == {"path": "/health", "port": "http"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "http"}


def test_the_server_serves_on_by_itself_when_it_is_told_to_end() -> None:
    """No preStop hook is needed; the grace period is the server's own."""
    spec = pod_spec(service(server={"gracePeriod": "45s", "lameDuck": "10s"}))
    assert spec["terminationGracePeriodSeconds"] == 45
    assert "lifecycle" not in spec["containers"][0]


def test_every_kind_of_metric_has_its_form() -> None:
    """CPU and memory as shares of requests, latency in seconds, load in requests in flight, others as given."""
    document = service(
        objective={"latency": {"p99": "100ms"}},
        scaling={
            "metrics": [
                {"type": "cpu", "utilization": 70},
                {"type": "memory"},
                {"type": "latency"},
                {"type": "latency", "percentile": "p95", "target": "2500us"},
                {"type": "load", "utilization": 50},
                {"type": "pods", "name": "queue", "averageValue": "1500m"},
            ]
        },
    )
    metrics = autoscaler(document, profile(in_flight=6.25))["spec"]["metrics"]
    assert [one["resource"]["target"]["averageUtilization"] for one in metrics[:2]] == [70, 80]
    assert [(one["pods"]["metric"]["name"], one["pods"]["target"]["averageValue"]) for one in metrics[2:]] == [
        ("inference_latency_p99", "100m"),
        ("inference_latency_p95", "2500u"),
        ("tonnage_requests_in_flight", "3125m"),
        ("queue", "1500m"),
    ]


def test_behavior_is_written_whole() -> None:
    """What the document leaves to its defaults is written out, since Kubernetes' own differ."""
    behavior = autoscaler(service(scaling={}))["spec"]["behavior"]
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 30
    assert behavior["scaleUp"]["policies"] == [{"type": "Percent", "periodSeconds": 15, "value": 100}]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert behavior["scaleDown"]["policies"] == [{"type": "Percent", "periodSeconds": 60, "value": 10}]
    rules = {"behavior": {"scaleDown": {"tolerance": 0.05}}}
    assert autoscaler(service(scaling=rules))["spec"]["behavior"]["scaleDown"]["tolerance"] == "50m"


@given(
    low=st.integers(1, 50),
    more=st.integers(0, 50),
    window=st.integers(0, 3600),
    value=st.integers(1, 1000),
    period=st.integers(1, 1800),
)
def test_what_is_made_reads_as_what_was_asked(
    low: int, more: int, window: int, value: int, period: int
) -> None:
    """The autoscaler's and the scheduler's own readers find the document's numbers in the objects."""
    rule = {
        "stabilizationWindow": f"{window}s",
        "policies": [{"type": "Pods", "value": value, "period": f"{period}s"}],
    }
    document = service(
        scaling={"minReplicas": low, "maxReplicas": low + more, "behavior": {"scaleUp": rule}},
        resources={"cpu": f"{value}m"},
    )
    hpa = hpa_from_object(autoscaler(document))
    assert (hpa.replicas_min, hpa.replicas_max) == (low, low + more)
    assert hpa.behavior is not None
    up = hpa.behavior.scale_up
    assert (up.stabilization_window_s, up.policies[0].value, up.policies[0].period_s) == (window, value, period)
    pod = pod_from_object(deployment(document)["spec"]["template"])
    assert pod.spec.requests.cpu_millicores == value


@given(order=st.permutations(["team", "app", "tier", "a.example.com/b"]))
def test_the_order_of_writing_does_not_show(order: list[str]) -> None:
    """Two documents that mean the same give the same bytes."""
    document = service()
    labelled = document.model_copy(
        update={"metadata": document.metadata.model_copy(update={"labels": dict.fromkeys(order, "x")})}
    )
    again = document.model_copy(
        update={"metadata": document.metadata.model_copy(update={"labels": dict.fromkeys(sorted(order), "x")})}
    )
    assert render_text(labelled) == render_text(again)


def test_selectors_do_not_change_with_labels() -> None:
    """A Deployment's selector is for ever, and no label of the document can take it away."""
    document = ModelService.model_validate(
        {
            "apiVersion": "tonnage.dev/v1alpha1",
            "kind": "ModelService",
            "metadata": {"name": "m", "labels": {"app.kubernetes.io/name": "other", "v": "2"}},
            "spec": {"model": {"format": "onnx", "path": "m.onnx"}, "image": "m:v1"},
        }
    )
    spec = deployment(document)["spec"]
    assert spec["selector"]["matchLabels"] == {"app.kubernetes.io/name": "m"}
    assert spec["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "m"


def test_what_cannot_be_rendered_is_told_at_once() -> None:
    """An image that is missing, a node label against the GPU's type, a load metric without a profile."""
    document = service(
        image=None,
        resources={"gpu": {"type": "a100"}},
        scheduling={"nodeSelector": {"gpu-type": "t4"}},
        scaling={"metrics": [{"type": "load"}]},
    )
    with pytest.raises(SpecError) as caught:
        render(document)
    assert [str(problem) for problem in caught.value.problems] == [
        "spec.image: must be given, because pods run an image",
        "spec.scheduling.nodeSelector.gpu-type: must be among the types of spec.resources.gpu (a100), got t4",
        "spec.scaling.metrics[0]: must have a profile with a sustainable rate, which says how much load a replica carries; measure one with tonnage profile",
    ]


def test_a_load_target_is_never_nothing() -> None:
    """A replica that is almost idle at its sustainable rate still has a target above zero."""
    measured = profile(in_flight=1e-6)
    document = service(scaling={"metrics": [{"type": "load"}]})
    target = autoscaler(document, measured)["spec"]["metrics"][0]["pods"]["target"]["averageValue"]
    assert target == "1m"
