"""A small random cluster around an autoscaler: pods that come, warm up, fail and go, and metrics of a load.

It is no model of anything; it only has to bring the autoscaler into every situation, again and again, with
times that lie on the edges of windows more often than chance would have it.
"""

from __future__ import annotations

import math
from random import Random
from typing import Any

from tests.differential.hpa.wire import NS
from tonnage.hpa import Hpa, MetricSpec

_LIVING = ("Pending", "Running")
_WIRE = ("name", "phase", "deleted", "start_ns", "ready", "since_ns", "containers", "labels")


class Cluster:
    """Pods of one Deployment, as they travel, with what becomes of them."""

    def __init__(self, random: Random, config: dict[str, Any], replicas: int) -> None:
        self._random = random
        self._config = config
        self._pods: dict[str, dict[str, Any]] = {}
        self._fates: dict[str, dict[str, int]] = {}
        self._made = 0
        self._changed: set[str] = set()
        self._surge = 0
        self._load = random.uniform(0.5, 6)
        self._calm = random.random() < 0.4
        self._flaws = random.choice((0.0, 0.02, 0.1, 0.3))
        for _ in range(replicas):
            name = self._create(-random.randrange(0, 900) * NS)
            if random.random() < 0.9:
                self._fates[name] = {"run": -900 * NS, "ready": -random.randrange(0, 900) * NS}

    @property
    def pods(self) -> list[dict[str, Any]]:
        return [self._wire(name) for name in self._pods]

    @property
    def alive_count(self) -> int:
        return sum(not pod["deleted"] and pod["phase"] != "Failed" for pod in self._pods.values())

    def _wire(self, name: str) -> dict[str, Any]:
        return {field: self._pods[name][field] for field in _WIRE}

    def _create(self, now_ns: int) -> str:
        random = self._random
        name = f"web-{self._made}"
        self._made += 1
        run_ns = now_ns + random.choice((0, 1, 5, 15, 40, 600)) * NS
        warm_s = random.choice((0, 5, 30, 60, 120, 10_000))
        parts = [("server", "container"), ("proxy", random.choice(("container", "sidecar")))]
        requests = {"cpu": random.choice((500, 1000)), "memory": 512 * 2**20 * 1000}
        if random.random() < 0.004:
            del requests[random.choice(("cpu", "memory"))]
        self._pods[name] = {
            "name": name,
            "phase": "Pending",
            "deleted": False,
            "start_ns": None,
            "ready": "",
            "since_ns": now_ns,
            "containers": [{"name": part, "role": role, "requests": requests} for part, role in parts],
            "labels": {"app": "web", "tier": random.choice(("a", "b"))},
        }
        self._fates[name] = {"run": run_ns, "ready": run_ns + warm_s * NS}
        self._changed.add(name)
        return name

    def advance(self, now_ns: int, spec_replicas: int) -> tuple[list[dict[str, Any]], list[str]]:
        """Lets the pods go on; returns those that changed, and the names of those that are gone."""
        random = self._random
        gone = [name for name, fate in self._fates.items() if fate.get("gone", math.inf) <= now_ns]
        for name in gone:
            del self._pods[name], self._fates[name]
        self._changed = set()
        for name, pod in self._pods.items():
            chance = random.random()
            self._age(pod, self._fates[name], now_ns)
            if chance < 0.004:
                pod["phase"] = random.choice(("Failed", "Failed", "Succeeded", "Unknown"))
            elif pod["ready"] and chance < 0.01:
                pod["ready"], pod["since_ns"] = random.choice(("True", "False", "Unknown")), self._moment(now_ns)
            else:
                continue
            self._changed.add(name)
        if random.random() < 0.01:
            self._surge = random.choice((0, 1, 1, 2, 3))
        self._follow(now_ns, spec_replicas + self._surge)
        return [self._wire(name) for name in self._pods if name in self._changed], gone

    def _age(self, pod: dict[str, Any], fate: dict[str, int], now_ns: int) -> None:
        if pod["phase"] == "Pending" and fate["run"] <= now_ns:
            pod["phase"] = "Running"
            pod["start_ns"] = fate["run"] if self._random.random() < 0.97 else None
            pod["ready"], pod["since_ns"] = ("False", fate["run"]) if self._random.random() < 0.97 else ("", 0)
            self._changed.add(pod["name"])
        if pod["phase"] == "Running" and pod["ready"] == "False" and fate["ready"] <= now_ns:
            pod["ready"], pod["since_ns"] = "True", fate["ready"]
            fate["ready"] = 2**62
            self._changed.add(pod["name"])

    def _moment(self, now_ns: int) -> int:
        """A recent moment: a whole second as the API server keeps it, or the very nanosecond."""
        return now_ns // NS * NS if self._random.random() < 0.8 else now_ns

    def _follow(self, now_ns: int, wanted: int) -> None:
        alive = [
            name for name, pod in self._pods.items() if pod["phase"] in _LIVING and not pod["deleted"]
        ]
        for _ in range(min(wanted - len(alive), 10)):
            self._create(now_ns)
        surplus = alive if wanted == 0 else self._random.sample(alive, max(0, len(alive) - wanted))
        for name in surplus:
            self._pods[name]["deleted"] = True
            self._changed.add(name)
            self._fates[name]["gone"] = now_ns + self._random.choice((0, 10, 30, 45)) * NS
        for name, pod in self._pods.items():
            if pod["phase"] in ("Failed", "Succeeded", "Unknown") and self._random.random() < 0.1:
                self._fates[name].setdefault("gone", now_ns)

    def change_load(self, replicas_max: int) -> None:
        """Moves the load: mostly a little, at times far, at times to nothing and back."""
        random = self._random
        kind = random.random()
        if self._load == 0.0:
            if kind < 0.12:
                self._load = random.uniform(0.01, replicas_max)
        elif kind < (0.01 if self._calm else 0.05):
            self._load = random.choice((0.0, 1.0, replicas_max * random.uniform(0, 1.2), 200.0))
            self._load = random.uniform(0, 1) * self._load if random.random() < 0.5 else self._load
        elif kind < 0.6:
            self._load = max(0.001, self._load * random.uniform(0.85, 1.17))

    def reply(self, spec: MetricSpec, now_ns: int, previous: dict[str, Any] | None) -> dict[str, Any]:
        """What the metrics API says about a metric under the load; at times the old answer, an error, nonsense."""
        random = self._random
        if previous is not None and random.random() < 0.3:
            return previous
        if random.random() < self._flaws / 2:
            return {"error": "the metrics API is away"}
        kind, target = spec.query.type, spec.target
        timestamp_ns = now_ns - random.randrange(0, 60) * NS
        if kind == "Object":
            whole = target.value_milli if target.type == "Value" else target.average_value_milli
            return {"value": self._whole(whole or 1, target.type == "Value"), "timestamp_ns": timestamp_ns}
        if kind == "External":
            whole = target.average_value_milli or target.value_milli or 1
            total = self._whole(whole, target.average_value_milli is None)
            part = random.randrange(0, total + 1) if random.random() < 0.3 and total > 0 else 0
            return {"values": [total - part, part] if part else [total], "timestamp_ns": timestamp_ns}
        return {"samples": self._samples(spec, now_ns), "timestamp_ns": timestamp_ns}

    def _share(self) -> float:
        """Load per serving pod, in units of the target; at times exactly an edge, and rarely beyond all bounds."""
        random = self._random
        if random.random() < 0.002:
            return random.choice((1e12, -1.0, 1e8))
        if random.random() < 0.06:
            return random.choice((0.9, 1.0, 1.1, 1.101, 0.899))
        serving = sum(pod["ready"] == "True" and not pod["deleted"] for pod in self._pods.values())
        return self._load / max(1, serving)

    def _whole(self, target_milli: int, is_value: bool) -> int:
        exact = target_milli * (self._share() if is_value else self._load)
        return min(2**62, math.floor(exact) + self._random.choice((0, 0, 0, 1)))

    def _samples(self, spec: MetricSpec, now_ns: int) -> dict[str, Any]:
        random = self._random
        share = self._share()
        samples = {}
        for name, pod in self._pods.items():
            silent = pod["phase"] != "Running" or pod["ready"] != "True"
            if random.random() < (0.7 if silent else self._flaws):
                continue
            at_target = spec.target.average_value_milli
            if at_target is None:
                percent = spec.target.average_utilization_percent or 1
                parts = 1 if spec.query.container else len(pod["containers"])
                requests = pod["containers"][0]["requests"].get(spec.query.name, 1000)
                at_target = requests * parts * percent // 100
            value = math.floor(at_target * share * random.choice((1, 1, 1, random.uniform(0.5, 1.5))))
            samples[name] = self._sample(min(2**62, value), pod, now_ns)
        if random.random() < self._flaws / 3:
            samples["web-of-yesterday"] = {"value": 700, "timestamp_ns": now_ns, "window_ns": 60 * NS}
        return samples

    def _sample(self, value: int, pod: dict[str, Any], now_ns: int) -> dict[str, int]:
        random = self._random
        window_ns = random.choice((60, 30, 15)) * NS
        timestamp_ns = now_ns // NS * NS - random.randrange(0, 60) * NS
        if random.random() < 0.1:
            timestamp_ns = pod["since_ns"] + window_ns + random.choice((-1, 0, 1))
        return {"value": value, "timestamp_ns": timestamp_ns, "window_ns": window_ns}


def key_of(spec: MetricSpec) -> str:
    """A query's name on the wire."""
    query = spec.query
    if query.type in ("Resource", "ContainerResource"):
        return f"resource/{query.name}/{query.container}"
    return f"{query.type.lower()}/{query.name}"


def replies(cluster: Cluster, hpa: Hpa, now_ns: int, previous: dict[str, Any]) -> dict[str, Any]:
    """What the metrics APIs say about all metrics of an autoscaler."""
    return {
        key_of(spec): cluster.reply(spec, now_ns, previous.get(key_of(spec))) for spec in hpa.metrics
    }
