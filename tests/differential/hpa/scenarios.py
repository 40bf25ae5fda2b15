"""Random hours of an autoscaler's life: lived through with our own code, then by upstream's controller.

Our side goes first. The cluster follows what our code decides, and everything that it was told is written
down; upstream's controller is then told the same at the same moments. As long as both decide alike, both
are told what would have happened; at the first difference the comparison ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.differential.hpa.documents import document
from tests.differential.hpa.wire import NS, answer_of, pod_of, seconds
from tests.differential.hpa.world import Cluster, key_of, replies
from tonnage.hpa import (
    NO_STATE,
    ApiFaults,
    ControllerConfig,
    ControllerState,
    Hpa,
    HpaStatus,
    MetricsSnapshot,
    PodFact,
    Reconciliation,
    hpa_from_object,
    reconcile,
)

_SELECTORS = ("app=web", "app in (web),tier", "tier=a", "app=nobody", "", "app=web,,", "app==web,!gone")
_HOURS = (0.5, 1.0, 2.0, 4.0)
_HOURS_WEIGHTS = (75, 17, 6, 2)
_RIVALS = ("app=web", "tier=b", "app=other", "app!=web")


@dataclass
class _Told:
    """What the controller would read at this moment."""

    hpa: Hpa
    selector: str
    spec_replicas: int
    status_replicas: int
    replies: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, PodFact] = field(default_factory=dict)
    get_scale: str = ""
    update_scale: str = ""
    rival: str = ""
    zeroed: bool = False


class Life:
    """A scenario as it travels, and what our code does in it.

    Attributes:
        scenario: What happens to the autoscaler.
        passes: When our code reconciled, and what it did.
        memories: What it knew whenever the controller was stopped.
        told: What it would read now.
        next_ns: When it reconciles next, if nothing happens.
    """

    def __init__(self, scenario: dict[str, Any]) -> None:
        self.scenario = scenario
        self.passes: list[tuple[int, Reconciliation]] = []
        self.memories: list[dict[str, Any]] = []
        replicas = scenario["spec_replicas"], scenario["status_replicas"]
        self.told = _Told(hpa_from_object(scenario["hpa"]), scenario["selector"], *replicas)
        self.next_ns = -1
        self._state = NO_STATE
        flags = scenario["config"]
        self._sync_ns = flags["sync_ns"]
        self._config = ControllerConfig(
            seconds(flags["sync_ns"]),
            seconds(flags["downscale_ns"]),
            seconds(flags["cpu_init_ns"]),
            seconds(flags["readiness_delay_ns"]),
            flags["tolerance"],
        )

    def happen(self, step: dict[str, Any]) -> None:
        """Lets a step happen; the controller starts with the first one."""
        at_ns = step["at_ns"]
        is_first = self.next_ns < 0
        if not is_first:
            self.pass_until(at_ns)
        _tell(self.told, step)
        if step.get("restart"):
            self.stop()
            self._state = self._state.restarted()
        if is_first or step.get("restart"):
            self.next_ns = at_ns + self._sync_ns
            self._pass(at_ns)
        elif "hpa" in step:
            self._pass(at_ns)

    def pass_until(self, until_ns: int) -> None:
        """Reconciles whenever it is time."""
        while self.next_ns <= until_ns:
            self._pass(self.next_ns)
            self.next_ns += self._sync_ns

    def stop(self) -> None:
        """Writes down what the controller knows as it stops."""
        self.memories.append(_memory(self._state))

    def _pass(self, at_ns: int) -> None:
        told = self.told
        answers = {spec.query: answer_of(spec.query.type, told.replies[key_of(spec)]) for spec in told.hpa.metrics}
        done = reconcile(
            told.hpa,
            spec_replicas=told.spec_replicas,
            status_replicas=told.status_replicas,
            pods=list(told.pods.values()),
            metrics=MetricsSnapshot(answers),
            state=self._state,
            config=self._config,
            now_s=seconds(at_ns),
            selector=told.selector,
            rival_selectors={"rival": told.rival} if told.rival else {},
            faults=ApiFaults(told.get_scale or None, told.update_scale or None),
        )
        self.passes.append((at_ns, done))
        self._state = done.state
        told.spec_replicas = done.desired_replicas
        zeroed = done.state.status.condition("ScaledToZero")
        told.zeroed = zeroed is not None and zeroed.is_true


def replay(scenario: dict[str, Any]) -> Life:
    """Lives through a scenario that was written down."""
    life = Life(scenario)
    for step in scenario["steps"]:
        life.happen(step)
    life.pass_until(scenario["end_ns"])
    life.stop()
    return life


def live(seed: int, index: int) -> Life:
    """Makes a scenario and lives through it."""
    random = Random(f"{seed}/{index}")
    config = {
        "sync_ns": random.choices((15, 10, 30), (80, 10, 10))[0] * NS,
        "downscale_ns": random.choices((300, 60, 0, 301), (70, 15, 5, 10))[0] * NS,
        "cpu_init_ns": random.choice((300, 300, 60)) * NS,
        "readiness_delay_ns": random.choice((30, 30, 10)) * NS,
        "tolerance": random.choice((0.1, 0.1, 0.1, 0.05, 0.0)),
    }
    first = document(random)
    hpa = hpa_from_object(first)
    any_count = random.randrange(0, hpa.replicas_max + 4)
    replicas = random.choice((max(1, hpa.replicas_min), hpa.replicas_max, any_count))
    life = Life(
        {
            "config": config,
            "hpa": first,
            "selector": "app=web",
            "spec_replicas": replicas,
            "status_replicas": replicas,
            "steps": [],
        }
    )
    cluster = Cluster(random, config, replicas)
    _happen(life, {"at_ns": 0, "put_pods": cluster.pods, "drop_pods": [], "replies": replies(cluster, hpa, 0, {})})
    end_ns = int(random.choices(_HOURS, _HOURS_WEIGHTS)[0] * 3600) * NS
    while life.next_ns < end_ns:
        lead_ns = random.choice((1, NS, NS, 5 * NS, config["sync_ns"] // 2, config["sync_ns"] - 1))
        step = _step(random, life.told, cluster, life.next_ns - lead_ns)
        _happen(life, step)
        if not step.get("restart"):
            life.pass_until(life.next_ns)
    life.scenario["end_ns"] = life.next_ns - 1
    life.stop()
    return life


def _happen(life: Life, step: dict[str, Any]) -> None:
    life.scenario["steps"].append(step)
    life.happen(step)


def _step(random: Random, told: _Told, cluster: Cluster, at_ns: int) -> dict[str, Any]:
    """Decides what changes before the next reconciliation."""
    step: dict[str, Any] = {"at_ns": at_ns}
    hpa = told.hpa
    if random.random() < (0.05 if told.zeroed else 0.004):
        step["hpa"] = document(random)
        hpa = hpa_from_object(step["hpa"])
    elif random.random() < 0.003 and not told.rival:
        step["restart"] = True
    if random.random() < (0.1 if told.spec_replicas == 0 and not told.zeroed else 0.004):
        step["spec_replicas"] = random.choice((0, 1, hpa.replicas_min, hpa.replicas_max, hpa.replicas_max + 3))
    _disturb(random, told, step)
    cluster.change_load(hpa.replicas_max)
    put, drop = cluster.advance(at_ns, step.get("spec_replicas", told.spec_replicas))
    alive = cluster.alive_count
    if alive != told.status_replicas and random.random() < 0.9:
        step["status_replicas"] = alive
    answers = replies(cluster, hpa, at_ns, told.replies)
    step["put_pods"], step["drop_pods"] = put, drop
    step["replies"] = {key: reply for key, reply in answers.items() if told.replies.get(key) is not reply}
    return step


def _disturb(random: Random, told: _Told, step: dict[str, Any]) -> None:
    """Breaks something rarely, and repairs it soon."""
    for name, message in (("get_scale", "no such Deployment"), ("update_scale", "the API server refuses")):
        if getattr(told, name):
            if random.random() < 0.3:
                step[name] = ""
        elif random.random() < 0.004:
            step[name] = message
    if told.selector != "app=web":
        if random.random() < 0.2:
            step["selector"] = "app=web"
    elif random.random() < 0.003:
        step["selector"] = random.choice(_SELECTORS)
    if told.rival:
        if random.random() < 0.2:
            step["rival_selector"] = ""
    elif random.random() < 0.003 and "restart" not in step:
        step["rival_selector"] = random.choice(_RIVALS)


def _tell(told: _Told, step: dict[str, Any]) -> None:
    """Does to our picture what the oracle does to its own."""
    told.pods.update({pod["name"]: pod_of(pod) for pod in step["put_pods"]})
    for name in step["drop_pods"]:
        del told.pods[name]
    told.replies.update(step["replies"])
    for name in ("status_replicas", "spec_replicas", "selector", "get_scale", "update_scale"):
        if name in step:
            setattr(told, name, step[name])
    told.rival = step.get("rival_selector", told.rival)
    if "hpa" in step:
        told.hpa = hpa_from_object(step["hpa"])


def _memory(state: ControllerState) -> dict[str, Any]:
    return {
        "recommendations": [[kept.replicas, kept.at_ns] for kept in state.recommendations or ()],
        "scale_up": [[event.change, event.at_ns, int(event.outdated)] for event in state.scale_up_events],
        "scale_down": [[event.change, event.at_ns, int(event.outdated)] for event in state.scale_down_events],
    }


def difference(life: Life, theirs: dict[str, Any]) -> str | None:
    """Says where upstream's controller first did something else; None when it never did."""
    status: dict[str, Any] | None = None
    for number, ((at_ns, done), seen) in enumerate(zip(life.passes, theirs["passes"], strict=False)):
        status = seen["status"] or status
        pairs = {
            "time": (at_ns, seen["at_ns"]),
            "scale": (done.desired_replicas if done.rescale else None, seen["scale"]),
            "events": (_events(done), [_comparable(event) for event in seen["events"]]),
            "errors": (_texts([done.error] if done.error else []), _texts(seen["errors"])),
            "status": (_status(done.state.status), _their_status(status)),
        }
        for name, (ours, upstream) in pairs.items():
            if ours != upstream:
                return f"pass {number} at {seconds(at_ns)} s, {name}: ours {ours!r}, upstream {upstream!r}"
    if len(life.passes) != len(theirs["passes"]):
        return f"{len(life.passes)} passes, upstream {len(theirs['passes'])}"
    for number, (ours, upstream) in enumerate(zip(life.memories, theirs["memories"], strict=True)):
        if ours != upstream:
            return f"memory {number}: ours {ours!r}, upstream {upstream!r}"
    return None


