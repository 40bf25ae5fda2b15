"""The only room that talks to an API server: it reads what is there, applies, follows and deletes.

What is in it by layers: which cluster (``kubeconfig``), the line to it (``connection``, ``credentials``),
requests on plain JSON (``api``), what it offers (``resources``), what goes wrong (``faults``); over that
applying several objects as one (``apply``), following them (``watch``), what was said of them (``events``)
and what their containers wrote (``logs``); over that the life of a training (``training/``).
"""

from __future__ import annotations
