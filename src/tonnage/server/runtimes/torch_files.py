"""What kind of PyTorch file a file is, by its content and without opening anything in it.

All of PyTorch's formats are zip archives with the same endings (``.pt``, ``.pth``, ``.pt2``), and one of
them, the pickle, runs code when it is opened. The names inside the archive tell them apart.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final, Literal

from tonnage.errors import ModelLoadError

Kind = Literal["exported", "script"]

_HOW: Final = (
    "export it with torch.export.save(torch.export.export(model.eval(), example_inputs, "
    "dynamic_shapes=...), 'model.pt2')"
)


def kind_of(path: Path) -> Kind:
    """Tell the kind of model file from its content.

    Raises:
        ModelLoadError: It is neither an exported program nor TorchScript.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError):
        with path.open("rb") as file:
            return _no_kind(path, "a pickle" if file.read(1) == b"\x80" else "another kind of file")
    # all files are below one folder, named after the model; before PyTorch 2.7 not for exported programs
    inner = {name.partition("/")[2] for name in names} | set(names)
    if any(name.startswith("models/") for name in inner) or "serialized_exported_program.json" in inner:
        return "exported"
    if "constants.pkl" in inner and any(name.startswith("code/") for name in inner):
        return "script"
    if "data.pkl" in inner:
        return _no_kind(path, "a pickled module or state_dict from torch.save")
    if any(name.startswith("data/aotinductor/") for name in inner):
        return _no_kind(path, "a package compiled by AOTInductor")
    return _no_kind(path, "a zip archive of another kind")


def _no_kind(path: Path, got: str) -> Kind:
    raise ModelLoadError(
        f"model.path: must be an exported program or TorchScript, got {got} in {path}; {_HOW}"
    )
