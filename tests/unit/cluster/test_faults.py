"""What an API server's answers mean, word for word."""

from __future__ import annotations

import json

import pytest

from tonnage.cluster.faults import (
    Action,
    Busy,
    Changed,
    ClusterFault,
    Exists,
    FieldConflict,
    Forbidden,
    Gone,
    Invalid,
    KindMissing,
    Missing,
    Refused,
    Several,
    Unauthorized,
    Unreachable,
    fault_of,
    kind_missing,
    several,
)

SERVER = "https://10.0.0.1:6443"
PATCH = Action("patch", "jobs.batch", "train", "ml")


def answer(code: int, message: str, reason: str = "", **details: object) -> ClusterFault:
    body = {"kind": "Status", "message": message, "reason": reason, "details": details}
    return fault_of(code, json.dumps(body), PATCH, server=SERVER)


def test_who_is_not_known_is_told_to_renew_credentials():
    fault = answer(401, "Unauthorized", "Unauthorized")
    assert type(fault) is Unauthorized
    assert str(fault) == (
        "https://10.0.0.1:6443: must know who asks, got 401 Unauthorized"
        "; renew the credentials of the kubeconfig's user (kubectl auth whoami shows it)"
    )


def test_a_verb_that_is_not_allowed_is_named_with_its_resource():
    message = (
        'jobs.batch is forbidden: User "bob" cannot create resource "jobs" in API group "batch" '
        'in the namespace "ml"'
    )
    fault = answer(403, message, "Forbidden")
    assert type(fault) is Forbidden
    assert str(fault) == (
        "jobs.batch: user bob must be allowed to create them in namespace ml, and is not"
        "; ask for a role with that verb (kubectl auth can-i --list -n ml shows what is allowed)"
    )


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            'pods "train" is forbidden: exceeded quota: gpus, requested: x, used: y, limited: z',
            "exceeded quota: gpus, requested: x, used: y, limited: z",
        ),
        (
            'pods "train" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
            'violates PodSecurity "restricted:latest": runAsNonRoot != true',
        ),
        ('admission webhook "v.example" denied the request: no', 'admission webhook "v.example" denied the request: no'),
    ],
)
def test_what_admission_refuses_is_no_matter_of_roles(message, text):
    """Quotas, pod security and webhooks answer 403 too."""
    fault = answer(403, message, "Forbidden")
    assert type(fault) is Refused
    assert str(fault) == f"jobs.batch/train in namespace ml: {text}"


def test_a_webhook_that_fails_is_not_a_busy_server():
    """Asking again does not help while the webhook's own server is away."""
    fault = answer(500, 'Internal error occurred: failed calling webhook "w": connection refused', "InternalError")
    assert type(fault) is Refused


def test_a_namespace_that_is_missing_comes_with_the_command_that_makes_it():
    fault = answer(404, 'namespaces "ml" not found', "NotFound", name="ml", kind="namespaces")
    assert type(fault) is Missing
    assert str(fault) == "namespace ml: must exist; kubectl create namespace ml"


def test_an_object_that_is_missing_is_named():
    fault = answer(404, 'jobs.batch "train" not found', "NotFound", name="train", kind="jobs", group="batch")
    assert type(fault) is Missing
    assert str(fault) == "jobs.batch/train in namespace ml: must exist"


def test_a_part_of_an_object_is_named_as_one():
    assert Action("get", "pods/log", "p", "ml").where == "log of pods/p in namespace ml"
    assert Action("list", "pods", "", "ml").where == "pods in namespace ml"
    assert Action("get", "/apis").where == "/apis"


def test_a_path_that_nobody_serves_is_a_kind_that_is_missing():
    fault = answer(404, "the server could not find the requested resource", "NotFound")
    assert type(fault) is KindMissing
    assert type(fault_of(404, "404 page not found\n", PATCH, server=SERVER)) is Unreachable


def test_a_conflict_names_the_other_manager_and_its_fields():
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl"', "field": ".spec.parallelism"},
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl" using batch/v1',
            "field": ".spec.suspend",
        },
        {"reason": "FieldManagerConflict", "message": 'conflict with "kueue"', "field": ".spec.template"},
    ]
    fault = answer(409, "Apply failed with 3 conflicts", "Conflict", causes=causes)
    assert isinstance(fault, FieldConflict)
    assert fault.fields == (
        ("kubectl", ".spec.parallelism"),
        ("kubectl", ".spec.suspend"),
        ("kueue", ".spec.template"),
    )
    assert str(fault) == (
        "jobs.batch/train in namespace ml: fields must be ours to set, and another manager has set them: "
        "kubectl has set .spec.parallelism, .spec.suspend; kueue has set .spec.template"
        "; let that manager go on, or take them over"
    )


def test_other_conflicts_are_told_apart():
    assert type(answer(409, "exists", "AlreadyExists")) is Exists
    assert type(answer(409, "the UID in the precondition differs", "Conflict")) is Changed
    assert type(answer(410, "too old resource version", "Expired")) is Gone


def test_what_is_wrong_with_an_object_is_said_without_its_name_twice():
    fault = answer(422, 'Job.batch "train" is invalid: spec.completions: Invalid value: -1', "Invalid")
    assert type(fault) is Invalid
    assert str(fault) == "jobs.batch/train in namespace ml: spec.completions: Invalid value: -1"


def test_a_field_that_the_kind_does_not_have_is_not_a_busy_server():
    """The server answers server-side apply of an unknown field with 500."""
    message = (
        "failed to create typed patch object (ml/train; batch/v1, Kind=Job): .spec.x: field not declared in schema"
    )
    fault = answer(500, message, "")
    assert type(fault) is Invalid
    assert str(fault) == "jobs.batch/train in namespace ml: .spec.x: field not declared in schema"


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_that_cannot_answer_now_is_busy(code):
    body = json.dumps({"kind": "Status", "message": "etcdserver: leader changed"})
    fault = fault_of(code, body, PATCH, server=SERVER, retry_after="2")
    assert isinstance(fault, Busy)
    assert fault.wait_s == 2.0
    assert isinstance(fault_of(code, "<html>bad gateway</html>", PATCH, server=SERVER), Busy)


def test_what_is_no_api_server_is_said_to_be_none():
    fault = fault_of(302, "<html>log in</html>", PATCH, server=SERVER)
    assert type(fault) is Unreachable
    assert str(fault) == (
        "https://10.0.0.1:6443: must answer patch jobs.batch/train in namespace ml as an API server does, got 302"
        ": <html>log in</html>"
    )


def test_long_answers_are_cut():
    assert len(str(fault_of(404, "x" * 10**6, PATCH, server=SERVER))) < 1300


def test_several_faults_are_one_and_same_ones_are_said_once():
    one, same, other = Missing("a"), Missing("a"), Forbidden("b")
    assert several([one, same]) is same
    found = several([one, other])
    assert isinstance(found, Several)
    assert str(found) == "a\nb"


def test_a_missing_kind_says_the_next_step():
    assert str(kind_missing("kubeflow.org/v1", "PyTorchJob")) == (
        "PyTorchJob: the API server must have kubeflow.org/v1; install what brings it, or choose another"
    )
