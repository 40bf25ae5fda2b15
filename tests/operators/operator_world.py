"""A control plane with operators and a fleet, and a training job in it, looked at as its workers see it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from controlplane import operators
from controlplane.api import Api, Plain
from controlplane.binaries import NoGo
from controlplane.environment import environment_of
from controlplane.fleet import QUICK, Fleet
from controlplane.plane import ControlPlane, wait_until

from tonnage.spec.training import TrainingJob
from tonnage.training import Rendering, TrainingStatus, render, status_of

WAIT_S = 60.0
JOB_LABEL = "tonnage.dev/training-job"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
CORE_GANGS = {
    "kube-apiserver": {"feature-gates": "GenericWorkload=true", "runtime-config": "scheduling.k8s.io/v1beta1=true"},
    "kube-controller-manager": {**QUICK["kube-controller-manager"], "feature-gates": "GenericWorkload=true"},
    "kube-scheduler": {"feature-gates": "GenericWorkload=true"},
}
"""Settings of a control plane with PodGroups of its own, which are off by default."""
Settings = Mapping[str, Mapping[str, str]]


def document(name: str, framework: str = "pytorch", **spec: Any) -> TrainingJob:
    """A training of two workers with four A100 each, unless told otherwise."""
    wanted: dict[str, Any] = {
        "framework": framework,
        "image": "registry.example/train:1",
        "command": ["python", "/app/train.py"],
        "workers": 2,
        "resources": {
            "cpu": "8",
            "memory": "64Gi",
            "gpu": {"vendor": "nvidia", "count": 4, "type": "a100"},
        },
        **spec,
    }
    found = {"apiVersion": "tonnage.dev/v1alpha1", "kind": "TrainingJob", "metadata": {"name": name}, "spec": wanted}
    return TrainingJob.model_validate(found)


@dataclass(frozen=True, slots=True)
class World:
    """What a test has.

    Attributes:
        plane: The control plane.
        fleet: Its nodes.
        api: An administrator's client.
    """

    plane: ControlPlane
    fleet: Fleet
    api: Api

    def namespace(self, name: str) -> str:
        """A namespace whose pods are held to the standard ``restricted``."""
        return self.api.namespace(name, RESTRICTED)

    def submit(self, job: TrainingJob, namespace: str, **choices: Any) -> Rendering:
        """Render and apply, as ``tonnage train submit`` does; the server must warn of nothing."""
        made = render(job, namespace=namespace, **choices)
        self.api.warnings.clear()
        for one in made.objects:
            self.api.apply(one, namespace)
        assert self.api.warnings == []
        return made

    def pods(self, job: TrainingJob, namespace: str) -> list[Plain]:
        """Its pods, by name."""
        found = self.api.find("v1", "Pod", namespace, f"{JOB_LABEL}={job.name}")
        return sorted(found, key=lambda one: str(one["metadata"]["name"]))

    def running(self, job: TrainingJob, namespace: str, count: int) -> list[Plain]:
        """Wait until so many of its pods run."""

        def enough() -> bool:
            return len(self._in("Running", job, namespace)) == count

        if not wait_until(enough, WAIT_S, 0.25):
            raise TimeoutError(f"{job.name}: must have {count} running pods, has\n{self.story(job, namespace)}")
        return self._in("Running", job, namespace)

    def _in(self, phase: str, job: TrainingJob, namespace: str) -> list[Plain]:
        return [one for one in self.pods(job, namespace) if one["status"].get("phase") == phase]

    def status(self, job: TrainingJob, made: Rendering, namespace: str) -> TrainingStatus:
        """What we make of what the cluster holds."""
        kinds = {(one["apiVersion"], one["kind"]) for one in made.objects} | self._made_by_operators()
        objects = [
            one
            for version, kind in sorted(kinds)
            for one in self.api.find(version, kind, namespace)
            if one["metadata"]["name"].startswith(job.name) or self._is_of(one, job)
        ]
        events = self.api.find("v1", "Event", namespace)
        return status_of(job.name, objects, self.pods(job, namespace), events)

    def _made_by_operators(self) -> set[tuple[str, str]]:
        """Kinds that an operator makes for its own, where they are served."""
        wanted = {
            ("batch", "v1", "jobs"): ("batch/v1", "Job"),
            ("jobset.x-k8s.io", "v1alpha2", "jobsets"): ("jobset.x-k8s.io/v1alpha2", "JobSet"),
            ("kueue.x-k8s.io", "v1beta2", "workloads"): ("kueue.x-k8s.io/v1beta2", "Workload"),
        }
        served = self.api.served()
        return {kind for key, kind in wanted.items() if key in served}

    @staticmethod
    def _is_of(one: Plain, job: TrainingJob) -> bool:
        return any(owner["name"] == job.name for owner in one["metadata"].get("ownerReferences", []))

    def until(self, phase: str, job: TrainingJob, made: Rendering, namespace: str) -> TrainingStatus:
        """Wait until we read a phase."""
        seen: list[TrainingStatus] = []

        def reached() -> bool:
            seen.append(self.status(job, made, namespace))
            return seen[-1].phase == phase

        if not wait_until(reached, WAIT_S, 0.25):
            raise TimeoutError(f"{job.name}: must become {phase}, reads {seen[-1]}\n{self.story(job, namespace)}")
        return seen[-1]

    def holds(self, what: Callable[[], bool], story: str = "") -> None:
        """Wait until something holds."""
        if not wait_until(what, WAIT_S, 0.25):
            raise TimeoutError(story)

    def environment(self, pod: Plain) -> dict[str, str]:
        """Variables of its first container, as its kubelet would make them."""

        def nothing(_kind: str, _name: str) -> Mapping[str, str]:
            return {}

        container = pod["spec"]["containers"][0]
        ip, host = pod["status"]["podIP"], pod["status"]["hostIP"]
        return environment_of(pod, container, nothing, ip, host)

    def addresses(self, host: str, namespace: str) -> set[str]:
        """What the cluster's DNS answers for ``<service>`` or ``<hostname>.<service>``.

        Source: kubernetes/dns docs/specification.md 2.3 to 2.4 (records of headless Services).
        """
        first, _, rest = host.partition(".")
        service = rest.removesuffix(f".{namespace}.svc.cluster.local").removesuffix(f".{namespace}.svc")
        service = service.removesuffix(f".{namespace}") if rest else first
        slices = self.api.find("discovery.k8s.io/v1", "EndpointSlice", namespace, f"kubernetes.io/service-name={service}")
        ends = [end for one in slices for end in one.get("endpoints") or []]
        return {address for end in ends if not rest or end.get("hostname") == first for address in end["addresses"]}

    def story(self, job: TrainingJob, namespace: str) -> str:
        """What the cluster says of a job, for a failed test."""
        lines = [
            f"{one['metadata']['name']}: {one['status'].get('phase')} on {one['spec'].get('nodeName')}"
            for one in self.pods(job, namespace)
        ]
        events = self.api.find("v1", "Event", namespace)
        lines += [f"{one['involvedObject']['kind']} {one['involvedObject']['name']}: {one.get('message')}" for one in events[-30:]]
        return "\n".join(lines)


@contextlib.contextmanager
def opened(
    folder: Path, nodes: Mapping[str, int], *names: str, settings: Settings = QUICK, **options: Any
) -> Iterator[World]:
    """A world with some nodes and operators; the test is skipped where there is no Go to build them.

    Args:
        folder: For all files.
        nodes: Kind of machine to how many.
        names: Functions of ``controlplane.operators``, in order.
        settings: Of the control plane.
        options: Keyword arguments of an operator, by its name.
    """
    with contextlib.ExitStack() as stack:
        try:
            plane = stack.enter_context(ControlPlane(folder / "plane", settings=settings))
            fleet = stack.enter_context(Fleet(plane))
            for name in names:
                operator = getattr(operators, name)
                stack.enter_context(operator(plane, **options.get(name, {})))
        except NoGo as error:
            pytest.skip(str(error))
        fleet.add(nodes)
        yield World(plane, fleet, Api(plane))
