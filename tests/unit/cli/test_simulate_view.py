"""What a terminal shows of a run: the verdict, the spread of several, and a rate that is true."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[1] / "twin"))

from made_results import flash_crowd, made, scenario

from tonnage.cli.simulate_view import (
    expected_until,
    print_comparison,
    print_spread,
    print_verdict,
    progress_bar,
)
from tonnage.traffic import (
    ConstantArrivals,
    CountArrivals,
    CountTrace,
    PoissonArrivals,
    TimestampArrivals,
    TimestampTrace,
)
from tonnage.twin.assertions import judge, parse_assertions
from tonnage.twin.requests import plan_of
from tonnage.twin.summary import judged_document, spread_document, summary_of
from tonnage.twin.verdict import verdict_of


def written(show):
    out = io.StringIO()
    show(Console(file=out, width=120))
    return out.getvalue()


def test_the_verdict_fits_a_screen_and_says_why():
    """The headline, the causes and the figures."""
    result = flash_crowd()
    text = written(
        lambda console: print_verdict(result, verdict_of(result), ["no nodes were given"], 0.5, console=console, currency="USD")
    )
    assert len(text.splitlines()) < 25
    for said in (
        "flash crowd: 126,000 requests in 10 min of simulated time, in 0.5 s (252.0k requests/s)",
        "MISSED  The objective was missed",
        "    - the offered rate rose from 150/s to 450/s",
        "replicas  2 to 4 wanted, 3 ready at most; 1 change by the HPA",
        "cost      1.67 USD, 10.00 an hour",
        "assumed: no nodes were given",
    ):
        assert said in text


def summaries():
    runs = []
    for seed, rate in enumerate((150.0, 160.0, 250.0)):
        result = made(offered=lambda _, rate=rate: rate, scenario_=scenario(seed=seed))
        verdict = verdict_of(result)
        runs.append(summary_of(result, verdict, judge(parse_assertions(["p99<=100ms"]), result, verdict)))
    return runs


def test_the_spread_shows_what_differs_and_names_what_does_not():
    """Least, median and most."""
    text = written(lambda console: print_spread(summaries(), console=console))
    assert "the objective held in 2 of 3 runs" in text
    assert [line.split() for line in text.splitlines() if line.startswith("rate")] == [["rate", "150/s", "160/s", "200/s"]]
    assert "the same in all runs:" in text


def test_the_spread_is_a_document():
    """Each run with its seed and digest, and the spread of each measure."""
    document = spread_document(summaries())
    assert [run["seed"] for run in document["runs"]] == [0, 1, 2]
    assert document["spread"]["rate"] == {"low": 150.0, "median": 160.0, "high": 200.0}
    assert len({run["digest"] for run in document["runs"]}) == 3


def test_a_comparison_leaves_out_what_is_equal():
    """Two verdicts, and the measures that differ."""
    first, second = flash_crowd(), made(offered=lambda _: 150.0)
    runs = [(one, verdict_of(one)) for one in (first, second)]
    text = written(lambda console: print_comparison(["flash", "calm"], runs, console=console))
    assert "flash: MISSED" in text
    assert "calm: HELD" in text
    assert any(line.split() == ["drops", "21,500", "0"] for line in text.splitlines())
    assert not any(line.startswith("nodes.max") for line in text.splitlines())


def test_the_document_of_a_run_is_plain_and_complete():
    """Verdict, assertions, measures, and the result itself."""
    result = flash_crowd()
    verdict = verdict_of(result)
    document = judged_document(result, verdict, judge(parse_assertions(["drops==0"]), result, verdict), ["a guess"])
    assert document["verdict"]["violations"][0]["causes"][0]["text"] == "the offered rate rose from 150/s to 450/s"
    assert document["assertions"][0]["holds"] is False
    assert document["measures"]["drops"] == 21_500
    assert (document["assumed"], document["digest"]) == (["a guess"], result.digest)


@pytest.mark.parametrize(
    "process",
    [
        ConstantArrivals(100.0, 60.0),
        PoissonArrivals(100.0, 60.0),
        CountArrivals(CountTrace(10.0, np.array([1000.0, 500.0, 1500.0, 0.0, 2000.0, 1000.0]))),
        TimestampArrivals(TimestampTrace(np.linspace(0, 60, 6000), 60.0)),
    ],
)
def test_the_bar_counts_what_is_expected_to_have_come(process):
    """Nothing at the start, all at the end, and never less than before."""
    plan = plan_of(process, seed=0)
    counts = [expected_until(plan, at_s) for at_s in (0.0, 10.0, 25.0, 60.0, 100.0)]
    assert counts[0] == 0
    assert counts[-1] == counts[-2] == pytest.approx(6000, rel=1e-6)
    assert counts == sorted(counts)


def test_the_bar_is_for_terminals_only():
    """A log file gets none; a terminal gets one that follows the run."""
    plan = plan_of(PoissonArrivals(100.0, 60.0), seed=0)
    with progress_bar(Console(file=io.StringIO()), "run", plan, 60.0) as told:
        assert told is None
    out = io.StringIO()
    with progress_bar(Console(file=out, force_terminal=True, width=120), "run", plan, 60.0) as told:
        told(30.0)
    assert "0:00:30" in out.getvalue()
