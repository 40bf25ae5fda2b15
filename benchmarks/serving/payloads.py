"""The models under load and the requests sent to them.

A workload is a model file, rows to ask it, and the answer of each row computed here by ONNX Runtime directly.
All servers get the same file, and the same rows in the body format of each.  The workloads:

- ``tiny``: MLP 64-64-10 with softmax, seeded weights.  Computes for microseconds: what is measured is the
  server.
- ``magika``: the file-type model of the ``magika`` package, asked about the Python files of the standard
  library, with the features extracted as that model expects them.  Computes for about ten milliseconds an
  item.
- ``minilm``: all-MiniLM-L6-v2, sentences of 64 tokens to embeddings; see ``minilm``.
- ``wide``: MLP 64-2048-2048-10, seeded weights.  Its time at batch 1 is the reading of 17 MB of weights, so
  it gains from batching; slow enough for one load generator to exceed its capacity several times.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import shutil
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.serving import minilm

ROWS = 256
"""Different rows per workload."""

MLPS = {"tiny": (64, 64, 10), "wide": (64, 2048, 2048, 10)}
"""Widths of the perceptrons' layers, from input to output."""

DATATYPES = {
    "tensor(float)": ("FP32", np.float32),
    "tensor(int32)": ("INT32", np.int32),
    "tensor(int64)": ("INT64", np.int64),
}


@dataclass(frozen=True, slots=True)
class Workload:
    """A model with its questions and their answers.

    Attributes:
        name: Short name; also the model's name in URLs.
        path: The ONNX file, whose stem is ``name``.
        input_name: Name of the model's only input.
        datatype: The input's datatype in the words of the Open Inference Protocol.
        rows: Questions, ``[ROWS][width]``.
        answers: The model's answer to each, ``[ROWS][classes]``.
    """

    name: str
    path: Path
    input_name: str
    datatype: str
    rows: Sequence[Sequence[float]]
    answers: np.ndarray

    def array(self) -> np.ndarray:
        """The rows as the model takes them, ``[ROWS, width]``."""
        dtypes = dict(DATATYPES.values())
        return np.asarray(self.rows, dtypes[self.datatype])


def session(path: Path) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one thread, as every server here makes it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def write_mlp(path: Path, widths: Sequence[int]) -> None:
    """Writes an ONNX perceptron: ReLU between the layers, softmax at the end, seeded weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    nodes, weights, value = [], [], "x"
    for layer, (fan_in, fan_out) in enumerate(itertools.pairwise(widths)):
        scale = np.sqrt(2 / fan_in)
        weight = (rng.standard_normal((fan_in, fan_out)) * scale).astype(np.float32)
        bias = (rng.standard_normal(fan_out) * 0.1).astype(np.float32)
        weights += [numpy_helper.from_array(weight, f"w{layer}"), numpy_helper.from_array(bias, f"b{layer}")]
        nodes.append(helper.make_node("Gemm", [value, f"w{layer}", f"b{layer}"], [f"z{layer}"]))
        value = f"z{layer}"
        if layer < len(widths) - 2:
            nodes.append(helper.make_node("Relu", [value], [f"h{layer}"]))
            value = f"h{layer}"
    nodes.append(helper.make_node("Softmax", [value], ["y"], axis=1))
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", widths[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", widths[-1]])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def uniform_rows(width: int) -> list[list[float]]:
    """Seeded rows of ``width`` numbers in [0, 1] with four decimals, as long as such numbers often are."""
    values = np.random.default_rng(1).random((ROWS, width))
    return [[round(float(value), 4) for value in row] for row in values]


def magika_row(content: bytes) -> list[float]:
    """Features of one file: its first and its last 1024 bytes without outer white space, padded with 256.

    Source: ``Magika._extract_features_from_seekable`` of the ``magika`` package, version 1.0.
    """
    begin = content[:4096].lstrip()[:1024]
    end = content[-4096:].rstrip()[-1024:]
    return [*begin, *([256] * (1024 - len(begin))), *([256] * (1024 - len(end))), *end]


def write_magika(path: Path) -> None:
    """Copies the model out of the installed ``magika`` package (which need not be imported for that)."""
    spec = importlib.util.find_spec("magika")
    if spec is None or spec.origin is None:
        raise SystemExit(
            "magika: the package must be installed in the benchmark's environment; pip install magika"
        )
    found = sorted(Path(spec.origin).parent.glob("models/standard_v*/model.onnx"))
    shutil.copyfile(found[-1], path)


def magika_rows() -> list[list[float]]:
    """Features of the first ``ROWS`` Python files of the standard library that hold at least 64 bytes."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py"))
    files = [file for file in files if "site-packages" not in file.parts and file.stat().st_size >= 64]
    return [magika_row(file.read_bytes()) for file in files[:ROWS]]


def minilm_rows(weights: Path) -> list[list[int]]:
    """Tokens of the first ``ROWS`` long paragraphs in the standard library's comments and documentation."""
    vocabulary, texts = minilm.read_vocabulary(weights), []
    for file in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
        paragraphs = file.read_text(encoding="utf-8", errors="replace").split("\n\n")
        texts += [text for text in paragraphs if len(text) > 300][:2]
    return [minilm.token_ids(text, vocabulary) for text in texts[:ROWS]]


def load(name: str, folder: Path) -> Workload:
    """Makes the workload's model in ``folder`` where it is not there yet, and computes its answers.

    Raises:
        SystemExit: There is no workload of that name, or what it needs is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    rows: Sequence[Sequence[float]]
    if name in MLPS:
        rows = uniform_rows(MLPS[name][0])
        if not path.exists():
            write_mlp(path, MLPS[name])
    elif name == "magika":
        rows = magika_rows()
        if not path.exists():
            write_magika(path)
    elif name == "minilm":
        weights = minilm.weights_folder(folder)
        rows = minilm_rows(weights)
        if not path.exists():
            minilm.write_model(path, weights)
    else:
        raise SystemExit(f"models: must be among magika, minilm, {', '.join(MLPS)}, got {name}")
    model = session(path)
    spec = model.get_inputs()[0]
    datatype, dtype = DATATYPES[spec.type]
    batches = [model.run(None, {spec.name: np.asarray([row], dtype)})[0] for row in rows]
    return Workload(name, path, spec.name, datatype, rows, np.concatenate(batches))


def body(style: str, workload: Workload, row: Sequence[float]) -> dict[str, Any]:
    """The JSON document that asks about one row, in the form a peer takes.

    Args:
        style: ``oip`` (Open Inference Protocol), ``x`` (a named array, BentoML) or ``data`` (a bare list).
        workload: The model asked.
        row: The question, ``[width]``.
    """
    if style == "data":
        return {"data": row}
    if style == "x":
        return {"x": [row]}
    tensor = {"name": workload.input_name, "shape": [1, len(row)], "datatype": workload.datatype, "data": row}
    return {"inputs": [tensor]}


def answer(style: str, document: Any) -> list[float]:
    """The output row inside a decoded answer."""
    if style == "oip":
        return list(document["outputs"][0]["data"])
    return list(document[0] if style == "x" else document["output"])


def write_bodies(path: Path, style: str, workload: Workload, count: int = 128) -> None:
    """Writes the first ``count`` questions to a file, one JSON document a line."""
    lines = [json.dumps(body(style, workload, row)) for row in workload.rows[:count]]
    path.write_text("\n".join(lines) + "\n")
