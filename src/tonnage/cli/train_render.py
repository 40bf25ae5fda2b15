"""``tonnage train render``: a training job's Kubernetes objects, without a cluster."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import click

from tonnage.cli.render_folder import write_folder
from tonnage.manifests.files import object_files
from tonnage.manifests.text import dump_objects
from tonnage.spec.load import load_training_job
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training import Choice, Rendering, choose_unseen, render

_BACKENDS: Final = get_args(BackendName)
_GANGS: Final = get_args(GangName)


@dataclass(frozen=True, slots=True)
class TrainRenderOptions:
    """The command line as it was read; each field is the option of its name."""

    spec: str
    backend: BackendName | None
    gang: GangName | None
    namespace: str | None
    output: Path | None
    as_json: bool
    force: bool


@click.command("render", short_help="Make the Kubernetes objects of a training job.")
@click.argument("spec", metavar="FILE")
@click.option(
    "--backend",
    type=click.Choice(_BACKENDS),
    help="The kind of object that runs the job.  [default: spec.backend, else job where it can]",
)
@click.option(
    "--gang",
    type=click.Choice(_GANGS),
    help="Who sees to it that all workers start or none.  [default: spec.gang, else kueue with a queue]",
)
@click.option("-n", "--namespace", help="Where the objects go.  [default: metadata.namespace]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder to write.  [default: stdout]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document: back end, gang, objects, notes.")
@click.option("--force", is_flag=True, help="Write over files that tonnage train render did not write.")
def train_render(**values: Any) -> None:
    """Make the Kubernetes objects of the training job that FILE describes, without asking a cluster.

    Where the document leaves back end and gang to the cluster, the core Job is taken if it can do what is
    asked. With -o each object gets a file, and a kustomization.yaml names them.
    """
    options = TrainRenderOptions(**values)
    job = load_training_job(options.spec)
    choice = choose_unseen(job, backend=options.backend, gang=options.gang)
    made = render(job, backend=choice.backend, gang=choice.gang, namespace=options.namespace)
    for line in (*choice.reasons, *made.notes):
        click.echo(f"tonnage train render: {line}", err=True)
    if options.output is not None:
        write_folder(
            options.output,
            object_files(made.objects, "json" if options.as_json else "yaml"),
            force=options.force,
        )
    elif options.as_json:
        click.echo(_json(job, choice, made))
    else:
        click.echo(dump_objects(made.objects), nl=False)


def _json(job: TrainingJob, choice: Choice, made: Rendering) -> str:
    value = {
        "trainingJob": job.name,
        "backend": choice.backend,
        "gang": choice.gang,
        "reasons": list(choice.reasons),
        "notes": list(made.notes),
        "objects": list(made.objects),
    }
    return json.dumps(value, indent=2, ensure_ascii=False)
