"""``tonnage simulate`` as users run it: exit codes, outputs, repeatability, and what is said of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXPERIMENTS = ROOT / "examples" / "experiments"
pytestmark = pytest.mark.timeout(300)  # the first run of all compiles the kernel
H = "HorizontalPodAutoscaler.spec.behavior.scaleDown.stabilizationWindowSeconds"


def tonnage(*arguments, cwd=ROOT, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "tonnage", "simulate", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, input=stdin, timeout=280, check=False,
    )  # fmt: skip


def test_an_experiment_prints_its_verdict():
    """A file is enough; the verdict, its causes and the digest are on stdout."""
    run = tonnage(EXPERIMENTS / "node-failure.yaml")
    assert (run.returncode, run.stderr) == (0, "")
    assert "MISSED  The objective was missed" in run.stdout
    assert "- node gpu-a-1 failed at 0:02:00, with 2 ready pods" in run.stdout


def test_the_same_seed_gives_the_same_document_and_another_one_does_not():
    """JSON on stdout is only JSON, and byte for byte the same."""
    runs = [tonnage(EXPERIMENTS / "surge.yaml", "--duration", "2m", "--json", "-", "--seed", seed) for seed in (5, 5, 6)]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert runs[0].stdout == runs[1].stdout
    first, other = json.loads(runs[0].stdout), json.loads(runs[2].stdout)
    assert first["digest"] != other["digest"]
    assert first["verdict"]["held"] is True
    assert "HELD" in runs[0].stderr


def test_an_assertion_that_does_not_hold_is_exit_code_1_with_its_first_violation():
    """What holds is silent; what does not says when and why."""
    run = tonnage(EXPERIMENTS / "node-failure.yaml", "--assert", "drops==0", "--assert", "replicas.max<=20", "--quiet")
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith("tonnage simulate: assert drops==0: must hold, got ")
    assert "passed at 0:02:00; node gpu-a-1 failed at 0:02:00, with 2 ready pods" in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_assertions_of_the_document_count_too(tmp_path):
    """A Simulation carries its own gates."""
    text = (EXPERIMENTS / "surge.yaml").read_text().replace("inputs: [ranker.yaml", f"inputs: [{EXPERIMENTS}/ranker.yaml")
    text = text.replace("  duration: 15m\n", "  duration: 2m\n  assertions: [rollout.seconds<=1m]\n", 1)
    (tmp_path / "gate.yaml").write_text(text)
    run = tonnage(tmp_path / "gate.yaml", "--quiet")
    assert run.returncode == 1
    assert "assert rollout.seconds<=1m: must hold, got without end" in run.stderr


def test_a_comparison_by_a_setting(tmp_path):
    """One file, one field, two runs: the table says what differs, and the page has both."""
    page = tmp_path / "out.html"
    pytest.importorskip("plotly")
    run = tonnage(EXPERIMENTS / "scale-down.yaml", "--compare", f"slow:{H}=300", f"fast:{H}=30", "--report", page)
    assert run.returncode == 0
    assert "slow: MISSED" in run.stdout
    assert "fast: MISSED" in run.stdout
    assert "slow against fast" in page.read_text()


def test_a_comparison_of_two_files(tmp_path):
    """Each file is a whole experiment, called by its name."""
    out = tmp_path / "both.json"
    run = tonnage("--compare", EXPERIMENTS / "surge.yaml", EXPERIMENTS / "tight-target.yaml", "--duration", "1m", "--json", out)
    assert run.returncode == 0
    document = json.loads(out.read_text())
    assert document["names"] == ["surge", "tight-target"]
    assert len({one["digest"] for one in document["runs"]}) == 2


def test_several_seeds_show_their_spread(tmp_path):
    """Runs in processes of their own, each equal to the run of its seed alone."""
    out = tmp_path / "spread.json"
    run = tonnage(EXPERIMENTS / "surge.yaml", "--duration", "1m", "--runs", 3, "--json", out)
    assert run.returncode == 0
    assert "the objective held in 3 of 3 runs" in run.stdout
    runs = json.loads(out.read_text())["runs"]
    assert [one["seed"] for one in runs] == [1, 2, 3]
    alone = json.loads(tonnage(EXPERIMENTS / "surge.yaml", "--duration", "1m", "--seed", 2, "--json", "-").stdout)
    assert alone["digest"] == runs[1]["digest"]


def test_traffic_on_the_command_line_goes_before_the_document(tmp_path):
    """A line of traffic, and a trace from a file."""
    trace = tmp_path / "trace.csv"
    trace.write_text("second,requests\n" + "".join(f"{i},{100 + i}\n" for i in range(30)))
    for option, requests in (("constant:rate=50,for=30s", 1500), (trace, sum(100 + i for i in range(30)))):
        run = tonnage(EXPERIMENTS / "surge.yaml", "--duration", "30s", "--traffic", option, "--json", "-", "--set", "Simulation.spec.happenings=[]")
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)["totals"]["offered"] == requests


def test_standard_input_and_plain_manifests():
    """Anybody's YAML through a pipe, with the one thing that it does not say."""
    text = "\n---\n".join((EXPERIMENTS / name).read_text() for name in ("ranker.yaml", "gpus.yaml"))
    run = tonnage("-", "--traffic", "poisson:rate=100", "--duration", "1m", "--service-time", "8ms", "--metric", "load=inFlight", stdin=text)
    assert run.returncode == 0, run.stderr
    assert "NO OBJECTIVE" in run.stdout


