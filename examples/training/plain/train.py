"""Which letter comes next? Learned by several processes together, with Python's standard library alone.

    python train.py --checkpoint /tmp/letters.json             one process
    python train.py --checkpoint /tmp/letters.json --local 3   three, on this machine

The text is Python's own documentation (``pydoc_data.topics``). The model gives each letter a score from the
two before it: two tables of weights, trained by gradient descent. Each process takes its share of every
step's positions, and the gradients are summed in a ring: each process listens to the one before it and speaks
to the one after it, so that every process sends and receives twice the size of the gradients, however many
they are. They find each other through process 0, whose address all of them are told.

When a process is lost its neighbours notice at once, end with exit code 1, and so on around the ring; started
again, all of them go on from the last checkpoint, which process 0 reads and sends around. SIGTERM to any
process ends all of them with a checkpoint and exit code 143.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import select
import signal
import socket
import string
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Sequence
from pathlib import Path
from pydoc_data import topics

LETTERS = string.ascii_lowercase + " .,'()_=\n"
SIZE = len(LETTERS)
STOPPED = 128 + signal.SIGTERM
FOLDER = "TONNAGE_CHECKPOINT_DIR"
Address = tuple[str, int]


class Lost(Exception):
    """A neighbour in the ring is gone."""


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Learns which letter comes next.")
    folder = os.environ.get(FOLDER)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path(folder, "letters.json") if folder else None,
        required=folder is None,
        help=f"file to resume from and to save in (letters.json in ${FOLDER}, where that is set)",
    )
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=2000, help="positions per step, of all together")
    parser.add_argument("--rate", type=float, default=8.0, help="learning rate")
    parser.add_argument("--save-every", type=int, default=10, help="steps between checkpoints")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for another process")
    parser.add_argument("--local", type=int, default=0, help="start so many processes here")
    return parser.parse_args()


class Ring:
    """Processes that know their neighbours.

    Args:
        rank: This process.
        world: How many there are.
        leader: Where process 0 is met; it listens there.
        timeout_s: Longest wait for another process.
    """

    def __init__(self, rank: int, world: int, leader: Address, timeout_s: float) -> None:
        self.rank, self.world, self.timeout_s = rank, world, timeout_s
        self._end_s = time.monotonic() + timeout_s
        if world == 1:
            return
        with socket.create_server(("", 0)) as door:
            door.settimeout(timeout_s)
            mine = door.getsockname()[1]
            addresses = self._gather(leader, mine) if rank == 0 else self._call(leader, mine)
            self._after = self._reach(addresses[(rank + 1) % world])
            try:
                self._before, _ = door.accept()
            except TimeoutError:
                raise Lost(f"process {self._left} must call within {timeout_s:g} s") from None
        for one in (self._before, self._after):
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a step waits for every last byte

    @property
    def _left(self) -> int:
        return (self.rank - 1) % self.world

    def _gather(self, leader: Address, mine: int) -> list[Address]:
        """Process 0: wait until all others have called, and tell them where each of them listens."""
        calls: dict[int, tuple[socket.socket, Address]] = {}
        with socket.create_server(("", leader[1])) as door:
            while len(calls) < self.world - 1:
                door.settimeout(max(0.01, self._end_s - time.monotonic()))
                try:
                    call, (host, _) = door.accept()
                    call.settimeout(5.0)
                    rank, port = json.loads(call.makefile().readline())
                except TimeoutError:
                    missing = sorted(set(range(1, self.world)) - set(calls))
                    raise Lost(f"processes {missing} must call within {self.timeout_s:g} s") from None
                except (OSError, ValueError):
                    continue  # not one of us, or gone again
                calls[rank] = (call, (host, port))  # one that was started again calls twice
            own = calls[1][0].getsockname()[0]
            addresses = [(own, mine), *(calls[rank][1] for rank in range(1, self.world))]
            for call, _ in calls.values():
                try:
                    call.sendall(json.dumps(addresses).encode() + b"\n")
                except OSError:
                    pass  # its neighbours will miss it
                call.close()
        return addresses

    def _call(self, leader: Address, mine: int) -> list[Address]:
        """The others: tell process 0 where this one listens, and wait for all addresses."""
        while True:
            with self._reach(leader) as call:
                call.settimeout(self.timeout_s)
                try:
                    call.sendall(json.dumps([self.rank, mine]).encode() + b"\n")
                    return [(host, port) for host, port in json.loads(call.makefile().readline())]
                except (OSError, ValueError):
                    if time.monotonic() > self._end_s:
                        raise Lost("process 0 must answer") from None
            time.sleep(0.2)

    def _reach(self, address: Address) -> socket.socket:
        """Connect to another one, which may not be up yet; neither may its name."""
        while True:
            try:
                return socket.create_connection(address, timeout=5.0)
            except OSError as error:
                if time.monotonic() > self._end_s:
                    raise Lost(f"{address[0]}:{address[1]} must be reached, got: {error}") from None
            time.sleep(0.2)

    def sum(self, values: array[float]) -> None:
        """Replace the values by their sums over all processes, the same in each to the last bit."""
        bounds = [len(values) * i // self.world for i in range(self.world + 1)]
        part = [slice(*pair) for pair in zip(bounds, bounds[1:], strict=False)]
        for step in range(self.world - 1):  # afterwards one part is whole here: the one of rank + 1
            out, into = part[(self.rank - step) % self.world], part[(self.rank - step - 1) % self.world]
            came = self._exchange(values[out], len(values[into]))
            values[into] = array("d", map(float.__add__, values[into], came))
        for step in range(self.world - 1):
            out, into = part[(self.rank + 1 - step) % self.world], part[(self.rank - step) % self.world]
            values[into] = self._exchange(values[out], len(values[into]))

    def spread(self, content: bytes) -> bytes:
        """Process 0's content, in all processes."""
        if self.world == 1:
            return content
        if self.rank == 0:
            self._move(struct.pack("<q", len(content)) + content, 0)
            return content
        head = self._move(b"", 8)
        content = self._move(b"", struct.unpack("<q", head)[0])
        if self.rank < self.world - 1:
            self._move(head + content, 0)
        return content

    def _exchange(self, out: array[float], count: int) -> array[float]:
        came = array("d")
        came.frombytes(self._move(out.tobytes(), 8 * count))
        return came

    def _move(self, out: bytes, size: int) -> bytes:
        """Send to the process after this one while receiving from the one before."""
        left, came = memoryview(out), bytearray()
        while left or len(came) < size:
            reading = [self._before] if len(came) < size else []
            readable, writable, _ = select.select(reading, [self._after] if left else [], [], self.timeout_s)
            if not readable and not writable:
                raise Lost(f"a neighbour must answer within {self.timeout_s:g} s")
            try:
                if writable:
                    left = left[self._after.send(left) :]
                if readable:
                    part = self._before.recv(size - len(came))
                    if not part:
                        raise Lost(f"process {self._left} closed the connection")
                    came += part
            except OSError as error:
                raise Lost(f"process {self._left} or {(self.rank + 1) % self.world}: {error}") from None
        return bytes(came)


