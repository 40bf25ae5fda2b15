"""What can be told of PyTorch's files without PyTorch."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path

import pytest

from tonnage.contract.server_config import ModelConfig
from tonnage.errors import ModelLoadError
from tonnage.server.runtimes import load_runtime
from tonnage.server.runtimes.torch_files import kind_of

EXPORTED = [
    "m/archive_format",
    "m/models/model.json",
    "m/data/weights/weight_0",
    "m/data/sample_inputs/model.pt",
]
EXPORTED_BEFORE_2_7 = ["serialized_exported_program.json", "serialized_state_dict.pt", "version"]
SCRIPT = ["m/data.pkl", "m/code/__torch__.py", "m/constants.pkl", "m/version"]
PICKLE = ["m/data.pkl", "m/data/0", "m/version"]
COMPILED = ["m/archive_format", "m/data/aotinductor/model/x.so"]


def archive(folder: Path, names: list[str]) -> Path:
    path = folder / "some.file"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")
    return path


@pytest.mark.parametrize(
    ("names", "kind"), [(EXPORTED, "exported"), (EXPORTED_BEFORE_2_7, "exported"), (SCRIPT, "script")]
)
def test_the_content_tells_the_kind(tmp_path: Path, names: list[str], kind: str) -> None:
    """The kind is told by what is in the archive, whatever the file is called."""
    assert kind_of(archive(tmp_path, names)) == kind


@pytest.mark.parametrize(
    ("names", "got"),
    [
        (PICKLE, "a pickled module or state_dict from torch.save"),
        (COMPILED, "a package compiled by AOTInductor"),
        (["word/document.xml"], "a zip archive of another kind"),
        ([], "a zip archive of another kind"),
    ],
)
def test_other_archives_are_refused_by_name(tmp_path: Path, names: list[str], got: str) -> None:
    """An archive of another kind is refused, saying what it is and how to export."""
    path = archive(tmp_path, names)
    with pytest.raises(ModelLoadError) as caught:
        kind_of(path)
    assert str(caught.value) == (
        f"model.path: must be an exported program or TorchScript, got {got} in {path}; export it with "
        "torch.export.save(torch.export.export(model.eval(), example_inputs, dynamic_shapes=...), 'model.pt2')"
    )


@pytest.mark.parametrize(
    ("content", "got"), [(pickle.dumps({"w": 1}), "a pickle"), (b"", "another"), (b"GGUF", "another")]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, got: str) -> None:
    """What is no archive is refused, and a plain pickle is called one."""
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=f"got {got} "):
        kind_of(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A path without a file is told before PyTorch is imported."""
    path = tmp_path / "none.pt2"
    with pytest.raises(ModelLoadError, match=f"^model.path: must be a file, got {path}$"):
        load_runtime(ModelConfig(name="m", format="torch", path=str(path)))


def test_the_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyTorch the error says what to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    path = archive(tmp_path, EXPORTED)
    with pytest.raises(ModelLoadError, match=r"^model\.format: .*; pip install 'tonnage\[torch\]'$"):
        load_runtime(ModelConfig(name="m", format="torch", path=str(path)))
