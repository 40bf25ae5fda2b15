"""Bad input is told with file, line and path, all of it at once; files that cannot be read are told by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from input_texts import (
    DEPLOYMENT,
    HPA,
    MODEL_SERVICE,
    NODES,
    POOLS,
    PROFILE_TEXT,
    SERVICE,
    experiment,
    problems,
    simulation,
    texts,
)

from tonnage.errors import SpecError
from tonnage.traffic import PoissonArrivals
from tonnage.twin.inputs import Options, load_texts, read


def test_an_unknown_field_is_named_with_the_one_meant() -> None:
    """As ``kubectl apply`` refuses it."""
    assert problems(DEPLOYMENT.replace("replicas: 3", "replica: 3")) == [
        'a.yaml:6:3: spec.replica: must be a field that DeploymentSpec has, got "replica"; did you mean "replicas"?'
    ]


def test_a_metric_that_nothing_serves_is_refused() -> None:
    """The message says how to tell what it means; a near miss suggests ours."""
    assert problems(DEPLOYMENT, HPA.replace("inference_latency_p99", "app_p99")) == [
        ('b.yaml:14:24: spec.metrics[1].pods.metric.name: must be a metric that something serves, got "app_p99"; '
        "say what it is with --metric app_p99=MEANING, one of p50, p95, p99, mean, rps, inFlight, queue or load")
    ]
    (problem,) = problems(DEPLOYMENT, HPA.replace("inference_latency_p99", "inference_latency_p90"))
    assert 'did you mean "inference_latency_p9' in problem


def test_a_selector_that_matches_nothing_is_refused() -> None:
    """Of a Service, a disruption budget, and of the Deployment's own template."""
    assert problems(DEPLOYMENT, SERVICE.replace("app: web", "app: wep")) == [
        "b.yaml:5:13: spec.selector: must match the labels of some pod, got app=wep; there are pods with app=web"
    ]
    budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {maxUnavailable: 1, selector: {matchLabels: {app: x}}}\n"
    assert problems(DEPLOYMENT, budget) == [
        "b.yaml:4:37: spec.selector: must match the labels of some pod, got app=x; there are pods with app=web"
    ]
    assert problems(DEPLOYMENT.replace("labels: {app: web}\n    spec", "labels: {app: wep}\n    spec")) == [
        "a.yaml:8:5: spec.selector: must match the labels of its own template (app=wep), got app=web"
    ]


def test_an_autoscaler_without_a_workload_is_refused() -> None:
    """A wrong name suggests the right one; a wrong namespace says where the workload is."""
    assert problems(DEPLOYMENT, HPA.replace("name: web}", "name: wep}")) == [
        ('b.yaml:6:65: spec.scaleTargetRef.name: must name a workload that there is, got "Deployment/wep"; '
        'did you mean "Deployment/web"?')
    ]
    assert problems(DEPLOYMENT, HPA.replace("name: web-hpa", "name: web-hpa\n  namespace: shop")) == [
        "b.yaml:5:14: metadata.namespace: must be in the namespace of Deployment/web (default), got shop"
    ]
    (problem,) = problems(DEPLOYMENT, HPA, HPA.replace("web-hpa", "second"))
    assert problem.startswith("c.yaml:6:19: spec.scaleTargetRef: must be the only autoscaler of Deployment/web")


def test_traces_with_gaps_or_unsorted_times_are_refused() -> None:
    """Each line is named."""
    block = simulation("traffic: {type: trace, file: t.csv}\n")
    for trace, problem in (
        ("minute,requests\n0,60\n2,30\n", "t.csv:3: time must be '1', got '2'; there is a gap before it"),
        ("time\n1.0\n0.5\n", "t.csv:3: time must be >= '1.0' of the row before, got '0.5'"),
    ):
        with pytest.raises(SpecError) as caught:
            read(texts(DEPLOYMENT, block, t=trace), Options(service_time_s=0.01))
        assert [str(one) for one in caught.value.problems] == [problem]


def test_a_service_time_must_come_from_somewhere() -> None:
    """A profile, an option or the Simulation."""
    (problem,) = problems(DEPLOYMENT, service_time_s=None)
    assert problem == (
        "a.yaml:1:1: must be known how long Deployment/web takes for a request; "
        "give --profile FILE (tonnage profile measures one), or --service-time 12ms"
    )