class Model:
    """Scores of the next letter from the last two."""

    def __init__(self) -> None:
        text = "".join(topics.topics[name] for name in sorted(topics.topics)).lower()
        known = {letter: i for i, letter in enumerate(LETTERS)}
        self.text = [known.get(letter, known[" "]) for letter in text]
        self.weights = array("d", bytes(8 * 2 * SIZE * SIZE))
        self.step = 0

    def gradient(self, positions: Sequence[int]) -> tuple[array[float], float]:
        """Sum over positions of the gradient of the loss, and of the loss."""
        sums, loss = array("d", bytes(8 * len(self.weights))), 0.0
        for at in positions:
            last, before, right = self.text[at - 1], self.text[at - 2], self.text[at]
            i, j = last * SIZE, (SIZE + before) * SIZE
            near, far = self.weights[i : i + SIZE], self.weights[j : j + SIZE]
            parts = [math.exp(a + b) for a, b in zip(near, far, strict=True)]
            whole = sum(parts)
            loss -= math.log(parts[right] / whole)
            for k, part in enumerate(parts):
                slope = part / whole - (k == right)
                sums[i + k] += slope
                sums[j + k] += slope
        return sums, loss

    def document(self) -> bytes:
        """What a checkpoint holds."""
        return json.dumps({"step": self.step, "weights": list(self.weights)}).encode()

    def take(self, document: bytes) -> None:
        """Go on from a checkpoint."""
        state = json.loads(document)
        self.step, self.weights = state["step"], array("d", state["weights"])


