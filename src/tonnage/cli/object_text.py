"""The text of a file of Kubernetes objects that the command line names."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from tonnage.errors import Problem, SpecError
from tonnage.kube.objects import OBJECTS_BYTES_MAX

STDIN: Final = "<stdin>"


def source_of(name: str) -> str:
    """What a file is called in problems; ``-`` is standard input."""
    return STDIN if name == "-" else name


def object_text(name: str) -> str:
    """A file's text; of one that is too long, enough for its reader to see.

    Args:
        name: Its path; ``-`` is standard input.

    Raises:
        SpecError: It cannot be read, or is no UTF-8 text.
    """
    source = source_of(name)
    try:
        if name == "-":
            data = sys.stdin.buffer.read(OBJECTS_BYTES_MAX + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(OBJECTS_BYTES_MAX + 1)
        return data.decode("utf-8-sig")
    except OSError as error:
        message = f"must be a readable file, got {error.strerror or error}"
        raise SpecError([Problem("", message, source)]) from None
    except UnicodeDecodeError:
        raise SpecError([Problem("", "must be UTF-8 text", source)]) from None
