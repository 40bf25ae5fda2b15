"""``tonnage train list``: the trainings of a namespace or a whole cluster."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click
import orjson
from rich.console import Console

from tonnage.cli.train_options import cluster_options, note, run_with, where_of
from tonnage.cli.train_view import list_view
from tonnage.cluster.api import Api
from tonnage.cluster.training.documents import listing_document
from tonnage.cluster.training.listing import Trainings, list_trainings


@click.command("list", short_help="Show the trainings of a cluster.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Of all namespaces.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@cluster_options
def list_command(all_namespaces: bool, as_json: bool, **values: Any) -> None:
    """Show the trainings that tonnage train submit, or rendered objects, have made."""
    where = where_of(values)

    async def work(api: Api) -> Trainings:
        offered = await api.offered()
        namespace = None if all_namespaces else api.target.namespace
        return await list_trainings(api, offered, namespace=namespace)

    found = run_with(where, work)
    for title in found.unread:
        note(f"{title} may not be listed, and are left out")
    if as_json:
        click.echo(orjson.dumps(listing_document(found.listed), option=orjson.OPT_INDENT_2).decode())
    elif found.listed:
        Console().print(list_view(found.listed, dt.datetime.now(dt.UTC)))
    else:
        note("there is no training" + ("" if all_namespaces else "; -A looks in all namespaces"))
