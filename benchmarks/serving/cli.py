"""Command line of the serving benchmark."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.serving import bare, closed, efficiency, environments, openloop, peers, report, soak, startup
from benchmarks.serving.harness import Bench, stored

HERE = Path(__file__).parent


def _common() -> argparse.ArgumentParser:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tonnage" / "peers"
    common = argparse.ArgumentParser(add_help=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    common.add_argument("--peers", default="all", help="comma-separated names, or all")
    common.add_argument("--models", default="tiny,magika", help="comma-separated: tiny, magika, wide")
    common.add_argument("--variants", default="", help="only settings whose name holds this text")
    common.add_argument("--cache", type=Path, default=cache, help="folder for environments and models")
    common.add_argument("--results", type=Path, default=HERE / "results", help="folder for results")
    common.add_argument("--lock", type=Path, help="file to lock while measuring")
    common.add_argument("--server-core", type=int, default=0, help="core of the server")
    common.add_argument("--load-core", type=int, default=1, help="core of the load")
    common.add_argument("--nice", type=int, default=0, help="niceness of server and load")
    common.add_argument("--connections", type=int, default=64, help="connections of the closed loop")
    common.add_argument("--duration", type=int, default=10, help="seconds of one timed run")
    common.add_argument("--runs", type=int, default=3, help="rounds")
    return common


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    commands = root.add_subparsers(dest="command", required=True)

    def add(name: str, says: str, **defaults: object) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[_common()], help=says)
        command.set_defaults(**defaults)
        return command

    add("prepare", "make the peers' environments and the models")
    add("scan", "closed loop, every setting of every peer once and briefly", runs=1, duration=5)
    every = add("closed", "closed loop: requests per second; each peer with its fastest setting of the scan")
    every.add_argument(
        "--every-setting", action="store_true", help="not only the fastest setting of the scan"
    )
    add("bare", "items per second of ONNX Runtime without any server", models="tiny,magika,wide")
    add("efficiency", "throughput against the bare loop", peers="tonnage", models="magika,wide")
    fixed = add("open", "open loop at a fixed rate", peers="tonnage", models="tiny")
    fixed.add_argument("--rate", type=float, default=10_000, help="requests per second")
    fixed.add_argument("--open-connections", type=int, default=128, help="keep-alive connections")
    above = add("overload", "open loop at several times the capacity", peers="tonnage", models="wide")
    above.add_argument("--factor", type=float, default=3.0, help="times the peak of the closed loop")
    above.add_argument("--deadline", type=float, default=0.1, help="seconds that a client waits")
    above.add_argument("--open-connections", type=int, default=512, help="keep-alive connections")
    add("startup", "time to the first answer, and memory when idle", models="tiny")
    long = add("soak", "memory over a long run", peers="tonnage", models="tiny")
    long.add_argument("--requests", type=int, default=10_000_000, help="requests to be answered")
    add("report", "print the stored results as Markdown")
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when all went well."""
    args = parser().parse_args(argv)
    # However the benchmark is ended, its servers must be stopped; background jobs ignore SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(
        cache=args.cache,
        results=args.results,
        lock=args.lock,
        server_core=args.server_core,
        load_core=args.load_core,
        nice=args.nice,
        connections=args.connections,
        duration_s=args.duration,
        runs=args.runs,
        scan=args.command == "scan",
    )
    return _dispatch(args, bench)


def _dispatch(args: argparse.Namespace, bench: Bench) -> int:
    chosen, models = peers.select(args.peers), args.models.split(",")
    match args.command:
        case "prepare":
            for peer in chosen:
                print(peer.name, bench.version(peer), environments.versions(bench.bin_folder(peer))["python"])
            for model in models:
                print(bench.workload(model).path)
        case "scan":
            return 0 if closed.run(bench, chosen, models, args.variants, scanned=None) else 1
        case "closed":
            scanned = None if args.every_setting else stored(bench, "scan")
            return 0 if closed.run(bench, chosen, models, args.variants, scanned=scanned) else 1
        case "bare":
            bare.run(bench, models)
        case "efficiency":
            efficiency.run(bench, chosen, models, args.variants)
        case "open":
            openloop.at_rate(
                bench, chosen, models, args.variants, rate=args.rate, connections=args.open_connections
            )
        case "overload":
            openloop.overload(
                bench,
                chosen,
                models,
                args.variants,
                factor=args.factor,
                deadline_s=args.deadline,
                connections=args.open_connections,
            )
        case "startup":
            return 0 if startup.run(bench, chosen, models) else 1
        case "soak":
            soak.run(bench, chosen, models, requests=args.requests)
        case "report":
            print(report.markdown(bench.results))
    return 0
