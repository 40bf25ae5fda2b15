"""The model alone, in a fresh process: what a batch of each size takes without a server around it.

``python -m tonnage.profile.alone`` is that process. It loads the model through the server's runtimes and
assembles batches with the server's code, from decoded requests as they come over the wire, so that its
times are those of the server's model calls. Sizes are measured in three rounds over all of them: a machine
that becomes slower meanwhile shows as thirds that disagree, and not as a size that seems slow.

Parent and child talk by lines of JSON over a pipe of their own, since a model's code may print.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

import msgspec

import tonnage.server.worker  # noqa: F401  its memory is the server's, not the model's
from tonnage.contract.server_config import ServerConfig, TensorConfig
from tonnage.errors import EnvironmentFault, ModelLoadError, TonnageError
from tonnage.loadgen.oip import parse_inputs, random_bodies
from tonnage.profile.interruptions import undisturbed
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch
from tonnage.profile.running import on_cpus
from tonnage.server.assemble import assemble
from tonnage.server.oip.decode import InferRequest, RequestDecoder
from tonnage.server.oip.errors import InferenceError
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.runtimes import load_runtime
from tonnage.server.runtimes.base import RequestContext, Runtime
from tonnage.server.warmup import sample_body

Payload = Literal["sample", "random", "zeros"]

ROUNDS: Final = 3
EARLY: Final = 10
"""Batches after the first of which the profile keeps each time: the warm-up curve."""
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
RUNS_MAX: Final = 100_000
"""Batches of one size in one round at most; each leaves a number in memory."""
_BEFORE: Final = (
    "import sys, tonnage.server.worker; sys.stdout.write(open('/proc/self/statm').read().split()[1])"
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is to do.

    Attributes:
        config: The server's settings.
        sizes: Batch sizes, ascending.
        batch_s: Time for each size [s].
        runs_min: Batches of each size at least.
        seed: Decides random payloads.
    """

    config: ServerConfig
    sizes: tuple[int, ...]
    batch_s: float
    runs_min: int
    seed: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One output of one item: its name, elements in row order, numpy's name of their type, and shape."""

    name: str
    data: list[Any]
    dtype: str
    shape: tuple[int, ...]


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line from the child.

    Attributes:
        done: Share of the work that is done, with progress.
        error: What is wrong with the model, instead of a result.
        batches: The result, as documents of ``Batch``.
        payload: How the requests were made.
        bodies: The requests.
        open_inputs: Inputs whose items have a length that the model leaves open.
        takes_batches: Whether the model batches.
        inputs: What the model takes, as ``TensorConfig`` has it.
        outputs: What it gives, in the same form; empty when it tells them only by answering.
        answer: Its outputs for one item.
        model_bytes: What loading added to resident memory.
        accelerator_bytes: Accelerator memory after the largest batch; None where nobody tells.
    """

    done: float | None = None
    error: str | None = None
    batches: tuple[dict[str, Any], ...] = ()
    payload: Payload = "zeros"
    bodies: tuple[str, ...] = ()
    open_inputs: tuple[str, ...] = ()
    takes_batches: bool = True
    inputs: tuple[TensorConfig, ...] = ()
    outputs: tuple[TensorConfig, ...] = ()
    answer: tuple[Answer, ...] = ()
    model_bytes: int = 0
    accelerator_bytes: int | None = None

    @property
    def measured(self) -> tuple[Batch, ...]:
        """The batches as values."""
        return tuple(Batch.model_validate(one, by_alias=True, by_name=False) for one in self.batches)


def measure_alone(order: Order, *, cpus: Collection[int], on_done: Callable[[float], None]) -> Message:
    """Start the process, and wait for its result.

    Args:
        order: What to measure.
        cpus: Where it runs.
        on_done: Told of the share that is done.

    Raises:
        ModelLoadError: The model does not load there, or raises on its requests.
        EnvironmentFault: The process died.
    """
    plan_fd = os.memfd_create("tonnage-order")
    read_fd, write_fd = os.pipe()
    with tempfile.TemporaryFile() as output:
        try:
            os.write(plan_fd, msgspec.json.encode(order))
            arguments = ["--order", f"/dev/fd/{plan_fd}", "--out", str(write_fd)]
            with on_cpus(cpus):
                process = subprocess.Popen(
                    [sys.executable, "-m", "tonnage.profile.alone", *arguments],
                    pass_fds=(plan_fd, write_fd), env=_environment(order.config), stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, start_new_session=True,
                )  # fmt: skip
        except BaseException:
            os.close(read_fd)
            raise
        finally:
            os.close(plan_fd)
            os.close(write_fd)
        try:
            with open(read_fd, "rb") as lines:  # noqa: PTH123  a pipe
                for line in lines:
                    message = msgspec.json.decode(line, type=Message)
                    if message.done is not None:
                        on_done(message.done)
                    elif message.error is not None:
                        raise ModelLoadError(message.error)
                    else:
                        return message
            code = process.wait()
        finally:
            process.kill()
            process.wait()
        output.seek(0)
        said = output.read()[-500:].decode(errors="replace").strip()
    raise EnvironmentFault(
        f"model: must run alone in a process, got one that ended with code {code}"
        + (f" and said: {said}" if said else "")
    )


def memory_before_model() -> int | None:
    """Resident memory of a process with the server's code and no model [bytes]; None when it fails."""
    done = subprocess.run([sys.executable, "-c", _BEFORE], capture_output=True, text=True, check=False)
    return int(done.stdout) * PAGE_BYTES if done.returncode == 0 and done.stdout.isdigit() else None


