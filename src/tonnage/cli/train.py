"""``tonnage train``: training jobs on several workers, on whatever the cluster offers."""

from __future__ import annotations

from typing import Final

import click

from tonnage.cli.lazy import LazyGroup

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "render": ("tonnage.cli.train_render:train_render", "Make the Kubernetes objects of a training."),
    "submit": ("tonnage.cli.train_submit:submit_command", "Start a training in a cluster."),
    "status": ("tonnage.cli.train_status:status_command", "Show a training and its workers."),
    "logs": ("tonnage.cli.train_logs:logs_command", "Show what all workers write."),
    "cancel": ("tonnage.cli.train_cancel:cancel_command", "End a training and remove its objects."),
    "list": ("tonnage.cli.train_list:list_command", "Show the trainings of a cluster."),
}
"""Name to where it is and what it does."""


@click.group(cls=LazyGroup, table=COMMANDS, short_help="Run trainings on several workers in a cluster.")
def train() -> None:
    """Run trainings on several workers, each from one document, on whatever the cluster offers."""
