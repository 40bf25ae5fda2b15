"""Magika's file-type model: bytes of a file in, its type out, one model call for a whole batch.

The model is the one in the `magika` package. It looks at the first and the last kilobyte of a file,
after white space at its ends: that preparation is done here, as the model's own configuration says.
"""

from __future__ import annotations

import json
from pathlib import Path

import magika
import numpy as np
import onnxruntime as ort


class FileType:
    """Names the type of files by their content."""

    inputs = [("content", "BYTES", [-1, 1])]
    outputs = [("label", "BYTES", [-1, 1]), ("score", "FP32", [-1, 1])]

    def load(self) -> None:
        """Open the model that the installed package carries."""
        folder = next((Path(magika.__file__).parent / "models").glob("*/model.onnx")).parent
        config = json.loads((folder / "config.min.json").read_text())
        self.labels = np.array(config["target_labels_space"], dtype=object)
        self.begin, self.end = config["beg_size"], config["end_size"]
        self.block, self.padding = config["block_size"], config["padding_token"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = ort.InferenceSession(str(folder / "model.onnx"), options)

    def predict(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Name the type of each content."""
        features = np.stack([self.features(content) for content in batch["content"][:, 0]])
        (scores,) = self.session.run(None, {"bytes": features})
        best = scores.argmax(axis=1)
        return {
            "label": self.labels[best][:, None],
            "score": scores[np.arange(len(best)), best][:, None],
        }

    def features(self, content: bytes) -> np.ndarray:
        """The first and last bytes that are not white space, filled up with the padding token."""
        row = np.full(self.begin + self.end, self.padding, np.int32)
        first = content[: self.block].lstrip()[: self.begin]
        last = content[-self.block :].rstrip()[-self.end :]
        row[: len(first)] = np.frombuffer(first, np.uint8)
        row[len(row) - len(last) :] = np.frombuffer(last, np.uint8)
        return row
