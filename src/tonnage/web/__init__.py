"""Pages for people: one offline HTML file about a run of the twin, or about two side by side."""

from __future__ import annotations

from tonnage.web.compare import render_comparison
from tonnage.web.page import render_report

__all__ = ["render_comparison", "render_report"]
