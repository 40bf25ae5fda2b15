"""NodePools and Simulation: read from any text, every problem at once, each with a near miss and a place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from tonnage.kube.objects import read_objects
from tonnage.spec.documents import KINDS, read_part, unknown_kind
from tonnage.spec.fields import all_fields
from tonnage.spec.schema import DESCRIBED, document_schema, reference_page, schema_text
from tonnage.spec.simulation import Simulation
from tonnage.units import Duration

ROOT = Path(__file__).parents[3]
HEAD = "apiVersion: tonnage.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: x}}\n"
POOLS = (
    HEAD.format(kind="NodePools")
    + """\
spec:
  autoscaler: {type: karpenter, consolidateAfter: 1m}
  priceSource: a contract of 2026-11
  pools:
    - name: gpu
      count: 2
      min: 1
      max: 6
      capacity: {cpu: 4, memory: 16Gi, nvidia.com/gpu: 1}
      reserved: {cpu: 200m}
      labels: {gpu-type: a10g}
      taints: [{key: nvidia.com/gpu}]
      zones: [a, b]
      startup: [100s, 140s, 120s]
      pricePerHour: 1.006
      spot: {interruptionsPerHour: 0.05}
"""
)
SIMULATION = (
    HEAD.format(kind="Simulation")
    + """\
spec:
  inputs: [service.yaml]
  profile: profile.json
  duration: 1h
  seed: 7
  traffic:
    type: sum
    parts:
      - {type: poisson, rate: 500}
      - {type: flash, base: 0, peak: 2k, at: 10m}
  client: {timeout: 1s, retries: 2, balancing: twoChoices}
  server: {serviceTime: {perItem: 5ms, spread: 0.3}, sizeMax: 16}
  pod: {load: [20s, 30s], imagePull: 1m, cpuAtStart: 2}
  start: {replicas: 4, ready: false}
  metrics:
    custom: {type: prometheusAdapter, idle: zero}
    meanings: {app_latency_ms: {meaning: p95, scale: 1000}}
  control: {syncPeriod: 30s, tolerance: 0.05}
  objective: {latency: {p99: 100ms}, errorRatioMax: 0.01}
  changes:
    - {target: Deployment, patch: {spec: {replicas: 4, template: null}}}
  happenings:
    - {type: nodeFails, at: 10m, zone: a, recoversAfter: 5m}
    - {type: nodeDrained, at: 11m, node: gpu-1}
    - {type: spotInterruption, at: 12m}
    - {type: podKilled, at: 13m, by: crash}
    - {type: edit, at: 14m, target: HorizontalPodAutoscaler/x, patch: {spec: {maxReplicas: 3}}}
    - {type: rolloutRestart, at: 15m}
    - {type: autoscalerDeleted, at: 16m}
    - {type: controllerRestarts, at: 17m, controller: nodeLifecycle}
    - {type: metricsOutage, at: 18m, lasts: 3m, which: custom}
    - {type: note, at: 19m, text: calm}
  assertions: ["p99<=100ms"]
