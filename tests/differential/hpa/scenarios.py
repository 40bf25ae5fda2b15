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
    Reconciliation,
    hpa_from_object,
    reconcile,
)

_SELECTORS = ("app=web", "app in (web),tier", "tier=a", "app=nobody", "", "app=web,,", "app==web,!gone")
_RIVALS = ("app=web", "tier=b", "app=other", "app!=web")


@dataclass
class Life:
    """A scenario as it travels, and what our code did in it."""

    scenario: dict[str, Any]
    passes: list[tuple[int, Reconciliation]] = field(default_factory=list)
    memories: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Told:
    """What the controller would read at this moment."""

    hpa: Hpa
    selector: str
    spec_replicas: int
    status_replicas: int
    replies: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    get_scale: str = ""
    update_scale: str = ""
    rival: str = ""
    zeroed: bool = False


def live(seed: int, index: int, hours_max: float = 4.0) -> Life:
    """Makes a scenario and lives through it."""
    random = Random(f"{seed}/{index}")
    sync_ns = random.choices((15, 10, 30), (80, 10, 10))[0] * NS
    config = {
        "sync_ns": sync_ns,
        "downscale_ns": random.choices((300, 60, 0, 301), (70, 15, 5, 10))[0] * NS,
        "cpu_init_ns": random.choice((300, 300, 60)) * NS,
        "readiness_delay_ns": random.choice((30, 30, 10)) * NS,
        "tolerance": random.choice((0.1, 0.1, 0.1, 0.05, 0.0)),
    }
    first = document(random)
    hpa = hpa_from_object(first)
    replicas = random.choice((max(1, hpa.replicas_min), hpa.replicas_max, random.randrange(0, hpa.replicas_max + 4)))
    end_ns = int(random.choice((0.5, 1.0, 2.0, hours_max)) * 3600) * NS
    scenario = {
        "config": config,
        "hpa": first,
        "selector": "app=web",
        "spec_replicas": replicas,
        "status_replicas": replicas,
        "steps": [],
        "end_ns": end_ns,
    }
    life = Life(scenario)
    told = _Told(hpa, "app=web", replicas, replicas)
    cluster = Cluster(random, config, replicas)
    _live_through(random, life, told, cluster)
    return life


def _live_through(random: Random, life: Life, told: _Told, cluster: Cluster) -> None:
    config = life.scenario["config"]
    state = NO_STATE
    step: dict[str, Any] = {"at_ns": 0, "put_pods": cluster.pods, "drop_pods": []}
    step["replies"] = replies(cluster, told.hpa, 0, {})
    _tell(told, step)
    life.scenario["steps"].append(step)
    state = _pass(life, told, state, 0)
    sync_ns = config["sync_ns"]
    next_ns = sync_ns
    while next_ns < life.scenario["end_ns"]:
        lead_ns = random.choice((1, NS, NS, 5 * NS, sync_ns // 2, sync_ns - 1))
        step = _step(random, told, cluster, next_ns - lead_ns)
        life.scenario["steps"].append(step)
        _tell(told, step)
        if step.get("restart"):
            life.memories.append(_memory(state))
            state = _pass(life, told, state.restarted(), step["at_ns"])
            next_ns = step["at_ns"] + sync_ns
            continue
        if "hpa" in step:
            state = _pass(life, told, state, step["at_ns"])
        state = _pass(life, told, state, next_ns)
        next_ns += sync_ns
    life.scenario["end_ns"] = next_ns - 1
    life.memories.append(_memory(state))


def _step(random: Random, told: _Told, cluster: Cluster, at_ns: int) -> dict[str, Any]:
    """Decides what changes before the next reconciliation."""
    step: dict[str, Any] = {"at_ns": at_ns}
    hpa = told.hpa
    if random.random() < 0.004:
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
    told.pods.update({pod["name"]: pod for pod in step["put_pods"]})
    for name in step["drop_pods"]:
        del told.pods[name]
    told.replies.update(step["replies"])
    for name in ("status_replicas", "spec_replicas", "selector", "get_scale", "update_scale"):
        if name in step:
            setattr(told, name, step[name])
    told.rival = step.get("rival_selector", told.rival)
    if "hpa" in step:
        told.hpa = hpa_from_object(step["hpa"])


def _pass(life: Life, told: _Told, state: ControllerState, at_ns: int) -> ControllerState:
    config = life.scenario["config"]
    answers = {spec.query: answer_of(spec.query.type, told.replies[key_of(spec)]) for spec in told.hpa.metrics}
    done = reconcile(
        told.hpa,
        spec_replicas=told.spec_replicas,
        status_replicas=told.status_replicas,
        pods=[pod_of(pod) for pod in told.pods.values()],
        metrics=MetricsSnapshot(answers),
        state=state,
        config=ControllerConfig(
            seconds(config["sync_ns"]),
            seconds(config["downscale_ns"]),
            seconds(config["cpu_init_ns"]),
            seconds(config["readiness_delay_ns"]),
            config["tolerance"],
        ),
        now_s=seconds(at_ns),
        selector=told.selector,
        rival_selectors={"rival": told.rival} if told.rival else {},
        faults=ApiFaults(told.get_scale or None, told.update_scale or None),
    )
    life.passes.append((at_ns, done))
    told.spec_replicas = done.desired_replicas
    zeroed = done.state.status.condition("ScaledToZero")
    told.zeroed = zeroed is not None and zeroed.is_true
    return done.state


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
