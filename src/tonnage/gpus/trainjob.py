"""The pods of a TrainJob: its runtime's jobs with what the TrainJob and its patches say over them.

Source: kubeflow/trainer v2.3 pkg/apis/trainer/v1alpha1 (TrainJob, TrainingRuntime) and
pkg/runtime/framework/plugins (plainml, torch: ``numNodes`` becomes the parallelism of the job whose template
bears the step ``trainer``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Object = Mapping[str, Any]
_STEP: Final = "trainer.kubeflow.org/trainjob-ancestor-step"
_NODE: Final = "node"
_MERGED_BY_NAME: Final = ("containers", "initContainers", "env", "volumes")


def trainjob_groups(value: Object, others: Sequence[Object]) -> Iterator[tuple[str, int, Object]]:
    """Role, number of pods and template of each job.

    Args:
        value: The TrainJob.
        others: Objects among which its runtime may be; without it, only the TrainJob itself is known.
    """
    spec = value.get("spec") or {}
    trainer = spec.get("trainer") or {}
    runtime = _runtime(value, others)
    nodes = trainer.get("numNodes") or (runtime.get("mlPolicy") or {}).get("numNodes") or 1
    jobs = ((runtime.get("template") or {}).get("spec") or {}).get("replicatedJobs") or ()
    if not jobs:
        yield f"{_NODE}-0", int(nodes), _trained({}, trainer)
        return
    for job in jobs:
        name = str(job.get("name", ""))
        inner = job.get("template") or {}
        job_spec = inner.get("spec") or {}
        template = job_spec.get("template") or {}
        for patch in _patches(spec, name):
            template = _merged(template, patch)
        labels = (inner.get("metadata") or {}).get("labels") or {}
        if name == _NODE or labels.get(_STEP) == "trainer":
            yield f"{name}-0", int(nodes), _trained(template, trainer)
        else:
            yield f"{name}-0", int(job_spec.get("parallelism") or 1), template


def _runtime(value: Object, others: Sequence[Object]) -> Object:
    named = (value.get("spec") or {}).get("runtimeRef") or {}
    kind, name = named.get("kind") or "ClusterTrainingRuntime", named.get("name")
    namespace = (value.get("metadata") or {}).get("namespace") or "default"
    for one in others:
        held = one.get("metadata") or {}
        here = kind == "ClusterTrainingRuntime" or (held.get("namespace") or "default") == namespace
        if one.get("kind") == kind and held.get("name") == name and here:
            return one.get("spec") or {}
    return {}


def _trained(template: Object, trainer: Object) -> Object:
    """The template with the trainer's image and resources in its container ``node``."""
    spec = template.get("spec") or {}
    containers = [dict(one) for one in spec.get("containers") or ({"name": _NODE},)]
    target = next((one for one in containers if one.get("name") == _NODE), containers[0])
    for key, wanted in (("image", "image"), ("resourcesPerNode", "resources")):
        if trainer.get(key):
            target[wanted] = trainer[key]
    return {**template, "spec": {**spec, "containers": containers}}


def _patches(spec: Object, job: str) -> Iterator[Object]:
    """Pod templates to be laid over a job's, in order: runtime patches, and overrides of older versions."""
    for patch in spec.get("runtimePatches") or ():
        inner = ((patch.get("trainingRuntimeSpec") or {}).get("template") or {}).get("spec") or {}
        for one in inner.get("replicatedJobs") or ():
            if one.get("name") == job:
                yield ((one.get("template") or {}).get("spec") or {}).get("template") or {}
    for one in spec.get("podTemplateOverrides") or ():
        if any(target.get("name") == job for target in one.get("targetJobs") or ()):
            yield {key: one[key] for key in ("metadata", "spec") if key in one}


def _merged(below: Any, above: Any, key: str = "") -> Any:
    """One value laid over another: mappings key by key, lists of named things by name, other lists joined."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {**below}
        for name, value in above.items():
            both[name] = _merged(below.get(name), value, name)
        return both
    if isinstance(below, list) and isinstance(above, list):
        if key not in _MERGED_BY_NAME:
            return [*below, *above]
        named = {one.get("name"): one for one in below}
        for one in above:
            named[one.get("name")] = _merged(named.get(one.get("name")), one)
        return list(named.values())
    return below if above is None else above
