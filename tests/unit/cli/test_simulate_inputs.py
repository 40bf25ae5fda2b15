"""Options of ``tonnage simulate`` that have a small language of their own."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tonnage.cli import simulate
from tonnage.cli.objective_option import read_objective
from tonnage.cli.simulate_inputs import named
from tonnage.cli.traffic_option import read_traffic
from tonnage.errors import SpecError
from tonnage.twin.scenario import Objective


@pytest.mark.parametrize(
    ("text", "objective"),
    [
        ("p99=100ms", Objective(99.0, 0.1)),
        ("p99.9<=1s", Objective(99.9, 1.0)),
        ("p95=20ms,errors=0.5%", Objective(95.0, 0.02, 0.005)),
        ("p95=20ms, errors=0.01", Objective(95.0, 0.02, 0.01)),
    ],
)
def test_objectives_are_read(text, objective):
    """A percentile with its latency, and the share that may fail."""
    assert read_objective(text) == objective


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("100ms", "--objective: must be like p99=100ms, got '100ms'"),
        ("p99=1s,drops=3", "--objective: must be like p99=100ms,errors=0.1%, got 'p99=1s,drops=3'"),
        ("p99=1s,errors=x", "--objective errors: must be a number such as 500, 10k or 1.5M, got 'x'"),
        ("p99=1s,errors=101%", "--objective errors: must be at most 100%, got '101%'"),
    ],
)
def test_wrong_objectives_are_refused(text, message):
    """Each part has its message."""
    with pytest.raises(SpecError) as error:
        read_objective(text)
    assert str(error.value) == message


def test_a_side_of_a_comparison_has_a_name():
    """The one that is given, or the last field with its value."""
    assert named("short:A.spec.x=3") == ("short", "A.spec.x=3")
    assert named("A.spec.b.windowSeconds=30") == ("windowSeconds=30", "A.spec.b.windowSeconds=30")
    assert named('A.spec.x={"a":1}') == ('x={"a":1}', 'A.spec.x={"a":1}')


def test_traffic_has_the_length_that_was_asked_for_and_a_trace_its_own(tmp_path):
    """--duration goes first; a process takes the document's length, a trace keeps its own."""
    trace = tmp_path / "trace.csv"
    trace.write_text("second,requests\n" + "5\n".join(f"{i}," for i in range(20)) + "5\n")
    assert read_traffic("poisson:rate=5", duration_s=None, fallback_s=60.0).duration_s == 60.0
    assert read_traffic("poisson:rate=5", duration_s=30.0, fallback_s=60.0).duration_s == 30.0
    assert read_traffic(str(trace), duration_s=None, fallback_s=60.0).duration_s == 20.0
    assert read_traffic(f"trace:{trace}", duration_s=7.0, fallback_s=60.0).duration_s == 7.0


def test_traffic_that_is_neither_file_nor_line_is_refused():
    """The message shows what a line looks like."""
    with pytest.raises(SpecError, match=r"must be a file that exists, got 'day\.csv'; a line of traffic is like"):
        read_traffic("day.csv", duration_s=None, fallback_s=60.0)


def test_an_interrupt_ends_with_130_and_one_line(monkeypatch):
    """Ctrl-C is no assertion that failed, and no traceback."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(simulate, "_one", interrupted)
    run = CliRunner().invoke(simulate.simulate, ["anything.yaml"])
    assert run.exit_code == simulate.INTERRUPTED == 130
    assert run.output == "tonnage simulate: interrupted; nothing was written\n"
