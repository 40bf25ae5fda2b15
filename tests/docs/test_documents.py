"""What the documents tell readers to type is typed, and what they show is checked."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import pytest

from tonnage.cli.main import COMMANDS, cli
from tonnage.kube.objects import read_objects
from tonnage.kube.shape import shape_problems
from tonnage.spec.documents import KINDS, read_part

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    # the pages of rules are generated; what they show is run by the rules' own tests, bad as it is
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "rules" not in page.parts),
]
DEFAULTS = {
    # each of its commands measures for minutes; tests of the command's own measure less
    "docs/how-to/profile.md": "not run: measuring takes minutes, and the command has tests of its own",
    "docs/how-to/audit.md": "not run: it names the reader's own files, and the command has tests of its own",
}
"""Page to what is told of its blocks that have no comment."""
SERVES_S_MAX = 60.0
BLOCK_S_MAX = 120.0
PRELUDE = 'set -eu; curl() { command curl --silent --show-error --fail-with-body "$@"; }\n'
"""Without it curl ends with 0 when the server refuses."""


def _beside(name: str) -> ModuleType:
    """A module of this folder; pytest's importlib mode puts no test folder on the path."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


blocks = _beside("blocks")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _blocks(page: Path) -> list:
    return blocks.blocks_of(_name(page), page.read_text(), DEFAULTS.get(_name(page)))


BLOCKS = [block for page in PAGES for block in _blocks(page)]
LIVELY = [page for page in PAGES if any(one.action in ("run", "serve") for one in _blocks(page))]


def test_every_block_is_classified():
    """No block is left of which nobody has said whether it is run, validated, shown, or why not."""
    assert [f"{block.where}: {block.language} {block.told}" for block in BLOCKS if block.action is None] == []
    assert {"run", "serve", "file", "leave", "validate"} <= {block.action for block in BLOCKS}


@pytest.mark.parametrize(
    "block", [one for one in BLOCKS if one.language in ("yaml", "json")], ids=lambda block: block.where
)
def test_examples_of_data_are_valid(block):
    """A YAML example is documents without a problem; a JSON example is JSON, whole or line by line."""
    if block.language == "yaml":
        items, problems = read_objects(block.text, source=block.where)
        for item in items:
            problems += read_part(item, KINDS[item.kind])[1] if item.is_ours else shape_problems(item)
        assert items
        assert problems == []
        return
    try:
        json.loads(block.text)
    except ValueError:
        for line in block.text.splitlines():
            json.loads(line)


@pytest.mark.parametrize(
    "block",
    [one for one in BLOCKS if one.language in ("sh", "bash", "console")],
    ids=lambda block: block.where,
)
def test_commands_have_the_options_that_they_are_given(block):
    """Every command of ours in the documents, run or not, exists and knows its options."""
    for name, *arguments in blocks.commands_of(block):
        assert name in COMMANDS or name.startswith("-"), f"{block.where}: tonnage {name}"
        command = cli.get_command(click.Context(cli), name)
        while isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
            within, command = command, command.get_command(click.Context(command), arguments[0])
            assert command is not None, f"{block.where}: tonnage {within.name} {arguments[0]}"
            arguments = arguments[1:]
        if command is not None:
            command.make_parser(click.Context(command)).parse_args(arguments)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_somewhere(page):
    """Every relative link of a page leads to a file."""
    prose = re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose):
        if "://" not in link:
            assert (page.parent / link).exists(), link


