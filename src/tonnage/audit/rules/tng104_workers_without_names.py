"""Workers that cannot find each other.

What it finds:
    An Indexed Job whose pods call each other by name and have no subdomain, or one whose Service among the
    objects is not headless.
Why it matters:
    A pod of an Indexed Job has the name of its index in DNS only with a subdomain and a headless Service of
    that name. Without them every worker waits for the first until the rendezvous gives up.
    Source: kubernetes.io/docs/tasks/job/job-with-pod-to-pod-communication.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 2
      parallelism: 2
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: worker
            command: [torchrun, --nnodes=2, --rdzv-endpoint=ranker-0.ranker:29500, train.py]
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      completionMode: Indexed
      completions: 2
      parallelism: 2
      template:
        spec:
          restartPolicy: Never
          subdomain: ranker
          containers:
          - name: worker
            command: [torchrun, --nnodes=2, --rdzv-endpoint=ranker-0.ranker:29500, train.py]
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: ranker}
    spec: {clusterIP: None, selector: {batch.kubernetes.io/job-name: ranker}}
How to fix:
    Set subdomain to the name of a Service with clusterIP None that selects the Job's pods.
Limits:
    That workers call each other is told by their own names in commands and variables. A Service that is made
    elsewhere is not seen, so that a missing one is not reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.rule import Hit, Rule


def _check(training: Training) -> Iterator[Hit]:
    item = training.item
    if not training.is_core or item.at("spec", "completionMode") != "Indexed" or not training.meets:
        return
    path = ("spec", "template", "spec", "subdomain")
    subdomain = item.at(*path)
    if subdomain is None:
        if f"{item.name}-0" in training.words:
            yield Hit(path, f"{item.name}-0 is no name in DNS without a subdomain")
        return
    for service in training.context.of_kind("Service", item.namespace):
        if service.name == subdomain and service.at("spec", "clusterIP") != "None":
            yield Hit(path, f"{service.reference} is not headless, so that pods have no names of their own")


RULE = Rule("TNG104", "error", "training", _check, __doc__)
