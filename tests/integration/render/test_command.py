"""``tonnage render`` as users call it: forms, folders, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from tonnage.cli import render_folder
from tonnage.cli.render import render_command
from tonnage.cli.render_folder import RECORD, write_folder
from tonnage.errors import EnvironmentFault, SpecError

ROOT = Path(__file__).parents[3]
SPEC = str(ROOT / "examples/founding/service.yaml")


def call(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(render_command, arguments, input=stdin)


def said(*arguments: str) -> list[str]:
    """What the command line is told is wrong."""
    error = call(*arguments).exception
    assert isinstance(error, SpecError)
    return [str(one) for one in error.problems]


def tree(folder: Path) -> dict[str, str]:
    return {str(one.relative_to(folder)): one.read_text() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_yaml_and_json_hold_the_same_objects() -> None:
    """JSON is one List, which kubectl takes."""
    documents = list(YAML(typ="safe").load_all(call(SPEC).stdout))
    listed = json.loads(call(SPEC, "--format", "json").stdout)
    assert (listed["kind"], listed["items"]) == ("List", documents)


def test_what_is_not_used_is_said_beside_the_output() -> None:
    """On stderr, so that stdout stays what kubectl reads."""
    run = call(SPEC)
    assert run.stderr == "tonnage render: not used here: spec.objective.requestsPerSecond\n"
    assert run.stdout.startswith("apiVersion: v1\n")


def test_the_command_line_names_the_image() -> None:
    """It goes before the document's, and must be one."""
    assert "image: other:v9\n" in call(SPEC, "--image", "other:v9").stdout
    message = "--image: must be an image reference, got 'NO NO'; such as registry.example.com/team/model:v1.2.3"
    assert said(SPEC, "--image", "NO NO") == [message]


def test_a_document_comes_from_standard_input() -> None:
    """As for the other commands."""
    assert call("-", stdin=Path(SPEC).read_text()).stdout == call(SPEC).stdout


def test_a_profile_beside_the_document_is_used(tmp_path: Path) -> None:
    """The startup budget and a load target come from it without being named."""
    golden = ROOT / "tests/golden/load-metric"
    document = YAML(typ="safe").load((golden / "spec.yaml").read_text())
    spec = tmp_path / "service.yaml"
    spec.write_text((golden / "spec.yaml").read_text())
    assert "must have a profile" in "".join(said(str(spec)))
    (tmp_path / f"{document['metadata']['name']}.profile.json").write_text((golden / "profile.json").read_text())
    assert call(str(spec)).stdout == call(str(spec), "--profile", str(golden / "profile.json")).stdout != ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "SPEC: must be given, or --metrics-api"),
        ([SPEC, "--format", "helm"], "--output: must be given with --format helm, which is a folder"),
        ([SPEC, "--format", "kustomize"], "--output: must be given with --format kustomize, which is a folder"),
        (["--metrics-api"], "--image: must be given: the image with the metrics API"),
        (["--metrics-api", "--image", "t:1", "--ca-bundle", SPEC], None),
    ],
)
def test_what_does_not_go_together_is_told(arguments: list[str], message: str | None) -> None:
    """Before anything is made."""
    problems = said(*arguments)
    assert problems == [message] if message else "must hold certificates in PEM form" in problems[0]


def test_the_metrics_api_comes_alone_or_behind_a_service() -> None:
    """A cluster needs one, whatever its services are."""
    alone = list(YAML(typ="safe").load_all(call("--metrics-api", "--image", "t:1").stdout))
    both = list(YAML(typ="safe").load_all(call(SPEC, "--metrics-api", "--image", "t:1").stdout))
    assert [one["kind"] for one in alone][-2:] == ["APIService", "APIService"]
    assert both[-len(alone) :] == alone
    assert len(both) > len(alone)