class Sandbox:
    """A folder as a reader has it, with ports that are free here.

    The examples are there, the project's own script with the environment that runs these tests, and a
    model file `digits.onnx`. Each port that a page names becomes a free one, in all its blocks; port
    8080 in the examples' documents too, where gRPC is switched off because `up` has no option for it.
    """

    def __init__(self, folder: Path, page: Path, model: Path) -> None:
        self.folder = folder
        self._ports: dict[str, str] = {}
        self._serving: list[tuple[str, subprocess.Popen[bytes]]] = []
        self._outputs: list[Path] = []
        text = page.read_text()
        for port in ["8080", *sorted(set(re.findall(r"\b(808[1-9]|9000)\b", text)))]:
            self._ports[port] = str(_free_port())
        shutil.copytree(ROOT / "examples", folder / "examples")
        for document in (folder / "examples").rglob("service.yaml"):
            server = f"  server: {{port: {self._ports['8080']}, grpcPort: null}}\n  objective:"
            document.write_text(document.read_text().replace("  objective:", server, 1))
        shutil.copy(model, folder / "digits.onnx")
        self._make_project()

    def _make_project(self) -> None:
        """What `./dev` looks at: it must find its environment made, and not make it anew."""
        key = hashlib.sha256()
        for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
            key.update((ROOT / name).read_bytes())
        key.update(sys.version.encode())
        shutil.copy(ROOT / "dev", self.folder)
        environment = self.folder / ".venv"
        environment.mkdir()
        (environment / "bin").symlink_to(Path(sys.executable).parent)
        for kind in ("run", "dev"):
            (environment / f".tonnage-{kind}").write_text(key.hexdigest())

    def _free(self, text: str) -> str:
        return re.sub(r"\b\d{4}\b", lambda match: self._ports.get(match[0], match[0]), text)

    def _variables(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def do(self, block) -> None:
        """What is told of one block."""
        text = self._free(block.text)
        if block.action == "file":
            (self.folder / block.argument).write_text(text)
        elif block.action == "run":
            done = subprocess.run(
                ["bash", "-c", PRELUDE + text],
                cwd=self.folder, env=self._variables(), timeout=BLOCK_S_MAX,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{block.where}: {done.stdout}"
            assert self._free(block.argument) in done.stdout, f"{block.where}: {done.stdout}"
        elif block.action == "serve":
            port, options = block.serve
            self._serve(block.where, f"{text.strip()} {self._free(options)}", self._ports[str(port)])

    def _serve(self, where: str, command: str, port: str) -> None:
        output = self.folder / f"output-{len(self._serving)}.txt"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {command}"],
                cwd=self.folder, env=self._variables(), stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip
        self._serving.append((where, process))
        self._outputs.append(output)
        end_s = time.monotonic() + SERVES_S_MAX
        while not _healthy(port):
            assert process.poll() is None, f"{where}: ended: {output.read_text()}"
            assert time.monotonic() < end_s, f"{where}: not healthy: {output.read_text()}"
            time.sleep(0.05)

    def end(self) -> None:
        """End each as the documents say, `serve` by SIGTERM and `up` by Ctrl-C; each must end with 0."""
        for _, process in self._serving:
            if "serve" in process.args[-1].split():
                process.send_signal(signal.SIGTERM)
            else:
                os.killpg(process.pid, signal.SIGINT)  # to all that run in the terminal
        for (where, process), output in zip(self._serving, self._outputs, strict=True):
            assert process.wait(60) == 0, f"{where}: {output.read_text()}"

    def kill(self) -> None:
        """Whatever happened, leave nothing behind; replicas are given the time to see it."""
        for _, process in self._serving:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _healthy(port: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        error.close()
        return False
    except OSError:
        return False


@pytest.fixture
def sandbox(tmp_path: Path, tiny: Path, request) -> Iterator[Sandbox]:
    """The page's folder."""
    one = Sandbox(tmp_path, request.param, tiny)
    yield one
    one.kill()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("curl") is None, reason="the documents' requests are made with curl")
@pytest.mark.parametrize("sandbox", LIVELY, indirect=True, ids=_name)
def test_the_page_does_what_it_says(sandbox, request):
    """The page's blocks, done from top to bottom in one folder, work, and what serves ends with 0."""
    page = request.node.callspec.params["sandbox"]
    for block in _blocks(page):
        sandbox.do(block)
    sandbox.end()


def test_blocks_are_found_with_what_is_told_of_them():
    """Fences at any indent, comments right above them, and indented commands are all found."""
    text = (
        "# Page\n\n<!-- test: run, prints a b -->\n```sh\ntonnage load \\\n  x --rate 5 # y\n```\n\n"
        "1. x\n   ```json\n   {}\n   ```\n\n    tonnage schema\n\n```sh\nls\n```\n"
        "<!-- test: serve on 8080 with --a b -->\n```sh\n./dev up\n```\n<!-- test: not run: -->\n```sh\nx\n```\n"
    )
    found = blocks.blocks_of("p.md", text)
    assert [block.action for block in found] == ["run", "validate", None, None, "serve", None]
    assert found[0].argument == "a b"
    assert found[1].text == "{}\n"
    assert found[4].serve == (8080, "--a b")
    assert blocks.commands_of(found[0]) == [["load", "x", "--rate", "5"]]
    assert blocks.commands_of(found[2]) == [["schema"]]
    assert blocks.commands_of(found[4]) == [["up", "DEFAULT"]]
    assert [block.action for block in blocks.blocks_of("p.md", text, "not run: takes too long")].count(
        "leave"
    ) == 2
