"""Interface that hosts do not have.

What it finds:
    NCCL_SOCKET_IFNAME or GLOO_SOCKET_IFNAME with eth0 alone in a pod on the host's network.
Why it matters:
    eth0 is what a pod's own interface is called. Hosts have ens5, enp0s3 or bond0, and NCCL ends with "no
    socket interface found".
    Source: docs.nvidia.com/deeplearning/nccl, environment variables, NCCL_SOCKET_IFNAME;
    systemd.io, predictable network interface names.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          hostNetwork: true
          containers:
          - name: worker
            env: [{name: NCCL_SOCKET_IFNAME, value: eth0}]
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      template:
        spec:
          restartPolicy: Never
          hostNetwork: true
          containers:
          - name: worker
            env: [{name: NCCL_SOCKET_IFNAME, value: "en,eth,bond"}]
How to fix:
    Name the host's interface, or several beginnings of names.
Limits:
    Hosts that keep the old names do have an eth0; excuse the finding then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule

_NAMES: Final = ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME")


def _check(training: Training) -> Iterator[Hit]:
    for role in training.roles:
        for one in role.pod.container_views if role.pod.at("hostNetwork") is True else ():
            for path, name, value in one.env:
                if name in _NAMES and str(value).strip() in ("eth0", "=eth0"):
                    yield Hit(path, f"{name} is eth0, and hosts' interfaces have other names")


RULE = Rule("TNG115", "warning", "training", _check, __doc__)