_TWO_NAMES = re.compile(r"\[(\S+/\S+) (\S+/\S+)\]")
_ONE_POD = re.compile(r"(missing request for \S+ in container) \S+ of Pod \S+|(container \S+ not found in Pod) \S+")
_UNPARSED = re.compile(r"(into a corresponding internal selector object:).*")


def _text(text: str) -> str:
    """Takes out what upstream leaves to chance, and what we say in our own words."""
    text = _TWO_NAMES.sub(lambda match: " ".join(sorted(match.groups())), text)
    text = _ONE_POD.sub(lambda match: match[1] or match[2], text)
    return _UNPARSED.sub(r"\1", text)


def _texts(texts: list[str]) -> list[str]:
    return [_text(text) for text in texts]


def _comparable(event: dict[str, str]) -> tuple[str, str, str]:
    return event["type"], event["reason"], _text(event["message"])


def _events(done: Reconciliation) -> list[tuple[str, str, str]]:
    return [(event.type, event.reason, _text(event.message)) for event in done.events]


def _status(status: HpaStatus) -> dict[str, Any]:
    return {
        "current": status.current_replicas,
        "desired": status.desired_replicas,
        "last_scale_ns": None if status.last_scale_time_s is None else round(status.last_scale_time_s * NS),
        "conditions": [
            (kept.type, "True" if kept.is_true else "False", kept.reason, _text(kept.message), round(kept.since_s * NS))
            for kept in status.conditions
        ],
        "metrics": [
            (kept.value_milli, kept.average_value_milli, kept.average_utilization_percent)
            for kept in status.metrics
        ],
    }


def _their_status(status: dict[str, Any] | None) -> dict[str, Any]:
    if status is None:
        return _status(HpaStatus())
    return {
        "current": status["current_replicas"],
        "desired": status["desired_replicas"],
        "last_scale_ns": status["last_scale_ns"],
        "conditions": [
            (kept["type"], kept["status"], kept["reason"], _text(kept["message"]), kept["since_ns"])
            for kept in status["conditions"] or []
        ],
        "metrics": [
            (kept["value"], kept["average_value"], kept["average_utilization"])
            for kept in status["metrics"] or []
        ],
    }