def test_a_folder_is_written_again_and_what_is_no_longer_made_goes(tmp_path: Path) -> None:
    """The same call changes nothing; another takes away what it does not make."""
    folder = tmp_path / "new" / "deploy"
    assert call(SPEC, "-o", str(folder), "--pod-monitor").exit_code == 0
    first = tree(folder)
    assert call(SPEC, "-o", str(folder), "--pod-monitor").exit_code == 0
    assert tree(folder) == first
    assert call(SPEC, "-o", str(folder)).exit_code == 0
    assert set(first) - set(tree(folder)) == {"pod-monitor-model-serving.yaml"}
    assert not [one for one in folder.parent.iterdir() if one != folder]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl has the kustomize that is asked")
def test_kustomize_builds_the_folder_to_the_same_objects(tmp_path: Path) -> None:
    """The kustomize inside kubectl reads every file that the kustomization names."""
    assert call(SPEC, "--metrics-api", "-o", str(tmp_path), "--format", "kustomize").exit_code == 0
    built = subprocess.run(["kubectl", "kustomize", str(tmp_path)], capture_output=True, text=True, check=True).stdout

    def key(one: dict[str, Any]) -> tuple[str, str]:
        return (one["kind"], one["metadata"]["name"])

    wanted = list(YAML(typ="safe").load_all(call(SPEC, "--metrics-api").stdout))
    assert sorted(YAML(typ="safe").load_all(built), key=key) == sorted(wanted, key=key)


def test_files_of_others_and_edited_files_are_kept(tmp_path: Path) -> None:
    """Nothing at all is written then; with --force it is, and what is not in the way stays."""
    call(SPEC, "-o", str(tmp_path))
    edited = tmp_path / "deployment-model-serving.yaml"
    edited.write_text("mine")
    (tmp_path / "notes.txt").write_text("mine too")
    before = tree(tmp_path)
    assert said(SPEC, "-o", str(tmp_path)) == [f"{edited}: was changed since it was written; --force writes over it"]
    assert tree(tmp_path) == before
    assert call(SPEC, "-o", str(tmp_path), "--force").exit_code == 0
    assert edited.read_text().startswith("apiVersion: apps/v1")
    assert (tmp_path / "notes.txt").read_text() == "mine too"


def test_a_folder_of_others_is_not_written_into(tmp_path: Path) -> None:
    """A mistyped folder stays as it was."""
    (tmp_path / "kustomization.yaml").write_text("resources: []")
    (tmp_path / "src").mkdir()
    assert said(SPEC, "-o", str(tmp_path)) == [
        f"{tmp_path}/kustomization.yaml: is there and was not written by tonnage render; --force writes over it"
    ]
    (tmp_path / "kustomization.yaml").unlink()
    message = f"{tmp_path}: --output: must be empty or of tonnage render, got src; --force writes beside them"
    assert said(SPEC, "-o", str(tmp_path)) == [message]


def test_a_record_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    """A record that somebody wrote names nothing that would be taken away elsewhere."""
    folder, outside = tmp_path / "deploy", tmp_path / "outside"
    outside.write_text("stays")
    folder.mkdir()
    (folder / RECORD).write_text(json.dumps({"files": {"../outside": "x", str(outside): "x"}}))
    assert call(SPEC, "-o", str(folder), "--force").exit_code == 0
    assert outside.read_text() == "stays"


def test_nothing_is_half_written_when_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder stays as it was, and nothing is left beside it."""
    folder = tmp_path / "deploy"
    write_folder(folder, {"a": "1", "b": "1"}, force=False)
    before = tree(folder)
    synced = os.fsync
    calls = iter([synced, None])

    def full(number: int) -> None:
        if next(calls) is None:
            raise OSError(28, "No space left on device")
        synced(number)

    monkeypatch.setattr(render_folder.os, "fsync", full)
    with pytest.raises(EnvironmentFault, match="No space left"):
        write_folder(folder, {"a": "2", "b": "2"}, force=False)
    assert tree(folder) == before
    assert list(tmp_path.iterdir()) == [folder]
