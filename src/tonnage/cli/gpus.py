"""``tonnage gpus``: the GPUs of a cluster, and whether a workload can be placed on them now."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from tonnage.cli.gpus_inputs import ClusterObjects, read_asked, read_cluster_files, read_cluster_server
from tonnage.cli.gpus_view import explanation_lines, fit_lines, inventory_lines, label_lines
from tonnage.gpus.answer import Fit
from tonnage.gpus.documenting import explanation_document, fit_document, inventory_document
from tonnage.gpus.explain import explain
from tonnage.gpus.fit import fit_in
from tonnage.gpus.inventory import SIZES, Inventory, inventory
from tonnage.gpus.labelling import labelling
from tonnage.gpus.labels import TYPE_LABEL
from tonnage.gpus.placing import named
from tonnage.gpus.workloads import Workload
from tonnage.gpus.world import World, read_world, want
from tonnage.kube.paths import printable

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def _cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which cluster is meant: files, or an API server."""
    for option in (
        click.option("--context", help="Context of the kubeconfig.  [default: its current one]"),
        click.option(
            "--kubeconfig", type=_FILE, help="Kubeconfig of the cluster.  [default: where kubectl looks]"
        ),
        click.option(
            "--nodes",
            "files",
            multiple=True,
            metavar="FILE",
            help="Instead of a cluster: what kubectl get nodes,pods -A -o yaml (or json) printed, or "
            "NodePools; - is standard input.",
        ),
    ):
        command = option(command)
    return command


_type_label = click.option(
    "--type-label", default=TYPE_LABEL, show_default=True, help="Node label that says a GPU's type."
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("gpus", invoke_without_command=True, short_help="Show a cluster's GPUs and what fits on them.")
@_cluster_options
@_type_label
@_as_json
@click.pass_context
def gpus(
    ctx: click.Context,
    files: tuple[str, ...],
    kubeconfig: Path | None,
    context: str | None,
    type_label: str,
    as_json: bool,
) -> None:
    """Show the GPUs of a cluster: whose they are, which are free, and how many pods of 1, 2, 4 and 8 fit.

    BLOCKED are free GPUs of nodes that take no pods: cordoned, or not ready. Without --nodes the cluster of
    the kubeconfig is asked. Exit codes: 0 done; 2 a file or an option is wrong; 3 the cluster does not
    answer.
    """
    if ctx.invoked_subcommand is not None:
        return
    stock = _stock(_read(files, kubeconfig, context), type_label)
    if as_json:
        _print_json(inventory_document(stock, SIZES))
    else:
        _print_lines(inventory_lines(stock, SIZES))


@gpus.command("label", short_help="Print the commands that label nodes with their GPU's type.")
@_cluster_options
@_type_label
def label(
    files: tuple[str, ...], kubeconfig: Path | None, context: str | None, type_label: str
) -> None:
    """Print the kubectl commands that give each GPU node the label by which documents choose a type.

    The type is read from what NVIDIA's, AMD's and Intel's software and the large clouds write into labels.
    Nothing is changed; pipe the commands into sh to do so.
    """
    stock = _stock(_read(files, kubeconfig, context), type_label)
    _print_lines(label_lines(labelling(stock), type_label))


@gpus.command("fit", short_help="Say whether a workload can be placed now, and what would help.")
@click.argument("spec", nargs=-1, required=True, metavar="SPEC...")
@_cluster_options
@click.option(
    "--replicas", type=click.IntRange(min=1), help="Replicas of a ModelService.  [default: its own]"
)
@click.option(
    "--gang/--no-gang", default=None, help="Place all pods or none.  [default: as the workload says]"
)
@click.option("--explain", "node", metavar="NODE", help="Show what of a node stands in the way.")
@_as_json
def fit(
    spec: tuple[str, ...],
    files: tuple[str, ...],
    kubeconfig: Path | None,
    context: str | None,
    replicas: int | None,
    gang: bool | None,
    node: str | None,
    as_json: bool,
) -> None:
    """Say whether the pods of SPEC can be placed now, on which nodes, and if not what would help.

    SPEC is a ModelService, a TrainingJob, or objects of Kubernetes: Deployment, Job, PyTorchJob, TrainJob,
    JobSet, LeaderWorkerSet and others; - is standard input. The decision is kube-scheduler's, and so are its
    words. Every change that is offered was tried. Exit codes: 0 fits; 1 does not; 2 a file or an option is
    wrong; 3 the cluster does not answer.
    """
    cluster = _read(files, kubeconfig, context)
    runtimes = (*cluster.of_kind("ClusterTrainingRuntime"), *cluster.of_kind("TrainingRuntime"))
    asked = read_asked(spec, replicas, runtimes)
    world = read_world(cluster.nodes, cluster.pods, (*cluster.others, *asked.others))
    world = replace(world, notes=(*cluster.notes, *world.notes))
    if node is not None:
        _explain(world, asked.workloads[0], node, as_json=as_json)
        return
    answers: list[tuple[Workload, Fit]] = []
    for workload in asked.workloads:
        answer = fit_in(
            world,
            workload.pods,
            gang=workload.gang if gang is None else gang,
            divisible=workload.divisible,
            least=workload.least,
        )
        answers.append((workload, answer))
        world = _with_placed(world, workload, answer)
    if as_json:
        documents = [
            {"kind": one.kind, "name": one.name, "namespace": one.namespace, **fit_document(answer)}
            for one, answer in answers
        ]
        _print_json({"workloads": documents})
    else:
        for place, (one, answer) in enumerate(answers):
            _print_lines(("", *fit_lines(one, answer)) if place else fit_lines(one, answer))
    sys.exit(0 if all(answer.fits for _, answer in answers) else 1)


def _with_placed(world: World, workload: Workload, answer: Fit) -> World:
    """The cluster with a workload that fits in it, for the next one."""
    pods = want(world, workload.pods).pods
    placed = tuple(
        replace(pod, node=answer.placed[name])
        for name, pod in zip(named(pods), pods, strict=True)
        if name in answer.placed
    )
    return replace(world, running=(*world.running, *placed))


def _explain(world: World, workload: Workload, node: str, *, as_json: bool) -> None:
    found = explain(world, workload.pods, node)
    if as_json:
        _print_json(explanation_document(found))
    else:
        _print_lines(explanation_lines(found))
    sys.exit(1 if found.chosen is None else 0)


def _read(files: tuple[str, ...], kubeconfig: Path | None, context: str | None) -> ClusterObjects:
    return read_cluster_files(files) if files else read_cluster_server(kubeconfig, context)


def _stock(cluster: ClusterObjects, type_label: str) -> Inventory:
    stock = inventory(
        cluster.nodes,
        cluster.pods,
        cluster.of_kind("ResourceSlice"),
        cluster.of_kind("DeviceClass"),
        cluster.of_kind("ResourceClaim"),
        type_label=type_label,
    )
    devices = [note for note in cluster.notes if "resource.k8s.io" in note]
    return replace(stock, notes=(*stock.notes, *devices))


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(printable(line))
