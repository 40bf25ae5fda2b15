"""Small models, saved in every form, with what they answer."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim


class Masked(torch.nn.Module):
    """x [n, 8] and mask [n, 3] to a dict with one output per row and one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layer(x) * mask, "total": x.sum(-1)}


class Linear(torch.nn.Module):
    """x [n, 8] to [n, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


class Two(torch.nn.Module):
    """x [n, 8] to its mean and its largest place, as a tuple."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.mean(-1), x.argmax(-1)


def made(model: type[torch.nn.Module]) -> Any:
    """The model with weights that are always the same."""
    torch.manual_seed(20)
    return model().eval()


def exported(module: torch.nn.Module, path: Path, *inputs: torch.Tensor, dynamic: bool = True) -> Path:
    """Export with a batch of any length."""
    rows = Dim("rows", min=1, max=64)
    shapes = tuple({0: rows} for _ in inputs) if dynamic else None
    torch.export.save(torch.export.export(module, inputs, dynamic_shapes=shapes), path)
    return path


def scripted(module: torch.nn.Module, path: Path) -> Path:
    """Save as TorchScript."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(module), str(path))
    return path
