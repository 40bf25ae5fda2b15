"""``tonnage train cancel``: end a training, and remove all that belongs to it."""

from __future__ import annotations

import sys
from typing import Any

import click
import orjson

from tonnage.cli.parsed import Parsed
from tonnage.cli.train_options import INTERRUPTED, NAME, cluster_options, note, run_with, where_of
from tonnage.cluster.api import Api
from tonnage.cluster.training.cancel import Cancelled, cancel
from tonnage.errors import EnvironmentFault
from tonnage.units import Duration, parse_duration


@click.command("cancel", short_help="End a training and remove its objects.")
@click.argument("name", metavar="NAME", type=NAME)
@click.option(
    "--timeout",
    type=Parsed("duration", parse_duration),
    default="2m",
    show_default=True,
    help="How long to wait until all is gone; pods may take their grace period.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@cluster_options
def cancel_command(name: str, timeout: Duration, as_json: bool, **values: Any) -> None:
    """End the training NAME: pods first, then all of its objects. Its logs go with its pods.

    Exit codes: 0 all is gone; 2 or 3 there is no such training, or the cluster did not do it; 3 something
    was still there when the time was over.
    """
    where = where_of(values)

    async def work(api: Api) -> Cancelled:
        offered = await api.offered()
        return await cancel(
            api,
            offered,
            name,
            namespace=api.target.namespace,
            seconds_max=timeout.seconds,
            told=note,
        )

    try:
        done = run_with(where, work)
    except KeyboardInterrupt:
        note(f"interrupted; what was begun goes on: tonnage train status {name}")
        sys.exit(INTERRUPTED)
    if as_json:
        document = {"name": name, "removed": list(done.removed), "left": list(done.left)}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
    else:
        for title in done.removed:
            click.echo(f"removed {title}")
    if done.left:
        raise EnvironmentFault(
            f"{name}: {', '.join(done.left)} must be gone after {timeout}, and are still there"
            "; is their node alive, and what are their finalizers?"
        )
