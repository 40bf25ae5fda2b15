"""``tonnage train render``: text, JSON and folders; notes beside them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from tonnage.cli.train_render import train_render
from tonnage.errors import SpecError

DOCUMENT = """apiVersion: tonnage.dev/v1alpha1
kind: TrainingJob
metadata: {name: digits}
spec: {framework: pytorch, image: "t:v1", command: [python, t.py], workers: 2}
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(DOCUMENT)
    return path


def test_objects_are_written_to_stdout_and_notes_beside(document: Path) -> None:
    """What is piped into kubectl is only the objects."""
    run = CliRunner().invoke(train_render, [str(document), "-n", "ml"])
    assert run.exit_code == 0
    objects = list(YAML(typ="safe").load_all(run.stdout))
    assert [one["kind"] for one in objects] == ["Service", "Service", "Job"]
    assert {one["metadata"]["namespace"] for one in objects} == {"ml"}
    assert run.stderr.splitlines() == [
        "tonnage train render: back end job: no cluster was asked",
        "tonnage train render: gang none: no cluster was asked",
        ("tonnage train render: nothing sees to it that all 2 pods start or none: some may hold their nodes "
        "and wait for the others"),
    ]


def test_back_end_and_gang_are_the_callers(document: Path) -> None:
    """As JSON with what was chosen."""
    arguments = [str(document), "--backend", "jobset", "--gang", "core", "--json"]
    found = json.loads(CliRunner().invoke(train_render, arguments).stdout)
    assert (found["trainingJob"], found["backend"], found["gang"]) == ("digits", "jobset", "core")
    assert [one["kind"] for one in found["objects"]] == ["PodGroup", "JobSet"]
    assert (found["reasons"], found["notes"]) == ([], [])


def test_a_folder_gets_a_file_for_each_object(document: Path, tmp_path: Path) -> None:
    """And a kustomization that names them."""
    folder = tmp_path / "out"
    for _ in range(2):
        assert CliRunner().invoke(train_render, [str(document), "-o", str(folder)]).exit_code == 0
    assert sorted(one.name for one in folder.glob("*.yaml")) == [
        "job-digits.yaml",
        "kustomization.yaml",
        "service-digits-0.yaml",
        "service-digits-workers.yaml",
    ]


def test_what_a_back_end_cannot_do_is_the_authors_fault(document: Path) -> None:
    """Nothing is written."""
    run = CliRunner().invoke(train_render, [str(document), "--backend", "tfjob"])
    assert isinstance(run.exception, SpecError)
    assert run.stdout == ""