def _environment(config: ServerConfig) -> dict[str, str]:
    """The server limits threads in the same way when it starts."""
    threads = {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}
    return {**dict.fromkeys(threads, str(config.model.threads)), **os.environ}


def main() -> int:
    """Be the child."""
    parser = argparse.ArgumentParser(prog="python -m tonnage.profile.alone", description=__doc__)
    parser.add_argument("--order", required=True)
    parser.add_argument("--out", type=int, required=True)
    arguments = parser.parse_args()
    order = msgspec.json.decode(Path(arguments.order).read_bytes(), type=Order)
    with open(arguments.out, "wb", buffering=0) as out:  # noqa: PTH123  a pipe

        def tell(message: Message) -> None:
            out.write(msgspec.json.encode(message) + b"\n")

        try:
            tell(_measure(order, lambda done: tell(Message(done=done))))
        except TonnageError as error:
            tell(Message(error=str(error)))
    return 0


def _measure(order: Order, on_done: Callable[[float], None]) -> Message:
    config = order.config
    before = _resident_bytes()
    runtime = load_runtime(config.model)
    model_bytes = max(0, _resident_bytes() - before)
    bench = _Bench(runtime, config)
    payload, bodies = bench.choose(order.seed)
    sizes = order.sizes if runtime.signature.batches else (1,)
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)  # as the server has it
    early = {size: [bench.run(size, k) for k in range(EARLY + 1)] for size in sizes}
    rounds: dict[int, list[_Runs]] = {size: [] for size in sizes}
    for number in range(ROUNDS):
        for index, size in enumerate(sizes):
            rounds[size].append(bench.repeat(size, order.batch_s / ROUNDS, -(-order.runs_min // ROUNDS)))
            on_done((number * len(sizes) + index + 1) / (ROUNDS * len(sizes)))
    return Message(
        batches=tuple(
            _batch(size, early[size], rounds[size]).model_dump(mode="json", by_alias=True, exclude_none=True)
            for size in sizes
        ),
        payload=payload,
        bodies=bodies,
        open_inputs=_open_inputs(runtime.signature) if config.model.warmup_inputs is None else (),
        takes_batches=runtime.signature.batches,
        inputs=_tensors(runtime.signature.inputs),
        outputs=_tensors(runtime.signature.outputs),
        answer=bench.answer(),
        model_bytes=model_bytes,
        accelerator_bytes=runtime.memory_bytes(),
    )


@dataclass(frozen=True, slots=True)
class _Runs:
    """Repeated runs of one size: their times and CPU times [s]."""

    elapsed_s: list[float]
    cpu_s: list[float]


def _batch(size: int, early_s: list[float], rounds: list[_Runs]) -> Batch:
    elapsed_s = [one for runs in rounds for one in runs.elapsed_s]
    cpu_s = [one for runs in rounds for one in runs.cpu_s]
    kept = undisturbed(elapsed_s, cpu_s)
    return Batch(
        size=size,
        first_s=early_s[0],
        early_s=tuple(early_s[1:]),
        steady_s=Distribution.of([elapsed_s[index] for index in kept], keep=True),
        cpu_s=sum(cpu_s[index] for index in kept) / len(kept),
        thirds_s=tuple(median(runs.elapsed_s) for runs in rounds),
        interrupted=len(elapsed_s) - len(kept),
    )


class _Bench:
    """The loaded model, and batches of requests for it."""

    def __init__(self, runtime: Runtime, config: ServerConfig) -> None:
        self._runtime = runtime
        self._config = config
        self._requests: list[InferRequest] = []

    def choose(self, seed: int) -> tuple[Payload, tuple[str, ...]]:
        """Take the document's sample, else random values, else zeros, whichever the model first accepts.

        Raises:
            ModelLoadError: It accepts none.
        """
        signature, model = self._runtime.signature, self._config.model
        tries: list[tuple[Payload, Callable[[], Sequence[bytes]]]] = [
            ("zeros", lambda: [sample_body(signature, model)])
        ]
        if model.warmup_inputs is not None:
            tries = [("sample", lambda: [sample_body(signature, model)])]
        else:
            tries.insert(0, ("random", lambda: _random(signature, seed)))
        decoder = RequestDecoder(signature, size_max=1)
        why = ""
        for name, make in tries:
            try:
                bodies = make()
                self._requests = [decoder.decode(body) for body in bodies]
                for k in range(len(bodies)):
                    self.run(1, k)
            except InferenceError as error:
                why = error.message
            except Exception as error:  # the model's code may raise anything
                why = f"{type(error).__name__}: {error}"
            else:
                return name, tuple(body.decode() for body in bodies)
        raise ModelLoadError(
            f"model: a request of {' or '.join(name for name, _ in tries)} must succeed, got {why}"
            "; give a sample that the model accepts in spec.model.warmup"
        )

    def answer(self) -> tuple[Answer, ...]:
        """What the model gives for the first request."""
        context = (RequestContext(None, 1),) if self._runtime.wants_context else ()
        inputs = assemble(self._runtime.signature, self._requests[:1], self._config.batching.padding)
        answers = []
        for name, array in self._runtime.run(inputs, context).items():
            data = [_text(one) for one in array.ravel().tolist()] if array.dtype.kind in "OSU" else None
            dtype = "object" if data is not None else array.dtype.name
            flat = array.ravel().tolist() if data is None else data
            answers.append(Answer(name=name, data=flat, dtype=dtype, shape=array.shape))
        return tuple(answers)

    def run(self, size: int, start: int) -> float:
        """Run one batch of requests from ``start`` on; its time [s]."""
        requests = self._batch(size, start)
        context = tuple(RequestContext(None, 1) for _ in requests) if self._runtime.wants_context else ()
        started_s = time.perf_counter()
        self._runtime.run(assemble(self._runtime.signature, requests, self._config.batching.padding), context)
        return time.perf_counter() - started_s

    def repeat(self, size: int, duration_s: float, runs_min: int) -> _Runs:
        """Run batches of one size for a while."""
        runtime, signature, padding = self._runtime, self._runtime.signature, self._config.batching.padding
        batches = [self._batch(size, start) for start in range(len(self._requests))]
        context = tuple(RequestContext(None, 1) for _ in range(size)) if runtime.wants_context else ()
        times: list[float] = []
        cpu_times: list[float] = []
        clock, cpu_clock = time.perf_counter, time.process_time
        end_s = clock() + duration_s
        now_s = 0.0
        while (now_s < end_s or len(times) < runs_min) and len(times) < RUNS_MAX:
            requests = batches[len(times) % len(batches)]
            cpu_before_s, started_s = cpu_clock(), clock()
            runtime.run(assemble(signature, requests, padding), context)
            now_s = clock()
            cpu_times.append(cpu_clock() - cpu_before_s)
            times.append(now_s - started_s)
        return _Runs(times, cpu_times)

    def _batch(self, size: int, start: int) -> list[InferRequest]:
        count = len(self._requests)
        return [self._requests[(start + k) % count] for k in range(size)]


def _random(signature: Signature, seed: int) -> Sequence[bytes]:
    inputs = [
        {"name": one.name, "datatype": one.datatype, "shape": list(one.shape)} for one in signature.inputs
    ]
    return random_bodies(parse_inputs({"inputs": inputs}, source="model"), seed=seed).bodies


def _tensors(specs: Sequence[TensorSpec]) -> tuple[TensorConfig, ...]:
    return tuple(TensorConfig(name=one.name, datatype=one.datatype, shape=one.shape) for one in specs)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _open_inputs(signature: Signature) -> tuple[str, ...]:
    skipped = 1 if signature.batches else 0
    return tuple(one.name for one in signature.inputs if -1 in one.shape[skipped:])


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


if __name__ == "__main__":
    sys.exit(main())
