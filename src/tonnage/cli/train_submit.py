"""``tonnage train submit``: a training from its document in a cluster; all of it, or nothing."""

from __future__ import annotations

import datetime as dt
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Any, get_args

import click
import orjson
from rich.console import Console
from rich.live import Live
from rich.status import Status
from rich.text import Text

from tonnage.cli.parsed import Parsed
from tonnage.cli.train_options import INTERRUPTED, Where, cluster_options, note, run_with, where_of
from tonnage.cli.train_view import state_view
from tonnage.cluster.api import Api
from tonnage.cluster.apply import Piece
from tonnage.cluster.faults import ClusterFault
from tonnage.cluster.training.documents import status_document, submission_document
from tonnage.cluster.training.placement import Placement, wait_placed, why_unplaced
from tonnage.cluster.training.progress import Changes, exit_code
from tonnage.cluster.training.state import JobState, LiveState
from tonnage.cluster.training.submit import Prepared, prepare, submit
from tonnage.errors import FindingsError, Problem, SpecError
from tonnage.spec.load import load_training_job
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName
from tonnage.training import pods_of
from tonnage.units import Duration, parse_duration

_BACKENDS = ("auto", *get_args(BackendName))


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """The command line as it was read; each field is the option of its name."""

    spec: str
    backend: str | None
    wait: bool
    wait_placement: bool
    placement_timeout: Duration
    dry_run: bool
    force: bool
    as_json: bool


