"""What holds for every document, back end and gang."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import kubernetes_validate
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from training_documents import job
from training_strategies import JOBS

from tonnage.errors import SpecError
from tonnage.kube.quantity import Quantity, parse_quantity
from tonnage.manifests.text import dump_objects
from tonnage.scheduling.objects import pod_from_object
from tonnage.spec.training import TrainingJob
from tonnage.spec.training_body import BackendName, GangName
from tonnage.training import Rendering, Served, choose, pods_of, render, status_of
from tonnage.training.choice import GANG_NEEDED, NEEDED
from tonnage.training.limits import backend_problems, gang_problems
from tonnage.training.roles import pods_min, requests_min

KUBERNETES = "1.37.0"
CORE_GROUPS = ("v1", "batch/v1", "resource.k8s.io/v1")
BACKENDS = st.sampled_from(get_args(BackendName))
GANGS = st.sampled_from(get_args(GangName))
SLOW = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)


def made(document: TrainingJob, backend: Any, gang: Any) -> Rendering:
    try:
        return render(document, backend=backend, gang=gang, namespace="ns")
    except SpecError:
        assume(False)
        raise


def templates(value: Any) -> Iterator[dict[str, Any]]:
    """Every pod template inside an object."""
    if isinstance(value, list):
        for one in value:
            yield from templates(one)
    if isinstance(value, dict):
        if "containers" in value.get("spec", {}) and "metadata" in value:
            yield value
            return
        for one in value.values():
            yield from templates(one)


@SLOW
@given(document=JOBS, backend=BACKENDS, gang=GANGS)
def test_what_is_refused_is_refused_by_a_limit_and_nothing_else(document: Any, backend: Any, gang: Any) -> None:
    """Rendering fails for no other reason than those that can be asked for beforehand."""
    problems = [*backend_problems(document, backend), *gang_problems(document, backend, gang)]
    try:
        rendering = render(document, backend=backend, gang=gang)
    except SpecError as error:
        assert list(error.problems) == problems != []
        return
    assert problems == []
    assert rendering == render(document, backend=backend, gang=gang)
    assert dump_objects(rendering.objects) == dump_objects(rendering.objects)


@settings(SLOW, max_examples=15)  # Kubernetes' schemas take their time
@given(document=JOBS, backend=BACKENDS, gang=GANGS)
def test_core_objects_are_what_kubernetes_takes(document: Any, backend: Any, gang: Any) -> None:
    """By Kubernetes 1.37's own schema, unknown fields refused; pods inside operators' objects as well."""
    for one in made(document, backend, gang).objects:
        if one["apiVersion"] in CORE_GROUPS:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
        for template in templates(one):
            containers = [{"image": document.spec.image, **c} for c in template["spec"]["containers"]]
            pod = {"apiVersion": "v1", "kind": "Pod", **template}
            pod["metadata"] = {"name": "p", **template["metadata"]}
            pod["spec"] = {**template["spec"], "containers": containers}
            kubernetes_validate.validate(pod, KUBERNETES, strict=True)


@SLOW
@given(document=JOBS, backend=BACKENDS, gang=GANGS)
def test_everything_is_labelled_as_the_jobs(document: Any, backend: Any, gang: Any) -> None:
    """Objects and pods, with the document's own labels, in the namespace; no two have one name."""
    rendering = made(document, backend, gang)
    for one in rendering.objects:
        assert one["metadata"]["labels"]["tonnage.dev/training-job"] == "t"
        assert one["metadata"]["labels"]["team"] == "x"
        assert one["metadata"]["namespace"] == "ns"
        for template in templates(one):
            labels = template["metadata"]["labels"]
            assert labels["tonnage.dev/training-job"] == "t"
            assert labels["tonnage.dev/training-role"] in ("worker", "chief", "parameter-server")
            assert "app.kubernetes.io/name" not in labels
    names = [(one["apiVersion"], one["kind"], one["metadata"]["name"]) for one in rendering.objects]
    assert len(set(names)) == len(names)


@SLOW
@given(document=JOBS, backend=BACKENDS, gang=GANGS)
def test_pods_are_restricted_unless_the_document_asks_otherwise(document: Any, backend: Any, gang: Any) -> None:
    """And then a note says so."""
    rendering = made(document, backend, gang)
    asks = document.spec.network.host_network or document.spec.network.rdma is not None
    asks = asks or any(one.type == "hostPath" for one in document.spec.volumes)
    assert any("restricted refuses" in note for note in rendering.notes) is asks
    for one in rendering.objects:
        for template in templates(one):
            assert template["spec"]["securityContext"]["runAsNonRoot"] is True
            for container in template["spec"]["containers"]:
                assert container["securityContext"]["allowPrivilegeEscalation"] is False
                assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


@SLOW
@given(document=JOBS, backend=BACKENDS, gang=GANGS)
def test_names_in_a_pod_are_its_own(document: Any, backend: Any, gang: Any) -> None:
    """Variables, volumes and mounts each once, or server-side apply would refuse them; the document's win."""
    for one in made(document, backend, gang).objects:
        for template in templates(one):
            (container,) = template["spec"]["containers"]
            for held in (container["env"], template["spec"]["volumes"]):
                names = [item["name"] for item in held]
                assert len(set(names)) == len(names)
            mounts = [item["mountPath"] for item in container["volumeMounts"]]
            assert len(set(mounts)) == len(mounts)
            told = {item["name"]: item.get("value") for item in container["env"]}
            assert document.spec.env.items() <= told.items()


