"""`tonnage audit` and `tonnage explain` as people run them: files, folders, pipes, formats, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tonnage.audit import RULES
from tonnage.cli.main import cli
from tonnage.errors import SpecError

ROOT = Path(__file__).parents[3]
WELL_MADE = (ROOT / "tests" / "unit" / "audit" / "well_made.yaml").read_text()
POD = """\
# a pod
apiVersion: v1
kind: Pod
metadata:
  name: ranker  # its name
spec:
  containers:
  - name: server
    image: registry.example.com/ranker:1.2
    resources:
      requests: {cpu: 1, memory: 1Gi, nvidia.com/gpu: 1}
      limits: {memory: 1Gi}  # no GPU
"""
NODES = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: n1, labels: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}}
  spec: {taints: [{key: nvidia.com/gpu, effect: NoSchedule}]}
  status: {allocatable: {cpu: "16", memory: 64Gi, pods: "110", nvidia.com/gpu: "4"}}
"""


def tonnage(*args, stdin=None):
    return CliRunner().invoke(cli, ["audit", *map(str, args)], input=stdin)


@pytest.fixture
def pod(tmp_path):
    path = tmp_path / "pod.yaml"
    path.write_text(POD)
    return path


def test_a_well_made_service_has_exit_code_0(tmp_path):
    """Nothing is found, and that is said."""
    path = tmp_path / "all.yaml"
    path.write_text(WELL_MADE)
    ran = tonnage(path)
    assert (ran.exit_code, ran.stdout) == (0, "no findings in 5 objects\n")


def test_text_names_file_line_and_what_to_do(pod):
    """A finding is two lines and a place that editors understand."""
    ran = tonnage(pod, "--select", "TNG001")
    assert ran.exit_code == 1
    assert ran.stdout.splitlines()[0] == (
        f"{pod}:11:55: error TNG001: nvidia.com/gpu must be in limits too, or the API server refuses the object"
    )
    assert "--fix does it" in ran.stdout


def test_standard_input_is_a_file(pod):
    """`-` reads what another program prints, such as helm template."""
    ran = tonnage("-", "--select", "TNG001", stdin=POD)
    assert ran.exit_code == 1
    assert ran.stdout.startswith("<stdin>:11:")


def test_json_has_every_field(pod):
    """JSON findings are objects with the promised fields."""
    ran = tonnage(pod, "--format", "json", "--select", "TNG001")
    (finding,) = json.loads(ran.stdout)["findings"]
    assert {"code", "severity", "message", "file", "line", "path", "object", "fix"} <= set(finding)
    assert finding["object"] == {"apiVersion": "v1", "kind": "Pod", "name": "ranker", "namespace": "default"}
    (change,) = finding["fix"]["changes"]
    assert change == {
        "op": "set",
        "path": 'spec.containers[0].resources.limits["nvidia.com/gpu"]',
        "value": 1,
    }


def test_sarif_is_sarif(pod):
    """A SARIF log has its rules, results with places, and levels that SARIF knows."""
    run = json.loads(tonnage(pod, "--format", "sarif").stdout)["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert ids == [rule.code for rule in RULES]
    for result in run["results"]:
        assert result["ruleId"] in ids
        assert result["level"] in ("error", "warning", "note")
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1


def test_sarif_names_files_as_uris(tmp_path):
    """A file whose name is no URI is written as one, and evidence stands in the message."""
    path = tmp_path / "my service.yaml"
    path.write_text(WELL_MADE.replace("minReplicas: 3", "minReplicas: 1"))
    (result,) = json.loads(tonnage(path, "--format", "sarif", "--simulate").stdout)["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.endswith("/my%20service.yaml")
    assert "As it is: no replica ready for" in result["message"]["text"]


def test_github_gets_annotations(pod):
    """Findings are workflow commands."""
    ran = tonnage(pod, "--format", "github", "--select", "TNG001")
    assert ran.stdout.startswith(f"::error file={pod},line=11,col=55,title=TNG001::nvidia.com/gpu must")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--select", "TNG02"], 0),  # only for information
        (["--select", "TNG02", "--fail-on", "info"], 1),
        (["--select", "TNG001", "--fail-on", "never"], 0),
        (["--ignore", "TNG0"], 0),
    ],
)
def test_the_exit_code_follows_the_bound(pod, options, code):
    """--fail-on, --select and --ignore decide."""
    assert tonnage(pod, *options).exit_code == code


@pytest.mark.parametrize("args", [(), ("nowhere.yaml",), ("-", "--select", "TNG999"), ("-", "--select", "")])
def test_what_is_wrong_is_said(args):
    """Missing files and unknown codes are the user's to correct: exit code 2."""
    ran = tonnage(*args, stdin="a: [")
    assert isinstance(ran.exception, SpecError)


def test_fix_edits_the_file_and_keeps_the_rest(pod):
    """The fix stands where the fault was; comments stay; the next run finds it no more."""
    ran = tonnage(pod, "--fix", "--select", "TNG001")
    assert ran.exit_code == 0
    assert pod.read_text() == POD.replace("limits: {memory: 1Gi}", "limits: {memory: 1Gi, nvidia.com/gpu: 1}")