@click.command("submit", short_help="Start a training in a cluster.")
@click.argument("spec", metavar="SPEC")
@click.option("--backend", type=click.Choice(_BACKENDS), help="What runs it.  [default: spec.backend]")
@click.option("--wait", is_flag=True, help="Wait for its end; the exit code is the training's own.")
@click.option(
    "--wait-placement/--no-wait-placement",
    default=True,
    help="Wait until all workers have nodes.  [default: wait]",
)
@click.option(
    "--placement-timeout",
    type=Parsed("duration", parse_duration),
    default="60s",
    show_default=True,
    help="How long at most.",
)
@click.option("--dry-run", is_flag=True, help="Have everything checked by the cluster, and make nothing.")
@click.option("--force", is_flag=True, help="Submit also what no node can take now.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@cluster_options
def submit_command(**values: Any) -> None:
    """Start the training that SPEC describes, - for standard input, and wait until its workers have nodes.

    All objects are tried on the cluster before the first is made, and a submit that fails leaves none. A
    training that finds no nodes in time stays, and says what is missing. Exit codes: 0 done; 1 not placed
    in time; 2 a wrong document; 3 the cluster; with --wait the training's own.
    """
    where = where_of(values)
    options = SubmitOptions(**values)
    job = with_backend(load_training_job(options.spec), options.backend)
    try:
        code = run_with(where, lambda api: _Submit(options, where, job, api).run())
    except KeyboardInterrupt:
        note(f"interrupted; a training that was made goes on: tonnage train status {job.name}")
        code = INTERRUPTED
    sys.exit(code)


def with_backend(job: TrainingJob, backend: str | None) -> TrainingJob:
    """The document with another back end, checked as if it stood there.

    Raises:
        SpecError: It does not fit the rest of the document.
    """
    if backend is None:
        return job
    document = job.to_document()
    document["spec"]["backend"] = backend
    try:
        return TrainingJob.model_validate(document, by_alias=True, by_name=False)
    except ValueError as error:
        raise SpecError([Problem("--backend", f"must fit the document, got {backend}: {error}")]) from None


class _Submit:
    """One run of the command."""

    def __init__(self, options: SubmitOptions, where: Where, job: TrainingJob, api: Api) -> None:
        self._options = options
        self._where = where
        self._job = job
        self._api = api
        self._console = Console(stderr=True, quiet=options.as_json)
        self._changes = Changes()
        self._spinner: Status | None = None

    async def run(self) -> int:
        options = self._options
        prepared = await prepare(
            self._api, self._job, namespace=self._where.namespace, check=not options.force
        )
        for text in prepared.notes:
            note(text)
        self._say(
            f"{prepared.job.name}: back end {prepared.choice.backend}, gang {prepared.choice.gang}, "
            f"namespace {prepared.namespace}"
        )
        for text in prepared.choice.reasons:
            self._say(f"  {text}")
        if options.dry_run:
            self._say(f"would create {', '.join(piece.title for piece in prepared.pieces)}")
            self._json(submission_document(prepared, prepared.pieces, None, ()))
            return 0
        pieces = await submit(self._api, prepared)
        self._say(f"created {', '.join(piece.title for piece in pieces)}")
        if not options.wait and not options.wait_placement:
            self._json(submission_document(prepared, pieces, None, ()))
            return 0
        try:
            return await self._follow(prepared, pieces)
        except ClusterFault:
            note(f"{prepared.job.name}: was made and goes on, but cannot be followed from here")
            raise

    async def _follow(self, prepared: Prepared, pieces: tuple[Piece, ...]) -> int:
        options = self._options
        expected = len(pods_of(prepared.job))
        live = LiveState(
            self._api,
            prepared.offered,
            prepared.job.name,
            namespace=prepared.namespace,
            needed=[piece.resource for piece in pieces[-1:]],
        )
        async with live:
            placement, why = None, []
            if options.wait_placement:
                with self._console.status("waiting for nodes") as spinner:
                    self._spinner = spinner
                    placement = await wait_placed(
                        live,
                        expected,
                        least=expected - prepared.job.spec.workers + prepared.job.spec.workers_min,
                        seconds_max=options.placement_timeout.seconds,
                        told=self._told,
                    )
                if not placement.complete:
                    gang = prepared.choice.gang != "none"
                    why = await why_unplaced(self._api, prepared.offered, live.now, gang=gang)
            if placement is not None:
                self._say_placement(prepared, placement, why)
            document = submission_document(prepared, pieces, placement, why)
            if not options.wait:
                self._json(document)
                return 0 if placement is None or placement.complete else 1
            state = await self._until_end(live)
        self._json({**document, "status": status_document(state)})
        if state.main is None:
            raise FindingsError(f"{prepared.job.name}: was deleted before its end")
        return exit_code(state.status)

    async def _until_end(self, live: LiveState) -> JobState:
        """Show how it goes on, until it has ended or is gone."""
        state = live.now
        if self._console.is_terminal and not self._options.as_json:
            self._spinner = None
            with Live(console=self._console, auto_refresh=False) as view:
                async for state in live.states(every_s=1.0):
                    shown = state_view(state, dt.datetime.now(dt.UTC), away=live.followed.away)
                    view.update(shown, refresh=True)
                    if state.status.ended or state.main is None:
                        break
            return state
        away = ""
        async for state in live.states():
            self._told(state)
            if live.followed.away != away:
                away = live.followed.away
                note(away or "the API server answers again")
            if state.status.ended or state.main is None:
                break
        return state

    def _say_placement(self, prepared: Prepared, placement: Placement, why: list[str]) -> None:
        if placement.complete:
            counts = sorted(Counter(placement.nodes.values()).items())
            nodes = ", ".join(f"{node} ({count})" for node, count in counts) or "it has ended already"
            self._say(f"placed {len(placement.nodes)} of {placement.expected} workers: {nodes}")
            return
        limit, name = self._options.placement_timeout, prepared.job.name
        placed = f"{len(placement.nodes)} of {placement.expected} workers"
        note(f"{name}: {placed} have nodes after {limit}; it waits on")
        for line in why:
            note(f"  {line}")
        note(f"  to give up: tonnage train cancel {name} -n {prepared.namespace}")

    def _told(self, state: JobState) -> None:
        if self._console.is_terminal and self._spinner is not None:
            waits = "; ".join(state.status.waits)
            placed = sum(one.node is not None for one in state.status.workers)
            text = f"waiting for nodes: {placed} of {len(state.status.workers)} workers have one"
            self._spinner.update(Text(f"{text}: {waits}" if waits else text))
            return
        for line in self._changes.lines(state):
            click.echo(line, err=True)

    def _say(self, text: str) -> None:
        if not self._options.as_json:
            click.echo(text)

    def _json(self, document: dict[str, Any]) -> None:
        if self._options.as_json:
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())


