"""Does what a change of ``gpus fit`` tells its reader to do, to the objects: nothing of our own values is used.

Commands are obeyed as kubectl would, lines of YAML are merged into the pods' specs, and of a change that has
neither, its sentence is read.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from ruamel.yaml import YAML

from tonnage.gpus import Change
from tonnage.kube.quantity import parse_quantity

Object = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def obeyed(
    change: Change, nodes: list[Object], running: list[Object], wanted: list[Object]
) -> tuple[list[Object], list[Object], list[Object]]:
    """The cluster's nodes and pods, and the pods that are wanted, with a change made."""
    nodes, running, wanted = copy.deepcopy(nodes), copy.deepcopy(running), copy.deepcopy(wanted)
    _relax(change.text, wanted)
    yaml = [line for line in change.how if not line.startswith("kubectl ")]
    for line in change.how:
        if line.startswith("kubectl "):
            _obey(line, nodes)
    if change.kind in ("wait", "preempt", "move", "evict"):
        gone = set(change.victims)
        running = [one for one in running if f"default/{one['metadata']['name']}" not in gone]
    elif change.kind == "nodes":
        nodes += _more(change.text, nodes, running)
    elif change.kind == "fewer":
        wanted = wanted[: int(re.findall(r"use (\d+)", change.text)[0])]
    elif change.kind == "request":
        _ask_less(change.text, wanted)
    elif change.kind == "split":
        wanted = _split(change.text, wanted)
    elif change.kind == "vendor":
        _ask_other(change.text, wanted)
    if yaml and change.kind != "evict":
        # two changes together are two documents, one behind the other
        text = "\n".join(yaml)
        for part in re.split(r"\n(?=\S)", text):
            _merge(YAML(typ="safe").load(part), wanted)
    return nodes, running, wanted


def _relax(text: str, wanted: list[Object]) -> None:
    """What no longer has to hold, in this change or in the first of two."""
    for pod in wanted:
        spec = pod["spec"]
        for key in re.findall(r"do not ask for the node label (\S+)", text):
            _unask(spec, key)
        for kind in re.findall(r"instead of requiring it \((\w+)\)", text):
            spec["affinity"][kind].pop(REQUIRED, None)
        if "whenUnsatisfiable: ScheduleAnyway" in text:
            for constraint in spec.get("topologySpreadConstraints", ()):
                constraint["whenUnsatisfiable"] = "ScheduleAnyway"


def _split(text: str, wanted: list[Object]) -> list[Object]:
    match = re.match(r"use (\d+) workers with (\d+) (\S+) each instead of (\d+) with (\d+)", text)
    assert match is not None, text
    parts = int(match[5]) // int(match[2])
    found = []
    for rank in range(int(match[1])):
        pod = copy.deepcopy(wanted[0])
        pod["metadata"]["name"] = f"part-{rank}"
        pod["metadata"]["uid"] = f"uid-part-{rank}"
        for container in pod["spec"]["containers"]:
            for amounts in container["resources"].values():
                amounts["cpu"] = f"{-(-parse_quantity(str(amounts['cpu'])).milli_value // parts)}m"
                amounts["memory"] = str(-(-parse_quantity(str(amounts["memory"])).value // parts))
                if match[3] in amounts:
                    amounts[match[3]] = match[2]
        found.append(pod)
    return found


def _ask_other(text: str, wanted: list[Object]) -> None:
    match = re.match(r"ask for (\S+) instead of (\S+),", text)
    assert match is not None, text
    for pod in wanted:
        pod["spec"].pop("nodeSelector", None)
        pod["spec"].get("affinity", {}).pop("nodeAffinity", None)
        for container in pod["spec"]["containers"]:
            for amounts in container["resources"].values():
                if match[2] in amounts:
                    amounts[match[1]] = amounts.pop(match[2])


def _obey(command: str, nodes: list[Object]) -> None:
    words = command.split()
    for node in nodes:
        name = node["metadata"]["name"]
        if words[1] == "uncordon" and name == words[2]:
            node["spec"].pop("unschedulable", None)
            # the node lifecycle controller takes the taint away then
            node["spec"]["taints"] = [
                one for one in node["spec"]["taints"] if one["key"] != "node.kubernetes.io/unschedulable"
            ]
        elif words[1:3] == ["label", "node"] and name == words[3]:
            key, _, value = words[4].partition("=")
            node["metadata"]["labels"][key] = value


def _merge(spec: Object, wanted: list[Object]) -> None:
    for pod in wanted:
        held = pod["spec"]
        held.setdefault("tolerations", []).extend(copy.deepcopy(spec.get("tolerations", [])))
        for key, value in spec.get("nodeSelector", {}).items():
            _unask(held, key)
            held.setdefault("nodeSelector", {})[key] = value
        terms = spec.get("affinity", {}).get("nodeAffinity", {}).get(REQUIRED, {}).get("nodeSelectorTerms")
        if terms:
            _unask(held, terms[0]["matchExpressions"][0]["key"])
            affinity = held.setdefault("affinity", {}).setdefault("nodeAffinity", {})
            affinity[REQUIRED] = {"nodeSelectorTerms": copy.deepcopy(terms)}


def _unask(spec: Object, key: str) -> None:
    """Takes the former demand for a label out, which the new one replaces."""
    spec.get("nodeSelector", {}).pop(key, None)
    affinity = spec.get("affinity", {}).get("nodeAffinity", {})
    for term in affinity.get(REQUIRED, {}).get("nodeSelectorTerms", ()):
        term["matchExpressions"] = [one for one in term["matchExpressions"] if one["key"] != key]
    if affinity.get(REQUIRED) and not any(one["matchExpressions"] for one in affinity[REQUIRED]["nodeSelectorTerms"]):
        del affinity[REQUIRED]


def _more(text: str, nodes: list[Object], running: list[Object]) -> list[Object]:
    match = re.match(r"add (\d+) nodes? like (\S+)", text)
    assert match is not None, text
    like = next(one for one in nodes if one["metadata"]["name"] == match[2])
    found = []
    for rank in range(int(match[1])):
        new = copy.deepcopy(like)
        name = f"added-{rank}"
        new["metadata"]["name"] = new["metadata"]["labels"]["kubernetes.io/hostname"] = name
        new["spec"].pop("unschedulable", None)
        new["spec"]["taints"] = [
            one for one in new["spec"]["taints"] if not one["key"].startswith("node.kubernetes.io/")
        ]
        found.append(new)
        for pod in [one for one in running if one["spec"]["nodeName"] == match[2]]:
            owners = pod["metadata"].get("ownerReferences", [])
            if owners and owners[0]["kind"] == "DaemonSet":
                other = copy.deepcopy(pod)
                other["metadata"]["name"] += f"-{name}"
                other["metadata"]["uid"] += f"-{name}"
                other["spec"]["nodeName"] = name
                running.append(other)
    return found


def _ask_less(text: str, wanted: list[Object]) -> None:
    for amount, resource in re.findall(r"(\S+) (cpu|memory)", text):
        for pod in wanted:
            for container in pod["spec"]["containers"]:
                for amounts in container["resources"].values():
                    if resource in amounts:
                        amounts[resource] = amount
