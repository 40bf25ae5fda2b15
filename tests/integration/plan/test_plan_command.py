"""``tonnage plan`` as a user runs it: files in, text and JSON out, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tonnage.cli.plan import plan
from tonnage.cli.profile import profile

SPEC = """\
apiVersion: tonnage.dev/v1alpha1
kind: ModelService
metadata: {{name: ranker}}
spec:
  model: {{format: onnx, path: ranker.onnx}}
  objective: {{requestsPerSecond: {rate}, latency: {{p99: {p99}}}}}
  batching: {{sizeMax: 16}}
  resources: {{cpu: 1, memory: 2Gi{gpu}}}
{more}"""
TIMES = "batch_size,milliseconds\n" + "".join(
    f"{size},{mean * share}\n" for size, mean in ((1, 4.0), (16, 20.0)) for share in (0.95, 1.0, 1.0, 1.05)
)
NODE = """\
apiVersion: v1
kind: Node
metadata:
  name: {name}
  labels:
    kubernetes.io/hostname: {name}
    topology.kubernetes.io/zone: {zone}
    node.kubernetes.io/instance-type: g5.xlarge
spec: {{taints: [{{key: nvidia.com/gpu, effect: NoSchedule}}]}}
status:
  allocatable: {{cpu: "4", memory: 16Gi, pods: "110", nvidia.com/gpu: "1"}}
---
"""


class Folder:
    """A folder with a document and its profile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "times.csv").write_text(TIMES)
        arguments = ["--import-csv", str(path / "times.csv"), "--name", "ranker"]
        made = CliRunner().invoke(profile, [*arguments, "--output", str(path / "ranker.profile.json")])
        assert made.exit_code == 0, made.output
        self.write()

    def write(self, rate: str = "5k", p99: str = "60ms", gpu: str = "", more: str = "") -> None:
        (self.path / "ranker.yaml").write_text(SPEC.format(rate=rate, p99=p99, gpu=gpu, more=more))

    def plan(self, *options: str) -> Result:
        return CliRunner().invoke(plan, [str(self.path / "ranker.yaml"), *options])

    def document(self, *options: str) -> dict:
        out = self.path / "plan.json"
        result = self.plan("--json", str(out), *options)
        assert result.exit_code in (0, 1), result.output
        document: dict = json.loads(out.read_text())
        return document


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


def test_a_plan_is_confirmed_by_the_twin(folder):
    """Each situation is simulated, and its p99 is the estimate's to a few percent."""
    document = folder.document()
    assert document["feasible"] is True
    confirmation = document["confirmation"]
    assert confirmation["held"] is True
    assert confirmation["replicasAdded"] == 0
    for run in confirmation["runs"]:
        assert run["requests"] > 100_000
        assert run["dropped"] == 0
        for name in ("p50", "p95", "p99"):
            assert run["latencySeconds"][name] == pytest.approx(run["estimatedSeconds"][name], rel=0.05)


def test_the_text_says_what_and_why(folder):
    """Replicas, situations and reasons are printed."""
    result = folder.plan("--no-twin")
    assert result.exit_code == 0, result.output
    for text in (
        "replicas",
        "a replica carries",
        "why",
        "replicas.withHeadroom",
        "a node lost",
        "example table",
    ):
        assert text in result.output


def test_json_on_stdout_is_alone_there(folder):
    """Tables leave stdout to the JSON."""
    result = folder.plan("--no-twin", "--json")
    assert json.loads(result.stdout)["kind"] == "ServingPlan"
    assert "a replica carries" in result.stderr


def test_the_same_command_writes_the_same_bytes(folder):
    """Nothing in a plan depends on when or where it is made."""
    assert folder.plan("--json").stdout == folder.plan("--json").stdout


def test_an_objective_that_cannot_hold_ends_with_one(folder):
    """The reason names the field, and the nearest objective is offered."""
    folder.write(p99="3ms")
    result = folder.plan()
    assert result.exit_code == 1
    assert (
        "ranker.yaml: spec.objective.latency.p99: must be at least what a lone request takes" in result.stderr
    )
    assert "possible: spec.objective.latency: {p99:" in result.stderr


def test_too_few_replicas_end_with_one(folder):
    """The document's own maximum is in the way, and what would do is said."""
    folder.write(more="  scaling: {minReplicas: 1, maxReplicas: 3}\n")
    document = folder.document("--no-twin")
    (refusal,) = document["refusals"]
    assert (refusal["code"], refusal["path"]) == ("max-replicas", "spec.scaling.maxReplicas")
    need = int(refusal["alternatives"][0]["value"])
    folder.write(more=f"  scaling: {{minReplicas: 1, maxReplicas: {need}}}\n")
    assert folder.document("--no-twin")["replicas"]["count"] == need


