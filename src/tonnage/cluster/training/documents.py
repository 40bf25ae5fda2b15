"""What is said about trainings, as plain data for other programs. Pure; the fields are a promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tonnage.cluster.apply import Piece
from tonnage.cluster.events import Said
from tonnage.cluster.training.listing import Listed
from tonnage.cluster.training.placement import Placement
from tonnage.cluster.training.state import JobState
from tonnage.cluster.training.submit import Prepared
from tonnage.training import TrainingStatus, WorkerStatus

EVENTS_SHOWN = 10


def status_document(state: JobState) -> dict[str, Any]:
    """A training with its workers and last events."""
    main = state.main or {}
    metadata = main.get("metadata") or {}
    return {
        "name": state.name,
        "namespace": state.namespace,
        "kind": main.get("kind"),
        "created": metadata.get("creationTimestamp"),
        **_status(state.status),
        "events": [_event(one) for one in state.said[-EVENTS_SHOWN:]],
    }


def submission_document(
    prepared: Prepared, pieces: Sequence[Piece], placement: Placement | None, why: Sequence[str]
) -> dict[str, Any]:
    """What was submitted, and where its pods are."""
    document: dict[str, Any] = {
        "name": prepared.job.name,
        "namespace": prepared.namespace,
        "backend": prepared.choice.backend,
        "gang": prepared.choice.gang,
        "reasons": list(prepared.choice.reasons),
        "notes": list(prepared.notes),
        "objects": [
            {
                "apiVersion": piece.resource.api_version,
                "kind": piece.resource.kind,
                "name": piece.name,
                "namespace": piece.namespace,
                "uid": piece.uid or None,
            }
            for piece in pieces
        ],
    }
    if placement is not None:
        document["placement"] = {
            "complete": placement.complete,
            "expected": placement.expected,
            "nodes": dict(placement.nodes),
            "waiting": list(placement.waiting),
            "missing": list(why),
        }
    return document


def listing_document(listed: Sequence[Listed]) -> dict[str, Any]:
    """Some trainings."""
    return {"items": [_listed(one) for one in listed]}


def _listed(one: Listed) -> dict[str, Any]:
    return {
        "name": one.status.name,
        "namespace": one.namespace,
        "kind": one.kind,
        "created": one.created or None,
        **_status(one.status),
    }


def _status(status: TrainingStatus) -> dict[str, Any]:
    return {
        "phase": status.phase,
        "reason": status.reason,
        "message": status.message,
        "restarts": status.restarts,
        "waits": list(status.waits),
        "workers": [_worker(one) for one in status.workers],
    }


def _worker(one: WorkerStatus) -> Mapping[str, Any]:
    return {
        "name": f"{one.role}-{one.index}",
        "role": one.role,
        "index": one.index,
        "pod": one.name or None,
        "phase": one.phase,
        "node": one.node,
        "restarts": one.restarts,
        "exitCode": one.exit_code,
        "reason": one.reason,
    }


def _event(one: Said) -> Mapping[str, Any]:
    return {
        "at": one.at,
        "type": one.type,
        "reason": one.reason,
        "object": f"{one.kind}/{one.name}",
        "message": one.text,
        "count": one.count,
    }
