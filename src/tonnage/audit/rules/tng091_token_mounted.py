"""API token in a pod that needs none.

What it finds:
    A workload that serves, under the namespace's default service account, which mounts its token.
Why it matters:
    Model files and their loaders run code of others (pickle, custom operators). With the token that code can
    talk to the API server in the namespace's name.
    Source: kubernetes.io/docs/tasks/configure-pod-container/configure-service-account, opt out.
Bad:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec: {containers: [{name: server, ports: [{containerPort: 8080}]}]}
Good:
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: ranker}
    spec:
      template:
        spec:
          automountServiceAccountToken: false
          containers: [{name: server, ports: [{containerPort: 8080}]}]
How to fix:
    Set automountServiceAccountToken to false.
Limits:
    A pod with a service account of its own is taken to need it.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Workload
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule


def _check(workload: Workload) -> Iterator[Hit]:
    path = (*workload.path, "automountServiceAccountToken")
    account = workload.at("serviceAccountName") or workload.at("serviceAccount")
    if workload.serves and account in (None, "default") and workload.at(path[-1]) is not False:
        accounts = workload.context.of_kind("ServiceAccount", workload.item.namespace)
        off = any(one.name == "default" and one.at(path[-1]) is False for one in accounts)
        if not off:
            message = (
                "the default service account's token is mounted, and nothing here says that it is needed"
            )
            yield Hit(path, message, (Change(path, False),))


RULE = Rule("TNG091", "info", "workload", _check, __doc__)
