"""What a replica's pod does with its time: a container's probes, resources and hooks, with measured times.

Times come from the Simulation, else from the profile, else they are none. Which of the server's answers a
probe gets hangs on whose server it is: ours answers ``/livez`` whatever the load, a plain one answers every
path where it answers requests.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.contract import endpoints
from tonnage.contract.server_config import ServerConfig
from tonnage.kube.shape import quantity_of
from tonnage.profile import Distribution, ModelProfile
from tonnage.spec.experiment import PodBehavior
from tonnage.spec.service import ModelService
from tonnage.twin.pod_life import (
    PLAIN_ENDPOINTS,
    TONNAGE_ENDPOINTS,
    ZERO,
    Compute,
    Crash,
    Endpoint,
    EndpointName,
    PodLife,
    Probe,
    Samples,
    Termination,
)
from tonnage.units import Duration

GRACE_S_DEFAULT: Final = 30
"""Kubernetes' own grace. Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/types.go."""
QUANTILE_STEPS: Final = 20
"""Samples that stand for a distribution of which only quantiles were kept."""
_PROBE_ACTIONS: Final = ("httpGet", "grpc", "tcpSocket", "exec")
_SLEEP: Final = re.compile(r"\bsleep ([0-9]+(?:\.[0-9]+)?)s?\b")


@dataclass(frozen=True, slots=True)
class LifeFacts:
    """What is known of the replicas.

    Attributes:
        behavior: What the Simulation says.
        service: The ModelService; None for plain manifests.
        profile: What was measured; None for nothing.
        workers: Worker processes of one replica [>= 1].
        config: Our server's settings among the objects; None where there are none.
    """

    behavior: PodBehavior
    service: ModelService | None
    profile: ModelProfile | None
    workers: int = 1
    config: ServerConfig | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the server is Tonnage's: by document or settings, or the profile was measured with it."""
        measured = self.profile is not None and self.profile.settings is not None
        return self.service is not None or self.config is not None or measured


def pod_life(template: Mapping[str, Any], container: Mapping[str, Any], facts: LifeFacts) -> PodLife:
    """The life of a replica.

    Args:
        template: The pod template, of a sound shape.
        container: The container that serves, out of it.
        facts: What else is known.
    """
    startup = facts.profile.startup if facts.profile is not None else None
    said = facts.behavior
    return PodLife(
        image=str(container.get("image") or "model"),
        image_pull_s=_samples(said.image_pull, None) or ZERO,
        container_start_s=_samples(said.container_start, None) or Samples((1.0,)),
        process_s=_samples(said.process_start, startup.process_s if startup else None) or ZERO,
        load_s=_samples(said.load, startup.load_s if startup else None) or ZERO,
        warmup_s=_samples(said.warmup, startup.warmup_s if startup else None) or ZERO,
        compute=_compute(container, facts),
        startup=_probe(container, "startupProbe", facts),
        readiness=_probe(container, "readinessProbe", facts),
        liveness=_probe(container, "livenessProbe", facts),
        endpoints=_endpoints(facts),
        termination=_termination(template, container, facts),
        crash=Crash(load_ratio=float(said.load_crashes)),
    )


def _samples(said: tuple[Duration, ...] | None, measured: Distribution | None) -> Samples | None:
    if said is not None:
        return Samples.of(*(one.seconds for one in said))
    if measured is None:
        return None
    if measured.samples:
        return Samples.of(*measured.samples)
    if not measured.quantiles:
        return Samples.of(measured.mean)
    middles = [(step + 0.5) * 100 / QUANTILE_STEPS for step in range(QUANTILE_STEPS)]
    return Samples.of(*(measured.at(percentile) for percentile in middles))


def _compute(container: Mapping[str, Any], facts: LifeFacts) -> Compute:
    """CPU and memory; a request that is not given is the limit's, as the API server fills it in.

    Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1/defaults.go SetDefaults_Pod.
    """
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    cpu_limit, memory_limit = _amount(limits, "cpu"), _amount(limits, "memory")
    cpu_request, memory_request = _amount(requests, "cpu"), _amount(requests, "memory")
    cpu_request = cpu_limit if cpu_request is None else cpu_request
    memory_request = memory_limit if memory_request is None else memory_request
    said, profile = facts.behavior, facts.profile
    busy, bound = _busy_cores(profile, facts.workers)
    memory = profile.memory if profile is not None else None
    ready = said.memory_ready.value if said.memory_ready is not None else None
    if ready is None:
        ready = memory.after_traffic.rss_bytes if memory is not None else 0
    peak = said.memory_load.value if said.memory_load is not None else None
    if peak is None:
        peak = max(memory.peak_bytes, ready) if memory is not None else ready
    overhead = profile.overhead if profile is not None else None
    return Compute(
        cpu_request_cores=cpu_request,
        cpu_limit_cores=cpu_limit or None,
        cpu_start_cores=float(said.cpu_at_start) if said.cpu_at_start is not None else 1.0,
        cpu_idle_cores=overhead.idle_ratio if overhead is not None else 0.0,
        cpu_busy_cores=float(said.cpu_busy) if said.cpu_busy is not None else busy,
        memory_request_bytes=round(memory_request) if memory_request is not None else None,
        memory_limit_bytes=round(memory_limit) if memory_limit else None,
        memory_load_bytes=peak,
        memory_ready_bytes=ready,
        cpu_bound_ratio=float(said.cpu_bound) if said.cpu_bound is not None else bound,
    )


