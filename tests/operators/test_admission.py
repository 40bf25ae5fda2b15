"""The real API server, with the operators' own definitions, takes every field of every object that we render."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from controlplane import binaries, operators
from controlplane.api import Api, Refused
from controlplane.binaries import NoGo
from controlplane.plane import ControlPlane
from operator_documents import BACKENDS, GANGS, cases
from operator_world import CORE_GANGS, RESTRICTED

from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training import Served, choose, render
from tonnage.training.values import Choice

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]
DEFINED = (
    binaries.JOBSET,
    binaries.TRAINER,
    binaries.TRAINING_OPERATOR,
    binaries.KUEUE,
    binaries.COSCHEDULING,
    binaries.VOLCANO,
)
CASES = list(cases())


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """All kinds of all operators are served, and none of the operators runs."""
    try:
        with ControlPlane(tmp_path_factory.mktemp("plane") / "plane", settings=CORE_GANGS) as plane:
            operators.define(plane, *DEFINED)
            api = Api(plane)
            metadata = {"name": "training"}  # which documents name
            api.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata, "value": 1000})
            yield api
    except NoGo as error:
        pytest.skip(str(error))


def _namespace(api: Api, job: TrainingJob, backend: BackendName, gang: GangName, name: str) -> str:
    """Restricted, unless the rendering says that its pods are refused there."""
    notes = render(job, backend=backend, gang=gang).notes
    return api.namespace(name, {} if any("Pod Security Standard" in one for one in notes) else RESTRICTED)


@pytest.mark.parametrize(("job", "backend", "gang"), CASES, ids=[f"{job.name}-{backend}-{gang}" for job, backend, gang in CASES])
def test_objects_are_taken_without_a_warning_and_twice_is_once(
    api: Api, job: TrainingJob, backend: BackendName, gang: GangName
) -> None:
    namespace = _namespace(api, job, backend, gang, f"{job.name}-{backend}-{gang}")
    made = render(job, backend=backend, gang=gang, namespace=namespace)
    api.warnings.clear()
    for one in made.objects:
        api.apply(one, namespace, dry_run=True)
    first = [api.apply(one, namespace)["metadata"] for one in made.objects]
    again = [api.apply(one, namespace)["metadata"] for one in made.objects]
    assert api.warnings == []
    assert [one.get("generation", 1) for one in again] == [one.get("generation", 1) for one in first]


def test_every_back_end_and_every_gang_is_among_the_cases() -> None:
    assert {backend for _, backend, _ in CASES} == set(BACKENDS)
    assert {gang for _, _, gang in CASES} == set(GANGS)
    assert len(CASES) > 100


def test_a_field_that_a_kind_does_not_have_is_refused(api: Api) -> None:
    """What the cases above rest on: the definitions are strict."""
    for job, backend, gang in CASES:
        if gang == "none" and job.name in ("least", "tensorflow"):
            main = dict(render(job, backend=backend, gang=gang).objects[-1])
            main["spec"] = {**main["spec"], "colour": "blue"}
            with pytest.raises(Refused, match="colour"):
                api.apply(main, "default", dry_run=True)


def test_what_the_server_offers_is_what_is_chosen_from(api: Api) -> None:
    served = Served(api.served())
    choices = {job.name: choose(job, served) for job, _, _ in CASES}
    assert choices["full"].backend == "trainjob"
    assert choices["roles"].backend == "jobset"
    assert choices["plain"].backend == "job"
    assert choices["full"].gang == "core"
    assert all(isinstance(one, Choice) for one in choices.values())


def test_a_plain_cluster_gets_plain_jobs(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "plane") as plane:
        served = Served(Api(plane).served())
    (job,) = [one for one, backend, gang in CASES if (one.name, backend, gang) == ("full", "job", "none")]
    assert choose(job, served).backend == "job"
    assert choose(job, served).gang == "none"
