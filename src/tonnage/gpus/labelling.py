"""The ``kubectl label`` commands that give every GPU node the type label which documents select by."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from tonnage.gpus.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Labelling:
    """What to label.

    Attributes:
        by_type: Type to the nodes that have it and lack the label.
        unknown: Nodes with GPUs of which nothing says the type.
        differing: Nodes whose label differs from what other labels name: node, label's value, short name.
    """

    by_type: tuple[tuple[str, tuple[str, ...]], ...]
    unknown: tuple[str, ...]
    differing: tuple[tuple[str, str, str], ...]

    def commands(self, type_label: str) -> tuple[str, ...]:
        """One command for each type, nodes by name."""
        return tuple(
            shlex.join(("kubectl", "label", "nodes", *names, f"{type_label}={kind}"))
            for kind, names in self.by_type
        )


def labelling(stock: Inventory) -> Labelling:
    """Which nodes to label with which type."""
    by_type: dict[str, list[str]] = {}
    unknown: list[str] = []
    differing: list[tuple[str, str, str]] = []
    for node in stock.nodes:
        short = node.identity.short
        if node.labelled and short and short not in (node.type, ""):
            differing.append((node.name, node.type, short))
        elif not node.labelled and short:
            by_type.setdefault(short, []).append(node.name)
        elif not node.labelled:
            unknown.append(node.name)
    pairs = tuple((kind, tuple(names)) for kind, names in sorted(by_type.items()))
    return Labelling(pairs, tuple(unknown), tuple(differing))
