"""`tonnage up` on the README's example: a real model, real requests, a clean end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "filetype"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def start(port: int, *options: str) -> subprocess.Popen[str]:
    document = (EXAMPLE / "service.yaml").read_text()
    spec = document.replace(
        "  objective:", f"  server: {{port: {port}, grpcPort: null, lameDuck: 0s}}\n  objective:"
    )
    file = EXAMPLE / f".test-{port}.yaml"
    file.write_text(spec)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "tonnage", "up", str(file), "--json", "--backoff", "1s", *options],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()  # the document has been read
    finally:
        file.unlink()
    return process


def until(process: subprocess.Popen[str], replica: int, event: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if told["replica"] == replica and event in told["event"]:
            return
    pytest.fail(f"never told: {replica} {event}")


def ask(port: int, content: str) -> str:
    body = {"inputs": [{"name": "content", "datatype": "BYTES", "shape": [1, 1], "data": [content]}]}
    url = f"http://127.0.0.1:{port}/v2/models/filetype/infer"
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=30) as answer:
        return json.load(answer)["outputs"][0]["data"][0]


def test_the_example_names_file_types_and_survives_a_death():
    """Magika's model answers real inputs; a replica that is killed comes back; Ctrl-C drains with exit 0."""
    port = free_port()
    process = start(port)
    try:
        until(process, 0, "ready")
        assert ask(port, (ROOT / "dev").read_text()) == "python"
        assert ask(port, '#!/bin/sh\nset -eu\nfor f in *.txt; do\n  grep -c x "$f"\ndone\n') == "shell"
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        until(process, 0, "ended with code -9")
        until(process, 0, "ready")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_taken_port_is_said():
    """A port where somebody listens is refused with exit code 3."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "tonnage", "up", str(EXAMPLE / "service.yaml"), "--port", str(port)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert f"spec.server.port: must be free, got {port}" in done.stderr


def test_the_example_prepares_bytes_as_magika_does():
    """For real files our batch gives the labels that the magika package gives file by file."""
    import magika
    import numpy as np

    sys.path.insert(0, str(EXAMPLE))
    try:
        import model
    finally:
        sys.path.remove(str(EXAMPLE))
    ours = model.FileType()
    ours.load()
    files = sorted(Path(os.__file__).parent.glob("*.py"))[:25] + sorted(ROOT.glob("*.*"))[:5]
    contents = [file.read_bytes() for file in files if file.is_file() and file.stat().st_size > 50]
    batch = np.array([[content] for content in contents], object)
    labels = ours.predict({"content": batch})["label"][:, 0].tolist()
    peer = magika.Magika()
    assert labels == [str(peer.identify_bytes(content).prediction.dl.label) for content in contents]
