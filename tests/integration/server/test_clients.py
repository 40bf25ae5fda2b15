"""Clients and models that misbehave, against a real server over real sockets."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from pathlib import Path

import numpy as np
import pytest

MODELS = Path(__file__).parent / "models"
PATIENCE_S = 30.0


def model(name: str, **options: str) -> dict:
    return {
        "name": "m", "format": "python", "path": f"faulty:{name}", "python_path": [str(MODELS)], "options": options,
    }  # fmt: skip


def body(x: float, rows: int = 1) -> bytes:
    tensor = {"name": "x", "shape": [rows, 1], "datatype": "FP32", "data": [x] * rows}
    return json.dumps({"inputs": [tensor]}).encode()


def infer(x: float, extra: str = "") -> bytes:
    data = body(x)
    return (
        f"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\n{extra}content-length: {len(data)}\r\n\r\n".encode()
        + data
    )


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def rest(sock: socket.socket) -> bytes:
    """Everything until the server closes."""
    got = b""
    try:
        while piece := sock.recv(1 << 16):
            got += piece
    except ConnectionResetError:
        pass
    return got


def until(holds, what: str) -> None:
    """Ask the server again until something holds."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, what


class Gate:
    """A model that waits, and the files that steer it."""

    def __init__(self, serve, folder: Path, **config) -> None:
        self.gate, self.entered = folder / "gate", folder / "entered"
        self.server = serve(
            model("Gated", gate=str(self.gate), entered=str(self.entered)), execution="thread", **config
        )

    def busy(self) -> socket.socket:
        """A client whose request is in the model."""
        sock = connect(self.server.port)
        sock.sendall(infer(21, "connection: close\r\n"))
        until(self.entered.exists, "the model has begun")
        return sock


def test_a_busy_model_keeps_nobody_waiting_but_its_callers(serve, tmp_path):
    """While a batch is computed, health, liveness, metadata and metrics answer at once."""
    gate = Gate(serve, tmp_path)
    with gate.busy() as sock:
        for path in ("/livez", "/health", "/v2/models/m", "/metrics", "/v2/health/live"):
            assert gate.server.ask(path)[0] == 200
        assert gate.server.metric("tonnage_requests_in_flight") == 1
        gate.gate.touch()
        assert b'"data":[42.0]' in rest(sock)


def test_who_has_gone_is_not_computed_for(serve, tmp_path):
    """A request whose client hangs up while it waits never reaches the model."""
    gate = Gate(serve, tmp_path)
    with gate.busy() as sock:
        before = gate.server.metric("tonnage_batch_size_items_sum")
        with connect(gate.server.port) as gone:
            gone.sendall(infer(7))
            until(lambda: gate.server.metric("tonnage_queue_length_requests") == 1, "it waits")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        until(lambda: gate.server.metric("tonnage_connections") == 2, "the server has noticed")
        gate.gate.touch()
        assert b'"data":[42.0]' in rest(sock)
    until(lambda: gate.server.metric("tonnage_requests_in_flight") == 0, "nothing is left")
    assert gate.server.metric("tonnage_batch_size_items_sum") == before + 1


def test_wrong_outputs_cost_their_request_only(serve):
    """Whatever the model gives or raises is a 500 that says it; the next request is answered."""
    server = serve(model("Faulty"))
    for x, text in (
        (1, 'output "y": must have 1 rows as the inputs have, got shape (0, 1)'),
        (2, 'output "y": must be FP32 as declared, got complex128'),
        (3, "model: raised SystemExit: 3"),
        (4, "model: raised TypeError: predict: must return a dict of output name to array, got ndarray"),
    ):
        assert server.ask("/v2/models/m/infer", body(x))[:2] == (500, {"error": text})
        assert server.ask("/v2/models/m/infer", body(8))[1]["outputs"][0]["data"] == [4.0]


def test_binary_outputs_are_of_the_declared_type(serve):
    """A model that computes in float64 and declares FP32 sends four bytes an element."""
    server = serve(model("Faulty"))
    asked = {**json.loads(body(9)), "parameters": {"binary_data_output": True}}
    status, answer, headers = server.ask("/v2/models/m/infer", asked)
    assert status == 200
    assert answer[int(headers["inference-header-content-length"]) :] == struct.pack("<f", 4.5)


