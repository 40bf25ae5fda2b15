"""``tonnage schema``: the JSON Schema of the documents, for editors."""

from __future__ import annotations

import click


@click.command(short_help="Print the JSON Schema of a kind of document.")
@click.argument(
    "kind",
    type=click.Choice(
        ["ModelService", "TrainingJob", "NodePools", "Simulation", "ModelProfile"], case_sensitive=False
    ),
    default="ModelService",
)
def schema(kind: str) -> None:
    """Print the JSON Schema of a KIND of document, for completion and checks in an editor."""
    if kind == "ModelProfile":
        from tonnage.profile.schema import schema_text as profile_schema_text

        click.echo(profile_schema_text(), nl=False)
        return
    from tonnage.spec.schema import schema_text

    click.echo(schema_text(kind), nl=False)
