"""``tonnage up``: a service from its document on this machine, with a live view."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
import time
from collections import deque
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.live import Live

from tonnage.errors import SpecError
from tonnage.local.probes import Kind, ProbeSettings
from tonnage.local.service import LocalService
from tonnage.local.source import Source, read_source
from tonnage.local.view import render
from tonnage.spec.placement import STARTUP_FAILURES_WITHOUT_PROFILE
from tonnage.spec.usage import unused_fields
from tonnage.units import UnitError, parse_duration

REQUEST_BYTES_SHOWN = 400


@click.command(short_help="Run a service from its document on this machine, with a live view.")
@click.argument("source", metavar="SPEC")
@click.option("--replicas", type=click.IntRange(1, 256), help="How many.  [default: spec.replicas]")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of HTTP.  [default: spec.server.port]")
@click.option("--backoff", default="10s", show_default=True, help="Base of the restart back-off.")
@click.option("--json", "as_json", is_flag=True, help="Print events as JSON lines instead of the view.")
def up(source: str, replicas: int | None, host: str, port: int | None, backoff: str, as_json: bool) -> None:
    """Run the service of SPEC on this machine: replicas as processes, probed and restarted.

    Ctrl-C drains; a second one kills.
    """
    read = read_source(source, host=host)
    try:
        backoff_s = parse_duration(backoff).seconds
    except UnitError as error:
        raise SpecError(f"--backoff: {error}, got {backoff}") from None
    if port is not None:
        http = msgspec.structs.replace(read.config.http[0], port=port)
        read = Source(msgspec.structs.replace(read.config, http=(http,)), read.service)
    if read.config.workers is None:  # replicas are what is scaled here
        read = Source(msgspec.structs.replace(read.config, workers=1), read.service)
    count = replicas or (read.service.spec.replicas if read.service else 1)
    sys.exit(asyncio.run(_Up(read, backoff_s, as_json).run(count)))


class _Up:
    """One run of the command."""

    def __init__(self, read: Source, backoff_s: float, as_json: bool) -> None:
        self._read = read
        self._as_json = as_json
        self._console = Console()
        self._live = self._console.is_terminal and not as_json
        self._events: deque[str] = deque(maxlen=100)
        self._stop = asyncio.Event()
        self._signals = 0
        self._service = LocalService(
            config=read.config, probes=probe_settings(read), backoff_s=backoff_s, event=self._event
        )

    async def run(self, replicas: int) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal)
        self._introduce()
        self._service.scale(replicas)
        title = f"{self._read.config.model.name}   http://127.0.0.1:{self._service.port}   Ctrl-C drains"
        if self._live:
            with Live(console=self._console, auto_refresh=False) as live:
                while not self._stop.is_set():
                    live.update(render(self._service, title, self._events), refresh=True)
                    await self._pause(0.5)
        else:
            await self._stop.wait()
        self._event(None, "draining")
        clean = await self._service.stop()
        self._event(None, "stopped")
        return 0 if clean else 3

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            pass

    def _on_signal(self) -> None:
        self._signals += 1
        self._stop.set()
        if self._signals > 1:
            self._service.kill()

    def _introduce(self) -> None:
        """Say what is not used here, and a request to try."""
        if self._as_json:
            self._event(None, f"serving on port {self._service.port}")
            return
        unused = unused_fields(self._read.service, "up") if self._read.service else ()
        if unused:
            self._console.print(f"not used by up: {', '.join(unused)}", style="dim", highlight=False)
        self._console.print("try, once a replica is ready:", style="bold")
        click.echo("  " + example_request(self._read, self._service.port) + "\n")

    def _event(self, replica: int | None, text: str) -> None:
        if self._as_json:
            click.echo(json.dumps({"replica": replica, "event": text, "time": round(time.time(), 3)}))
            return
        line = f"{time.strftime('%H:%M:%S')} {'service' if replica is None else f'replica {replica}'}: {text}"
        self._events.append(line)
        if not self._live:
            click.echo(line)


def probe_settings(read: Source) -> dict[Kind, ProbeSettings]:
    """The document's probes; a bare model has none but readiness."""
    if read.service is None:
        return {Kind.READINESS: ProbeSettings("/health", 0.0, 1.0, 2.0, 3)}
    probes = read.service.spec.probes
    settings = {}
    for kind, probe in (
        (Kind.STARTUP, probes.startup),
        (Kind.READINESS, probes.readiness),
        (Kind.LIVENESS, probes.liveness),
    ):
        if probe is not None:
            settings[kind] = ProbeSettings(
                path=probe.path,
                initial_delay_s=probe.initial_delay.seconds,
                period_s=probe.period.seconds,
                timeout_s=probe.timeout.seconds,
                failure_threshold=probe.failure_threshold or STARTUP_FAILURES_WITHOUT_PROFILE,
                success_threshold=getattr(probe, "success_threshold", 1),
            )
    return settings


def example_request(read: Source, port: int) -> str:
    """A request to try, as a shell command."""
    model = read.config.model
    url = f"http://127.0.0.1:{port}/v2/models/{model.name}"
    if model.warmup_inputs is None:
        return f"curl {url}"
    body: Any = json.dumps({"inputs": model.warmup_inputs})
    if len(body) > REQUEST_BYTES_SHOWN:
        return f"curl {url}   # its warm-up sample is too long to show here"
    return f"curl {url}/infer -d {shlex.quote(body)}"