def train(ring: Ring, model: Model, options: argparse.Namespace, stop: list[int]) -> int:
    """Train to the last step; returns the exit code."""
    begin_s, first = time.monotonic(), model.step
    while model.step < options.steps:
        # the positions of a step depend on nothing but its number: resumed, the run is the same run
        among = range(2, len(model.text))
        positions = random.Random(model.step).sample(among, options.batch)
        sums, loss = model.gradient(positions[ring.rank :: ring.world])
        together = sums + array("d", (loss, float(bool(stop))))
        if ring.world > 1:
            ring.sum(together)
        rate = options.rate / options.batch
        for i in range(len(model.weights)):
            model.weights[i] -= rate * together[i]
        model.step += 1
        stopped = together[-1] > 0
        if ring.rank == 0 and (stopped or model.step == options.steps or not model.step % options.save_every):
            save(options.checkpoint, model.document())
            speed = (model.step - first) * options.batch / (time.monotonic() - begin_s)
            print(
                f"step {model.step} of {options.steps}: loss {together[-2] / options.batch:.4f}, "
                f"{speed:.0f} letters/s",
                flush=True,
            )
        if stopped:
            print(f"process {ring.rank}: stopped after step {model.step}", flush=True)
            return STOPPED
    ring.spread(b"")  # nobody is done before the last checkpoint is written
    print(f"process {ring.rank}: done", flush=True)
    return 0


def save(path: Path, content: bytes) -> None:
    """Write a checkpoint: beside the old one, then in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def place() -> tuple[int, int, Address]:
    """This process's number, how many there are, and where process 0 is met.

    Tonnage sets these variables, and an Indexed Job its own; without them there is one process.
    """
    variables = os.environ
    rank = int(variables.get("TONNAGE_WORKER_INDEX") or variables.get("JOB_COMPLETION_INDEX") or 0)
    leader = variables.get("TONNAGE_LEADER", "127.0.0.1"), int(variables.get("TONNAGE_PORT", "29500"))
    return rank, int(variables.get("TONNAGE_WORKERS", "1")), leader


def start_here(count: int) -> int:
    """Start processes on this machine; returns the worst exit code."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    told = {"TONNAGE_WORKERS": str(count), "TONNAGE_LEADER": "127.0.0.1", "TONNAGE_PORT": str(port)}
    words = [sys.executable, __file__, *sys.argv[1:], "--local=0"]
    variables = [{**os.environ, **told, "TONNAGE_WORKER_INDEX": str(rank)} for rank in range(count)]
    children = [subprocess.Popen(words, env=one) for one in variables]
    signal.signal(signal.SIGTERM, lambda *_: [child.terminate() for child in children])
    signal.signal(signal.SIGINT, lambda *_: None)  # the children have it too
    return max(abs(child.wait()) for child in children)


def main() -> int:
    """Train, or start those that do; returns the exit code."""
    options = arguments()
    if options.local > 1:
        return start_here(options.local)
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: stop.append(got))
    rank, world, leader = place()
    model = Model()
    try:
        ring = Ring(rank, world, leader, options.timeout)
        print(f"process {rank} of {world} on {socket.gethostname()}", flush=True)
        saved = options.checkpoint.read_bytes() if rank == 0 and options.checkpoint.exists() else b""
        saved = ring.spread(saved)
        if saved:
            model.take(saved)
        if rank == 0:
            print(f"resumes after step {model.step}" if saved else "starts anew", flush=True)
        return train(ring, model, options, stop)
    except Lost as lost:
        print(f"process {rank}: {lost}", flush=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
