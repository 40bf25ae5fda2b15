"""Random clusters with devices that are claimed (dynamic resource allocation), in the form that is modelled.

That form is: every device of a class is as good as any other, a driver has one class, devices belong to one
node, and a claim is a count of devices of one class, used by one pod.
"""

from __future__ import annotations

from random import Random
from typing import Any

Object = dict[str, Any]
CLASSES = ("gpu.example.com", "mig.example.com")


def devices_world(seed: int, index: int) -> Object:
    """Makes one world; the pods to be placed with claims are not bound, as that is the drivers' affair."""
    random = Random(f"devices {seed}/{index}")
    nodes, slices, pods, claims = [], [], [], []
    devices: dict[str, dict[str, int]] = {}
    for rank in range(random.randint(1, 6)):
        name = f"node-{rank}"
        nodes.append(_node(random, name))
        devices[name] = {}
        for driver in CLASSES:
            count = random.choice((0, 1, 2, 4))
            if count:
                devices[name][driver] = count
                slices.append(_slice(name, driver, count))
            taken = 0
            while taken < count and random.random() < 0.5:
                pod = _pod(f"pod-{len(pods)}", "100m", 0)
                pod["spec"]["nodeName"] = name
                pod["status"] = {"startTime": f"2026-11-24T12:00:{len(pods):02}Z"}
                wanted = random.randint(1, count - taken)
                claims.append(_claim(pod, driver, wanted))
                _allocate(claims[-1], pod, name, range(taken, taken + wanted))
                taken += wanted
                pods.append(pod)
    pending = []
    for rank in range(8):
        pod = _pod(f"pending-{rank}", random.choice(("100m", "1", "3")), random.choice((0, 10)))
        if random.random() < 0.8:
            claims.append(_claim(pod, random.choice(CLASSES), random.choice((1, 1, 2, 3, 5))))
        pending.append(pod)
    return {
        "name": f"devices {seed}/{index}",
        "devices": devices,
        "cluster": {
            "nodes": nodes,
            "pods": pods,
            "namespaces": [{"metadata": {"name": "default"}}],
            "services": [],
            "replicaSets": [],
            "statefulSets": [],
            "budgets": [],
            "deviceClasses": [_class(driver) for driver in CLASSES],
            "slices": slices,
            "claims": claims,
        },
        "pending": pending,
    }


def _node(random: Random, name: str) -> Object:
    allocatable = {"cpu": random.choice(("1", "2", "4")), "memory": "16Gi", "pods": "110"}
    labels = {"kubernetes.io/hostname": name}
    return {"metadata": {"name": name, "labels": labels}, "spec": {}, "status": {"allocatable": allocatable}}


def _pod(name: str, cpu: str, priority: int) -> Object:
    container = {"name": "main", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "labels": {"app": "a"}},
        "spec": {"containers": [container], "priority": priority},
    }


def _class(driver: str) -> Object:
    selector = {"cel": {"expression": f'device.driver == "{driver}"'}}
    return {"metadata": {"name": driver}, "spec": {"selectors": [selector]}}


def _slice(node: str, driver: str, count: int) -> Object:
    return {
        "metadata": {"name": f"{node}-{driver}"},
        "spec": {
            "driver": driver,
            "nodeName": node,
            "pool": {"name": node, "generation": 1, "resourceSliceCount": 1},
            "devices": [{"name": f"device-{rank}"} for rank in range(count)],
        },
    }


def _claim(pod: Object, driver: str, count: int) -> Object:
    name = f"claim-{pod['metadata']['name']}"
    pod["spec"]["resourceClaims"] = [{"name": "devices", "resourceClaimName": name}]
    exactly = {"deviceClassName": driver, "allocationMode": "ExactCount", "count": count}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
    }


def _allocate(claim: Object, pod: Object, node: str, ranks: range) -> None:
    driver = claim["spec"]["devices"]["requests"][0]["exactly"]["deviceClassName"]
    results = [{"request": "r", "driver": driver, "pool": node, "device": f"device-{rank}"} for rank in ranks]
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    claim["status"] = {
        "allocation": {
            "devices": {"results": results},
            "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [field]}]},
        },
        "reservedFor": [
            {"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
        ],
    }
