"""A ModelService is a frozen value with defaults, and can say what the founding service says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from spec_documents import FOUNDING, MINIMAL, with_spec

from tonnage.errors import SpecError
from tonnage.kube.quantity import parse_quantity
from tonnage.spec import ModelService, parse_model_service
from tonnage.spec.body import ModelServiceSpec
from tonnage.spec.model import ModelSource
from tonnage.spec.placement import Gpu, Resources
from tonnage.spec.service import Metadata
from tonnage.spec.serving import Server
from tonnage.units import parse_duration


def test_eight_lines_are_a_whole_document() -> None:
    """Everything but name, format and path has a default."""
    service = parse_model_service(MINIMAL)
    assert len(MINIMAL.splitlines()) == 8
    assert (service.name, service.model_name, service.spec.model.version) == ("digits", "digits", "1")
    assert service.spec.scaling is None
    assert service.deadline_default is None
    assert (service.spec.server.port, service.spec.server.grpc_port) == (8080, 9000)
    assert str(service.spec.resources.memory_limit) == "1Gi"


def test_the_founding_service_can_be_said() -> None:
    """Each field of the founding Deployment and autoscaler has its place in the document."""
    spec = parse_model_service(FOUNDING).spec
    assert (spec.image, spec.replicas) == ("model-serving:v1.2.3", 10)
    assert spec.objective.requests_per_second is not None
    assert spec.objective.requests_per_second.per_second == 10_000
    resources = spec.resources
    assert (resources.cpu.milli_value, resources.cpu_limit.milli_value) == (2000, 4000)
    assert (resources.memory.value, resources.memory_limit.value) == (4 * 2**30, 8 * 2**30)
    assert resources.gpu is not None
    assert (resources.gpu.vendor, resources.gpu.types_in_order, resources.gpu.count) == (
        "nvidia",
        ("a100",),
        1,
    )
    probes = spec.probes
    assert probes.startup is None
    assert probes.readiness is not None
    assert probes.liveness is not None
    assert (probes.readiness.path, probes.readiness.initial_delay.seconds) == ("/health", 30)
    assert (probes.liveness.initial_delay.seconds, probes.liveness.period.seconds) == (60, 10)
    (toleration,) = spec.scheduling.tolerations
    assert (toleration.key, toleration.operator, toleration.effect) == (
        "nvidia.com/gpu",
        "Exists",
        "NoSchedule",
    )
    assert (spec.scheduling.anti_affinity.mode, spec.scheduling.anti_affinity.weight) == ("preferred", 100)
    assert spec.scaling is not None
    assert (spec.scaling.min_replicas, spec.scaling.max_replicas) == (3, 50)
    cpu, latency = spec.scaling.metrics
    assert cpu.type == "cpu"
    assert cpu.utilization == 70
    assert latency.type == "pods"
    assert (latency.name, latency.average_value) == ("inference_latency_p99", parse_quantity("100m"))


def test_the_default_behaviour_of_scaling_is_the_founding_one() -> None:
    """30 s and 100% each 15 s up, 300 s and 10% each 60 s down."""
    given = parse_model_service(FOUNDING).spec.scaling
    default = parse_model_service(with_spec("scaling: {}")).spec.scaling
    assert given is not None
    assert default is not None
    assert default.behavior == given.behavior


def test_one_rule_of_behaviour_leaves_the_others_at_their_defaults() -> None:
    """A tolerance for scaling down keeps the founding window and policy beside it."""
    scaling = parse_model_service(
        with_spec("scaling: {behavior: {scaleDown: {tolerance: 0.05}}}")
    ).spec.scaling
    assert scaling is not None
    down = scaling.behavior.scale_down
    assert (str(down.tolerance), str(down.stabilization_window), down.policies[0].value) == ("50m", "5m", 10)


def test_the_deadline_comes_from_the_document_then_from_the_objective() -> None:
    """The highest percentile of the objective is the default time to answer."""
    by_objective = parse_model_service(with_spec("objective: {latency: {p50: 20ms, p95: 80ms}}"))
    assert by_objective.deadline_default == parse_duration("80ms")
    given = parse_model_service(with_spec("objective: {latency: {p99: 80ms}}\nbatching: {deadline: 1s}"))
    assert given.deadline_default == parse_duration("1s")


def test_a_service_cannot_be_changed() -> None:
    """Assigning to a field raises."""
    service = parse_model_service(MINIMAL)
    with pytest.raises(ValidationError):
        service.metadata.name = "other"


def test_code_that_builds_a_service_is_held_to_the_same_rules() -> None:
    """What disagrees between fields is refused however the value is made."""
    spec = ModelServiceSpec(
        model=ModelSource(format="onnx", path="a.onnx"), server=Server(port=9000, grpc_port=9000)
    )
    with pytest.raises(SpecError, match=r"^spec.server.grpcPort: must differ from spec.server.port"):
        ModelService(
            api_version="tonnage.dev/v1alpha1", kind="ModelService", metadata=Metadata(name="a"), spec=spec
        )


def test_types_of_gpus_keep_their_order_of_preference() -> None:
    """The first type is the one wanted most."""
    assert Gpu(types=("h100", "a100")).types_in_order == ("h100", "a100")
    assert Gpu(type="t4").types_in_order == ("t4",)
    assert Gpu().types_in_order == ()


def test_limits_are_the_requests_unless_given() -> None:
    """A limit given for memory leaves the one for CPU at the request."""
    resources = Resources.model_validate({"cpu": 2, "memory": "4Gi", "limits": {"memory": "8Gi"}})
    assert (str(resources.cpu_limit), str(resources.memory_limit)) == ("2", "8Gi")
