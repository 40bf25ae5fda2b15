"""Handwritten digits, learned by several processes together: DistributedDataParallel under torchrun.

    python train.py --checkpoint /tmp/digits.pt                       one process
    torchrun --nproc-per-node 2 train.py --checkpoint /tmp/digits.pt  two, on this machine

The images are the 1797 that scikit-learn ships. A checkpoint holds all that the next step depends on:
weights, optimizer, how far the epoch is, and every process's random numbers. So a run that was cut off and
resumed with as many processes ends with the same weights, bit for bit, as one that was not; with more or
fewer it goes on from the same weights. Process 0 alone reads and writes the file, which is replaced as a
whole or not at all.

SIGTERM to any process ends all of them after the step they are in: the checkpoint is written, and the exit
code is 143, so that whoever started them knows that the training is not done.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import os
import signal
import socket
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

STOPPED = 128 + signal.SIGTERM
FOLDER = "TONNAGE_CHECKPOINT_DIR"
TEST_ITEMS = 297


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Learns handwritten digits.")
    folder = os.environ.get(FOLDER)
    parser.add_argument(
        "--checkpoint",
        type=Path,
        default=Path(folder, "digits.pt") if folder else None,
        required=folder is None,
        help=f"file to resume from and to save in (digits.pt in ${FOLDER}, where that is set)",
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32, help="items per process and step")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait for the other processes")
    return parser.parse_args()


def join(timeout_s: float) -> torch.device:
    """Meet the processes that torchrun started, and choose the device: one GPU a process, or the CPU."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available():
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")
        torch.set_num_threads(1)  # images of 8x8 are too little work to be shared by threads
    backend = "nccl" if device.type == "cuda" else "gloo"
    timeout = dt.timedelta(seconds=timeout_s)
    if "RANK" in os.environ:
        dist.init_process_group(backend, timeout=timeout)
    else:
        dist.init_process_group(backend, timeout=timeout, store=dist.HashStore(), rank=0, world_size=1)
    return device


class Digits(nn.Module):
    """8x8 images to the scores of ten digits."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.25),
            nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores of a batch."""
        return self.layers(images)


class Training:
    """One process's part of a training."""

    def __init__(self, options: argparse.Namespace, device: torch.device) -> None:
        self.options, self.device = options, device
        self.rank, self.world = dist.get_rank(), dist.get_world_size()
        self.stop = False
        signal.signal(signal.SIGTERM, self._on_signal)
        images, digits = load_digits(return_X_y=True)
        mixed = torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))
        self.images = torch.tensor(images, dtype=torch.float32)[mixed].view(-1, 1, 8, 8).to(device) / 16
        self.digits = torch.tensor(digits)[mixed].to(device)
        train = len(digits) - TEST_ITEMS
        self.sampler = DistributedSampler(range(train), seed=options.seed)  # type: ignore[arg-type]
        torch.manual_seed(options.seed)
        self.net = DistributedDataParallel(Digits().to(device))
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=options.rate)
        self.epoch, self.seen, self.loss_sum = 0, 0, 0.0  # of this epoch: items seen by all, sum of losses
        torch.manual_seed(options.seed + self.rank)  # from here on each process drops out in its own way

    def _on_signal(self, *_: object) -> None:
        self.stop = True

    def run(self) -> int:
        """Train from the checkpoint, or from the beginning, to the last epoch; returns the exit code."""
        resumed = self.load()
        print(f"process {self.rank} of {self.world} on {socket.gethostname()}, {self.device}", flush=True)
        self.say(f"resumes in epoch {self.epoch + 1}" if resumed else "starts anew")
        while self.epoch < self.options.epochs:
            begin_s, before = time.monotonic(), self.seen
            if not self.train_epoch():
                self.save()
                self.say(f"stopped in epoch {self.epoch + 1}, checkpoint saved")
                return STOPPED
            rate = (self.seen - before) / (time.monotonic() - begin_s)
            loss = self.loss_sum / self.seen
            self.epoch, self.seen, self.loss_sum = self.epoch + 1, 0, 0.0
            self.save()
            self.say(
                f"epoch {self.epoch} of {self.options.epochs}: loss {loss:.4f}, "
                f"accuracy {self.accuracy():.3f}, {rate:.0f} items/s"
            )
        self.say("done")
        return 0

    def train_epoch(self) -> bool:
        """The rest of the epoch; False when a process was told to stop."""
        self.sampler.set_epoch(self.epoch)
        batches = torch.tensor(list(self.sampler)).split(self.options.batch)
        self.net.train()
        for batch in batches[self.seen // (self.options.batch * self.world) :]:
            loss = nn.functional.cross_entropy(self.net(self.images[batch]), self.digits[batch])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            # all processes learn together whether one of them was told to stop, so that they stop at one step
            told = torch.tensor([loss.item() * len(batch), len(batch), self.stop], device=self.device)
            dist.all_reduce(told)
            self.loss_sum += told[0].item()
            self.seen += int(told[1].item())
            if told[2].item():
                return False
        return True

    def accuracy(self) -> float:
        """Share of the images kept for the test that are named right."""
        self.net.eval()
        with torch.inference_mode():
            scores = self.net.module(self.images[-TEST_ITEMS:])
        return float((scores.argmax(1) == self.digits[-TEST_ITEMS:]).float().mean())

    def save(self) -> None:
        """Write the checkpoint; no process goes on before it is there."""
        random: list[torch.Tensor | None] = [None] * self.world
        dist.all_gather_object(random, self._random())
        if self.rank == 0:
            self._write(random)
        dist.barrier()

    def _write(self, random: list[torch.Tensor | None]) -> None:
        """Write the file: beside the old one, then in its place."""
        state = {
            "model": self.net.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "seen": self.seen,
            "loss_sum": self.loss_sum,
            "random": random,
        }
        path = self.options.checkpoint
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.unfinished")
        with unfinished.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def load(self) -> bool:
        """Take over the checkpoint, if there is one; process 0 reads it and sends it to the others."""
        path = self.options.checkpoint
        content = [path.read_bytes() if self.rank == 0 and path.exists() else None]
        dist.broadcast_object_list(content, device=self.device)
        if content[0] is None:
            return False
        state = torch.load(io.BytesIO(content[0]), map_location="cpu", weights_only=True)
        self.net.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.seen, self.loss_sum = state["epoch"], state["seen"], state["loss_sum"]
        if len(state["random"]) == self.world:
            self._random(state["random"][self.rank])
        else:  # as many random streams as there are processes now, none of them used before
            torch.manual_seed(hash((self.options.seed, self.world, self.epoch, self.seen, self.rank)))
        return True

    def _random(self, state: torch.Tensor | None = None) -> torch.Tensor:
        """The state of the random numbers that this process uses next; sets it if one is given."""
        cuda = self.device.type == "cuda"
        if state is not None:
            torch.cuda.set_rng_state(state, self.device) if cuda else torch.set_rng_state(state)
        return torch.cuda.get_rng_state(self.device) if cuda else torch.get_rng_state()

    def say(self, text: str) -> None:
        """Log a line, once for all processes."""
        if self.rank == 0:
            print(text, flush=True)


def main() -> int:
    """Train; returns the exit code."""
    options = arguments()
    device = join(options.timeout)
    try:
        return Training(options, device).run()
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
