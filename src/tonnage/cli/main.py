"""The ``tonnage`` command: its subcommands, loaded when they are used, and the one funnel of errors."""

from __future__ import annotations

import sys
import traceback
from typing import Final

import click

import tonnage
from tonnage.cli.lazy import LazyGroup
from tonnage.errors import EnvironmentFault, TonnageError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "serve": ("tonnage.cli.serve:serve", "Serve a model on this machine."),
    "up": ("tonnage.cli.up:up", "Run a service from its document on this machine, with a live view."),
    "load": ("tonnage.cli.load:load", "Send open-loop load to a server and measure it."),
    "profile": ("tonnage.cli.profile:profile", "Measure a service on this machine."),
    "plan": ("tonnage.cli.plan:plan", "Size a service: replicas, GPUs and cost, with every reason."),
    "render": ("tonnage.cli.render:render_command", "Make the Kubernetes objects of a service."),
    "simulate": ("tonnage.cli.simulate:simulate", "Show what traffic and failures will do to a service."),
    "audit": ("tonnage.cli.audit:audit_command", "Find what will hurt a model service, in any manifests."),
    "explain": ("tonnage.cli.explain:explain", "Explain a rule of the audit."),
    "train": ("tonnage.cli.train:train", "Train on several GPUs: render, submit, follow, cancel."),
    "gpus": ("tonnage.cli.gpus:gpus", "Show a cluster's GPUs, and whether a service or training fits."),
    "metrics-api": ("tonnage.cli.metrics_api:metrics_api", "Serve the HPA's custom metrics from the pods."),
    "schema": ("tonnage.cli.schema:schema", "Print the JSON Schema of the documents."),
    "completion": ("tonnage.cli.completion:completion", "Print the shell's completion script."),
}
"""Name to where it is and what it does."""


@click.group(cls=LazyGroup, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(tonnage.__version__, prog_name="tonnage")
def cli() -> None:
    """Model serving on Kubernetes, sized to its load and proven before it is deployed.

    Exit codes: 0 done; 1 findings or a failed gate; 2 usage or a bad document; 3 the machine, the
    network or the cluster; 70 a bug of ours.
    """


def _run() -> None:
    try:
        cli(prog_name="tonnage")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", tonnage.__name__):
            raise
        # the image for pods holds what pods run, and no more
        raise EnvironmentFault(f"needs {package}, which is not installed here") from None


def main() -> None:
    """Run the command line, with every failure ending in its exit code."""
    try:
        _run()
    except TonnageError as error:
        command = sys.argv[1] if len(sys.argv) > 1 else ""
        for line in str(error).splitlines():
            click.echo(f"tonnage {command}: {line}", err=True)
        sys.exit(error.exit_code)
    except Exception:
        traceback.print_exc()
        click.echo("tonnage: this is a bug; please report it with the lines above", err=True)
        sys.exit(70)
