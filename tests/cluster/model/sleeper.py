"""A model whose time in the model is known: it sleeps, so that many replicas fit a small machine."""

from __future__ import annotations

import time


class Sleeper:
    """Doubles x, after a time for each item that the options say [s]."""

    inputs = (("x", "FP32", (-1, 1)),)
    outputs = (("y", "FP32", (-1, 1)),)

    def load(self, options):
        self.item_s = options["itemSeconds"]

    def predict(self, batch):
        x = batch["x"]
        time.sleep(self.item_s * len(x))
        return {"y": x * 2}
