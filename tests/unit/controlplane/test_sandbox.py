"""What a container's layer opens of this machine's folders."""

from __future__ import annotations

import os
from pathlib import Path

from controlplane.sandbox import closed_folders


def test_only_folders_that_others_may_not_enter_are_opened(tmp_path: Path) -> None:
    """Such as a cache that is its owner's alone, with a program deep inside; the outermost comes first."""
    closed, programs = tmp_path / "cache", tmp_path / "cache" / "environment" / "bin"
    programs.mkdir(parents=True)
    for folder, mode in ((tmp_path, 0o755), (closed, 0o700), (programs.parent, 0o755), (programs, 0o750)):
        folder.chmod(mode)
    found = closed_folders(os.pathsep.join([str(programs), "relative", str(tmp_path / "missing")]))
    assert [one for one in found if one.is_relative_to(tmp_path)] == [closed, programs]