"""
)


def read(text: str) -> Any:
    (item,), problems = read_objects(text, source="x.yaml")
    assert problems == []
    value, found = read_part(item, KINDS[item.kind])
    assert [str(problem) for problem in found] == []
    return value


def problems_of(text: str) -> list[str]:
    (item,), _ = read_objects(text, source="x.yaml")
    value, problems = read_part(item, KINDS[item.kind])
    assert value is None
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("text", [POOLS, SIMULATION], ids=["NodePools", "Simulation"])
def test_a_whole_document_is_read_and_written_back(text: str) -> None:
    """Every field has its place, and the written document gives an equal value and pleases the schema."""
    value = read(text)
    document = value.to_document()
    assert type(value).model_validate(document, by_alias=True, by_name=False) == value
    validator = Draft202012Validator(document_schema(value.kind))
    assert list(validator.iter_errors(document)) == []
    assert list(validator.iter_errors(YAML(typ="safe").load(text))) == []


def test_the_smallest_documents_are_whole() -> None:
    """A Simulation needs a name only, NodePools one pool with CPU and memory."""
    assert read(HEAD.format(kind="Simulation")).spec.happenings == ()
    small = HEAD.format(kind="NodePools") + "spec: {pools: [{name: a, capacity: {cpu: 2, memory: 4Gi}}]}\n"
    assert read(small).spec.pools[0].count == 1


def test_a_misspelt_field_is_not_missing_too() -> None:
    """One fault is told once."""
    assert problems_of(SIMULATION.replace("lasts: 3m", "last: 3m")) == [
        'x.yaml:34:38: spec.happenings[8].last: must be a known field, got "last"; did you mean "lasts"?'
    ]


def test_measured_times_are_kept_in_order() -> None:
    """A list of durations is a distribution; one duration is one of one value."""
    assert [one.seconds for one in read(POOLS).spec.pools[0].startup] == [100, 120, 140]
    assert read(SIMULATION).spec.pod.image_pull == (Duration(60 * 10**9),)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("duration: 1h", "durration: 1h", 'x.yaml:7:3: spec.durration: must be a known field, got "durration"; did you mean "duration"?'),
        ("type: sum", "type: summ", 'x.yaml:10:11: spec.traffic.type: must be one of constant, poisson, diurnal, flash, bursty, steps, trace, sum, got summ; did you mean "sum"?'),
        ("rate: 500", "rates: 500", 'x.yaml:12:25: spec.traffic.parts[0].rates: must be a known field, got "rates"; did you mean "rate"?'),
        ("at: 10m, zone", "at: 600, zone", "x.yaml:26:29: spec.happenings[0].at: must be a duration with a unit, such as 100ms, 30s or 5m, got 600; write 600s, or 600ms for milliseconds"),
        ("balancing: twoChoices", "balancing: two-choices", 'x.yaml:14:48: spec.client.balancing: must be one of random, roundRobin, twoChoices, leastRequest, connection, got two-choices; did you mean "twoChoices"?'),
        ("lasts: 3m", "last: 3m", 'x.yaml:34:38: spec.happenings[8].last: must be a known field, got "last"; did you mean "lasts"?'),
        ("errorRatioMax: 0.01", "errorRatioMax: 2", "x.yaml:22:53: spec.objective.errorRatioMax: must be from 0 to 1, such as 0.1 for 10%, got 2"),
        ("at: 19m", "at: 61m", "x.yaml:35:24: spec.happenings[9].at: must be before the end (1h), got 61m"),
        ("zone: a", "zone: a, node: b", "x.yaml:26:7: spec.happenings[0]: must have either node or zone"),
        ("patch: {spec: {maxReplicas: 3}}", "patch: 3", "x.yaml:30:71: spec.happenings[4].patch: must be a mapping, got 3"),
        ("load: [20s, 30s]", "load: []", "x.yaml:16:15: spec.pod.load: must hold at least one duration, got an empty list"),
        ("meaning: p95", "meaning: p99.9", 'x.yaml:20:42: spec.metrics.meanings.app_latency_ms.meaning: must be one of p50, p95, p99, mean, requestsPerSecond, inFlight, queue, load, constant, got p99.9; did you mean "p99"?'),
    ],
)  # fmt: skip
def test_a_fault_of_a_simulation_is_told_where_it_stands(old: str, new: str, problem: str) -> None:
    """The message says what must hold, what was found, and the next step."""
    assert old in SIMULATION
    assert problem in problems_of(SIMULATION.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("nvidia.com/gpu: 1}", "nvidia.com/gpu: 500m}", 'x.yaml:12:56: spec.pools[0].capacity["nvidia.com/gpu"]: must be a whole number, because devices are whole, got 500m'),
        ("reserved: {cpu: 200m}", "reserved: {cpu: 5}", "x.yaml:13:23: spec.pools[0].reserved.cpu: must be <= what capacity has of it, got 5"),
        ("min: 1", "min: 3", "x.yaml:10:12: spec.pools[0].min: must be <= count (2), got 3"),
        ("max: 6", "max: 1", "x.yaml:11:12: spec.pools[0].max: must be >= count (2), got 1"),
        ("autoscaler: {type: karpenter, consolidateAfter: 1m}", "currency: EUR", "x.yaml:5:3: spec.autoscaler: must be given, because pool gpu has from 1 to 6 nodes; write autoscaler: {type: clusterAutoscaler}, or leave min and max out"),
        ("consolidateAfter", "scanInterval", 'x.yaml:5:33: spec.autoscaler.scanInterval: must be a known field, got "scanInterval"; known here are type, batchIdle, batchMax, scaleDown, consolidateAfter, provisionMax'),
        ("labels: {gpu-type: a10g}", "labels: {topology.kubernetes.io/zone: c}", "x.yaml:16:14: spec.pools[0].zones: must not be given beside the label topology.kubernetes.io/zone"),
        ("memory: 16Gi", "memory: 16GB", 'x.yaml:12:34: spec.pools[0].capacity.memory: must be a quantity such as 2, 500m or 4Gi, got 16GB; did you mean "16Gi"?'),
    ],
)  # fmt: skip
def test_a_fault_of_node_pools_is_told_where_it_stands(old: str, new: str, problem: str) -> None:
    """Fields by themselves, and what must hold between them."""
    assert old in POOLS
    assert problem in problems_of(POOLS.replace(old, new))


def test_pools_have_different_names() -> None:
    """Two pools of one name would have nodes of one name."""
    text = HEAD.format(kind="NodePools") + (
        "spec:\n  pools:\n    - {name: a, capacity: {cpu: 2, memory: 4Gi}}\n    - {name: a, capacity: {cpu: 2}}\n"
    )
    assert problems_of(text) == [
        "x.yaml:7:14: spec.pools[1].name: must be given once, got a second a",
        "x.yaml:7:27: spec.pools[1].capacity.memory: must be given",
    ]


def test_an_unknown_kind_is_told_with_the_one_meant() -> None:
    """A misspelt kind of ours is not taken for a stranger's object."""
    (item,), _ = read_objects(HEAD.format(kind="NodePool"), source="x.yaml")
    assert str(unknown_kind(item)) == (
        'x.yaml:2:7: kind: must be one of ModelService, NodePools, Simulation, TrainingJob, got "NodePool"; did you mean "NodePools"?'
    )