def test_a_folder_is_searched(tmp_path, pod):
    """Files of a folder are judged together; templates and other files are passed over and patches are no objects."""
    (tmp_path / "values.yaml").write_text("replicas: 1\n")
    (tmp_path / "template.yaml").write_text("{{- if .Values.x }}\na: {{ b }}\n{{- end }}\n")
    (tmp_path / "kustomization.yaml").write_text("kind: Kustomization\npatches: [{path: patch.yaml}]\n")
    (tmp_path / "patch.yaml").write_text(POD.replace("ranker", "other", 1))
    part = "spec: {template: {spec: {containers: [{name: a, resources: {requests: {x.com/y: 1}}}]}}}"
    (tmp_path / "part.yaml").write_text(
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\n{part}\n"
    )
    ran = tonnage(tmp_path, "--select", "TNG001")
    assert ran.exit_code == 1
    assert "part.yaml: Deployment/d passed over" in ran.stderr
    assert ran.stdout.count("TNG001") == 1
    assert "template.yaml: passed over" in ran.stderr


def test_a_model_service_is_rendered_first():
    """A document of ours is judged by the manifests that it becomes."""
    ran = tonnage(ROOT / "examples" / "filetype" / "service.yaml")
    assert ran.exit_code == 0, ran.stdout


@pytest.mark.parametrize("case", ["minimal", "python-class", "fixed-replicas", "load-metric", "traced", "dra"])
def test_what_we_render_has_no_finding(case):
    """The manifests that we make of documents without oddities pass every rule."""
    ran = tonnage(ROOT / "tests" / "golden" / case / "manifests.yaml")
    assert ran.stdout.startswith("no findings in "), ran.stdout


def test_the_founding_service_has_the_faults_that_it_had():
    """One endpoint for both probes and no startup probe were written so, and are told."""
    ran = tonnage(ROOT / "examples" / "founding" / "service.yaml", "--format", "json")
    found = json.loads(ran.stdout)["findings"]
    assert [one["code"] for one in found if one["severity"] != "info"] == ["TNG031", "TNG032"]


def test_nodes_are_asked(tmp_path, pod):
    """With nodes, a pod that tolerates no taint has no node; with the toleration it has one."""
    nodes = tmp_path / "nodes.yaml"
    nodes.write_text(NODES)
    ran = tonnage(pod, "--nodes", nodes, "--select", "TNG02", "--format", "json")
    assert [one["code"] for one in json.loads(ran.stdout)["findings"]] == ["TNG020", "TNG023"]
    assert "taint" in ran.stdout
    pod.write_text(POD.replace("spec:\n", "spec:\n  tolerations: [{operator: Exists}]\n"))
    assert tonnage(pod, "--nodes", nodes, "--select", "TNG02").stdout == "no findings in 1 object\n"


def test_explain_prints_the_rule():
    """`tonnage explain CODE` prints the rule's page, in any case of letters; without a code all rules."""
    ran = CliRunner().invoke(cli, ["explain", "tng040"])
    assert ran.stdout == (ROOT / "docs" / "rules" / "TNG040.md").read_text()
    listed = CliRunner().invoke(cli, ["explain"]).stdout.splitlines()
    assert len(listed) == len(RULES)


def test_explain_of_nothing_is_a_mistake():
    """An unknown code suggests a near one."""
    ran = CliRunner().invoke(cli, ["explain", "TNG999"])
    assert isinstance(ran.exception, SpecError)


def test_simulate_shows_the_fault(tmp_path):
    """With --simulate a finding has what was tried, what came of it, and the same repaired."""
    path = tmp_path / "all.yaml"
    path.write_text(WELL_MADE.replace("minReplicas: 3", "minReplicas: 1"))
    ran = tonnage(path, "--simulate", "--rate", "20", "--service-time", "10ms")
    assert ran.exit_code == 1
    twin = ran.stdout.splitlines()[3:6]
    assert twin[0] == "    twin: one pod evicted at 20 requests/s, with one replica"
    assert twin[1].startswith("        as it is: no replica ready for ")
    assert "0 of" in twin[2]
    (finding,) = json.loads(tonnage(path, "--simulate", "--format", "json").stdout)["findings"]
    evidence = finding["evidence"]
    assert evidence["numbers"]["found"]["noneReadySeconds"] > 0
    assert evidence["numbers"]["repaired"]["noneReadySeconds"] == 0
    assert evidence["assumed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rate", "5"], "--rate: must be given with --simulate"),
        (["--simulate", "--rate", "5", "--traffic", "poisson:rate=1"], "must not be given with --traffic"),
        (["--simulate", "--metric", "a=b"], "--metric: must be NAME=MEANING"),
        (["--simulate", "--service-time", "0s"], "--service-time: must be > 0"),
    ],
)
def test_wrong_options_of_simulate_are_said(pod, options, message):
    """What does not go together is a mistake of the command line."""
    ran = tonnage(pod, *options)
    assert isinstance(ran.exception, SpecError)
    assert message in str(ran.exception)


def test_images_that_a_kustomization_replaces_are_passed(tmp_path):
    """A version that kustomize puts in is one; latest is none."""
    (tmp_path / "pod.yaml").write_text(POD.replace("ranker:1.2", "ranker"))
    assert "TNG090" in tonnage(tmp_path).stdout
    image = {"name": "registry.example.com/ranker", "newTag": "latest"}
    (tmp_path / "kustomization.yaml").write_text(json.dumps({"images": [image]}))
    assert "TNG090" in tonnage(tmp_path).stdout
    (tmp_path / "kustomization.yaml").write_text(json.dumps({"images": [image | {"newTag": "1.2"}]}))
    assert "TNG090" not in tonnage(tmp_path).stdout


def test_a_training_job_is_judged_by_its_objects():
    """A TrainingJob document becomes the objects that tonnage train render makes of it."""
    ran = tonnage(ROOT / "examples" / "training" / "tensorflow" / "job.yaml", "--fail-on", "never")
    assert "job.yaml (rendered):" in ran.stdout
    assert "TNG111" in ran.stdout
