"""``tonnage train logs``: what all workers of a training write, as one stream."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from tonnage.cli.parsed import Parsed
from tonnage.cli.train_options import INTERRUPTED, NAME, cluster_options, note, run_with, where_of
from tonnage.cluster.api import Api
from tonnage.cluster.lines import LogLine, Unseen, full_time
from tonnage.cluster.logs import LogPart
from tonnage.cluster.training.joblogs import Wanted, follow_logs, read_logs, sources_of
from tonnage.cluster.training.state import JobState, LiveState, read_state
from tonnage.cluster.training.workers import worker_of
from tonnage.errors import EnvironmentFault, Problem, SpecError
from tonnage.units import Duration, parse_duration

_COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green")


@click.command("logs", short_help="Show what all workers write.")
@click.argument("name", metavar="NAME", type=NAME)
@click.option("-f", "--follow", is_flag=True, help="Go on until it has ended, through restarts and new pods.")
@click.option(
    "--worker", "workers", multiple=True, metavar="WORKER", help="Such as worker-0, or 0; may be repeated."
)
@click.option("-p", "--previous", is_flag=True, help="Of the run before the present one.")
@click.option("--tail", type=click.IntRange(min=0), help="Lines of each worker at most.  [default: all]")
@click.option("--since", type=Parsed("duration", parse_duration), help="Only what is younger, such as 10m.")
@click.option("--timestamps", is_flag=True, help="Each line with its time.")
@click.option("--prefix/--no-prefix", default=True, help="Each line with its worker.  [default: prefix]")
@cluster_options
def logs_command(
    name: str,
    follow: bool,
    workers: tuple[str, ...],
    previous: bool,
    tail: int | None,
    since: Duration | None,
    timestamps: bool,
    prefix: bool,
    **values: Any,
) -> None:
    """Show what the workers of the training NAME have written, in order of time; --follow goes on."""
    if follow and previous:
        raise SpecError([Problem("--previous", "must not be given with --follow: that run is over")])
    where = where_of(values)
    part = LogPart(tail, round(since.seconds) if since is not None else None, previous)

    async def work(api: Api) -> None:
        offered = await api.offered()
        namespace = api.target.namespace
        state = await read_state(api, offered, name, namespace=namespace)
        wanted = Wanted(part, _titles(workers, state))
        printed = _Printer(state, timestamps=timestamps, prefix=prefix)
        if follow:
            async with LiveState(api, offered, name, namespace=namespace) as live:
                async for line in follow_logs(api, live, wanted, note):
                    printed(line)
            return
        sources = sources_of(state, wanted)
        missing: list[str] = []
        seen = {source: Unseen() for source, _ in sources}
        async for line in read_logs(api, sources, seen, missing.append):
            printed(line)
        if missing and len(missing) == len(sources):
            raise EnvironmentFault("\n".join(missing))
        for text in missing:
            note(text)
        if not sources:
            note(f"{name}: has no workers yet: {'; '.join(state.status.waits) or state.status.phase.lower()}")

    try:
        run_with(where, work)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


class _Printer:
    """Prints lines, each worker with a name and colour of its own."""

    def __init__(self, state: JobState, *, timestamps: bool, prefix: bool) -> None:
        titles = sorted({worker_of(pod) for pod in state.pods})
        self._colours = {one.title: _COLOURS[i % len(_COLOURS)] for i, one in enumerate(titles)}
        self._width = max((len(one.title) for one in titles), default=0)
        self._timestamps = timestamps
        self._prefix = prefix

    def __call__(self, line: LogLine) -> None:
        colour = self._colours.setdefault(line.source, _COLOURS[len(self._colours) % len(_COLOURS)])
        self._width = max(self._width, len(line.source))
        text = f"{full_time(line.time_ns)} {line.text}" if self._timestamps else line.text
        if self._prefix:
            text = f"{click.style(line.source.ljust(self._width), fg=colour)} | {text}"
        click.echo(text)


def _titles(workers: tuple[str, ...], state: JobState) -> frozenset[str]:
    """Which workers are meant; a bare number is a worker's.

    Raises:
        SpecError: There is no such worker.
    """
    known = {worker_of(pod).title for pod in state.pods}
    known |= {f"{one.role}-{one.index}" for one in state.status.workers}
    wanted = frozenset(f"worker-{one}" if one.isdecimal() else one for one in workers)
    wrong = sorted(wanted - known)
    if wrong:
        listed = ", ".join(sorted(known)) or "none"
        raise SpecError([Problem("--worker", f"must be one of {listed}, got {', '.join(wrong)}")])
    return wanted
