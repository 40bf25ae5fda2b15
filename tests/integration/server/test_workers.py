"""Several workers on one port: one service, whichever of them dies."""

from __future__ import annotations

import os
import signal


def both_ready(server) -> list[dict]:
    return [server.event("ready", worker=index) for index in (0, 1)]


def test_the_death_of_a_worker_is_survived(serve, tiny):
    """A worker killed with -9 is started anew, counted, and the port keeps answering."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, workers=2)
    dead = both_ready(server)[0]["pid"]
    os.kill(dead, signal.SIGKILL)
    server.wait_for(lambda line: line["event"] == "ready" and line["worker"] == 0 and line["pid"] != dead)
    assert server.ask("/health")[0] == 200
    assert server.metric("tonnage_worker_restarts_total") == 1
    assert server.stop() == 0


def test_a_worker_that_hangs_is_replaced(serve, tiny):
    """A worker whose event loop stands still is killed and started anew."""
    server = serve(
        {"name": "tiny", "format": "onnx", "path": str(tiny)}, workers=2, limits={"compute_s_max": 3.0}
    )
    stopped = both_ready(server)[1]["pid"]
    os.kill(stopped, signal.SIGSTOP)
    server.event("worker hangs", hung=1)
    server.wait_for(lambda line: line["event"] == "ready" and line["worker"] == 1 and line["pid"] != stopped)


def test_workers_report_as_one(serve, tiny):
    """Whoever is asked for metrics tells the sum of all, and no counter falls when one dies."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, workers=2)
    pids = [line["pid"] for line in both_ready(server)]
    for _ in range(40):  # each a connection of its own, so that both workers get some
        assert server.infer("tiny", [[1, 2, 3, 4]])[0] == 200
    name = "tonnage_request_duration_seconds_count"
    while server.metric(name) < 40:
        pass  # the other worker's fold is a fraction of a second behind
    os.kill(pids[0], signal.SIGKILL)
    server.wait_for(lambda line: line["event"] == "ready" and line["pid"] not in pids)
    assert server.metric(name) == 40


def test_a_model_that_never_loads_ends_all(serve, tmp_path):
    """When the model cannot be loaded the whole group exits with that code instead of trying for ever."""
    server = serve({"name": "m", "format": "onnx", "path": str(tmp_path / "no")}, workers=2, ready=False)
    assert server.process.wait(60) == 3


def test_an_interrupt_of_the_whole_group_drains(serve, tiny):
    """Ctrl-C, which a terminal sends to every process of the group, is one signal to the service: it drains."""
    server = serve({"name": "tiny", "format": "onnx", "path": str(tiny)}, workers=2)
    both_ready(server)
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(60) == 0
    assert all(server.event("drained", worker=index) for index in (0, 1))