def test_the_gpus_of_the_nodes_are_the_stock(folder):
    """Four tainted nodes with a GPU each take four replicas: enough for one rate, not for another."""
    folder.write(rate="1500", gpu=", gpu: {count: 1}")
    nodes = folder.path / "nodes.yaml"
    nodes.write_text("".join(NODE.format(name=f"n{i}", zone="abc"[i % 3]) for i in range(4)))
    document = folder.document("--nodes", str(nodes), "--no-twin")
    assert document["feasible"] is True
    assert document["gpus"]["running"] == document["replicas"]["count"]
    assert document["cost"]["instance"] == "g5.xlarge"
    refused = folder.document("--nodes", str(nodes), "--no-twin", "--rate", "9k")
    assert [one["code"] for one in refused["refusals"]] == ["stock"]
    assert "4 Insufficient nvidia.com/gpu" in refused["refusals"][0]["message"]


def test_a_quota_is_read_with_what_is_used_of_it(folder):
    """A ResourceQuota of the namespace bounds the replicas; others do not."""
    quota = folder.path / "quota.yaml"
    quota.write_text(
        "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: team, namespace: default}\n"
        'status: {hard: {requests.cpu: "6"}, used: {requests.cpu: "4"}}\n'
        "---\napiVersion: v1\nkind: ResourceQuota\nmetadata: {name: other, namespace: elsewhere}\n"
        'spec: {hard: {pods: "0"}}\n'
    )
    document = folder.document("--nodes", str(quota), "--no-twin")
    (refusal,) = document["refusals"]
    assert refusal["path"] == "ResourceQuota/team"
    assert "leaves 2 of requests.cpu" in refusal["message"]


def test_traffic_gives_a_minimum_and_a_maximum(folder):
    """A flash crowd outruns scaling, a slow day does not."""
    flash = folder.document(
        "--no-twin", "--traffic", "flash:base=500,peak=5k,at=10m,rise=5s,hold=5m,fall=1m,for=30m"
    )
    day = folder.document("--no-twin", "--traffic", "diurnal:mean=2k,peak=4k,period=24h")
    assert flash["scaling"]["rise"] >= flash["replicas"]["serving"]
    assert day["scaling"]["minReplicas"] == day["scaling"]["lowest"]
    assert day["scaling"]["minReplicas"] < day["scaling"]["meanReplicas"] < day["scaling"]["maxReplicas"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profile", "nowhere.json"], "does not exist"),
        (["--survive", "zone"], "--survive: zone needs --zones or --nodes"),
        (["--headroom", "much"], "must be a share from 0 to 10, such as 20% or 0.2"),
        (["--rate", "-3"], "must be a number such as 500, 10k or 1.5M"),
        (["--traffic", "nope"], "--traffic: must be a file that exists, got 'nope'"),
    ],
)
def test_wrong_options_end_with_two(folder, options, message):
    """What is wrong on the command line is said in one line."""
    result = folder.plan("--no-twin", *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_missing_profile_says_how_to_make_one(folder):
    """The next step is a command."""
    (folder.path / "ranker.profile.json").unlink()
    result = folder.plan()
    assert result.exit_code == 2
    assert "tonnage plan: --profile: must be given, because there is no" in result.stderr
    assert "tonnage profile" in result.stderr


def test_wrong_files_end_with_two_and_all_their_problems(folder):
    """A price table and nodes with faults are refused with line and field."""
    prices, nodes = folder.path / "prices.yaml", folder.path / "nodes.yaml"
    prices.write_text(
        "kind: PriceTable\ncurrency: EUR\ndate: now\ninstances: [{name: a, cpu: 4, memory: 1Gi}]\n"
    )
    nodes.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    result = folder.plan("--prices", str(prices))
    assert result.exit_code == 2
    assert "prices.yaml:4:13: instances[0].pricePerHour: must be a number >= 0, got nothing" in result.stderr
    result = folder.plan("--nodes", str(nodes))
    assert result.exit_code == 2
    assert "--nodes: must hold Nodes, NodePools or ResourceQuotas, got none" in result.stderr


def test_an_objective_without_a_rate_needs_one(folder):
    """Neither document, option nor traffic says how much there is to carry."""
    text = (folder.path / "ranker.yaml").read_text().replace("requestsPerSecond: 5k, ", "")
    (folder.path / "ranker.yaml").write_text(text)
    result = folder.plan()
    assert result.exit_code == 2
    assert (
        "spec.objective.requestsPerSecond: must be given, got none; give --rate or --traffic" in result.stderr
    )
