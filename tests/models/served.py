"""Python models that the tests serve; what they do is steered by their options."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np

TYPES = ("BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "BF16",
         "FP32", "FP64", "BYTES")  # fmt: skip


class Identity:
    """Gives back what it takes, one tensor per datatype."""

    inputs = tuple((f"in_{name}", name, (-1, 2)) for name in TYPES)
    outputs = tuple((f"out_{name}", name, (-1, 2)) for name in TYPES)

    def predict(self, batch):
        return {name.replace("in_", "out_"): value for name, value in batch.items()}


class Steered:
    """Doubles x. Loads when its gate file appears; raises on 13; stays away on 99 until its gate opens."""

    inputs = (("x", "FP32", (-1, 1)),)
    outputs = (("y", "FP32", (-1, 1)),)

    def load(self, options):
        self.delay_s = options.get("delay_s", 0.0)
        gate = options.get("load_gate")
        while gate and not Path(gate).exists():
            time.sleep(0.01)

    def predict(self, batch):
        x = batch["x"]
        if (x == 13).any():
            raise ValueError("thirteen")
        if (x == 99).any():
            threading.Event().wait()
        if self.delay_s:
            time.sleep(self.delay_s)
        return {"y": x * 2}


class Lengths:
    """Tells each item's length, and the width of the batch that it ran in."""

    inputs = (("ids", "INT64", (-1, -1)),)
    outputs = (("sum", "INT64", (-1,)), ("width", "INT64", (-1,)))

    def predict(self, batch):
        ids = batch["ids"]
        return {"sum": ids.sum(axis=1), "width": np.full(len(ids), ids.shape[1])}
