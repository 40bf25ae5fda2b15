"""From a request to values: each pod by the policy, or a fleet as one. Decides, and does no I/O.

The fleet form (of a Service or a Deployment) takes the pods that the policy lets speak: percentiles come from
their added buckets, rates and work in flight are added, utilization is the sum of the one over the sum of the
other. It has no percentile where a server made its own quantiles, since those cannot be added.

An answer over a thousand pods only gathers: what a pod says is worded when its page arrives, for what has
been asked before, and kept beside it until its page or its state changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from tonnage.contract import autoscaling
from tonnage.metrics_api.api import KINDS, BadRequest, MetricRequest, NotFound, Wording
from tonnage.metrics_api.policy import PodState, Policy, answer
from tonnage.metrics_api.selectors import BadSelector, parse_selector
from tonnage.metrics_api.store import METRICS, PERCENTILES, PodRecord, Store
from tonnage.metrics_api.windows import merged

ALL: Final = "*"
_OF_REQUESTS: Final = frozenset({*PERCENTILES, autoscaling.REQUESTS_PER_SECOND})
"""Metrics that a pod without requests does not have, so that their absence says that it is idle."""
_SPEAKS: Final = b"speaks"
WORDINGS_MAX: Final = 4096
"""Kept; there is one for each metric that is asked of a namespace, and namespaces come and go."""


class Answers:
    """Answers requests from a store.

    Args:
        store: What is known.
        policy: What is said of pods that are not simply serving.
    """

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._wordings: dict[tuple[str, str, str], Wording] = {}
        # version and metric of what was asked of pods: a dozen at most
        self._asked: dict[tuple[str, str], None] = {}

    def answer(self, request: MetricRequest, now_s: float, epoch_s: float) -> list[bytes]:
        """Answer a request.

        Args:
            request: What is asked.
            now_s: The time of the clock that readings have [s].
            epoch_s: The same time since 1970 [s].

        Returns:
            An item of the answer for each object that has one; of ``*`` maybe none.

        Raises:
            NotFound: The metric or the one object asked for has none; the message says why.
            BadRequest: The selector is none.
        """
        if request.metric not in METRICS:
            raise NotFound(f"metric {request.metric}: must be one of {', '.join(METRICS)}")
        if request.resource == "pods":
            found = self._of_pods(request, now_s, epoch_s)
        else:
            found = self._of_fleets(request, now_s, epoch_s)
        if not found and request.name != ALL:
            kind = KINDS[request.resource][0].lower()
            raise NotFound(f"{kind} {request.name}: has no {request.metric} now")
        return found

    def prepare(self, record: PodRecord, now_s: float, epoch_s: float) -> None:
        """Word what a pod says now, for all that has been asked so far.

        Args:
            record: The pod, whose page has just been read.
            now_s: The time of the clock that readings have [s].
            epoch_s: The same time since 1970 [s].
        """
        for version, metric in self._asked:
            record.words[self, version, metric] = self._words(record, version, metric, epoch_s - now_s)

    def _of_pods(self, request: MetricRequest, now_s: float, epoch_s: float) -> list[bytes]:
        version, metric = request.version, request.metric
        try:
            selector = parse_selector(request.selector)
        except BadSelector as error:
            raise BadRequest(str(error)) from None
        if request.name == ALL:
            records: Sequence[PodRecord] = self._store.selected(request.namespace, selector)
        else:
            one = self._store.pod(request.namespace, request.name)
            records = () if one is None else (one,)
        self._asked[version, metric] = None
        # what is said of a pod changes with its page, with what the API server says of it, and with its age
        oldest_s, key, offset_s = self._policy.oldest_s(now_s), (self, version, metric), epoch_s - now_s
        found = []
        for record in records:
            if record.at_s < oldest_s:
                continue
            words = record.words.get(key)
            if words is None:
                words = record.words[key] = self._words(record, version, metric, offset_s)
            if words:
                found.append(words)
        return found

    def _words(self, record: PodRecord, version: str, metric: str, offset_s: float) -> bytes:
        """A pod's item, as of its reading; empty for none."""
        value = answer(state_of(record, metric, record.at_s), self._policy)
        if value is None:
            return b""
        key = (version, metric, record.info.namespace)
        wording = self._wordings.get(key)
        if wording is None:
            if len(self._wordings) >= WORDINGS_MAX:
                self._wordings.clear()
            wording = self._wordings[key] = Wording(version, "pods", record.info.namespace, metric)
        return wording.item(record.info.name, value, record.at_s + offset_s, record.window_s)

    def _of_fleets(self, request: MetricRequest, now_s: float, epoch_s: float) -> list[bytes]:
        resource, namespace, metric = request.resource, request.namespace, request.metric
        names = [request.name]
        if request.name == ALL:
            # which Services or Deployments a selector means is not known here: their labels are not kept
            if request.selector:
                raise BadRequest(f"labelSelector: must be empty for {resource}, which are asked by name")
            names = sorted(self._store.scopes(resource, namespace))
        wording = Wording(request.version, resource, namespace, metric)
        found = []
        for name in names:
            selector = self._store.scope(resource, namespace, name)
            if selector is None:
                continue
            records = self._speaking(self._store.selected(namespace, selector), now_s)
            value = _fleet_value(records, metric, self._policy)
            if value is not None:
                oldest_s = min(record.at_s for record in records)
                window_s = max(record.window_s for record in records)
                found.append(wording.item(name, value, epoch_s - (now_s - oldest_s), window_s))
        return found

    def _speaking(self, records: Sequence[PodRecord], now_s: float) -> list[PodRecord]:
        """The pods that count in their fleet: the policy, asked of each as if it had something to say."""
        oldest_s = self._policy.oldest_s(now_s)
        key: Hashable = (self, _SPEAKS)
        found = []
        for record in records:
            if record.at_s < oldest_s:
                continue
            words = record.words.get(key)
            if words is None:
                info = record.info
                state = PodState(info.ready, info.ending, info.over, age_s=0.0, value=0.0, last=0.0)
                words = record.words[key] = b"" if answer(state, self._policy) is None else _SPEAKS
            if words:
                found.append(record)
        return found


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