def test_an_objective_of_the_command_line_goes_before_the_documents():
    """Half a millisecond can never hold, and ten seconds do."""
    for objective, said in (("p99=500us", "MISSED"), ("p50=10s,errors=50%", "HELD")):
        run = tonnage(EXPERIMENTS / "surge.yaml", "--duration", "30s", "--objective", objective, "--set", "Simulation.spec.happenings=[]")
        assert run.returncode == 0, run.stderr
        assert said in run.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "FILES: must name at least one file, got none"),
        (["nothing.yaml"], 2, "nothing.yaml: must be a readable file"),
        (["surge.yaml", "--assert", "p98<=1s"], 2, "assert: must name a measure, got 'p98'"),
        (["surge.yaml", "--assert", "p98<=1s", "--assert", "drops=0"], 2, "write == for equality"),
        (["surge.yaml", "--duration", "ten"], 2, "--duration: must be a duration with a unit"),
        (["surge.yaml", "--traffic", "poison:rate=1"], 2, 'did you mean "poisson:"?'),
        (["surge.yaml", "--set", "Deploiment.spec.replicas=1"], 2, 'did you mean "Deployment"?'),
        (["surge.yaml", "--set", "Simulation.spec.sed=1"], 2, "spec.sed: must be a known field"),
        (["surge.yaml", "--metric", "load"], 2, "--metric: must be like"),
        (["surge.yaml", "--objective", "p99"], 2, "--objective: must be like p99=100ms, got 'p99'"),
        (["surge.yaml", "--objective", "p99=1s,drops=1"], 2, "--objective: must be like p99=100ms,errors=0.1%"),
        (["surge.yaml", "--report", "no/such/folder/out.html"], 3, "must be in a folder that exists"),
        (["surge.yaml", "--runs", "2", "--compare", "a", "b"], 2, "--runs: must not be given with --compare"),
    ],
)
def test_what_is_wrong_is_said_with_its_exit_code(arguments, code, said):
    """A document or an option is 2, the machine is 3; never a traceback."""
    run = tonnage(*arguments, cwd=EXPERIMENTS)
    assert run.returncode == code
    assert said in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_the_numbers_of_the_experiments_are_true():
    """Each experiment, run anew, gives what its page says."""
    run = subprocess.run(
        [sys.executable, ROOT / "examples" / "experiments" / "plots.py", "--check"],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