@SLOW
@given(document=JOBS)
def test_planned_pods_are_those_that_the_scheduler_reads(document: Any) -> None:
    """As many as the roles have, with what they request, as our scheduler understands them."""
    pods = pods_of(document)
    spec = document.spec
    assert len({pod.name for pod in pods}) == len(pods)
    assert sum(pod.role == "worker" for pod in pods) == spec.workers
    total: dict[str, Quantity] = {}
    for pod in pods:
        read = pod_from_object(pod.pod, priorities={"p": 1000})
        assert read.name == pod.name
        for name, text in pod.spec["containers"][0]["resources"]["requests"].items():
            amount = parse_quantity(text)
            total[name] = total[name] + amount if name in total else amount
    if spec.elastic is None and (spec.resources.gpu is None or spec.resources.gpu.allocation == "plugin"):
        chief = spec.roles.chief
        if chief is None or chief.resources is None:
            assert {name: parse_quantity(text) for name, text in requests_min(document).items()} == total
            assert pods_min(document) == len(pods)


@SLOW
@given(
    document=JOBS,
    backends=st.sets(BACKENDS),
    gangs=st.sets(st.sampled_from(["core", "volcano", "coscheduling"])),
    kueue=st.booleans(),
)
def test_what_is_chosen_is_there_and_can_be_rendered(document: Any, backends: Any, gangs: Any, kueue: bool) -> None:
    """Or the choice is refused with a problem."""
    resources = {one for name in {"job", *backends} for one in NEEDED[name]}
    resources |= {GANG_NEEDED[name] for name in gangs}
    if kueue:
        resources.add(("kueue.x-k8s.io", "v1beta2", "localqueues"))
    try:
        choice = choose(document, Served(frozenset(resources)))
    except SpecError as error:
        assert error.problems
        return
    assert set(NEEDED[choice.backend]) <= resources
    assert choice.gang in {"none", "kueue", *gangs}
    assert choice.reasons
    render(document, backend=choice.backend, gang=choice.gang)


@SLOW
@given(document=JOBS, backend=BACKENDS, gang=GANGS)
def test_a_job_that_was_just_made_waits(document: Any, backend: Any, gang: Any) -> None:
    """Whatever it is, it has all its workers, none of them with a pod, and has not begun."""
    status = status_of("t", made(document, backend, gang).objects, ())
    assert status.phase == ("Queued" if gang == "kueue" else "Pending")
    assert {one.phase for one in status.workers} == {"Missing"}
    assert len(status.workers) == len(pods_of(document))
    assert status.restarts == 0


def test_templates_are_found() -> None:
    """The checks above look at something."""
    for backend in get_args(BackendName):
        framework = "tensorflow" if backend == "tfjob" else "pytorch"
        rendering = render(job(framework=framework), backend=backend)
        assert [len(list(templates(one))) for one in rendering.objects].count(1) == 1


TIMES = st.integers(0, 59).map(lambda second: f"2026-11-25T00:00:{second:02d}Z")
STATES = st.one_of(
    st.just({}),
    st.just({"running": {}}),
    st.builds(lambda reason: {"waiting": {"reason": reason}}, st.sampled_from(["ErrImagePull", "ContainerCreating"])),
    st.builds(lambda code: {"terminated": {"exitCode": code, "reason": "Error"}}, st.integers(0, 255)),
)
CONTAINERS = st.lists(
    st.fixed_dictionaries({"restartCount": st.integers(0, 3), "state": STATES}, optional={"lastState": STATES}),
    max_size=1,
)
PODS = st.lists(
    st.fixed_dictionaries(
        {
            "metadata": st.fixed_dictionaries(
                {
                    "name": st.uuids().map(str),
                    "creationTimestamp": TIMES,
                    "labels": st.builds(
                        lambda index: {"batch.kubernetes.io/job-completion-index": str(index)}, st.integers(0, 4)
                    ),
                },
                optional={"deletionTimestamp": TIMES},
            )
        },
        optional={
            "spec": st.sampled_from([{}, {"nodeName": "n"}]),
            "status": st.fixed_dictionaries(
                {"phase": st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"])},
                optional={
                    "containerStatuses": CONTAINERS,
                    "conditions": st.just([{"type": "PodScheduled", "status": "False", "message": "no node"}]),
                },
            ),
        },
    ),
    max_size=8,
)


@given(pods=PODS, conditions=st.lists(st.sampled_from(["Suspended", "Complete", "FailureTarget"]), max_size=2))
def test_any_pods_give_a_state_that_makes_sense(pods: Any, conditions: list[str]) -> None:
    """Each worker once, each pod's place among them, an end only where the operator says so."""
    main = render(job(workers=3)).objects[-1]
    held = {**main, "status": {"conditions": [{"type": kind, "status": "True"} for kind in conditions]}}
    status = status_of("t", [held], pods)
    places = [(one.role, one.index) for one in status.workers]
    assert len(set(places)) == len(places) >= 3
    assert status.ended is ("Complete" in conditions)
    named = {one.name for one in status.workers} - {""}
    assert named <= {pod["metadata"]["name"] for pod in pods}
    assert all((one.name == "") is (one.phase == "Missing") for one in status.workers)
    assert status.restarts == max(one.restarts for one in status.workers)
    if status.phase == "Running":
        assert all(one.phase in ("Running", "Succeeded") for one in status.workers)
        assert status.waits == ()
