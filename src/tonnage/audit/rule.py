"""A rule: a code, a severity, one function, and the text that explains it.

The text is the docstring of the rule's file. Its sections are read here, so that ``tonnage explain``, the
pages in ``docs/rules`` and the tests (which run its YAML) all have one source.
"""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from tonnage.audit.finding import Change, Severity
from tonnage.kube.paths import Path

SECTIONS: Final = ("What it finds", "Why it matters", "Bad", "Good", "How to fix", "Limits")
GIVEN: Final = "Given"
"""Optional section: measured facts with which the examples run, as ``ready_s_max=120``."""
_HEADING: Final = re.compile(r"^([A-Z][A-Za-z ]+):$", re.MULTILINE)
_CODE: Final = re.compile(r"TNG[0-9]{3}")

Subject = Literal["object", "workload", "container", "autoscaler", "budget", "service", "training"]


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule says about the subject that it was given.

    Attributes:
        path: The field, from the object's root.
        message: What is wrong and what follows from it.
        changes: What would end it.
        severity: Milder than the rule's own, where less is known; None takes the rule's.
    """

    path: Path
    message: str
    changes: tuple[Change, ...] = ()
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        code: Permanent, never used again for something else.
        severity: How bad a hit is.
        subject: What ``check`` is called with: each of these in turn.
        check: Says what is wrong with one subject; pure.
        text: The docstring of its file.
    """

    code: str
    severity: Severity
    subject: Subject
    check: Callable[[Any], Iterable[Hit]]
    text: str

    def __post_init__(self) -> None:
        if not _CODE.fullmatch(self.code):
            raise ValueError(f"code: must be TNG and three digits, got {self.code}")
        missing = [name for name in SECTIONS if not self.sections.get(name)]
        if missing:
            raise ValueError(f"{self.code}: must have the sections {', '.join(missing)}")

    @property
    def title(self) -> str:
        """The first line of its text, without the full stop."""
        return self.text.strip().splitlines()[0].rstrip(".")

    @property
    def sections(self) -> dict[str, str]:
        """Heading to text; lines of an example keep their indentation."""
        return dict(_sections(self.text))

    @property
    def remedy(self) -> str:
        """How to fix it, as one line."""
        return " ".join(self.sections["How to fix"].split())


@functools.cache
def _sections(text: str) -> Mapping[str, str]:
    """The sections of a rule's text; texts are constants."""
    pieces = _HEADING.split(text)[1:]
    return {
        name: textwrap.dedent(body).strip("\n").rstrip()
        for name, body in zip(pieces[::2], pieces[1::2], strict=True)
    }