def test_a_document_in_a_list_is_read_like_one_alone() -> None:
    """Positions are those of the text."""
    inner = "".join(f"    {line}\n" for line in SIMULATION.replace("1h", "x").splitlines())
    (item,), _ = read_objects(f"kind: List\napiVersion: v1\nitems:\n  -\n{inner}", source="x.yaml")
    _, (problem,) = read_part(item, Simulation)
    assert (problem.line, problem.path) == (11, "spec.duration")


@pytest.mark.parametrize("kind", list(DESCRIBED))
def test_schemas_are_valid_and_every_field_is_described(kind: str) -> None:
    """An editor and the page have a sentence for each field."""
    Draft202012Validator.check_schema(document_schema(kind))
    undescribed = [entry.path for entry in all_fields(DESCRIBED[kind].root) if not entry.info.description]
    assert undescribed == []


@pytest.mark.parametrize("kind", list(DESCRIBED))
def test_the_committed_files_are_the_generated_ones(kind: str) -> None:
    """``python -m tonnage.spec.schema --write`` was run."""
    assert (ROOT / DESCRIBED[kind].schema).read_text(encoding="utf-8") == schema_text(kind)
    assert (ROOT / DESCRIBED[kind].page).read_text(encoding="utf-8") == reference_page(kind)


def test_the_examples_on_the_pages_are_sound() -> None:
    """Who copies one begins with a document without a problem."""
    for described in DESCRIBED.values():
        example = described.head.split("```yaml\n")[1].split("```")[0]
        assert read(example) is not None


@given(patch=st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
))  # fmt: skip
def test_a_patch_is_kept_as_it_is(patch: Any) -> None:
    """Whatever JSON a merge patch holds goes through unchanged."""
    simulation = Simulation.model_validate(
        {
            "apiVersion": "tonnage.dev/v1alpha1",
            "kind": "Simulation",
            "metadata": {"name": "x"},
            "spec": {"changes": [{"target": "Deployment", "patch": {"spec": patch}}]},
        }
    )
    assert simulation.spec.changes[0].patch == {"spec": patch}
