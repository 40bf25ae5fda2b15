"""From what users have to the twin's input: Kubernetes objects or a ModelService, a profile, and options.

    texts = load_texts(["deployment.yaml", "hpa.yaml"], nodes=["nodes.yaml"], profile="profile.json")
    experiment = read(texts, Options(traffic=PoissonArrivals(500.0, 3600.0)))
    Simulation(experiment.scenario).run()

``load_texts`` reads files; everything after it is pure. All problems are told at once, each with file, line
and path; what was assumed, and what the twin does not do, is listed.
"""

from __future__ import annotations

from tonnage.twin.inputs.options import MEANINGS, Options
from tonnage.twin.inputs.read import Experiment, read
from tonnage.twin.inputs.texts import InputTexts, TextFile, load_texts

__all__ = ["MEANINGS", "Experiment", "InputTexts", "Options", "TextFile", "load_texts", "read"]
