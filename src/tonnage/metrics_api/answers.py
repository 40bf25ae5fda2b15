"""From a request to values: each pod by the policy, or a fleet as one. Decides, and does no I/O.

The fleet form (of a Service or a Deployment) takes the pods that the policy lets speak: percentiles come from
their added buckets, rates and work in flight are added, utilization is the sum of the one over the sum of the
other. It has no percentile where a server made its own quantiles, since those cannot be added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tonnage.contract import autoscaling
from tonnage.metrics_api.api import KINDS, BadRequest, MetricRequest, NotFound, Value
from tonnage.metrics_api.policy import PodState, Policy, answer
from tonnage.metrics_api.selectors import BadSelector, Selector, parse_selector
from tonnage.metrics_api.store import METRICS, PERCENTILES, PodRecord, Store
from tonnage.metrics_api.windows import merged

ALL: Final = "*"
_OF_REQUESTS: Final = frozenset({*PERCENTILES, autoscaling.REQUESTS_PER_SECOND})
"""Metrics that a pod without requests does not have, so that their absence says that it is idle."""


def answers(
    request: MetricRequest, store: Store, policy: Policy, now_s: float, epoch_s: float
) -> list[Value]:
    """Answer a request.

    Args:
        request: What is asked.
        store: What is known.
        policy: What is said of pods that are not simply serving.
        now_s: The time of the clock that readings have [s].
        epoch_s: The same time since 1970 [s].

    Returns:
        A value for each object that has one; of ``*`` maybe none.

    Raises:
        NotFound: The metric or the one object asked for has none; the message says why.
        BadRequest: The selector is none.
    """
    if request.metric not in METRICS:
        raise NotFound(f"metric {request.metric}: must be one of {', '.join(METRICS)}")
    try:
        selector = parse_selector(request.selector)
    except BadSelector as error:
        raise BadRequest(str(error)) from None
    if request.resource == "pods":
        return _of_pods(request, selector, store, policy, now_s, epoch_s)
    return _of_fleets(request, store, policy, now_s, epoch_s)


def state_of(record: PodRecord, metric: str, now_s: float) -> PodState:
    """A pod as the policy sees it."""
    info = record.info
    return PodState(
        ready=info.ready,
        ending=info.ending,
        over=info.over,
        age_s=now_s - record.at_s,
        value=record.value(metric),
        last=record.last.get(metric),
        known=record.known and record.tells(metric) and metric in _OF_REQUESTS,
    )


def _of_pods(
    request: MetricRequest, selector: Selector, store: Store, policy: Policy, now_s: float, epoch_s: float
) -> list[Value]:
    if request.name == ALL:
        records: Sequence[PodRecord] = store.selected(request.namespace, selector)
    else:
        one = store.pod(request.namespace, request.name)
        records = () if one is None else (one,)
    found = []
    for record in records:
        value = answer(state_of(record, request.metric, now_s), policy)
        if value is not None:
            at_s = epoch_s - (now_s - record.at_s)
            found.append(Value("Pod", record.info.name, value, at_s, record.window_s))
    if not found and request.name != ALL:
        raise NotFound(f"pod {request.name}: has no {request.metric} now")
    return found


def _of_fleets(
    request: MetricRequest, store: Store, policy: Policy, now_s: float, epoch_s: float
) -> list[Value]:
    kind = KINDS[request.resource][0]
    if request.name == ALL:
        # which Services or Deployments a selector means is not known here: their labels are not kept
        if request.selector:
            raise BadRequest(f"labelSelector: must be empty for {request.resource}, which are asked by name")
        names = list(store.scopes(request.resource, request.namespace))
    else:
        names = [request.name]
    found = []
    for name in sorted(names):
        selector = store.scope(request.resource, request.namespace, name)
        if selector is None:
            continue
        records = [one for one in store.selected(request.namespace, selector) if _speaks(one, policy, now_s)]
        value = _fleet_value(records, request.metric, policy)
        if value is not None:
            oldest_s = min(record.at_s for record in records)
            window_s = max(record.window_s for record in records)
            found.append(Value(kind, name, value, epoch_s - (now_s - oldest_s), window_s))
    if not found and request.name != ALL:
        raise NotFound(f"{kind.lower()} {request.name}: has no {request.metric} now")
    return found


def _speaks(record: PodRecord, policy: Policy, now_s: float) -> bool:
    """Whether a pod counts in its fleet: the policy, asked of one that has something to say."""
    info = record.info
    state = PodState(info.ready, info.ending, info.over, now_s - record.at_s, value=0.0, last=0.0)
    return answer(state, policy) is not None


def _fleet_value(records: Sequence[PodRecord], metric: str, policy: Policy) -> float | None:
    records = [one for one in records if one.known and one.tells(metric)]
    if not records:
        return None
    if metric in PERCENTILES:
        return _fleet_percentile(records, PERCENTILES[metric], policy)
    if metric == autoscaling.LOAD_UTILIZATION:
        pairs = [
            (one.values[autoscaling.REQUESTS_IN_FLIGHT], one.info.sustainable)
            for one in records
            if autoscaling.REQUESTS_IN_FLIGHT in one.values and one.info.sustainable is not None
        ]
        sustainable = sum(pair[1] for pair in pairs)
        return sum(pair[0] for pair in pairs) / sustainable if sustainable > 0 else None
    values = [value for one in records if (value := one.value(metric)) is not None]
    return sum(values) if values else None


def _fleet_percentile(records: Sequence[PodRecord], q: float, policy: Policy) -> float | None:
    windows = [one.latency for one in records if one.latency is not None]
    if not windows:
        return None
    total = merged(windows)
    value = total.quantile(q) if total is not None else None
    if value is not None:
        return value
    if policy.idle == "last":
        before = merged(one.latency_last for one in records if one.latency_last is not None)
        return before.quantile(q) if before is not None else None
    return 0.0 if policy.idle == "zero" else None


