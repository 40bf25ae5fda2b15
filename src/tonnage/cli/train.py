"""``tonnage train``: training jobs on several workers, on whatever the cluster offers."""

from __future__ import annotations

import importlib
from typing import Final

import click

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "render": ("tonnage.cli.train_render:train_render", "Make the Kubernetes objects of a training."),
    "submit": ("tonnage.cli.train_submit:submit_command", "Start a training in a cluster."),
    "status": ("tonnage.cli.train_status:status_command", "Show a training and its workers."),
    "logs": ("tonnage.cli.train_logs:logs_command", "Show what all workers write."),
    "cancel": ("tonnage.cli.train_cancel:cancel_command", "End a training and remove its objects."),
    "list": ("tonnage.cli.train_list:list_command", "Show the trainings of a cluster."),
}
"""Name to where it is and what it does."""


class _Commands(click.Group):
    """Imports a command when it is called, and lists all of them without."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, attribute = entry[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_Commands, short_help="Run trainings on several workers in a cluster.")
def train() -> None:
    """Run trainings on several workers, each from one document, on whatever the cluster offers."""
