"""A model that computes nothing: the same answer for every item, of the form that a real model gave.

The server around it does all of its work (reading, decoding, gathering, encoding, writing), so that its own
cost shows without the noise of a real model's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


class Echo:
    """What ``python`` models are to the server: ``load`` and ``predict``."""

    def __init__(self) -> None:
        self._one: dict[str, npt.NDArray[Any]] = {}
        self._repeated: dict[int, dict[str, npt.NDArray[Any]]] = {}
        self._batches = True

    def load(self, options: Mapping[str, Any]) -> None:
        """Take the answer from ``options``: ``answer``, as ``alone.Answer`` has it, and ``batches``."""
        self._batches = bool(options["batches"])
        for one in options["answer"]:
            elements = [text.encode() for text in one["data"]] if one["dtype"] == "object" else one["data"]
            array = np.empty(len(elements), one["dtype"])
            array[:] = elements
            self._one[one["name"]] = array.reshape(one["shape"])

    def predict(self, batch: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
        """The answer, once for each item."""
        if not self._batches:
            return self._one
        items = len(next(iter(batch.values())))
        found = self._repeated.get(items)
        if found is None:
            found = {name: np.repeat(array, items, axis=0) for name, array in self._one.items()}
            self._repeated[items] = found
        return found
