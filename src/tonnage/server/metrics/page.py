"""Metric families as text: Prometheus' format 0.0.4 and OpenMetrics 1.0.

The server writes them itself: what it says is known when it is written, so a client library's registry
would cost its import at every start and most of the time of every scrape, and give nothing.

Source: Prometheus "Exposition formats"; OpenMetrics specification 1.0, section 4 "Data Formats".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Sample = tuple[str, str, float]
"""Suffix of the name, labels in braces (see ``labels``), value."""

_ESCAPED = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its labels.

    Attributes:
        name: Its name; a counter's ends with ``_total``.
        kind: Its type.
        text: What it is, in one line without backslashes.
        samples: Its values, in the order that its type asks for.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    text: str
    samples: Sequence[Sample]


def labels(**values: str) -> str:
    r"""Labels in braces, with ``\``, ``"`` and line ends escaped."""
    return "{" + ",".join(f'{name}="{value.translate(_ESCAPED)}"' for name, value in values.items()) + "}"


def render(families: Iterable[Family], *, openmetrics: bool) -> bytes:
    """The page of all families in one of the two formats."""
    lines: list[str] = []
    for family in families:
        base = name = family.name
        if family.kind == "counter" and openmetrics:  # there only the sample has the suffix
            base = name.removesuffix("_total")
        lines.append(f"# HELP {base} {family.text}\n# TYPE {base} {family.kind}\n")
        lines += [f"{name}{suffix}{tags} {value}\n" for suffix, tags, value in family.samples]
    if openmetrics:
        lines.append("# EOF\n")
    return "".join(lines).encode()
