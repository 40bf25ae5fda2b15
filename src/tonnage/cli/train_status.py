"""``tonnage train status``: a training, its workers, and what was said of them."""

from __future__ import annotations

import datetime as dt
import sys
from typing import Any

import click
import orjson
from rich.console import Console
from rich.live import Live

from tonnage.cli.train_options import INTERRUPTED, NAME, cluster_options, note, run_with, where_of
from tonnage.cli.train_view import state_view
from tonnage.cluster.api import Api
from tonnage.cluster.training.documents import status_document
from tonnage.cluster.training.progress import Changes
from tonnage.cluster.training.state import JobState, LiveState, read_state


@click.command("status", short_help="Show a training: workers, nodes, restarts, reasons.")
@click.argument("name", metavar="NAME", type=NAME)
@click.option("-w", "--watch", is_flag=True, help="Go on until it has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --watch a line for each change.")
@cluster_options
def status_command(name: str, watch: bool, as_json: bool, **values: Any) -> None:
    """Show the training NAME: its phase, its workers with nodes, restarts and reasons, the last events."""
    where = where_of(values)
    console = Console()

    async def work(api: Api) -> None:
        offered = await api.offered()
        state = await read_state(api, offered, name, namespace=api.target.namespace)
        if not watch:
            _print(state, console, as_json=as_json)
            return
        async with LiveState(api, offered, name, namespace=api.target.namespace) as live:
            await _watch(live, console, as_json=as_json)

    try:
        run_with(where, work)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _print(state: JobState, console: Console, *, as_json: bool) -> None:
    if as_json:
        click.echo(orjson.dumps(status_document(state), option=orjson.OPT_INDENT_2).decode())
    else:
        console.print(state_view(state, dt.datetime.now(dt.UTC)), soft_wrap=not console.is_terminal)


async def _watch(live: LiveState, console: Console, *, as_json: bool) -> None:
    """Show each change until the training has ended or is gone."""
    if as_json or not console.is_terminal:
        changes, before, away = Changes(), b"", ""
        async for state in live.states():
            if live.followed.away != away:
                away = live.followed.away
                note(away or "the API server answers again")
            if as_json:
                line = orjson.dumps(status_document(state))
                if line != before:
                    click.echo(line.decode())
                before = line
            else:
                for text in changes.lines(state):
                    click.echo(text)
            if state.status.ended or state.main is None:
                return
    with Live(console=console, auto_refresh=False) as view:
        async for state in live.states(every_s=1.0):
            shown = state_view(state, dt.datetime.now(dt.UTC), away=live.followed.away)
            view.update(shown, refresh=True)
            if state.status.ended or state.main is None:
                return
