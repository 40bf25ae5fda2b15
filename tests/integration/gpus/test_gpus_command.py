"""The command line of ``tonnage gpus``: files in, tables, JSON and exit codes out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gpus.makers import gang, node, pod

JOB = """
apiVersion: tonnage.dev/v1alpha1
kind: TrainingJob
metadata: {name: digits}
spec:
  framework: pytorch
  image: example.com/x:1
  command: [python, train.py]
  workers: 2
  resources: {cpu: "8", memory: 32Gi, gpu: {count: 8, type: a100}}
"""
_RUN = (
    "import sys; from tonnage.cli.gpus import gpus; from tonnage.errors import TonnageError\n"
    "try: gpus(prog_name='tonnage gpus')\n"
    "except TonnageError as error: print(error, file=sys.stderr); sys.exit(error.exit_code)\n"
)


def run(folder: Path, *arguments: str, given: str = "") -> tuple[int, str, str]:
    """Runs the command; its exit code and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, *arguments], cwd=folder, input=given, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cluster of three nodes, two of them free, and a job."""
    items: list[dict[str, Any]] = [
        node("a", taints=("nvidia.com/gpu",)), node("b", taints=("nvidia.com/gpu", "team=x")),
        node("c", kind=None, **{"nvidia.com/gpu.product": "Tesla-T4"}), pod("busy", 3, on="c"), pod("next", 2),
    ]  # fmt: skip
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    (tmp_path / "cluster.json").write_text(text)
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "pods.yaml").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": gang(1, 6)}))
    return tmp_path


def test_the_inventory_is_a_table_or_json(folder: Path) -> None:
    """Both say the same; standard input is a file too."""
    code, table, _ = run(folder, "--nodes", "cluster.json")
    assert code == 0
    assert "3 of 3 nodes have GPUs" in table
    assert "waiting: 1 pod for 2 nvidia.com/gpu" in table
    assert "1 node has no label gpu-type; tonnage gpus label prints the commands" in table
    code, text, _ = run(folder, "--nodes", "-", "--json", given=(folder / "cluster.json").read_text())
    found = json.loads(text)
    assert code == 0
    assert [(one["type"], one["free"]) for one in found["totals"]] == [("a100", 16), ("t4", 5)]
    assert found["nodes"][2]["productLabel"] == "nvidia.com/gpu.product"


def test_labels_are_printed_as_commands(folder: Path) -> None:
    """Ready to be piped into a shell."""
    assert run(folder, "label", "--nodes", "cluster.json") == (0, "kubectl label nodes c gpu-type=t4\n", "")


def test_fit_ends_with_0_when_it_fits_and_with_1_when_not(folder: Path) -> None:
    """The answer is the exit code, the scheduler's words and what helps."""
    code, text, _ = run(folder, "fit", "job.yaml", "--nodes", "cluster.json")
    assert code == 1
    assert "TrainingJob/digits: 2 pods, all or none: does not fit; 1 of 2 find a node" in text
    assert "digits-1: 0/3 nodes are available:" in text
    assert "tolerate team=x:NoSchedule\n       spec:\n         scheduling:\n           tolerations:" in text
    code, text, _ = run(folder, "fit", "pods.yaml", "--nodes", "cluster.json", "--json")
    (found,) = json.loads(text)["workloads"]
    assert (code, found["fits"], found["placed"]) == (0, True, {"w-0": "a"})


def test_several_workloads_are_placed_one_after_the_other(folder: Path) -> None:
    """What fits takes its place before the next one is asked about."""
    code, text, _ = run(folder, "fit", "pods.yaml", "job.yaml", "--nodes", "cluster.json", "--json")
    pods, job = json.loads(text)["workloads"]
    assert (code, pods["fits"], job["fits"], len(job["partial"])) == (1, True, False, 0)


def test_a_node_is_explained(folder: Path) -> None:
    """What the pod asks for stands beside what the node has."""
    code, text, _ = run(folder, "fit", "job.yaml", "--nodes", "cluster.json", "--explain", "b")
    assert code == 1
    assert "b rejects digits-1: node(s) had untolerated taint(s) (TaintToleration)" in text
    (taint,) = [line for line in text.splitlines() if "team=x:NoSchedule" in line]
    assert taint.split() == ["taint", "not", "tolerated", "team=x:NoSchedule", "no"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--nodes", "job.yaml"), 'job.yaml:3:7: kind: must be one of NodePools, got "TrainingJob"'),
        (("--nodes", "pods.yaml"), "--nodes: must hold Nodes or NodePools, got none in pods.yaml"),
        (("--nodes", "absent.yaml"), "absent.yaml: must be a readable file, got No such file or directory"),
        (("fit", "cluster.json", "--nodes", "cluster.json", "--explain", "z"), "--explain: must be a node of the cluster, got z"),
        (("fit", "nothing.yaml", "--nodes", "cluster.json"), "SPEC: must hold a ModelService, TrainingJob or a workload"),
        (("fit", "bad.yaml", "--nodes", "cluster.json"), "bad.yaml:3:"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_before_anything_is_decided(folder: Path, arguments, words) -> None:
    """Each fault is a line with its file, and the exit code is 2."""
    (folder / "nothing.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n")
    (folder / "bad.yaml").write_text(JOB.strip().replace("workers: 2", "workers: none").replace("name: digits", "name: 9_"))
    code, _, error = run(folder, *arguments)
    assert code == 2
    assert words in error


def test_fields_that_we_do_not_know_are_passed_over(folder: Path) -> None:
    """A newer cluster's nodes and pods are read; values of another type than their field's are told with lines."""
    new = node("new")
    new["spec"]["fromTheFuture"] = {"a": 1}
    (folder / "new.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [new]}))
    assert run(folder, "--nodes", "new.json")[0] == 0
    (folder / "odd.yaml").write_text(
        "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: []\n---\n"
        "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n---\n"
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: []\n"
    )
    code, _, error = run(folder, "--nodes", "odd.yaml")
    assert (code, error.splitlines()) == (
        2,
        [
            "odd.yaml:4:7: spec: must be a mapping, got a list",
            "odd.yaml:6:1: must give each node once, got a again",
            "odd.yaml:13:7: spec: must be a mapping, got a list",
        ],
    )


def test_names_of_others_run_nothing_and_move_no_cursor(folder: Path) -> None:
    """Commands are quoted for the shell, and what cannot be printed is written as an escape."""
    odd = node("a; rm -rf x\x1b[2J", kind=None, **{"nvidia.com/gpu.product": "Tesla-T4"})
    (folder / "odd.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [odd]}))
    code, text, _ = run(folder, "label", "--nodes", "odd.json")
    assert (code, text) == (0, "kubectl label nodes 'a; rm -rf x\\x1b[2J' gpu-type=t4\n")
