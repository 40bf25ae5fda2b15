"""The server as a process, over real sockets: life, faults and overload."""

from __future__ import annotations

import json
import math
import re
import signal
import socket
import struct
import threading

import numpy as np
import pytest


def raw(port: int, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
        got = b""
        while piece := sock.recv(65536):
            got += piece
        return got


def request(path: str, body: bytes = b"", *, close: bool = True, extra: str = "") -> bytes:
    last = "connection: close\r\n" if close else ""
    method = "POST" if body else "GET"
    return (
        f"{method} {path} HTTP/1.1\r\nhost: x\r\n{last}{extra}content-length: {len(body)}\r\n\r\n".encode()
        + body
    )


def steered(x: float) -> bytes:
    return json.dumps({"inputs": [{"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [x]}]}).encode()


def test_a_model_answers(serve, tiny):
    """ONNX in, the protocol's answer out, with metadata, id and metrics."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)})
    status, answer, _ = server.infer("tiny", [[1, 0, 0, 0], [0, 1, 0, 1]])
    assert status == 200
    assert answer == {
        "model_name": "tiny", "model_version": "1",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [2, 2], "data": [0, 1, 8, 10]}],
    }  # fmt: skip
    assert server.ask("/v2/models/tiny")[1]["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert server.ask("/v2/models/tiny/config")[1]["input"] == [
        {"name": "x", "data_type": "TYPE_FP32", "dims": [4]}
    ]
    assert server.ask("/v2/models/tiny/versions/1/ready")[0] == 200
    assert server.ask("/v2/models/other")[0] == 404
    assert server.ask("/v2/models/tiny/infer")[0] == 405
    assert server.metric("tonnage_request_duration_seconds_count") == 1
    assert server.stop() == 0


def test_health_tells_why_it_is_not_ready(serve, python_model, tmp_path):
    """503 with the reason while the model loads, 200 when it is warm; alive all the time."""
    gate = tmp_path / "gate"
    server = serve(python_model("Steered", load_gate=str(gate)), ready=False)
    status, answer, _ = server.ask("/health")
    assert status == 503
    assert answer["reason"] == "the model is loading"
    assert server.ask("/livez")[0] == 200
    assert server.infer("m", [[1.0]])[0] == 503
    gate.touch()
    server.event("ready")
    for path in ("/health", "/v2/health/ready", "/v2/health/live", "/v2/models/m/ready"):
        assert server.ask(path)[0] == 200


def test_every_datatype_travels(serve, python_model):
    """All datatypes go through a model and back, as binary data."""
    server = serve(python_model("Identity"))
    from served_types import TYPES, example

    inputs, blobs = [], []
    for name in TYPES:
        blob = example(name)
        blobs.append(blob)
        inputs.append({"name": f"in_{name}", "datatype": name, "shape": [1, 2],
                       "parameters": {"binary_data_size": len(blob)}})  # fmt: skip
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    headers = {"inference-header-content-length": str(len(head))}
    status, answer, got = server.ask("/v2/models/m/infer", head + b"".join(blobs), headers)
    assert status == 200
    length = int(got["inference-header-content-length"])
    at = length
    outputs = {one["name"]: one for one in json.loads(answer[:length])["outputs"]}
    for name, blob in zip(TYPES, blobs, strict=True):
        size = outputs[f"out_{name}"]["parameters"]["binary_data_size"]
        assert answer[at : at + size] == blob, name
        at += size


def test_a_poisonous_request_fails_alone(serve, python_model):
    """When a batch raises, only the request that causes it gets the 500."""
    server = serve(python_model("Steered", delay_s=0.05), execution="thread")
    results = {}

    def ask(x: float) -> None:
        results[x] = server.infer("m", [[x]])[:2]

    threads = [threading.Thread(target=ask, args=(float(x),)) for x in range(8, 18)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for x, (status, answer) in results.items():
        if x == 13:
            assert status == 500
            assert answer == {"error": "model: raised ValueError: thirteen"}
        else:
            assert status == 200
            assert answer["outputs"][0]["data"] == [2 * x]


def test_a_model_that_hangs_fails_liveness(serve, python_model):
    """A call that takes too long makes /livez fail and lets waiting requests expire."""
    server = serve(python_model("Steered"), execution="thread", limits={"compute_s_max": 0.3})
    stuck = socket.create_connection(("127.0.0.1", server.port))
    stuck.sendall(request("/v2/models/m/infer", steered(99)))
    waited = server.infer("m", [[1.0]], {"x-request-timeout-ms": "400"})
    assert waited[0] == 503
    assert "deadline" in waited[1]["error"]
    status, answer, _ = server.ask("/livez")
    while status == 200:
        status, answer, _ = server.ask("/livez")
    assert status == 503
    assert "the model has been in one call for" in answer["reason"]
    stuck.close()


def test_overload_is_refused_early(serve, python_model):
    """A full queue, and a deadline that cannot be met, get 503 with Retry-After at once."""
    server = serve(
        python_model("Steered", delay_s=0.2), execution="thread", batching={"size_max": 1, "queue_max": 2}
    )
    socks = []
    for _ in range(6):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        sock.sendall(request("/v2/models/m/infer", steered(1)))
        socks.append(sock)
    statuses = sorted(sock.recv(65536).split(b" ")[1] for sock in socks)
    [sock.close() for sock in socks]
    assert statuses.count(b"503") >= 2
    assert statuses.count(b"200") >= 3
    status, answer, headers = server.infer("m", [[1.0]], {"x-request-timeout-ms": "50"})
    assert status == 503
    assert answer["error"].startswith("deadline: must be met, got 0.05 s allowed")
    assert int(headers["retry-after"]) >= 1


def test_padding_lets_lengths_share_a_batch(serve, python_model):
    """Inputs of different lengths are padded into one batch when the document says how."""
    server = serve(
        python_model("Lengths"), batching={"size_max": 4, "wait_s_max": 5.0, "padding": {"ids": 0}}
    )
    widths = []

    def ask(n: int) -> None:
        body = {"inputs": [{"name": "ids", "shape": [1, n], "datatype": "INT64", "data": [1] * n}]}
        outputs = {o["name"]: o["data"][0] for o in server.ask("/v2/models/m/infer", body)[1]["outputs"]}
        assert outputs["sum"] == n
        widths.append(outputs["width"])

    threads = [threading.Thread(target=ask, args=(n,)) for n in (1, 2, 3, 4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert widths == [4, 4, 4, 4]


def test_ids_and_trace_context_are_carried(serve, tiny):
    """The request id of the body and the ids of the headers come back."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)})
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"id": "q1", "inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0, 0, 0, 1]}]}
    _, answer, headers = server.ask(
        "/v2/models/tiny/infer", body, {"x-request-id": "r1", "traceparent": trace}
    )
    assert answer["id"] == "q1"
    assert (headers["x-request-id"], headers["traceparent"]) == ("r1", trace)


class TestSockets:
    """What clients do to a server."""

    def test_slow_requests_time_out(self, serve, tiny):
        """A request that does not arrive whole in time gets 408, and the connection ends."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, limits={"read_s_max": 0.2})
        assert raw(server.port, b"POST /v2/models/tiny/infer HTTP/1.1\r\nhost: x\r\n").startswith(
            b"HTTP/1.1 408"
        )

    def test_idle_connections_are_closed(self, serve, tiny):
        """A connection without requests ends after the idle time."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, limits={"idle_s_max": 0.2})
        assert raw(server.port, request("/health", close=False)).startswith(b"HTTP/1.1 200")

    def test_half_closed_clients_get_their_answer(self, serve, python_model):
        """A client that has shut its sending side still reads its answer."""
        server = serve(python_model("Steered", delay_s=0.05), execution="thread")
        answer = raw(server.port, request("/v2/models/m/infer", steered(4), close=False), half_close=True)
        assert answer.startswith(b"HTTP/1.1 200")
        assert answer.endswith(b'"data":[8.0]}]}')

    def test_pipelined_answers_keep_their_order(self, serve, python_model):
        """Answers come in the order of the requests, also when a quick one follows a slow one."""
        server = serve(python_model("Steered", delay_s=0.05), execution="thread")
        data = b"".join(
            [
                request("/v2/models/m/infer", steered(1), close=False),
                request("/livez", close=False),
                request("/v2/models/m/infer", steered(2)),
            ]
        )
        answer = raw(server.port, data)
        assert answer.index(b"[2.0]") < answer.index(b'"live"') < answer.index(b"[4.0]")

    def test_large_bodies_are_refused(self, serve, tiny):
        """413 for a body beyond the limit, before it is sent."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, limits={"body_bytes_max": 1000})
        data = b"POST /v2/models/tiny/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n"
        assert raw(server.port, data).startswith(b"HTTP/1.1 413")

    def test_probes_are_answered_beyond_the_connection_limit(self, serve, tiny):
        """With all connections busy inference is refused, and health and metrics are answered."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, limits={"connections_max": 2})
        held = []
        for _ in range(2):
            sock = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            sock.sendall(request("/livez", close=False) + b"GET /health HTTP/1.1\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            held.append(sock)
        for path in ("/health", "/livez", "/metrics", "/v2/health/ready"):
            assert raw(server.port, request(path, close=False)).startswith(b"HTTP/1.1 200")
        body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]}]}'
        assert raw(server.port, request("/v2/models/tiny/infer", body)).startswith(b"HTTP/1.1 503")
        for sock in held:  # those that had a place have it still
            sock.sendall(b"host: x\r\n\r\n")
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            sock.close()

    def test_an_idle_connection_makes_room(self, serve, tiny):
        """At the limit a new client gets the place of the one that has been silent for longest."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, limits={"connections_max": 2})
        held = []
        for _ in range(2):
            sock = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            sock.sendall(request("/livez", close=False))
            assert sock.recv(1000).startswith(b"HTTP/1.1 200")
            held.append(sock)
        held[1].sendall(b"GET ")  # it is not silent
        body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]}]}'
        answer = b"HTTP/1.1 503"
        while answer.startswith(b"HTTP/1.1 503"):  # until the other has been for long enough
            answer = raw(server.port, request("/v2/models/tiny/infer", body))
        assert answer.startswith(b"HTTP/1.1 200")
        assert held[0].recv(1000) == b""
        held[1].sendall(b"/livez HTTP/1.1\r\nhost: x\r\n\r\n")
        assert held[1].recv(1000).startswith(b"HTTP/1.1 200")
        [sock.close() for sock in held]

    def test_who_leaves_is_not_an_overload(self, serve, python_model):
        """Requests whose client has gone while they waited count as 499."""
        server = serve(python_model("Steered"), execution="thread", batching={"size_max": 1})
        data = b"".join(request("/v2/models/m/infer", steered(x), close=False) for x in (99, 1, 1))
        with socket.create_connection(("127.0.0.1", server.port)) as sock:
            sock.sendall(data)
            while server.metric("tonnage_requests_in_flight") < 3:  # the model stays away on the first
                pass
            # closing with a reset: a mere end of sending is answered still
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while server.metric("tonnage_requests_in_flight") > 1:
            pass
        page = server.ask("/metrics")[1].decode()
        counts = dict(re.findall(r'tonnage_requests_total\{.*protocol="http",code="(\d+)"\} (\d+)', page))
        assert counts == {"200": "0", "499": "2"}

    def test_a_client_of_http_1_0_is_told_that_it_may_stay(self, serve, tiny):
        """HTTP/1.0 with keep-alive is answered so, on inference and health; without it the connection ends."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)})
        body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]}]}'
        infer = b"POST /v2/models/tiny/infer HTTP/1.0\r\n%bcontent-length: %d\r\n\r\n%b"
        keep = b"connection: keep-alive\r\n"
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            for data in (infer % (keep, len(body), body), b"GET /health HTTP/1.0\r\n" + keep + b"\r\n"):
                sock.sendall(data)
                answer = sock.recv(65536)
                assert answer.startswith(b"HTTP/1.1 200")
                assert b"\r\nconnection: keep-alive\r\n" in answer
        assert b"\r\nconnection: close\r\n" in raw(server.port, infer % (b"", len(body), body))

    def test_a_flood_of_scrapes_lets_others_through(self, serve, tiny):
        """While one client has thousands of scrapes under way in one piece, others are answered."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)})
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as flood:
            flood.sendall(request("/metrics", close=False) * 3000)
            assert flood.recv(1000).startswith(b"HTTP/1.1 200")
            assert server.infer("tiny", [[0, 0, 0, 1]])[0] == 200  # without all the answers being read
            assert server.metric("tonnage_connections") == 2

    def test_continue_is_sent_before_the_body(self, serve, tiny):
        """A client that expects 100 Continue gets it and then its answer."""
        server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)})
        body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]}]}'
        whole = request("/v2/models/tiny/infer", body, extra="expect: 100-continue\r\n")
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sock:
            sock.sendall(whole[: -len(body)])
            assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            sock.sendall(body)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200")


class TestEnd:
    """How a server ends, or does not begin."""

    def test_drain_loses_nothing(self, serve, python_model):
        """SIGTERM under load: every request that was sent is answered, and the server exits 0."""
        server = serve(
            python_model("Steered", delay_s=0.01),
            execution="thread",
            lame_duck_s=0.5,
            batching={"size_max": 4},
        )
        port, outcomes, sent = server.port, [], threading.Event()

        def client() -> None:
            while True:
                try:
                    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
                except ConnectionRefusedError:
                    return  # it does not listen any more
                with sock:
                    while True:
                        sock.sendall(request("/v2/models/m/infer", steered(3), close=False))
                        answer = sock.recv(65536)
                        outcomes.append(answer[:12])
                        sent.set()
                        if b"connection: close" in answer or not answer:
                            break

        threads = [threading.Thread(target=client) for _ in range(8)]
        [thread.start() for thread in threads]
        assert sent.wait(30)
        server.process.send_signal(signal.SIGTERM)
        server.event("draining")
        assert server.ask("/health")[0] == 503
        [thread.join(30) for thread in threads]
        assert server.process.wait(30) == 0
        assert set(outcomes) == {b"HTTP/1.1 200"}

    def test_a_second_signal_exits_now(self, serve, python_model):
        """The second SIGTERM does not wait for the lame-duck time."""
        server = serve(python_model("Steered"), lame_duck_s=60.0, grace_s=90.0)
        server.process.send_signal(signal.SIGTERM)
        server.event("draining")
        assert server.stop() == 5

    def test_the_end_of_grace_is_told(self, serve, python_model):
        """What is still in flight at the end of the grace period fails, and the exit code says so."""
        server = serve(python_model("Steered"), execution="thread", grace_s=1.0)
        stuck = socket.create_connection(("127.0.0.1", server.port))
        stuck.sendall(request("/v2/models/m/infer", steered(99)))
        while server.metric("tonnage_requests_in_flight") == 0:
            pass
        assert server.stop() == 4
        stuck.close()

    def test_a_missing_model_is_said(self, serve, tmp_path):
        """A model that does not load ends the server with exit code 3 and the reason."""
        server = serve({"name": "m", "format": "onnx", "path": str(tmp_path / "no.onnx")}, ready=False)
        assert "must be a file" in server.event("cannot serve")["error"]
        assert server.process.wait(30) == 3

    def test_a_taken_port_is_said(self, serve, tiny):
        """A port that somebody has ends the server with exit code 3 and the next step."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = serve(
                {"name": "m", "format": "onnx", "path": str(tiny)}, ready=False,
                http=[{"host": "127.0.0.1", "port": port}],
            )  # fmt: skip
            assert f"must be free to listen on, got 127.0.0.1:{port}" in server.event("cannot serve")["error"]
            assert server.process.wait(30) == 3

    def test_a_full_disk_does_not_stop_it(self, serve, tiny):
        """A server whose log cannot be written serves on and counts the lines."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with open("/dev/full", "w") as full:
            server = serve(
                {"name": "tiny", "format": "onnx", "path": str(tiny)}, ready=False, stderr=full,
                http=[{"host": "127.0.0.1", "port": port}],
            )  # fmt: skip
        server.lines.insert(0, {"event": "listening", "address": f"127.0.0.1:{port}"})
        status = 0
        while status != 200:
            assert server.process.poll() is None
            try:
                status = server.infer("tiny", [[1, 2, 3, 4]])[0]
            except OSError:
                continue  # not listening yet
        assert server.metric("tonnage_log_lines_dropped_total") >= 3


@pytest.mark.parametrize("workers", [1, 2])
def test_fuzzed_bytes_do_not_hurt(serve, tiny, workers):
    """Random and damaged requests get an answer or a closed connection; the server lives on."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, workers=workers)
    rng = np.random.default_rng(7)
    body = b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]}]}'
    good = request("/v2/models/tiny/infer", body)
    for _ in range(150):
        damaged = bytearray(good)
        for at in rng.integers(0, len(good), rng.integers(1, 6)):
            damaged[at] = rng.integers(0, 256)
        try:
            raw(server.port, bytes(damaged[: rng.integers(1, len(good) + 1)]), half_close=True)
        except ConnectionError:
            pass
    assert server.ask("/livez")[0] == 200
    assert server.infer("tiny", [[0, 0, 0, 1]])[1]["outputs"][0]["data"] == [6.0, 7.0]
    assert math.isfinite(server.metric("tonnage_requests_in_flight"))
    assert server.metric("tonnage_requests_in_flight") == 0
