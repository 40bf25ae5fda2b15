"""What ``tonnage gpus`` prints for people: tables as wide as they need to be, whole in a pipe too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from tonnage.gpus.answer import Change, Fit
from tonnage.gpus.explain import Amount, Explanation
from tonnage.gpus.inventory import Holding, Inventory, NodeGpus
from tonnage.gpus.labelling import Labelling
from tonnage.gpus.workloads import Workload
from tonnage.scheduling.resources import CPU, MEMORY, STORAGE
from tonnage.spec.service import KIND
from tonnage.spec.training import TRAINING_KIND

_NODES_SHOWN: Final = 6


def inventory_lines(stock: Inventory, sizes: Sequence[int]) -> Iterator[str]:
    """Totals, nodes, and who waits."""
    have = len(stock.nodes)
    yield f"{have} of {stock.nodes_known} {_plural(stock.nodes_known, 'node')} {_has(have)} GPUs"
    if not have:
        return
    yield ""
    shapes = [f"OF {size}" for size in sizes]
    rows = [["VENDOR", "RESOURCE", "TYPE", "NODES", "GPUS", "USED", "FREE", "BLOCKED", *_fitting(shapes)]]
    for one in stock.totals:
        amounts = (one.nodes, one.allocatable, one.used, one.free, one.blocked, *one.fits.values())
        rows.append([one.vendor or "?", one.resource, one.type or "?", *map(str, amounts)])
    yield from _table(rows, numbers_from=3)
    yield ""
    counts = ("GPUS", "USED", "FREE")
    rows = [["NODE", "TYPE", "MEMORY", "RESOURCE", *counts, *_fitting(shapes), "STATE", "TAINTS"]]
    for node in stock.nodes:
        for place, holding in enumerate(node.holdings):
            rows.append(_node_row(node, holding, sizes, first=place == 0))
    yield from _table(rows, numbers_from=4, numbers_to=7 + len(sizes))
    yield from _remarks(stock)


def _fitting(shapes: Sequence[str]) -> list[str]:
    return [f"PODS {shapes[0]}", *shapes[1:]] if shapes else []


def _node_row(node: NodeGpus, holding: Holding, sizes: Sequence[int], *, first: bool) -> list[str]:
    memory = f"{node.identity.memory_mib // 1024}Gi" if node.identity.memory_mib else "-"
    counts = [str(holding.allocatable), str(holding.used), str(holding.free)]
    if holding.capacity > holding.allocatable:
        counts[0] += f"/{holding.capacity}"
    fits = [str(node.fits(holding, size)) for size in sizes]
    who = [node.name, node.type or "?", memory] if first else ["", "", ""]
    state = _state(node) if first else ""
    return [*who, holding.resource, *counts, *fits, state, ", ".join(node.taints) or "-" if first else ""]


def _state(node: NodeGpus) -> str:
    words = []
    if node.ready is False:
        words.append("not ready")
    if node.cordoned:
        words.append("cordoned")
    if node.lifecycle and not node.cordoned and node.ready is not False:
        words.append("takes no pods")
    return ", ".join(words) or "ready"


def _remarks(stock: Inventory) -> Iterator[str]:
    if stock.waiting:
        yield ""
        asked: dict[str, list[int]] = {}
        for one in stock.waiting:
            asked.setdefault(one.resource, []).append(one.count)
        for resource, counts in sorted(asked.items()):
            pods = f"{len(counts)} {_plural(len(counts), 'pod')}"
            yield f"waiting: {pods} for {sum(counts)} {resource}"
    bare = [node.name for node in stock.nodes if not node.labelled]
    if bare:
        yield ""
        lacking = f"{len(bare)} {_plural(len(bare), 'node')} {_has(len(bare))} no label {stock.type_label}"
        yield f"{lacking}; tonnage gpus label prints the commands"
    for note in stock.notes:
        yield f"note: {note}"


def label_lines(found: Labelling, type_label: str) -> Iterator[str]:
    """Commands to be run, with what could not be told as comments."""
    yield from found.commands(type_label)
    for name in found.unknown:
        yield f"# {name}: no label says which GPU it has; kubectl label nodes {name} {type_label}=<type>"
    for name, has, names in found.differing:
        yield f"# {name}: has {type_label}={has}, and other labels name {names}; it is left as it is"


def fit_lines(workload: Workload, answer: Fit) -> Iterator[str]:
    """Whether a workload fits, where its pods go, what stands in the way, and what helps."""
    count = len(answer.pods)
    together = ", all or none" if answer.gang and count > 1 else ""
    head = f"{workload.kind}/{workload.name}: {count} {_plural(count, 'pod')}{together}"
    if answer.fits:
        yield f"{head}: fits"
        yield from _placed(answer)
    else:
        found = len(answer.partial)
        rest = f"; {found} of {count} find a node" if count > 1 else ""
        yield f"{head}: does not fit{rest}"
        yield f"  {answer.stuck}: {answer.message}"
        yield ""
        yield from _rejections(answer)
        yield ""
        yield from _changes(answer.changes, ours=workload.kind in (KIND, TRAINING_KIND))
    for note in answer.notes:
        yield f"note: {note}"


def _placed(answer: Fit) -> Iterator[str]:
    rows = []
    for pod, node in answer.placed.items():
        others = [name for name in answer.equals[pod] if name != node]
        shown = f"as good: {_shown(others)}" if others else ""
        rows.append([f"  {pod}", node, shown])
    yield from _table(rows)


def _rejections(answer: Fit) -> Iterator[str]:
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for node, reasons in answer.rejected.items():
        groups.setdefault((answer.plugins[node], reasons), []).append(node)
    rows = [["  NODES", "REJECTED BY", "WHY"]]
    rows += [[f"  {_shown(nodes)}", by, ", ".join(why)] for (by, why), nodes in groups.items()]
    if len(rows) > 1:
        yield from _table(rows)


def _changes(changes: Sequence[Change], *, ours: bool) -> Iterator[str]:
    if not changes:
        yield "  nothing that was tried helps"
        return
    yield "  what helps (each was tried; the least first):"
    for place, one in enumerate(changes, 1):
        yield f"  {place}. {one.text}"
        yield from (f"       {line}" for line in _how(one, ours=ours))


def _how(change: Change, *, ours: bool) -> Sequence[str]:
    """The lines to write; our own documents have tolerations and selectors in ``spec.scheduling``."""
    written = [line for line in change.how if not line.startswith("kubectl ")]
    commands = [line for line in change.how if line.startswith("kubectl ")]
    if not ours or not written:
        return change.how
    if written[0].startswith("affinity:"):
        return [*commands, "(spec.resources.gpu.types lists them, the preferred first)"]
    return [*commands, "spec:", "  scheduling:", *(f"    {line}" for line in written)]


def explanation_lines(one: Explanation) -> Iterator[str]:
    """One node beside what one pod asks for."""
    if one.rejected_by:
        yield f"{one.node} rejects {one.pod}: {', '.join(one.reasons)} ({one.rejected_by})"
    elif one.chosen == one.node:
        yield f"{one.node} takes {one.pod}"
    else:
        yield f"{one.node} would take {one.pod}, which goes to {one.chosen}"
    rows = [["  WHAT", "THE POD ASKS", "THE NODE HAS", ""]]
    if one.cordoned:
        rows.append(["  cordon", "", "cordoned", "no"])
    for text, good in one.taints:
        rows.append(["  taint", "tolerated" if good else "not tolerated", text, _good(good)])
    rows += [["  label", asked, has, _good(good)] for asked, has, good in one.labels]
    for amount in one.amounts:
        free = _amount(amount, amount.allocatable - amount.used)
        has = f"{free} free of {_amount(amount, amount.allocatable)}"
        rows.append([f"  {amount.resource}", _amount(amount, amount.asked), has, _good(amount.enough)])
    yield from _table(rows)
    if one.scores:
        yield ""
        rows = [["  SCORE", one.node, f"{one.chosen} (chosen)"]]
        rows += [[f"  {plugin}", str(here), str(there)] for plugin, (here, there) in one.scores.items()]
        yield from _table(rows, numbers_from=1)


def _amount(one: Amount, value: int) -> str:
    if one.resource == CPU:
        return str(value // 1000) if value % 1000 == 0 else f"{value}m"
    if one.resource in (MEMORY, STORAGE):
        return f"{value / 2**30:.1f}Gi"
    return str(value)


def _good(good: bool) -> str:
    return "yes" if good else "no"


def _shown(names: Sequence[str]) -> str:
    if len(names) > _NODES_SHOWN:
        return f"{', '.join(names[:_NODES_SHOWN])} and {len(names) - _NODES_SHOWN} more"
    return ", ".join(names)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _table(
    rows: Sequence[Sequence[str]], *, numbers_from: int | None = None, numbers_to: int | None = None
) -> Iterator[str]:
    """Columns two spaces apart; numbers are aligned to the right."""
    if not rows:
        return
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    end = len(widths) if numbers_to is None else numbers_to
    for row in rows:
        cells = []
        for at, (text, width) in enumerate(zip(row, widths, strict=True)):
            is_number = numbers_from is not None and numbers_from <= at < end
            cells.append(text.rjust(width) if is_number else text.ljust(width))
        yield "  ".join(cells).rstrip()
