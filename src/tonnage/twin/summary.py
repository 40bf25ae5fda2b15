"""A judged run as one JSON document, and what several runs with different seeds have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tonnage.twin.assertions import Judgement
from tonnage.twin.measures import MEASURES, Measure
from tonnage.twin.result import Result, plain
from tonnage.twin.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One of several runs, small enough to be sent between processes.

    Attributes:
        seed: Its seed.
        held: Whether its objective held; None without one.
        headline: Its verdict in a sentence.
        measures: Every measure by name; nan where it does not exist.
        judgements: For each assertion whether it held, and what was said.
        digest: Of the result.
        offered: Requests that were simulated.
    """

    seed: int
    held: bool | None
    headline: str
    measures: dict[str, float]
    judgements: tuple[tuple[bool, str], ...]
    digest: str
    offered: int


@dataclass(frozen=True, slots=True)
class Spread:
    """One measure over several runs.

    Attributes:
        measure: Which.
        low: The least value.
        middle: The median.
        high: The greatest.
    """

    measure: Measure
    low: float
    middle: float
    high: float


def summary_of(result: Result, verdict: Verdict, judgements: Sequence[Judgement]) -> RunSummary:
    """Make a run small."""
    return RunSummary(
        seed=result.scenario.seed,
        held=verdict.held,
        headline=verdict.headline,
        measures={name: float(measure.value(result, verdict)) for name, measure in MEASURES.items()},
        judgements=tuple((one.holds, str(one)) for one in judgements),
        digest=result.digest,
        offered=result.totals.offered,
    )


def spread_of(runs: Sequence[RunSummary]) -> tuple[Spread, ...]:
    """Say how far runs are apart, in each measure that exists in any of them.

    Args:
        runs: At least one.
    """
    found = []
    for name, measure in MEASURES.items():
        known = [run.measures[name] for run in runs if not math.isnan(run.measures[name])]
        if known:
            found.append(Spread(measure, min(known), float(np.median(known)), max(known)))
    return tuple(found)


def judged_document(
    result: Result, verdict: Verdict, judgements: Sequence[Judgement], assumed: Sequence[str] = ()
) -> dict[str, Any]:
    """A run with its verdict and its assertions as plain values.

    Args:
        result: The run.
        verdict: What it says about its objective.
        judgements: What it says about assertions.
        assumed: What was taken where the input said nothing.
    """
    return {
        "digest": result.digest,
        "verdict": plain(asdict(verdict)) | {"violated_s": plain(verdict.violated_s)},
        "assertions": [
            {
                "assert": one.assertion.text,
                "holds": one.holds,
                "value": plain(one.value),
                "found": one.found,
                "explanation": one.explanation,
            }
            for one in judgements
        ],
        "measures": plain({name: float(one.value(result, verdict)) for name, one in MEASURES.items()}),
        "assumed": list(assumed),
        **result.to_document(),
    }


def spread_document(runs: Sequence[RunSummary]) -> dict[str, Any]:
    """Several runs as plain values: how far they are apart, and each with its seed and digest."""
    return {
        "runs": [
            {
                "seed": run.seed,
                "digest": run.digest,
                "held": run.held,
                "headline": run.headline,
                "assertions": [{"holds": holds, "text": text} for holds, text in run.judgements],
                "measures": plain(run.measures),
            }
            for run in runs
        ],
        "spread": {
            one.measure.name: {"low": plain(one.low), "median": plain(one.middle), "high": plain(one.high)}
            for one in spread_of(runs)
        },
    }
