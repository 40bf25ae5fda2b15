"""Restart policy that is refused or ignored.

What it finds:
    A Job whose pods have the restart policy Always or none, or OnFailure beside a podFailurePolicy or a
    backoffLimitPerIndex; a pod template of the Training Operator with a restart policy of its own.
Why it matters:
    The API server refuses the Job. The operator puts the policy of the role over that of the template, so
    that what stands there is not what happens.
    Source: k8s.io/kubernetes v1.37.2 pkg/apis/batch/validation/validation.go, validateJobSpec;
    kubeflow/training-operator v1.9.3 pkg/core/pod.go, SetRestartPolicy.
Bad:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      podFailurePolicy:
        rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]
      template:
        spec:
          restartPolicy: OnFailure
          containers: [{name: worker}]
Good:
    apiVersion: batch/v1
    kind: Job
    metadata: {name: ranker}
    spec:
      podFailurePolicy:
        rules: [{action: Ignore, onPodConditions: [{type: DisruptionTarget}]}]
      template:
        spec:
          restartPolicy: Never
          containers: [{name: worker}]
How to fix:
    Say Never in a Job, and for the operator the policy of the role, beside its template.
Limits:
    A template whose policy is the role's own is passed.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonnage.audit.context import Training
from tonnage.audit.finding import Change
from tonnage.audit.rule import Hit, Rule

_SPEC = ("spec", "template", "spec", "restartPolicy")


def _check(training: Training) -> Iterator[Hit]:
    item = training.item
    if training.is_core and training.roles:
        said = item.at(*_SPEC)
        needy = [
            name for name in ("podFailurePolicy", "backoffLimitPerIndex") if item.at("spec", name) is not None
        ]
        change = (Change(_SPEC, "Never"),)
        if said in (None, "Always"):
            yield Hit(_SPEC, f"a Job's pods need OnFailure or Never, and this is {said or 'Always'}", change)
        elif said != "Never" and needy:
            yield Hit(_SPEC, f"{needy[0]} needs Never, and this is {said}", change)
    for role in training.roles if training.is_kubeflow else ():
        own = role.pod.at("restartPolicy")
        if own is not None and own != item.at(*role.path, "restartPolicy"):
            path = (*role.pod.path, "restartPolicy")
            yield Hit(path, f"the operator overwrites {own} by the policy of {role.name}", severity="warning")


RULE = Rule("TNG103", "error", "training", _check, __doc__)