class TestFraming:
    """Bodies and connections that do not end as announced."""

    def test_truncated_bodies_leave_nothing_behind(self, serve, tiny):
        """A client that stops in the middle of a body gets no answer, and its connection is gone."""
        server = serve({"name": "m", "format": "onnx", "path": str(tiny)})
        for cut in (1, 40, len(infer(1)) - 1):
            with connect(server.port) as sock:
                sock.sendall(infer(1)[:cut])
                sock.shutdown(socket.SHUT_WR)
                assert rest(sock) == b""
        until(lambda: server.metric("tonnage_connections") == 1, "all are gone")
        assert server.metric("tonnage_requests_in_flight") == 0

    @pytest.mark.parametrize("framing", ["length", "chunks", "gzip"])
    def test_large_bodies_get_413_whatever_they_say(self, serve, tiny, framing):
        """Beyond the limit 413 is read by a client that keeps sending, with and without a length."""
        import gzip

        server = serve({"name": "m", "format": "onnx", "path": str(tiny)}, limits={"body_bytes_max": 10_000})
        head = "POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
        if framing == "gzip":
            data = gzip.compress(bytes(20_000))
            sent = f"{head}content-encoding: gzip\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data
        elif framing == "length":
            sent = f"{head}content-length: 20000\r\n\r\n".encode() + bytes(20_000)
        else:
            sent = f"{head}transfer-encoding: chunked\r\n\r\n".encode() + b"400\r\n" + bytes(1024) + b"\r\n"
            sent += (b"400\r\n" + bytes(1024) + b"\r\n") * 20
        with connect(server.port) as sock:
            sock.sendall(sent)
            assert rest(sock).startswith(b"HTTP/1.1 413 ")

    def test_plain_old_clients_are_served(self, serve, tiny):
        """HTTP/1.0, HEAD, absolute targets and percent-encoding get what they ask for."""
        server = serve({"name": "m", "format": "onnx", "path": str(tiny)})

        def ask(data: bytes) -> bytes:
            with connect(server.port) as sock:
                sock.sendall(data)
                return rest(sock)

        assert ask(b"GET /livez HTTP/1.0\r\n\r\n").endswith(b'{"live":true}')
        answer = ask(b"HEAD /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert answer.endswith(b"\r\n\r\n")
        assert b"content-length: 13\r\n" in answer
        for target in (b"http://other/livez?a=1", b"/%6Civez/"):
            answer = ask(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")

    def test_hundreds_of_pipelined_requests_are_answered_in_order(self, serve):
        """Beyond pipelined_max the client is held back, and every answer comes, in order."""
        server = serve(model("Faulty"), limits={"pipelined_max": 2})
        count = 300
        data = b"".join(infer(10.0 + n) for n in range(count - 1)) + infer(
            10.0 + count - 1, "connection: close\r\n"
        )
        with connect(server.port) as sock:
            sock.sendall(data)
            answers = rest(sock).split(b"HTTP/1.1 200 OK")[1:]
        values = [json.loads(answer.partition(b"\r\n\r\n")[2])["outputs"][0]["data"][0] for answer in answers]
        assert values == [(10.0 + n) / 2 for n in range(count)]

    @pytest.mark.parametrize("extra", ["", "connection: close\r\n"])
    def test_clients_that_take_nothing_are_let_go(self, serve, extra):
        """A client that does not read its answers is closed after write_s_max, kept alive or not."""
        server = serve(model("Wide"), limits={"write_s_max": 0.3})
        sock = socket.socket()
        with sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(PATIENCE_S)
            sock.connect(("127.0.0.1", server.port))
            data = body(1, rows=16)
            sock.sendall(
                f"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\n{extra}content-length: {len(data)}\r\n\r\n".encode()
                + data
            )
            until(lambda: server.metric("tonnage_request_duration_seconds_count") == 1, "it is answered")
            until(lambda: server.metric("tonnage_connections") == 1, "it is let go")


class TestEnd:
    """Signals."""

    def test_lame_ducks_serve_and_say_so(self, serve, tiny):
        """After SIGTERM readiness fails with the reason, inference goes on, and answers say close."""
        server = serve({"name": "m", "format": "onnx", "path": str(tiny)}, lame_duck_s=60.0, grace_s=90.0)
        server.process.send_signal(signal.SIGTERM)
        server.event("draining")
        status, answer, _ = server.ask("/health")
        assert (status, answer["reason"]) == (503, "the server is draining")
        assert server.ask("/livez")[0] == 200
        status, _, headers = server.infer("m", [[1, 2, 3, 4]])
        assert status == 200
        assert headers["connection"] == "close"
        assert server.stop() == 5

    def test_a_signal_while_loading_ends_it(self, serve, python_model, tmp_path):
        """SIGTERM before the model is ready exits 0 at once."""
        server = serve(python_model("Steered", load_gate=str(tmp_path / "never")), ready=False)
        until(lambda: server.ask("/health")[1]["reason"] == "the model is loading", "it loads")
        assert server.stop() == 0

    def test_a_full_disk_does_not_change_the_exit_code(self, serve, tiny, tmp_path):
        """A server whose log cannot be written still exits 0 after its drain."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open("/dev/full", "w") as full:
            server = serve(
                {"name": "m", "format": "onnx", "path": str(tiny)}, ready=False, stderr=full,
                http=[{"host": "127.0.0.1", "port": port}],
            )  # fmt: skip

        def ready() -> bool:
            assert server.process.poll() is None
            try:
                with connect(port) as sock:
                    sock.sendall(b"GET /health HTTP/1.0\r\n\r\n")
                    return rest(sock).startswith(b"HTTP/1.1 200")
            except OSError:
                return False

        until(ready, "it is ready")
        assert server.stop() == 0


def test_padding_of_the_wire_is_not_read_as_another_answer(serve, tiny):
    """Answers of one connection carry exactly their announced length, for many shapes in turn."""
    server = serve({"name": "m", "format": "onnx", "path": str(tiny)})
    rng = np.random.default_rng(3)
    rows = [int(n) for n in rng.integers(1, 33, 60)]
    with connect(server.port) as sock:
        for count in rows:
            data = json.dumps({"inputs": [{"name": "x", "shape": [count, 4], "datatype": "FP32",
                                           "data": [1.0] * (4 * count)}]}).encode()  # fmt: skip
            sock.sendall(
                b"POST /v2/models/m/infer HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(data)
                + data
            )
            got = b""
            while b"\r\n\r\n" not in got:
                got += sock.recv(1 << 16)
            head, _, answer = got.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            while len(answer) < length:
                answer += sock.recv(1 << 16)
            assert len(answer) == length
            assert json.loads(answer)["outputs"][0]["shape"] == [count, 2]
