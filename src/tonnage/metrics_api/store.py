"""What is known of every pod, and which pods a Service or Deployment means. Holds state, and does no I/O.

What a pod's window says is worked out when its page arrives, so that an answer over a thousand pods only
gathers.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tonnage.contract import autoscaling
from tonnage.contract import metrics as ours
from tonnage.metrics_api.pods import PodInfo
from tonnage.metrics_api.readings import IN_FLIGHT, LATENCY, QUEUE, REQUESTS, quantile_name
from tonnage.metrics_api.selectors import Selector, fits
from tonnage.metrics_api.windows import Histogram, Reading, Window

PERCENTILES: Final = MappingProxyType(
    {ours.INFERENCE_LATENCY_P50: 0.5, ours.INFERENCE_LATENCY_P95: 0.95, ours.INFERENCE_LATENCY_P99: 0.99}
)
"""Metric to the share of requests that it covers."""
METRICS: Final = (
    *PERCENTILES,
    autoscaling.REQUESTS_PER_SECOND,
    autoscaling.REQUESTS_IN_FLIGHT,
    autoscaling.LOAD_UTILIZATION,
    ours.IN_FLIGHT,
    ours.QUEUE_LENGTH,
)
"""All that is answered; the last two under the names that our server has for them."""

SELECTORS_MAX: Final = 256
"""Selectors of a namespace whose pods are remembered."""


class PodRecord:
    """A pod: what the API server says of it, and what its page said lately.

    Attributes:
        info: From the API server.
        at_s: When its page was read last [s, monotonic]; -infinity for never.
        window_s: How far back its values reach [s].
        values: Metric to its value; absent where nothing happened, or nothing is known.
        last: Metric to the last value that it had.
        latency: The window's histogram; None where there is none.
        latency_last: The last histogram that was not empty.
        known: Whether its readings say what happened in a window.
        words: What was worked out to be said of it; whoever works it out chooses the keys. Emptied when
            anything above changes.
    """

    __slots__ = (
        "_window",
        "at_s",
        "info",
        "known",
        "last",
        "latency",
        "latency_last",
        "values",
        "window_s",
        "words",
    )

    def __init__(self, info: PodInfo, window_s: float) -> None:
        self.info = info
        self.at_s = -math.inf
        self.window_s = window_s
        self.values: dict[str, float] = {}
        self.last: dict[str, float] = {}
        self.latency: Histogram | None = None
        self.latency_last: Histogram | None = None
        self.known = False
        self.words: dict[Hashable, bytes] = {}
        self._window = Window(window_s)

    def describe(self, info: PodInfo) -> None:
        """Take what the API server says."""
        if info != self.info:
            self.info = info
            self.words.clear()

    def read(self, reading: Reading) -> None:
        """Take what its page says."""
        window = self._window
        window.add(reading)
        self.words.clear()
        self.at_s = reading.at_s
        self.latency = window.histogram(LATENCY)
        self.known = bool(reading.windows) or window.length_s > 0
        self.window_s = reading.window_s or window.length_s
        self.values = values = dict(self._latencies(reading))
        increase = window.increase(REQUESTS)
        if increase is not None and window.length_s > 0:
            values[autoscaling.REQUESTS_PER_SECOND] = increase / window.length_s
        in_flight, queue = window.mean(IN_FLIGHT), window.mean(QUEUE)
        if in_flight is not None:
            values[autoscaling.REQUESTS_IN_FLIGHT] = values[ours.IN_FLIGHT] = in_flight
        if queue is not None:
            values[ours.QUEUE_LENGTH] = queue
        self.last |= values
        if self.latency is not None and self.latency.total > 0:
            self.latency_last = self.latency

    def value(self, metric: str) -> float | None:
        """The metric over the window; None where nothing happened, or nothing is known."""
        if metric != autoscaling.LOAD_UTILIZATION:
            return self.values.get(metric)
        in_flight = self.values.get(autoscaling.REQUESTS_IN_FLIGHT)
        if in_flight is None or self.info.sustainable is None:
            return None
        return in_flight / self.info.sustainable

    def tells(self, metric: str) -> bool:
        """Whether its kind of server has the metric at all."""
        preset = self.info.target.preset if self.info.target is not None else None
        if preset is None:
            return False
        if metric in PERCENTILES:
            return preset.latency is not None
        if metric == autoscaling.REQUESTS_PER_SECOND:
            return preset.requests is not None or preset.latency is not None
        if metric == ours.QUEUE_LENGTH:
            return preset.queue is not None
        if metric == autoscaling.LOAD_UTILIZATION and self.info.sustainable is None:
            return False
        return bool(preset.in_flight)

    def _latencies(self, reading: Reading) -> Iterator[tuple[str, float]]:
        for metric, q in PERCENTILES.items():
            value = self.latency.quantile(q) if self.latency is not None else None
            if value is None:
                value = reading.gauges.get(quantile_name(q))
            if value is not None:
                yield metric, value


@dataclass(slots=True)
class Store:
    """All pods and scopes.

    Attributes:
        window_s: How far back values reach where the server does not tell its own window [s, > 0].
    """

    window_s: float
    _pods: dict[str, dict[str, PodRecord]] = field(default_factory=dict)
    _scopes: dict[tuple[str, str, str], Selector | None] = field(default_factory=dict)
    _selected: dict[str, dict[Selector, tuple[PodRecord, ...]]] = field(default_factory=dict)

    def put_pod(self, info: PodInfo) -> PodRecord:
        """Learn of a pod, or of its change; another pod of the same name begins anew."""
        pods = self._pods.setdefault(info.namespace, {})
        record = pods.get(info.name)
        if record is None or record.info.uid != info.uid:
            record = pods[info.name] = PodRecord(info, self.window_s)
            self._selected.pop(info.namespace, None)
        else:
            if record.info.labels != info.labels:
                self._selected.pop(info.namespace, None)
            record.describe(info)
        return record

    def drop_pod(self, namespace: str, name: str) -> None:
        """Forget a pod."""
        pods = self._pods.get(namespace, {})
        pods.pop(name, None)
        self._selected.pop(namespace, None)
        if not pods:
            self._pods.pop(namespace, None)

    def keep_pods(self, names: Iterable[tuple[str, str]]) -> None:
        """Forget all pods but these, which a list has just told."""
        kept = set(names)
        for record in list(self.pods()):
            if (record.info.namespace, record.info.name) not in kept:
                self.drop_pod(record.info.namespace, record.info.name)

    def pod(self, namespace: str, name: str) -> PodRecord | None:
        """One pod; None where it is not known."""
        return self._pods.get(namespace, {}).get(name)

    def pods(self) -> Iterator[PodRecord]:
        """All pods."""
        for pods in self._pods.values():
            yield from pods.values()

    def selected(self, namespace: str, selector: Selector) -> tuple[PodRecord, ...]:
        """The pods of a namespace that a selector means, by name.

        They are remembered until a pod comes, goes or gets other labels.
        """
        known = self._selected.setdefault(namespace, {})
        found = known.get(selector)
        if found is None:
            if len(known) >= SELECTORS_MAX:
                known.clear()
            pods = self._pods.get(namespace, {})
            fitting = [record for record in pods.values() if fits(selector, record.info.labels)]
            found = known[selector] = tuple(sorted(fitting, key=lambda record: record.info.name))
        return found

    def put_scope(self, resource: str, namespace: str, name: str, selector: Selector | None) -> None:
        """Learn which pods a Service or Deployment means."""
        self._scopes[resource, namespace, name] = selector

    def drop_scope(self, resource: str, namespace: str, name: str) -> None:
        """Forget a Service or Deployment."""
        self._scopes.pop((resource, namespace, name), None)

    def keep_scopes(self, resource: str, names: Iterable[tuple[str, str]]) -> None:
        """Forget all Services or Deployments but these."""
        kept = {(resource, *name) for name in names}
        for key in [key for key in self._scopes if key[0] == resource and key not in kept]:
            del self._scopes[key]

    def scopes(self, resource: str, namespace: str) -> Mapping[str, Selector | None]:
        """The Services or Deployments of a namespace, by name."""
        return {
            key[2]: selector
            for key, selector in self._scopes.items()
            if key[0] == resource and key[1] == namespace
        }

    def scope(self, resource: str, namespace: str, name: str) -> Selector | None:
        """Which pods one of them means; None where it is not known or means none."""
        return self._scopes.get((resource, namespace, name))
