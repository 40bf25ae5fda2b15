"""Fixtures: a real server process, and small real models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# a shared machine stands still at times; how long an example takes proves nothing
settings.register_profile("tonnage", deadline=None)
settings.register_profile("fast", deadline=None, max_examples=20)
settings.load_profile("fast" if os.environ.get("TONNAGE_TEST_FAST") else "tonnage")

MODELS = Path(__file__).parent / "models"
# by their full names, however pytest was started: what tests share, and what they share with benchmarks
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))  # for controlplane and upstream
sys.path.insert(0, str(MODELS))  # the tests look at the models that the servers load


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start processes are slow, and left out of the fast form."""
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small ONNX model: x [-1, 4] to y [-1, 2], y = x W."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.arange(8, dtype=np.float32).reshape(4, 2)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("models") / "tiny.onnx"
    onnx.save(model, path)
    return path


class Server:
    """A running server process and what it logs."""

    def __init__(self, config: dict[str, Any], folder: Path, stderr: Any = subprocess.PIPE) -> None:
        file = folder / "config.json"
        config = {
            "http": [{"host": "127.0.0.1", "port": 0}],
            "lame_duck_s": 0.0,
            **config,
            "log_format": "json",
        }
        file.write_text(json.dumps(config))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tonnage.server", "--config", str(file)],
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        if self.process.stderr is not None:
            for text in self.process.stderr:
                line = json.loads(text) if text.startswith("{") else {"event": "text", "text": text}
                with self._news:
                    self.lines.append(line)
                    self._news.notify_all()
        with self._news:
            self.lines.append({"event": "end of log"})
            self._news.notify_all()

    def wait_for(self, found: Callable[[dict[str, Any]], bool], timeout_s: float = 60.0) -> dict[str, Any]:
        """The first log line that fits."""

        def seen() -> dict[str, Any] | None:
            return next((line for line in self.lines if found(line)), None)

        with self._news:
            done = self._news.wait_for(
                lambda: seen() is not None or self.lines[-1:] == [{"event": "end of log"}], timeout_s
            )
        line = seen()
        assert done and line is not None, f"not in the log: {self.lines}"
        return line

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        return self.wait_for(
            lambda line: line["event"] == name and all(line.get(k) == v for k, v in fields.items())
        )

    @property
    def port(self) -> int:
        line = self.wait_for(
            lambda one: (
                one["event"] in ("listening", "answering until a worker is ready")
                and one.get("protocol", "http") == "http"
            )
        )
        return int(str(line.get("port") or line["address"].rpartition(":")[2]))

    def ask(self, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any, Any]:
        """Status, body (JSON where it is JSON) and headers."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers or {})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, raw, got = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                status, raw, got = error.code, error.read(), error.headers
        return status, json.loads(raw) if "json" in got["content-type"] else raw, got

    def infer(self, model: str, rows: list[list[float]], headers: dict[str, str] | None = None) -> Any:
        shape = [len(rows), len(rows[0])]
        data = [value for row in rows for value in row]
        body = {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": data}]}
        return self.ask(f"/v2/models/{model}/infer", body, headers)

    def metric(self, name: str) -> float:
        page = self.ask("/metrics")[1].decode()
        return sum(
            float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name + "{")
        )

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, and kills them whatever happens."""
    servers: list[Server] = []

    def start(
        model: dict[str, Any], *, ready: bool = True, stderr: Any = subprocess.PIPE, **config: Any
    ) -> Server:
        folder = tmp_path / f"server-{len(servers)}"
        folder.mkdir()
        server = Server({"model": model, **config}, folder, stderr)
        servers.append(server)
        if ready:
            server.event("ready")
        return server

    yield start
    for server in servers:
        server.process.kill()
        for pid in {line["pid"] for line in server.lines if "pid" in line}:
            try:
                os.kill(pid, signal.SIGKILL)  # a worker that a test has stopped does not see its parent die
            except ProcessLookupError:
                pass
        server.process.wait()
        server._reader.join(10)
        if server.process.stderr is not None:
            server.process.stderr.close()


@pytest.fixture
def python_model() -> Callable[..., dict[str, Any]]:
    """Settings of a model of tests/models/served.py."""

    def settings(class_name: str, **options: Any) -> dict[str, Any]:
        return {
            "name": "m",
            "format": "python",
            "path": f"served:{class_name}",
            "python_path": [str(MODELS)],
            "options": options,
        }

    return settings
