"""Python models that misbehave, or wait, as their input says."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np


class Faulty:
    """x 1: a row too few; 2: complex numbers; 3: SystemExit; 4: no dict; else float64 where FP32 is declared."""

    inputs = (("x", "FP32", (-1, 1)),)
    outputs = (("y", "FP32", (-1, 1)),)

    def predict(self, batch):
        x = batch["x"].astype(float)
        if (x == 1).any():
            return {"y": x[1:]}
        if (x == 2).any():
            return {"y": x * 1j}
        if (x == 3).any():
            raise SystemExit(3)
        if (x == 4).any():
            return x
        return {"y": x / 2}


class Gated:
    """Doubles x, once its gate file is there; says by another file that it has begun. Warms up freely."""

    inputs = (("x", "FP32", (-1, 1)),)
    outputs = (("y", "FP32", (-1, 1)),)

    def load(self, options):
        self.gate, self.entered = Path(options["gate"]), Path(options["entered"])

    def predict(self, batch):
        x = batch["x"]
        if (x != 0).any():
            self.entered.touch()
            while not self.gate.exists():
                time.sleep(0.002)
        return {"y": x * 2}


class Wide:
    """A megabyte of output for each row."""

    inputs = (("x", "FP32", (-1, 1)),)
    outputs = (("y", "FP32", (-1, 262144)),)

    def predict(self, batch):
        return {"y": np.repeat(batch["x"], 262144, axis=1).astype(np.float32)}
