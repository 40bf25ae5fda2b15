"""Cases that once differed, or that catch what ports get wrong: one JSON file each, compared in every run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).parent / "cases"
Kind = Literal["calculator", "controller"]


def keep(kind: Kind, name: str, question: dict[str, Any], why: str) -> Path:
    """Writes a case down, and why it is kept."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{kind}-{name}.json"
    path.write_text(json.dumps({"why": why, "question": question}, indent=1) + "\n")
    return path


def kept(kind: Kind) -> dict[str, dict[str, Any]]:
    """Reads all cases of a kind, by name."""
    return {
        path.stem: json.loads(path.read_text())["question"] for path in sorted(FOLDER.glob(f"{kind}-*.json"))
    }
