"""``tonnage schema``: the JSON Schema of the documents, for editors."""

from __future__ import annotations

import json

import click


@click.command(short_help="Print the JSON Schema of the documents.")
def schema() -> None:
    """Print the JSON Schema of ModelService, for completion and checks in an editor."""
    from tonnage.spec.schema import model_service_schema

    click.echo(json.dumps(model_service_schema(), indent=2))
