"""From the command line of ``tonnage simulate`` to what is run: files, settings, traffic, objective."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tonnage.cli.objective_option import read_objective
from tonnage.cli.parsed import positive_seconds
from tonnage.cli.set_option import parse_setting, with_settings
from tonnage.cli.traffic_option import read_traffic
from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import read_objects
from tonnage.spec.simulation import SIMULATION_KIND
from tonnage.twin.inputs import Experiment, InputTexts, Options, load_texts, read
from tonnage.twin.inputs.traffic import DURATION_S_DEFAULT
from tonnage.units import UnitError, parse_duration

UNCHANGED: Final = "unchanged"


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """The command line as it was read; each field is the option of its name."""

    files: tuple[str, ...]
    traffic: str | None
    profile: str | None
    nodes: tuple[str, ...]
    duration: str | None
    interval: str | None
    seed: int | None
    replicas: int | None
    workload: str | None
    container: str | None
    service_time: str | None
    metric: tuple[str, ...]
    objective: str | None
    settings: tuple[str, ...]
    assertions: tuple[str, ...]
    compare: tuple[str, str] | None
    runs: int
    json_out: Path | None
    report: Path | None
    quiet: bool


def variant(options: SimulateOptions, text: str) -> Experiment:
    """What one side of a comparison runs: FILES with one more file, with one more setting, or as they are."""
    if text == UNCHANGED:
        return experiment_of(options, options.files)
    if "=" in text and not Path(text).exists():
        changed = replace(options, settings=(*options.settings, named(text)[1]))
        return experiment_of(changed, options.files)
    return experiment_of(options, (*options.files, text))


def named(text: str) -> tuple[str, str]:
    """A side's name and its setting: ``NAME:KIND.PATH=VALUE``; without a name it is the last field's."""
    match = re.match(r"([^.:=]+):", text)
    if match is not None:
        return match[1], text[match.end() :]
    path, equals, value = text.partition("=")
    return f"{path.rpartition('.')[2]}{equals}{value}", text


def experiment_of(options: SimulateOptions, files: Sequence[str]) -> Experiment:
    """Read files with all that the command line says of them."""
    texts = texts_of(options, files)
    return read_experiment(texts, options_of(options, texts), options.objective)


def read_experiment(texts: InputTexts, options: Options, objective: str | None) -> Experiment:
    """The scenario of documents; an objective of the command line goes before theirs."""
    experiment = read(texts, options)
    if objective is None:
        return experiment
    return replace(experiment, scenario=replace(experiment.scenario, objective=read_objective(objective)))


def texts_of(options: SimulateOptions, files: Sequence[str]) -> InputTexts:
    """Read files, with the fields that ``--set`` names changed."""
    texts = load_texts(files, nodes=options.nodes, profile=options.profile)
    return with_settings(texts, [parse_setting(text) for text in options.settings])


def options_of(options: SimulateOptions, texts: InputTexts) -> Options:
    """What the command line says beside the documents, read and checked.

    Raises:
        SpecError: An option is wrong.
    """
    duration_s = positive_seconds("--duration", options.duration)
    traffic = None
    if options.traffic is not None:
        fallback_s = _said_duration_s(texts) or DURATION_S_DEFAULT
        traffic = read_traffic(options.traffic, duration_s=duration_s, fallback_s=fallback_s)
    meanings = {}
    for text in options.metric:
        name, equals, meaning = text.rpartition("=")
        if not equals or not name:
            raise SpecError([Problem("--metric", f"must be like inference_latency_p99=p99, got {text!r}")])
        meanings[name] = meaning
    return Options(
        traffic=traffic,
        traffic_text=options.traffic or "",
        service_time_s=positive_seconds("--service-time", options.service_time),
        duration_s=duration_s,
        interval_s=positive_seconds("--interval", options.interval),
        seed=options.seed,
        replicas=options.replicas,
        workload=options.workload,
        container=options.container,
        meanings=meanings,
    )


def _said_duration_s(texts: InputTexts) -> float | None:
    """Length that a Simulation names [s]; what is wrong with it is said when it is read for good."""
    for file in texts.inputs:
        for item in read_objects(file.text, source=file.name)[0]:
            if item.kind == SIMULATION_KIND:
                try:
                    return parse_duration(str(item.at("spec", "duration"))).seconds or None
                except UnitError:
                    return None
    return None
