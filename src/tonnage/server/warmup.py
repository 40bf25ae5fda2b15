"""Warm-up: real batches of every size class before the server says it is ready, and what they took.

The first call of a size pays for allocations, kernel choices and compilation; a probe that passes
before that sends users into it. What is measured here seeds the deadline estimate and decides where
the model runs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import msgspec
import numpy as np

from tonnage.batching import size_classes, worthwhile_size
from tonnage.contract.server_config import BatchingConfig, ModelConfig
from tonnage.errors import ModelLoadError
from tonnage.server.assemble import assemble
from tonnage.server.oip.decode import InferRequest, RequestDecoder
from tonnage.server.oip.errors import InferenceError
from tonnage.server.oip.tensors import Signature, Tensor
from tonnage.server.runtimes.base import RequestContext, Runtime

RUNS = 5
"""Steady runs of a size class, of which the fastest counts."""
SIZE_S_MAX = 1.0
"""Time spent on the steady runs of one size class; at least one is made."""
INLINE_S_MAX = 0.0005
"""Largest batch below which the model runs in the event loop.

A thread costs about 7 us a request more than running inline, and inline stops all reading for as
long as the batch runs; half a millisecond is where neither matters to a p99 of milliseconds.
"""
INLINE_ALONE_S_MAX = 0.010
"""The same for a worker that has one CPU or less to itself.

There the loop cannot read while the model computes, whatever thread it is in: the two only take turns,
in slices of the scheduler and of the interpreter's lock. Ten milliseconds is what a health probe may wait.
"""


@dataclass(frozen=True, slots=True)
class WarmupReport:
    """What warm-up measured, and what follows from it.

    Attributes:
        first_s: The very first batch, of one item [s].
        steady: (batch size, least seconds of a few runs) of each size class, ascending.
        gather_max: Items up to which requests are gathered into one batch.
    """

    first_s: float
    steady: tuple[tuple[int, float], ...]
    gather_max: int

    def suits_inline(self, cpus: float) -> bool:
        """Whether even the largest gathered batch is short enough for the event loop.

        Args:
            cpus: What this worker has to itself [> 0].
        """
        largest_s = next(taken_s for size, taken_s in self.steady if size >= self.gather_max)
        return largest_s < (INLINE_S_MAX if cpus > 1 else INLINE_ALONE_S_MAX)


def warm_up(runtime: Runtime, config: ModelConfig, batching: BatchingConfig) -> WarmupReport:
    """Run every size class.

    Args:
        runtime: The loaded model.
        config: Its settings, for the sample request.
        batching: The largest batch, and up to which size to gather if that is said.

    Raises:
        ModelLoadError: The sample does not fit the model, or the model raises on it.
    """
    signature = runtime.signature
    sample = sample_request(signature, config)
    size_max = batching.size_max if signature.batches else 1
    sizes = sorted({*(config.warmup_sizes or size_classes(size_max)), size_max}) if signature.batches else [1]
    first_s = _run(runtime, [sample])
    steady = []
    for size in sizes:
        requests = [sample] * size
        _run(runtime, requests)  # the first of a size is not its steady time
        started_s = time.monotonic()
        times: list[float] = []
        while len(times) < RUNS and (not times or time.monotonic() - started_s < SIZE_S_MAX):
            times.append(_run(runtime, requests))
        # the least of a few: a neighbour on the machine can only add
        steady.append((size, min(times)))
    gather_max = min(batching.gather_max or worthwhile_size(steady), size_max)
    return WarmupReport(first_s, tuple(steady), gather_max)


def _run(runtime: Runtime, requests: list[InferRequest]) -> float:
    context = tuple(RequestContext(None, 1) for _ in requests) if runtime.wants_context else ()
    started_s = time.monotonic()
    try:
        inputs = assemble(runtime.signature, requests, {})
        outputs = runtime.run(inputs, context)
    except Exception as error:  # the model's code may raise anything
        raise ModelLoadError(
            f"model: warm-up with {len(requests)} item(s) must succeed, got {type(error).__name__}: {error}"
            "; give a sample that the model accepts in model.warmup"
        ) from error
    taken_s = time.monotonic() - started_s
    for name, array in outputs.items():
        if runtime.signature.batches and (array.ndim == 0 or array.shape[0] != len(requests)):
            raise ModelLoadError(
                f'model: output "{name}" must have {len(requests)} rows as the inputs have, got shape '
                f"{array.shape}"
            )
    return taken_s


def sample_request(signature: Signature, config: ModelConfig) -> InferRequest:
    """The sample of the document as a request of one item, or zeros.

    Raises:
        ModelLoadError: The sample does not fit the model.
    """
    if config.warmup_inputs is None:
        return _zeros(signature)
    decoder = RequestDecoder(signature, size_max=1)
    try:
        return decoder.decode(msgspec.json.encode({"inputs": config.warmup_inputs}))
    except InferenceError as error:
        raise ModelLoadError(f"model.warmup: must be a request of one item, got {error.message}") from None


def _zeros(signature: Signature) -> InferRequest:
    tensors = []
    for spec in signature.inputs:
        shape = tuple(1 if length == -1 else length for length in spec.shape)
        count = int(np.prod(shape))
        if spec.type.size_bytes:
            tensors.append(Tensor(shape, bytes(count * spec.type.size_bytes)))
        else:
            tensors.append(Tensor(shape, [b""] * count))
    return InferRequest(None, tensors, 1, None, None, False, None)


def sample_body(signature: Signature, config: ModelConfig) -> bytes:
    """The sample request as a client would send it: JSON of the protocol."""
    if config.warmup_inputs is not None:
        return msgspec.json.encode({"inputs": config.warmup_inputs})
    inputs = []
    for spec in signature.inputs:
        shape = [1 if length == -1 else length for length in spec.shape]
        zero = {"str": "", "bool": False, "int": 0, "float": 0.0}[spec.type.json]
        data = [zero] * int(np.prod(shape))
        inputs.append({"name": spec.name, "shape": shape, "datatype": spec.datatype, "data": data})
    return msgspec.json.encode({"inputs": inputs})


__all__ = ["INLINE_ALONE_S_MAX", "INLINE_S_MAX", "WarmupReport", "sample_body", "sample_request", "warm_up"]