def _amount(amounts: Mapping[str, Any], name: str) -> float | None:
    return float(quantity_of(amounts[name])) if amounts.get(name) is not None else None


def _busy_cores(profile: ModelProfile | None, workers: int) -> tuple[float, float]:
    """Cores used while every worker's model runs, and the share of a batch's time that the CPU computes."""
    measured = [
        batch.cpu_s / batch.steady_s.mean
        for batch in (profile.batches if profile is not None else ())
        if batch.cpu_s is not None and batch.steady_s.mean > 0
    ]
    if not measured:
        return float(workers), 1.0
    return workers * measured[-1], min(1.0, measured[-1])


def _endpoints(facts: LifeFacts) -> tuple[Endpoint, ...]:
    known = TONNAGE_ENDPOINTS if facts.is_ours else PLAIN_ENDPOINTS
    under_load = facts.behavior.liveness_under_load
    if under_load is None:
        return known
    return tuple(
        dataclasses.replace(one, shares_queue=under_load == "queues") if one.name == "live" else one
        for one in known
    )


def _probe(container: Mapping[str, Any], name: str, facts: LifeFacts) -> Probe | None:
    """A probe with Kubernetes' defaults for what it does not say."""
    probe = container.get(name)
    if not probe or not any(action in probe for action in _PROBE_ACTIONS):
        return None
    return Probe(
        initial_delay_s=probe.get("initialDelaySeconds") or 0,
        period_s=probe.get("periodSeconds") or 10,
        timeout_s=probe.get("timeoutSeconds") or 1,
        success_threshold=probe.get("successThreshold") or 1,
        failure_threshold=probe.get("failureThreshold") or 3,
        endpoint=_endpoint(container, name, probe, facts),
    )


def _endpoint(
    container: Mapping[str, Any], name: str, probe: Mapping[str, Any], facts: LifeFacts
) -> EndpointName:
    """Which of the server's answers a probe asks for.

    Our server has two paths; of another one, a liveness probe that asks the same as the readiness probe
    gets the same answer, and a probe of a port needs only the port.
    """
    if "tcpSocket" in probe:
        return "other"
    path = (probe.get("httpGet") or {}).get("path")
    if facts.is_ours and path is not None:
        if path == endpoints.LIVENESS_PATH:
            return "live"
        return "health" if path == endpoints.HEALTH_PATH else "other"
    if name != "livenessProbe":
        return "health"
    ready = container.get("readinessProbe") or {}
    same = all(ready.get(action) == probe.get(action) for action in _PROBE_ACTIONS)
    return "health" if same else "live"


def _termination(template: Mapping[str, Any], container: Mapping[str, Any], facts: LifeFacts) -> Termination:
    said, service = facts.behavior, facts.service
    grace = (template.get("spec") or {}).get("terminationGracePeriodSeconds")
    if said.lame_duck is not None:
        lame_duck_s = said.lame_duck.seconds
    elif service is not None:
        lame_duck_s = service.spec.server.lame_duck.seconds
    else:
        lame_duck_s = facts.config.lame_duck_s if facts.config is not None else 0.0
    return Termination(
        grace_s=float(GRACE_S_DEFAULT if grace is None else grace),
        pre_stop_s=pre_stop_sleep_s(container) or 0.0,
        lame_duck_s=lame_duck_s,
        drains=said.drains,
    )


def pre_stop_sleep_s(container: Mapping[str, Any]) -> float | None:
    """How long the preStop hook sleeps [s]; 0 without a hook, None when it does something else."""
    hook = (container.get("lifecycle") or {}).get("preStop")
    if not hook:
        return 0.0
    if hook.get("sleep"):
        return float(hook["sleep"].get("seconds") or 0)
    command = (hook.get("exec") or {}).get("command")
    found = _SLEEP.search(" ".join(str(word) for word in command)) if isinstance(command, list) else None
    return float(found[1]) if found is not None else None