def test_traffic_must_come_from_somewhere() -> None:
    """An option, the Simulation or a ModelService's objective."""
    (problem,) = problems(DEPLOYMENT, traffic=None)
    assert problem.startswith("--traffic: must be given; or write traffic in a Simulation")


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        ((SERVICE.replace("  selector: {app: web}\n", ""),), "must hold a ModelService or a Deployment, got none"),
        (
            (DEPLOYMENT, DEPLOYMENT.replace("web", "batch")),
            "must be one Deployment, or one with a HorizontalPodAutoscaler, got web, batch; choose one with --workload NAME",
        ),
        ((DEPLOYMENT, DEPLOYMENT), "b.yaml:4:9: metadata.name: must be given once, got a second Deployment/web (the first is in a.yaml)"),
        ((DEPLOYMENT, "# nothing\n"), "b.yaml:1:1: must hold a document, got none"),
        ((DEPLOYMENT, "a: [\n"), "b.yaml:2:1: must be valid YAML: "),
        ((DEPLOYMENT, simulation("{}"), simulation("{}")), "c.yaml:2:7: kind: must be given once, got a second Simulation"),
        ((DEPLOYMENT, POOLS.replace("NodePools", "NodePool")), 'b.yaml:2:7: kind: must be one of ModelService, NodePools, Simulation, ModelProfile, got "NodePool"; did you mean "NodePools"?'),
        ((DEPLOYMENT, HPA.replace("maxReplicas: 9", "maxReplicas: 1")), "b.yaml:8:16: spec.maxReplicas: must be >= minReplicas"),
        ((DEPLOYMENT, NODES.replace('cpu: "8", memory: 32Gi}}', 'cpu: "8"}}')), "b.yaml:7:13: items[1].status: must have cpu and memory, in allocatable or capacity"),
        ((DEPLOYMENT.replace("    spec:\n      containers:", "    spec:\n      priorityClassName: high\n      containers:"),), 'a.yaml:13:26: spec.template.spec.priorityClassName: must be a known priority class, got "high"'),
        ((DEPLOYMENT, simulation("traffic: {type: steps, steps: [{at: 1s, rate: 1}]}")), "b.yaml:5:39: spec.traffic.steps[0].at: must be 0s, got 1s"),
        ((DEPLOYMENT, simulation("traffic: {type: diurnal, mean: 10, peak: 30}")), "b.yaml:5:44: spec.traffic.peak: must be from the mean (10) to twice"),
        ((DEPLOYMENT, simulation("changes: [{target: Deploymnt, patch: {a: 1}}]")), 'b.yaml:5:22: spec.changes[0].target: must name an object that there is, got "Deploymnt"; did you mean "Deployment"?'),
        ((DEPLOYMENT, simulation("changes: [{target: Deployment, patch: {spec: {replica: 3}}}]")), 'b.yaml:5:41: spec.changes[0].patch: spec.replica: must be a field that DeploymentSpec has, got "replica"; did you mean "replicas"?'),
        ((DEPLOYMENT, simulation("changes: [{target: Deployment, set: {'spec.template.spec.containers[0].liveness': 1}}]")), "b.yaml:5:39: spec.changes[0].set: spec.template.spec.containers[0].liveness: must be a field that Container has"),
        ((DEPLOYMENT, simulation("changes: [{target: Deployment, set: {'spec.replicas.x': 1}}]")), "b.yaml:5:39: spec.changes[0].set: must name a field of a mapping, got x of 3"),
        ((DEPLOYMENT, simulation("changes: [{target: Deployment, set: {'spec.template.spec.containers[4].name': x}}]")), "b.yaml:5:39: spec.changes[0].set: must name an item that there is, got [4] of 1"),
        ((DEPLOYMENT, simulation("changes: [{target: Deployment, set: {'spec..x': x}}]")), 'b.yaml:5:51: spec.changes[0].set["spec..x"]: must be a path such as spec.metrics[0].type, got "spec..x"'),
        ((DEPLOYMENT, simulation("changes: [{target: Deployment}]")), "b.yaml:5:13: spec.changes[0]: must have patch or set"),
        ((DEPLOYMENT, simulation("happenings: [{type: nodeFails, at: 1s, node: defalt-zone-a-1}]")), 'b.yaml:5:48: spec.happenings[0].node: must be a node of the cluster, got "defalt-zone-a-1"; did you mean "default-zone-a-1"?'),
        ((DEPLOYMENT, simulation("happenings: [{type: nodeFails, at: 1s, zone: q}]")), 'b.yaml:5:48: spec.happenings[0].zone: must be a zone that has nodes, got "q"; there are zone-a, zone-b, zone-c'),
        ((DEPLOYMENT, simulation("happenings: [{type: autoscalerDeleted, at: 1s}]")), "b.yaml:5:16: spec.happenings[0]: must have an HPA to delete, got none"),
        ((DEPLOYMENT, HPA, simulation("happenings: [{type: edit, at: 1s, target: HorizontalPodAutoscaler, patch: {spec: {maxReplicas: 0}}}]")), "c.yaml:5:77: spec.happenings[0].patch: spec.maxReplicas: must be"),
    ],
)  # fmt: skip
def test_a_fault_is_told_where_it_stands(inputs: tuple[str, ...], problem: str) -> None:
    """The message says what must hold, what was found, and the next step."""
    traffic = None if any("traffic:" in text for text in inputs) else PoissonArrivals(10.0, 60.0)
    found = problems(*inputs, traffic=traffic)
    assert any(one.startswith(problem) for one in found), found


