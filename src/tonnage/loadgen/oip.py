"""Payloads for a model server that says what it takes: the Open Inference Protocol, version 2.

The server's own metadata gives names, datatypes and shapes of the inputs; random values of those
types make valid requests. A dimension of -1 (any size) becomes 1.

Source: Open Inference Protocol 2, "Model Metadata" and "Inference Request JSON Object".
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import numpy as np
import orjson

from tonnage.errors import EnvironmentFault, Problem, SpecError, TargetUnreachable
from tonnage.loadgen.payload import Bodies
from tonnage.loadgen.target import Target

VARIATIONS = 16
"""Different bodies made: enough that no cache answers, few enough to stay in the processor's."""

ELEMENTS_MAX = 16_777_216
"""A tensor with more elements is refused."""

_METADATA_BYTES_MAX = 1 << 20
_WORDS = ("cargo", "harbour", "keel", "ballast", "draught", "manifest", "tonne", "quay")

_Draw = Callable[[np.random.Generator, int], list[Any]]


def _floats(rng: np.random.Generator, count: int) -> list[Any]:
    # Five digits, as real features have; seventeen would measure the server's number parser.
    return [round(value, 5) for value in rng.standard_normal(count).tolist()]


def _integers(rng: np.random.Generator, count: int) -> list[Any]:
    # Small: integers are mostly indices (of tokens, of categories), and large ones are out of range.
    return list(rng.integers(0, 100, count).tolist())


def _booleans(rng: np.random.Generator, count: int) -> list[Any]:
    return list((rng.random(count) < 0.5).tolist())


def _texts(rng: np.random.Generator, count: int) -> list[Any]:
    picks = rng.integers(len(_WORDS), size=(count, 4)).tolist()
    return [" ".join(_WORDS[pick] for pick in row) for row in picks]


_DRAW: dict[str, _Draw] = {
    "BOOL": _booleans,
    **dict.fromkeys(("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"), _integers),
    **dict.fromkeys(("FP16", "FP32", "FP64", "BF16"), _floats),
    "BYTES": _texts,
}


@dataclass(frozen=True, slots=True)
class InputTensor:
    """One input of a model.

    Attributes:
        name: Its name.
        datatype: Such as ``FP32``.
        shape: Sizes, all >= 1, open ones already chosen.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))


def infer_target(target: Target, model: str) -> Target:
    """Point at a model's inference endpoint on the same server; the path given becomes a prefix."""
    return replace(target, path=f"{target.path.rstrip('/')}/v2/models/{quote(model, safe='')}/infer")


def parse_inputs(metadata: object, *, source: str) -> tuple[InputTensor, ...]:
    """Read the inputs from a model's metadata.

    Args:
        metadata: The decoded JSON.
        source: Where it is from, for messages.

    Raises:
        SpecError: It does not describe inputs that can be made; every problem at once.
    """
    inputs = metadata.get("inputs") if isinstance(metadata, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise SpecError([Problem("inputs", "must list the model's inputs", file=source)])
    problems: list[Problem] = []
    tensors: list[InputTensor] = []
    for index, item in enumerate(inputs):
        where = f"inputs[{index}]"
        entry = item if isinstance(item, dict) else {}
        name, datatype, shape = entry.get("name"), entry.get("datatype"), entry.get("shape")
        if not isinstance(name, str):
            problems.append(Problem(f"{where}.name", f"must be a text, got {name!r}", file=source))
        if datatype not in _DRAW:
            message = f"must be one of {', '.join(_DRAW)}, got {datatype!r}"
            problems.append(Problem(f"{where}.datatype", message, file=source))
        sizes = _sizes(shape)
        if sizes is None:
            message = f"must be whole numbers, -1 or >= 1, of {ELEMENTS_MAX} elements at most, got {shape!r}"
            problems.append(Problem(f"{where}.shape", message, file=source))
        else:
            tensors.append(InputTensor(str(name), str(datatype), sizes))
    if problems:
        raise SpecError(problems)
    return tuple(tensors)


def _sizes(shape: object) -> tuple[int, ...] | None:
    if not isinstance(shape, list):
        return None
    sizes: list[int] = []
    elements = 1
    for size in shape:
        # Some servers write numbers as texts, as gRPC's JSON mapping of int64 has it.
        number = int(size) if isinstance(size, str) and size.lstrip("-").isdigit() else size
        if not isinstance(number, int) or isinstance(number, bool) or number < -1 or number == 0:
            return None
        sizes.append(1 if number == -1 else number)
        elements *= sizes[-1]
    return tuple(sizes) if elements <= ELEMENTS_MAX else None


def random_bodies(inputs: tuple[InputTensor, ...], *, seed: int, count: int = VARIATIONS) -> Bodies:
    """Make valid inference requests.

    Args:
        inputs: The model's inputs.
        seed: Decides the values, >= 0.
        count: How many different bodies, >= 1.
    """
    rng = np.random.default_rng([seed, 2])
    bodies = []
    for _ in range(count):
        tensors = [
            {
                "name": tensor.name,
                "shape": list(tensor.shape),
                "datatype": tensor.datatype,
                "data": _DRAW[tensor.datatype](rng, tensor.elements),
            }
            for tensor in inputs
        ]
        bodies.append(orjson.dumps({"inputs": tensors}))
    return Bodies(tuple(bodies), "application/json")


def fetch_inputs(*, infer: Target, timeout_s: float) -> tuple[InputTensor, ...]:
    """Ask a server what a model takes.

    Args:
        infer: The model's inference endpoint, a path that ends in ``/infer``.
        timeout_s: How long to wait [s].

    Raises:
        TargetUnreachable: Nobody answers.
        EnvironmentFault: The answer is not the model's metadata.
        SpecError: The metadata describes no inputs that can be made.
    """
    about = replace(infer, path=infer.path.removesuffix("/infer"))
    connection: http.client.HTTPConnection = (
        http.client.HTTPSConnection(
            about.host, about.port, timeout=timeout_s, context=ssl.create_default_context()
        )
        if about.tls
        else http.client.HTTPConnection(about.host, about.port, timeout=timeout_s)
    )
    try:
        connection.request("GET", about.path)
        response = connection.getresponse()
        content = response.read(_METADATA_BYTES_MAX)
    except OSError as error:
        message = f"{about.url}: must answer with the model's metadata, got {error}; is the server running?"
        raise TargetUnreachable(message) from error
    except http.client.HTTPException as error:
        message = f"{about.url}: must answer with HTTP, got {type(error).__name__}"
        raise EnvironmentFault(message) from error
    finally:
        connection.close()
    if response.status != 200:
        text = content[:200].decode("utf-8", "replace")
        message = f"{about.url}: must answer 200 with the model's metadata, got {response.status} {text!r}"
        raise EnvironmentFault(message)
    try:
        metadata = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise EnvironmentFault(f"{about.url}: must answer with JSON, got {error}") from error
    return parse_inputs(metadata, source=about.url)
