"""What is taken of a server and its replicas where nothing is said, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tonnage.twin.inputs.revision import RevisionFacts
from tonnage.twin.pod_life import ZERO, PodLife
from tonnage.twin.requests import ServerModel


def replica_assumptions(
    facts: RevisionFacts, life: PodLife, server: ServerModel, container: Mapping[str, Any]
) -> list[str]:
    """What was assumed of the replicas; nothing where a document or a profile says it.

    Args:
        facts: What was known.
        life: What came of it.
        server: The same.
        container: The container that serves.
    """
    found = []
    said = facts.pod
    if said.image_pull is None:
        found.append("images are on the nodes, so that no pod waits for a pull (pod.imagePull)")
    if said.load is None and life.load_s == ZERO and life.process_s == ZERO:
        found.append("the model loads at once, because no profile says how long it takes (pod.load)")
    told = facts.service is not None or facts.config is not None
    if not told and (facts.profile is None or facts.profile.settings is None):
        found.append(
            f"the server has {server.workers} worker(s) and batches of at most {server.size_max} (server),"
            " and answers probes where it answers requests (pod.livenessUnderLoad)"
        )
    if facts.profile is None and said.cpu_busy is None:
        found.append(
            f"a busy replica uses {life.compute.cpu_busy_cores:g} CPU, for all of a batch's time"
            " (pod.cpuBusy, pod.cpuBound)"
        )
    if life.compute.memory_ready_bytes == 0 and life.compute.memory_limit_bytes is not None:
        found.append("no replica reaches its memory limit (pod.memoryReady)")
    if life.readiness is None and life.startup is None and container.get("ports"):
        found.append("a replica gets requests as soon as its container runs, for want of a readiness probe")
    return found