def test_everything_is_told_at_once() -> None:
    """Faults of several files, and of several kinds, in the files' order."""
    found = problems(
        DEPLOYMENT,
        HPA.replace("inference_latency_p99", "app_p99"),
        SERVICE.replace("app: web", "app: wep"),
        simulation("happenings: [{type: nodeFails, at: 1s, node: none-1}]"),
        service_time_s=None,
        traffic=None,
        meanings={"x": "p98"},
    )
    heads = [one.split(": ")[0] for one in found]
    assert heads == ["a.yaml:1:1", "b.yaml:14:24", "c.yaml:5:13", "--metric x", "--traffic"]


def test_what_cannot_be_rendered_is_told_of_the_document() -> None:
    """A load metric without a profile stands in the ModelService."""
    found = problems(MODEL_SERVICE, service_time_s=0.01)
    assert any(one.startswith("a.yaml:9:85: spec.scaling.metrics[2]: must have a profile") for one in found), found


def test_a_profile_among_the_documents_is_read() -> None:
    """A profile may stand in the same text as everything else; a broken one is told with its place."""
    assert experiment(DEPLOYMENT, PROFILE_TEXT, service_time_s=None).profile is not None
    (problem,) = problems(DEPLOYMENT, PROFILE_TEXT.replace('"queueMax": 1000', '"queueMax": 0'))
    assert "settings.queueMax" in problem
    assert problem.startswith("b.yaml:")


def test_a_profile_without_batches_needs_a_service_time() -> None:
    """An import has only latencies by rate, from which no batch can be played."""
    text = """\
{"apiVersion": "tonnage.dev/v1alpha1", "kind": "ModelProfile", "metadata": {"name": "m", "created": "x"},
 "origin": "csv", "model": {"name": "m"}, "curve": [{"purpose": "import", "ratePerSecond": 1,
 "achievedPerSecond": 1, "latencySeconds": {"mean": 0.1}, "errorRatio": 0}]}
"""
    assert problems(DEPLOYMENT, text, service_time_s=None) == [
        ("profile.batches: must have a profile with batches; this one has only latencies by rate; "
        "give --service-time, such as 12ms, instead")
    ]
    assert experiment(DEPLOYMENT, text).scenario.name == "web"


@given(cut=st.integers(0, len(DEPLOYMENT)), put=st.sampled_from(["", "\n", "[", "{", ": ", "- ", '"', "\t", "null"]))
def test_broken_text_is_a_spec_error_and_nothing_else(cut: int, put: str) -> None:
    """Whatever is cut out of a file or put into it, either it is read or the author is told."""
    text = DEPLOYMENT[:cut] + put + DEPLOYMENT[cut + 7 :]
    try:
        experiment(text, HPA)
    except SpecError as error:
        assert error.problems


def test_files_are_loaded_with_those_that_a_simulation_names(tmp_path: Path) -> None:
    """Inputs, profile and traces are relative to the document that names them."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "web.yaml").write_text(DEPLOYMENT)
    (tmp_path / "deep" / "t.csv").write_text("second,requests\n0,7\n")
    (tmp_path / "profile.json").write_text(PROFILE_TEXT)
    block = "inputs: [deep/web.yaml]\nprofile: profile.json\ntraffic: {type: sum, parts: [{type: trace, file: deep/t.csv}]}\n"
    (tmp_path / "trial.yaml").write_text(simulation(block))
    found = read(load_texts([tmp_path / "trial.yaml"]))
    assert found.scenario.name == "trial"
    assert found.scenario.workload.name == "web"
    assert found.scenario.traffic.requests_expected == 7
    assert found.profile is not None


def test_files_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    """Missing, not text, and who names them."""
    (tmp_path / "bad.yaml").write_bytes(b"a: 1\nb: \xff\n")
    (tmp_path / "trial.yaml").write_text(simulation("inputs: [gone.yaml]\n"))
    with pytest.raises(SpecError) as caught:
        load_texts([tmp_path / "none.yaml", tmp_path / "bad.yaml", tmp_path / "trial.yaml"])
    assert [str(problem).replace(str(tmp_path), "") for problem in caught.value.problems] == [
        "/none.yaml: must be a readable file, got No such file or directory",
        "/bad.yaml:2: must be UTF-8 text, got byte 0xff",
        "/gone.yaml: must be a readable file (named by /trial.yaml), got No such file or directory",
    ]
