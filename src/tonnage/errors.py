"""Every exception that Tonnage raises on purpose, split by whose fault it is.

    TonnageError
    ├── SpecError          the author of a document or of a command line
    ├── EnvironmentFault   the machine, the network or the cluster
    │   ├── TargetUnreachable     nobody answers at the address given
    │   └── ModelLoadError        the model's file or code does not load here
    ├── FindingsError      the work was done and its answer is "no" (a gate, an assertion)
    └── BugError           us

The command line turns them into exit codes through ``exit_code``: 0 done, 1 findings or a failed
gate, 2 usage or a bad document, 3 environment, 70 a bug of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what a user wrote.

    Attributes:
        path: Where in the document, such as ``spec.batching.sizeMax``; empty for the whole.
        message: What must hold and what was found, as ``must be >= 1, got 0``.
        file: The file, or ``<stdin>``; None when there is none.
        line: Line in the file, from 1.
        column: Column in the line, from 1.
        hint: The next step, such as ``did you mean "sizeMax"?``.
    """

    path: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f":{self.line}"
            if self.column is not None:
                where += f":{self.column}"
        head = ": ".join(part for part in (where, self.path) if part)
        text = f"{head}: {self.message}" if head else self.message
        return f"{text}; {self.hint}" if self.hint else text


class TonnageError(Exception):
    """The root of the tree; never raised itself."""

    exit_code = 70


class SpecError(TonnageError):
    """What the user wrote is wrong; carries every problem found, in document order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem] | str) -> None:
        self.problems: tuple[Problem, ...] = (
            (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class EnvironmentFault(TonnageError):
    """The machine, the network or the cluster does not give what is needed."""

    exit_code = 3


class TargetUnreachable(EnvironmentFault):
    """Nobody answers at the address given."""


class ModelLoadError(EnvironmentFault):
    """The model's file or code does not load on this machine."""


class FindingsError(TonnageError):
    """The work was done, and its answer is no: a gate failed, or findings were made."""

    exit_code = 1


class BugError(TonnageError):
    """Something that cannot happen did; please report it."""

    exit_code = 70
