"""Measuring a model and its server on this hardware, and the document that keeps what was measured.

Planning and simulation start from a ``ModelProfile``: how long the model takes to load, what a batch
of each size takes, what the server adds to each request, and the rate that one replica carries inside
its objective. Decisions (which rate to try next, whether figures can be believed) are pure; processes
are started and read at the edge.
"""

from __future__ import annotations

from tonnage.profile.document import dump_profile, load_profile, parse_profile
from tonnage.profile.part import Distribution
from tonnage.profile.parts import Batch, ModelProfile

__all__ = ["Batch", "Distribution", "ModelProfile", "dump_profile", "load_profile", "parse_profile"]
