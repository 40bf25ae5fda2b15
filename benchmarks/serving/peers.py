"""Who takes part: how each peer is started, addressed, and the settings it was tried with.

The settings were chosen to make each peer fast, not to make Tonnage look well; the report shows each peer's
best.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SERVERS = Path(__file__).parent / "servers"


@dataclass(frozen=True, slots=True)
class Variant:
    """One setting of a peer.

    Attributes:
        name: What the setting is, as the report shows it.
        models: Workloads it is tried with.
        batch_size_max: Largest batch; 1 turns batching off.
        workers: Model workers (processes or replicas).
        env: Further environment variables.
    """

    name: str
    models: frozenset[str]
    batch_size_max: int = 1
    workers: int = 1
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """How to start and address one server.

    Attributes:
        name: Short name; names its requirements file.
        package: Distribution whose version is the peer's version.
        command: Program (inside the peer's environment) and arguments; ``{port}``, ``{folder}``, ``{path}``
            are filled.
        ready_path: Answers 200 when the server is ready.
        infer_path: Takes the questions; ``{model}`` is filled.
        style: Body format, see ``payloads.body``.
        variants: Settings to try.
        env: Environment variables for all variants.
        python: Interpreter for the peer's environment, where the benchmark's own will not do.
        batcher: Who forms batches, in a few words.
    """

    name: str
    package: str
    command: tuple[str, ...]
    ready_path: str
    infer_path: str
    style: str
    variants: tuple[Variant, ...]
    batcher: str
    env: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable


CHEAP = frozenset({"tiny"})
COSTLY = frozenset({"magika", "minilm", "wide"})
MAGIKA = frozenset({"magika"})
ALL = CHEAP | COSTLY


def _batch_variants(**env: str) -> tuple[Variant, ...]:
    return (
        Variant("batch 32", ALL, 32, env=env),
        Variant("batch 4", MAGIKA, 4, env=env),
        Variant("no batching", ALL, 1, env=env),
    )


ORJSON = {"BENCH_CODEC": "orjson"}
MOSEC_VARIANTS = (
    Variant("json, batch 32", CHEAP, 32),
    Variant("orjson, batch 32", ALL, 32, env=ORJSON),
    Variant("orjson, batch 64", CHEAP, 64, env=ORJSON),
    Variant("orjson, batch 4", MAGIKA, 4, env=ORJSON),
    Variant("orjson, no batching", ALL, 1, env=ORJSON),
    Variant("json, batch 32, 2 workers", CHEAP, 32, 2),
    Variant("orjson, batch 32, 2 workers", frozenset({"tiny", "wide"}), 32, 2, env=ORJSON),
    Variant("orjson, no batching, 2 workers", MAGIKA, 1, 2, env=ORJSON),
)

TABLE: tuple[Peer, ...] = (
    Peer(
        "tonnage",
        "tonnage",
        ("python", "-m", "tonnage", "serve", "{path}", "--port", "{port}", "--workers", "1"),
        "/health",
        "/v2/models/{model}/infer",
        "oip",
        (Variant("as shipped", ALL, 0),),
        "Python, in the event loop",
    ),
    Peer(
        "mosec",
        "mosec",
        ("python", "mosec_server.py", "--address", "127.0.0.1", "--port", "{port}", "--log-level", "warning"),
        "/",
        "/inference",
        "data",
        MOSEC_VARIANTS,
        "native",
    ),
    Peer(
        "fastapi",
        "fastapi",
        ("python", "fastapi_server.py"),
        "/health",
        "/predict",
        "data",
        (Variant("pydantic", ALL), Variant("orjson, no response model", ALL, env=ORJSON)),
        "none",
    ),
    Peer(
        "pytriton",
        "nvidia-pytriton",
        ("python", "pytriton_server.py"),
        "/v2/models/{model}/ready",
        "/v2/models/{model}/infer",
        "oip",
        _batch_variants(),
        "native",
        python="/usr/bin/python3.11",
    ),
    Peer(
        "mlserver",
        "mlserver",
        ("mlserver", "start", "{folder}"),
        "/v2/models/{model}/ready",
        "/v2/models/{model}/infer",
        "oip",
        _batch_variants(),
        "Python",
    ),
    Peer(
        "kserve",
        "kserve",
        ("python", "kserve_server.py"),
        "/v2/models/{model}/ready",
        "/v2/models/{model}/infer",
        "oip",
        (Variant("as shipped", ALL),),
        "none",
    ),
    Peer(
        "litserve",
        "litserve",
        ("python", "litserve_server.py"),
        "/health",
        "/predict",
        "data",
        (*_batch_variants(), Variant("batch 32, fast queue", CHEAP, 32, env={"BENCH_FAST_QUEUE": "1"})),
        "Python",
    ),
    Peer(
        "bentoml",
        "bentoml",
        ("bentoml", "serve", "bentoml_server:Predictor", "--host", "127.0.0.1", "--port", "{port}"),
        "/readyz",
        "/predict",
        "x",
        _batch_variants(),
        "Python",
        env={"BENTOML_DO_NOT_TRACK": "True"},
    ),
    Peer(
        "ray",
        "ray",
        ("python", "ray_server.py"),
        "/-/healthz",
        "/predict",
        "data",
        (
            *_batch_variants(),
            Variant("batch 32, throughput optimised", CHEAP, 32, env={"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}),
        ),
        "Python",
        env={"RAY_USAGE_STATS_ENABLED": "0"},
    ),
)
"""All servers: Tonnage first, then its peers from fast to slow."""


def select(names: str) -> tuple[Peer, ...]:
    """The peers named in a comma-separated list; ``all`` is everybody.

    Raises:
        SystemExit: A name is not in the table.
    """
    if names == "all":
        return TABLE
    known = {peer.name: peer for peer in TABLE}
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise SystemExit(f"peers: must be among {', '.join(known)}, got {', '.join(unknown)}")
    return tuple(known[name] for name in names.split(","))


def cells(peers: tuple[Peer, ...], model: str, variants: str) -> Iterator[tuple[Peer, Variant]]:
    """Every peer with every setting to try on a model; ``variants`` keeps those whose name holds it."""
    for peer in peers:
        for variant in peer.variants:
            if model in variant.models and variants in variant.name:
                yield peer, variant


def write_mlserver_settings(folder: Path, model: str, port: int, variant: Variant) -> None:
    """Writes MLServer's two files of settings: the server's and the model's, where batching is set."""
    server = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 1,
        "metrics_port": port + 2,
        "parallel_workers": 0,  # the model in the server's own process: faster than a hop per request
        "debug": False,
    }
    runtime: dict[str, object] = {"name": model, "implementation": "mlserver_server.Runtime"}
    if variant.batch_size_max > 1:
        runtime |= {"max_batch_size": variant.batch_size_max, "max_batch_time": 0.001}
    (folder / "settings.json").write_text(json.dumps(server))
    (folder / "model-settings.json").write_text(json.dumps(runtime))
