"""An open-loop HTTP load generator, free of coordinated omission, for one core or several.

Users do not wait for each other, so neither do its requests: each goes at the time that the arrival
process gave it, and its latency counts from that time, whether the delay is in the server, in the
wait for a connection, or in the generator, which says so. A closed loop, which sends the next
request when the last is answered, measures a stalled server once and calls it fast.
"""

from __future__ import annotations

from tonnage.loadgen.engine import Snapshot
from tonnage.loadgen.gates import Gate, parse_gate
from tonnage.loadgen.oip import fetch_inputs, infer_target, random_bodies
from tonnage.loadgen.outcome import Failure, outcome_name
from tonnage.loadgen.payload import Bodies, read_binary_body, read_json_bodies
from tonnage.loadgen.plan import LoadPlan, connections_for
from tonnage.loadgen.records import Records
from tonnage.loadgen.result import Distribution, LoadResult
from tonnage.loadgen.run import LoadRun, generate, run_load
from tonnage.loadgen.target import Target, parse_header, parse_target, render_request

__all__ = [
    "Bodies",
    "Distribution",
    "Failure",
    "Gate",
    "LoadPlan",
    "LoadResult",
    "LoadRun",
    "Records",
    "Snapshot",
    "Target",
    "connections_for",
    "fetch_inputs",
    "generate",
    "infer_target",
    "outcome_name",
    "parse_gate",
    "parse_header",
    "parse_target",
    "random_bodies",
    "read_binary_body",
    "read_json_bodies",
    "render_request",
    "run_load",
]
