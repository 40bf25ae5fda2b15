"""``tonnage audit``: what in Kubernetes objects will hurt a service that serves a model."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import click

import tonnage
from tonnage.audit import RULES, Report, Severity, audit, measured_of
from tonnage.audit.context import REPLICATED
from tonnage.audit.finding import at_least
from tonnage.audit.formats import as_github, as_json, as_sarif, as_text
from tonnage.audit.patch import patched
from tonnage.audit.rule import Rule
from tonnage.cli.audit_rendered import is_rendered, rendered
from tonnage.cli.object_text import object_text, source_of
from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import KubeObject, read_objects
from tonnage.kube.quantity import Quantity
from tonnage.kube.text import read_text
from tonnage.profile import ModelProfile, load_profile
from tonnage.profile.document import write_whole
from tonnage.scheduling import Node

if TYPE_CHECKING:
    from tonnage.audit.trials import Known

_SUFFIXES: Final = (".yaml", ".yml", ".json")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(slots=True)
class Inputs:
    """What was read.

    Attributes:
        objects: All of them.
        texts: The text of each file that ``--fix`` may write.
        skipped: Files of folders that hold no objects, each with why.
        images_replaced: Images for which kustomizations put in others.
    """

    objects: list[KubeObject] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    images_replaced: set[str] = field(default_factory=set)


@click.command("audit", short_help="Find what will hurt a model service in Kubernetes objects.")
@click.argument("files", nargs=-1, metavar="FILES|DIR|SPEC|-")
@click.option("--profile", type=_FILE, help="What was measured of the model (tonnage profile).")
@click.option(
    "--nodes", type=_FILE, multiple=True, help="Nodes, Pods and ResourceQuotas from kubectl, or NodePools."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="How findings are written.",
)
@click.option(
    "--fail-on",
    type=click.Choice([*get_args(Severity), "never"]),
    default="warning",
    show_default=True,
    help="Exit code 1 with findings as bad as this.",
)
@click.option(
    "--select", multiple=True, metavar="CODE", help="Only these rules, or TNG06 for all that begin so."
)
@click.option("--ignore", multiple=True, metavar="CODE", help="All but these rules.")
@click.option("--fix", is_flag=True, help="Write the changes that are right for everybody into the files.")
@click.option("--simulate", is_flag=True, help="Let the twin show faults happening, and the same repaired.")
@click.option("--traffic", metavar="TRACE|LINE", help="With --simulate: as tonnage simulate takes it.")
@click.option("--rate", help="With --simulate: requests/s.  [default: what suits the replicas]")
@click.option("--service-time", help="With --simulate: time of a request, where there is no profile.")
@click.option(
    "--metric",
    "metrics",
    metavar="NAME=MEANING",
    multiple=True,
    help="With --simulate: what a custom metric is, such as p99, inFlight, queue; may be repeated.",
)
def audit_command(
    files: tuple[str, ...],
    profile: Path | None,
    nodes: tuple[Path, ...],
    form: str,
    fail_on: str,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    fix: bool,
    **simulation: Any,
) -> None:
    """Find what will hurt: in any Kubernetes objects, Helm's output, or a ModelService's own manifests.

    Folders are searched for YAML and JSON. Objects that are given together are judged together. An
    annotation tonnage.dev/ignore: "CODE: reason" excuses an object. Exit codes: 0 nothing as bad as
    --fail-on; 1 there is; 2 a file or an option is wrong; 3 a file cannot be written.
    """
    if not files:
        raise SpecError(
            [Problem("FILES", "must name at least one file, got none", hint="- is standard input")]
        )
    rules = _chosen(select, ignore)
    known = load_profile(profile) if profile is not None else None
    inputs = _read(files, known)
    stock, quotas = _cluster(nodes)
    told = _told(simulation, known, profile, stock)
    measured = measured_of(known) if known is not None else None

    def run(inputs: Inputs) -> Report:
        return audit(
            inputs.objects,
            measured=measured,
            nodes=stock,
            quotas=quotas,
            images_replaced=inputs.images_replaced,
            rules=rules,
        )

    report = run(inputs)
    if fix and _fix(report, inputs):
        inputs = _read(files, known)
        report = run(inputs)
    if told is not None:
        from tonnage.audit.trials import proved

        proof = proved(report, inputs.objects, told)
        report = proof.report
        inputs.skipped += proof.notes
    for reason in inputs.skipped:
        click.echo(f"tonnage audit: {reason}", err=True)
    click.echo(_written(report, form, rules), nl=False)
    worst = fail_on != "never" and any(at_least(one.severity, _severity(fail_on)) for one in report.findings)
    sys.exit(1 if worst else 0)


def _told(
    simulation: Mapping[str, Any], profile: ModelProfile | None, path: Path | None, nodes: Sequence[Node]
) -> Known | None:
    """What the twin is told; None where it is not asked. It is not loaded then."""
    if not any(simulation.values()):
        return None
    from tonnage.cli.audit_known import SimulateChoices, known_of

    return known_of(SimulateChoices(**simulation), profile, path, nodes)


def _severity(name: str) -> Severity:
    found: Severity = next(one for one in get_args(Severity) if one == name)
    return found


def _written(report: Report, form: str, rules: Sequence[Rule]) -> str:
    if form == "json":
        return as_json(report)
    if form == "sarif":
        return as_sarif(report, rules, tonnage.__version__)
    return as_github(report) if form == "github" else as_text(report)


def _chosen(select: Sequence[str], ignore: Sequence[str]) -> tuple[Rule, ...]:
    """The rules that are to run; a code that names none is a mistake."""
    wrong = [
        Problem(
            option,
            f"must be the code of a rule, or its beginning, got {code}",
            hint="tonnage explain lists them",
        )
        for option, codes in (("--select", select), ("--ignore", ignore))
        for code in codes
        if not code or not any(rule.code.startswith(code.upper()) for rule in RULES)
    ]
    if wrong:
        raise SpecError(wrong)
    wanted = tuple(code.upper() for code in select) or ("TNG",)
    unwanted = tuple(code.upper() for code in ignore)
    kept = (rule for rule in RULES if rule.code.startswith(wanted))
    return tuple(rule for rule in kept if not (unwanted and rule.code.startswith(unwanted)))


def _cluster(
    paths: Sequence[Path],
) -> tuple[tuple[Node, ...], tuple[tuple[str, Mapping[str, Quantity]], ...]]:
    if not paths:
        return (), ()
    from tonnage.cli.plan_cluster import read_cluster
    from tonnage.plan.price import example_prices

    read = read_cluster(paths, example_prices())
    return tuple(node for node, _ in read.nodes), tuple((space, quota.left) for space, quota in read.quotas)


def _read(names: Sequence[str], profile: ModelProfile | None) -> Inputs:
    """Reads everything; files that are named must hold objects, files of folders may hold other things.

    Raises:
        SpecError: A file is wrong; it holds every problem of all of them.
    """
    inputs = Inputs()
    problems: list[Problem] = []
    for name in names:
        folder = Path(name)
        if name != "-" and folder.is_dir():
            paths = [path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES]
            patches, images = _kustomized(paths)
            inputs.images_replaced |= images
            for path in paths:
                if path.is_file() and path.resolve() not in patches:
                    _take(str(path), inputs, [], profile, named=False)
        else:
            _take(name, inputs, problems, profile, named=True)
    if problems:
        raise SpecError(problems)
    if all(item.is_ours for item in inputs.objects):
        raise SpecError([Problem("", f"must hold Kubernetes objects, got none in {', '.join(names)}")])
    return inputs


def _kustomized(paths: Sequence[Path]) -> tuple[set[Path], set[str]]:
    """What kustomizations say of a folder's files.

    Returns:
        The files that are patches, which are parts of objects and judged by nobody, and the images for which
        a version is put in.
    """
    patches: set[Path] = set()
    images: set[str] = set()
    for path in paths:
        if path.name not in ("kustomization.yaml", "kustomization.yml"):
            continue
        try:
            documents, _ = read_text(object_text(str(path)), source=str(path))
        except SpecError:
            continue
        value = documents[0].value if documents and isinstance(documents[0].value, dict) else {}
        for name in ("patches", "patchesStrategicMerge", "patchesJson6902", "components", "transformers"):
            for one in _listed(value, name):
                named = one.get("path") if isinstance(one, dict) else one
                if isinstance(named, str) and "\n" not in named:
                    patches.add((path.parent / named).resolve())
        for one in _listed(value, "images"):
            if isinstance(one, dict) and (one.get("digest") or one.get("newTag", "latest") != "latest"):
                images.add(str(one.get("name")))
    return patches, images


def _listed(value: Mapping[str, Any], name: str) -> list[Any]:
    listed = value.get(name)
    return listed if isinstance(listed, list) else []


def _take(
    name: str, inputs: Inputs, problems: list[Problem], profile: ModelProfile | None, *, named: bool
) -> None:
    source = source_of(name)
    try:
        text = object_text(name)
        objects, wrong = read_objects(text, source=source)
    except SpecError as error:
        problems += error.problems
        inputs.skipped += [] if named else [f"{source}: passed over, because it is no YAML (a template?)"]
        return
    if not named and not objects:
        return  # values, settings of other tools: folders hold many things
    if not named:
        parts = [item for item in objects if item.kind in REPLICATED and item.at("spec", "selector") is None]
        inputs.skipped += [f"{source}: {item.reference} passed over, because it is a patch" for item in parts]
        objects = [item for item in objects if item not in parts]
    problems += wrong
    if name != "-":
        inputs.texts[source] = text
    for item in objects:
        inputs.objects += rendered(item, problems, profile) if is_rendered(item) else [item]


def _fix(report: Report, inputs: Inputs) -> bool:
    """Writes the changes that findings come with, and says what was and what was not.

    Returns:
        Whether a file was written.
    """
    changed = False
    for name, text in inputs.texts.items():
        wanted = [one for one in report.findings if one.file == name and one.changes]
        edited, done = patched(text, wanted)
        if done:
            write_whole(edited, path=Path(name))
            changed = True
        for one in done:
            click.echo(f"{name}: fixed {one.code} of {one.object}", err=True)
        for one in wanted:
            if one not in done:
                click.echo(f"{name}: {one.code} of {one.object} must be fixed by hand", err=True)
    for one in report.findings:
        if one.changes and one.file not in inputs.texts:
            click.echo(f"{one.file}: {one.code} cannot be fixed in place", err=True)
    return changed
