"""Options of the commands that talk to a cluster, and how they are run."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tonnage.cli.parsed import Parsed
from tonnage.cluster.api import Api, open_api
from tonnage.cluster.connection import is_verified
from tonnage.errors import Problem, SpecError

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NAME_MAX: Final = 63
INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the signal's number."""


@dataclass(frozen=True, slots=True)
class Where:
    """Which cluster, as the command line says.

    Attributes:
        kubeconfig: A file; None looks where kubectl does.
        context: Of it; None for the current one.
        namespace: None for the context's.
    """

    kubeconfig: Path | None
    context: str | None
    namespace: str | None


def read_name(text: str) -> str:
    """Read the name of a training or namespace, which goes into paths and selectors as it is.

    Raises:
        SpecError: No object can have it.
    """
    if len(text) > _NAME_MAX or _NAME.fullmatch(text) is None:
        wanted = f"lower-case letters, digits and -, at most {_NAME_MAX}"
        raise SpecError([Problem("", f"must be {wanted}, got {text[:_NAME_MAX]!r}")])
    return text


NAME: Final = Parsed("name", read_name)


def cluster_options(command: F) -> F:
    """Adds ``--kubeconfig``, ``--context`` and ``--namespace``; the command gets them as ``where``."""
    options = (
        click.option(
            "--kubeconfig",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Of the cluster.  [default: KUBECONFIG, ~/.kube/config, the pod's account]",
        ),
        click.option("--context", help="Which context of it.  [default: the current one]"),
        click.option(
            "-n",
            "--namespace",
            type=NAME,
            help="Which namespace.  [default: the document's, the context's]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def where_of(values: dict[str, Any]) -> Where:
    """Takes the options of ``cluster_options`` out of a command's values."""
    return Where(values.pop("kubeconfig"), values.pop("context"), values.pop("namespace"))


def run_with(where: Where, work: Callable[[Api], Awaitable[T]]) -> T:
    """Do work with a cluster; Ctrl-C ends it in order.

    Args:
        where: Which cluster.
        work: What to do.

    Raises:
        ClusterFault: The cluster did not do it.
    """

    async def run() -> T:
        api = open_api(kubeconfig=where.kubeconfig, context=where.context, namespace=where.namespace)
        if not is_verified(api.target):
            click.echo(f"tonnage train: {api.server}: its certificate is not verified", err=True)
        async with api:
            return await work(api)

    return asyncio.run(run())


def note(text: str) -> None:
    """Tell a person something beside the result."""
    click.echo(f"tonnage train: {text}", err=True)
