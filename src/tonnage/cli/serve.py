"""``tonnage serve``: the model server, from a document or a bare model.

A bare model needs nothing that the server does not, so this process becomes its server at once. What
reads a document is large, and has no place in a server: there the process is replaced.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

import click
import msgspec

from tonnage.contract.server_config import ListenConfig, ServerConfig
from tonnage.errors import Problem, SpecError
from tonnage.units import UnitError, parse_duration


class _GrpcPort(click.ParamType[Any]):
    """A port, or ``none``."""

    name = "port|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it; None stays for not given."""
        if value == "none":
            return "none"
        return click.IntRange(0, 65535).convert(value, param, ctx)


@click.command(short_help="Serve a model on this machine.")
@click.argument("source", metavar="SPEC|MODEL")
@click.option("--host", default="0.0.0.0", show_default=True, help="Address to listen on.")  # noqa: S104
@click.option("--port", type=click.IntRange(0, 65535), help="Port of HTTP; 0 lets the kernel choose.")
@click.option("--grpc-port", type=_GrpcPort(), help="Port of gRPC, or none.")
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Processes that share the ports.  [default: the CPU limit]",
)
@click.option("--name", help="Name in /v2/models/NAME.")
@click.option("--size-max", type=click.IntRange(1), help="Items in one batch at most.")
@click.option(
    "--gather-max",
    type=click.IntRange(1),
    help="Waiting items gathered into one batch at most.  [default: measured at warm-up]",
)
@click.option("--wait-max", help="How long the oldest request may wait for company, such as 2ms.")
@click.option("--deadline", help="Time to answer when the caller names none, such as 100ms.")
@click.option("--lame-duck", help="How long requests are served after readiness fails.")
@click.option("--execution", type=click.Choice(["auto", "inline", "thread"]), help="Where the model runs.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Form of the log lines.")
@click.option("--print-config", is_flag=True, help="Print the server's settings as JSON and do not serve.")
def serve(source: str, host: str, print_config: bool, **options: Any) -> None:
    """Serve the model of a document, a model file, or a Python class given as module:Class.

    A bare file is served under its stem: tiny.onnx as /v2/models/tiny. GET /health says when it is ready.
    """
    from tonnage.local.source import read_source

    read = read_source(source, host=host, stdin=sys.stdin.read() if source == "-" else None)
    config = with_options(read.config, **options)
    if print_config:
        click.echo(msgspec.json.format(msgspec.json.encode(config), indent=2).decode())
        return
    if read.service is not None:
        become_server(config)
    from tonnage.server.launch import run_server

    sys.exit(run_server(config))


def with_options(config: ServerConfig, **options: Any) -> ServerConfig:
    """The settings, with what the command line says put over them.

    Raises:
        SpecError: A duration is none; all of them are named.
    """
    replace = msgspec.structs.replace
    model, batching = config.model, config.batching
    http, grpc = config.http[0], config.grpc
    seconds = _durations(options)
    if options["name"] is not None:
        model = replace(model, name=options["name"])
    if options["size_max"] is not None:
        batching = replace(batching, size_max=options["size_max"])
    if options["gather_max"] is not None:
        batching = replace(batching, gather_max=options["gather_max"])
    if "wait_max" in seconds:
        batching = replace(batching, wait_s_max=seconds["wait_max"])
    if options["port"] is not None:
        http = replace(http, port=options["port"])
    if options["grpc_port"] is not None:
        port = options["grpc_port"]
        grpc = None if port == "none" else ListenConfig(host=http.host, port=port)
    return replace(
        config,
        model=model,
        batching=batching,
        http=(http,),
        grpc=grpc,
        workers=options["workers"] or config.workers,
        deadline_s_default=seconds.get("deadline", config.deadline_s_default),
        lame_duck_s=seconds.get("lame_duck", config.lame_duck_s),
        execution=options["execution"] or config.execution,
        log_format=options["log_format"] or config.log_format,
    )


def _durations(options: dict[str, Any]) -> dict[str, float]:
    seconds = {}
    problems = []
    for name in ("wait_max", "deadline", "lame_duck"):
        if options[name] is None:
            continue
        try:
            seconds[name] = parse_duration(options[name]).seconds
        except UnitError as error:
            problems.append(
                Problem(f"--{name.replace('_', '-')}", f"{error}, got {options[name]}", hint=error.hint)
            )
    if problems:
        raise SpecError(problems)
    return seconds


def become_server(config: ServerConfig) -> NoReturn:
    """Replace this process by the server: what reading documents needed takes no memory there."""
    fd = os.memfd_create("tonnage-config")
    os.write(fd, msgspec.json.encode(config))
    os.set_inheritable(fd, True)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "tonnage.server", "--config", f"/dev/fd/{fd}"])  # noqa: S606
