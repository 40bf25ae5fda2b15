"""``tonnage train`` on a real control plane: real scheduler, real Job controller, workers as real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_training.world import World, nodes_of, standing
from controlplane.plane import wait_until
from lightkube.resources.batch_v1 import Job
from lightkube.types import CascadeType

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

STEPS = "for i in 1 2 3; do echo step $i of $TONNAGE_WORKER_INDEX; sleep 0.4; done; echo done"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with standing(tmp_path_factory.mktemp("plane"), nodes_of) as made:
        yield made


@pytest.fixture
def clean(world: World) -> Iterator[World]:
    yield world
    for job in list(world.client.list(Job, namespace="default")):
        world.remove(str(job.metadata.name))


def phase(world: World, name: str) -> str:
    return str(json.loads(world.run("status", name, "--json").out)["phase"])


def test_a_training_is_placed_followed_and_succeeds(clean):
    """Submit, placement, logs, status, list, cancel: the whole way."""
    done = clean.run("submit", str(clean.document("whole", STEPS)))
    assert done.code == 0, done.err
    assert "back end job, gang none, namespace default" in done.out
    assert "created services/whole-workers, services/whole-0, jobs.batch/whole" in done.out
    assert "placed 2 of 2 workers: " in done.out

    followed = clean.run("logs", "whole", "--follow")
    assert followed.code == 0, followed.err
    for worker in (0, 1):
        mine = [line for line in followed.out.splitlines() if line.startswith(f"worker-{worker} | ")]
        assert mine == [
            *(f"worker-{worker} | step {i} of {worker}" for i in (1, 2, 3)),
            f"worker-{worker} | done",
        ]
    assert wait_until(lambda: phase(clean, "whole") == "Succeeded", 120)

    status = json.loads(clean.run("status", "whole", "--json").out)
    assert [(one["name"], one["phase"], one["exitCode"], one["restarts"]) for one in status["workers"]] == [
        ("worker-0", "Succeeded", 0, 0),
        ("worker-1", "Succeeded", 0, 0),
    ]
    assert {one["node"] for one in status["workers"]} <= {"n1", "n2"}
    listed = json.loads(clean.run("list", "--json").out)["items"]
    assert [(one["name"], one["kind"], one["phase"]) for one in listed] == [("whole", "Job", "Succeeded")]

    cancelled = clean.run("cancel", "whole")
    assert cancelled.code == 0, cancelled.err
    for title in ("jobs.batch/whole", "services/whole-workers", "services/whole-0", "pods/whole-0-"):
        assert f"removed {title}" in cancelled.out
    assert clean.left("whole") == []
    assert clean.run("status", "whole").code == 3


def test_deleting_the_main_object_removes_all(clean):
    """As kubectl delete does, which knows nothing of us."""
    assert clean.run("submit", str(clean.document("owned", "sleep 60"))).code == 0
    clean.client.delete(Job, "owned", namespace="default", cascade=CascadeType.BACKGROUND)
    assert wait_until(lambda: clean.left("owned") == [], 60)


def test_wait_ends_with_the_exit_code_of_the_training(clean):
    done = clean.run("submit", str(clean.document("good", "true")), "--wait", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["status"]["phase"] == "Succeeded"
    done = clean.run("submit", str(clean.document("bad", "sleep 0.5; exit 7")), "--wait")
    assert done.code == 7, done.err
    assert "exit code 7" in done.err


def test_a_dry_run_makes_nothing(clean):
    done = clean.run("submit", str(clean.document("dry", STEPS)), "--dry-run", "--json")
    assert done.code == 0, done.err
    assert [one["kind"] for one in json.loads(done.out)["objects"]] == ["Service", "Service", "Job"]
    assert clean.left("dry") == []


def test_a_training_that_is_there_is_not_replaced(clean):
    path = str(clean.document("twice", "sleep 60"))
    assert clean.run("submit", path).code == 0
    uid = clean.client.get(Job, "twice", namespace="default").metadata.uid
    done = clean.run("submit", path)
    assert done.code == 3
    assert done.err == (
        "training job twice: exists already in namespace default, as Job"
        "; remove it first: tonnage train cancel twice -n default"
    )
    assert clean.client.get(Job, "twice", namespace="default").metadata.uid == uid


@pytest.mark.parametrize(
    ("gpu", "text"),
    [
        ({"type": "h100"}, "spec.resources.gpu.type: must be one that a node has, got h100; nodes have: t4"),
        ({"count": 4}, "spec.resources.gpu.count: must be <= 2, the most that one node has, got 4"),
    ],
)
def test_gpus_that_no_node_has_are_an_error_before_anything_is_made(clean, gpu, text):
    resources = {"cpu": "100m", "memory": "64Mi", "gpu": gpu}
    done = clean.run("submit", str(clean.document("gpus", STEPS, resources=resources)))
    assert done.code == 2
    assert text in done.err
    assert clean.left("gpus") == []


def test_workers_that_no_node_can_take_are_an_error_that_says_why_per_node(clean):
    done = clean.run("submit", str(clean.document("large", STEPS, resources={"cpu": "64", "memory": "64Mi"})))
    assert done.code == 2
    assert "a worker must fit on an empty node: 0/3 nodes are available" in done.err
    assert "n1: Insufficient cpu" in done.err
    assert clean.left("large") == []


def test_what_is_forced_and_not_placed_says_what_is_missing(clean):
    """In the scheduler's own words, and per node; the training waits on."""
    path = str(clean.document("forced", STEPS, resources={"cpu": "64", "memory": "64Mi"}))
    done = clean.run("submit", path, "--force", "--placement-timeout", "6s")
    assert done.code == 1, done.err
    assert "0 of 2 workers have nodes after 6s; it waits on" in done.err
    assert "0/3 nodes are available: " in done.err
    assert "n1: Insufficient cpu" in done.err
    assert phase(clean, "forced") == "Pending"
    waits = json.loads(clean.run("status", "forced", "--json").out)["waits"]
    assert any("Insufficient cpu" in one for one in waits)


def test_gpus_that_others_use_are_waited_for(clean):
    """The second training gets its GPUs when the first is cancelled."""
    resources = {"cpu": "100m", "memory": "64Mi", "gpu": {"count": 2}}
    first = clean.document("first", "sleep 100", resources=resources, workers=1)
    assert clean.run("submit", str(first)).code == 0
    second = clean.document("second", "sleep 100", resources=resources, workers=1)
    done = clean.run("submit", str(second), "--placement-timeout", "4s", "--json")
    assert done.code == 1, done.err
    placement = json.loads(done.out)["placement"]
    assert placement["complete"] is False
    assert any("Insufficient nvidia.com/gpu" in line for line in placement["missing"])
    assert clean.run("cancel", "first").code == 0
    assert wait_until(lambda: phase(clean, "second") == "Running", 60)


def test_an_operator_that_is_not_there_is_named_with_what_to_do(clean):
    path = str(clean.document("operator", STEPS, framework="pytorch", command=["python", "x.py"]))
    done = clean.run("submit", path, "--backend", "pytorchjob")
    assert done.code == 2
    assert "spec.backend: must be what the cluster has (job), got pytorchjob; install the Training Operator" in done.err


def test_a_namespace_that_is_not_there_is_an_error(clean):
    done = clean.run("submit", str(clean.document("space", STEPS)), "-n", "nowhere")
    assert done.code == 3
    assert done.err == "namespace nowhere: must exist; kubectl create namespace nowhere"


def test_a_failed_submit_leaves_nothing_behind(clean):
    """A policy lets dry runs pass and refuses the Job itself, after the Services were made."""
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "late"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["batch"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["jobs"],
                    }
                ]
            },
            "validations": [
                {"expression": "request.dryRun || object.metadata.name != 'late'", "message": "not today"}
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "late"},
        "spec": {"policyName": "late", "validationActions": ["Deny"]},
    }
    kubectl(clean, policy)
    kubectl(clean, binding)
    path = str(clean.document("late", STEPS))

    def refused() -> bool:  # the policy takes a moment to be known
        done = clean.run("submit", path, "--no-wait-placement")
        if done.code == 0:
            clean.remove("late")
            return False
        assert done.code == 3
        assert "jobs.batch/late in namespace default: " in done.err
        assert "not today" in done.err
        assert clean.left("late") == []
        return True

    assert wait_until(refused, 60)


def kubectl(world: World, value: dict) -> None:
    """Apply an object."""
    command = ["kubectl", "--kubeconfig", str(world.plane.kubeconfig), "apply", "-f", "-"]
    subprocess.run(command, input=json.dumps(value), text=True, check=True, capture_output=True, timeout=60)


def test_a_user_who_may_not_is_told_which_verb_on_which_resource(clean):
    pods = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    reader = clean.user("reader", [pods])
    done = clean.run("submit", str(clean.document("denied", STEPS)), kubeconfig=reader)
    assert done.code == 3
    assert "jobs.batch: user reader must be allowed to get them in namespace default, and is not" in done.err
    assert clean.left("denied") == []
    done = clean.run("list", kubeconfig=reader)
    assert "jobs.batch: user reader must be allowed to list them" in done.err


def test_a_user_of_one_namespace_needs_no_more(clean):
    """Nodes and events may be out of reach: what is not checked is said, and the rest works."""
    rules = [
        {"apiGroups": [""], "resources": ["pods", "services", "pods/log"], "verbs": ["*"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
    ]
    member = clean.user("member", rules)
    done = clean.run("submit", str(clean.document("mine", STEPS)), "--wait", kubeconfig=member)
    assert done.code == 0, done.err
    assert "nodes may not be listed" in done.err
    assert "worker-0 | done" in clean.run("logs", "mine", kubeconfig=member).out
    assert clean.run("cancel", "mine", kubeconfig=member).code == 0


def test_a_server_that_is_not_there_is_an_error_at_once(clean, tmp_path):
    config = json.loads(clean.plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://{clean.plane.address}:1"
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    done = clean.run("list", kubeconfig=file)
    assert done.code == 3
    assert "must be reachable, got " in done.err


def test_credentials_that_no_authority_vouches_for_are_unauthorized(clean, tmp_path):
    config = json.loads(clean.plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "wrong"}
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    assert "must know who asks, got 401 Unauthorized" in clean.run("list", kubeconfig=file).err


def test_a_server_whose_certificate_is_not_vouched_for_is_not_spoken_to(clean, tmp_path):
    config = json.loads(clean.plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(clean.plane.front_proxy.certificate)
    file = tmp_path / "config"
    file.write_text(json.dumps(config))
    assert "its certificate must be one that context here trusts" in clean.run("list", kubeconfig=file).err


def test_logs_go_on_through_restarts_and_new_pods(clean):
    """Worker 1 fails once, and its successor's lines follow; --previous shows the first one's."""
    script = (
        'if [ "$TONNAGE_WORKER_INDEX" = 1 ] && [ ! -e /ckpt/tried ]; then echo first; touch /ckpt/tried; exit 9; fi;'
        "echo second; sleep 4; echo over"
    )
    folder = clean.folder / "ckpt"
    folder.mkdir()
    folder.chmod(0o777)
    claim_on(clean, folder)
    path = clean.document(
        "again",
        script,
        volumes=[{"type": "claim", "name": "ckpt", "mountPath": "/ckpt", "claim": "ckpt"}],
        checkpoint={"path": "/ckpt"},
        restart={"policy": "OnFailure", "limit": 2},
    )
    done = clean.run("submit", str(path), "--no-wait-placement")
    assert done.code == 0, done.err
    followed = clean.run("logs", "again", "--follow")
    assert followed.code == 0, followed.err
    mine = [line for line in followed.out.splitlines() if line.startswith("worker-1 | ")]
    assert mine == ["worker-1 | first", "worker-1 | second", "worker-1 | over"]
    assert wait_until(lambda: phase(clean, "again") == "Succeeded", 60)
    previous = clean.run("logs", "again", "--worker", "1", "--previous", "--no-prefix")
    assert previous.out == "first\n"
    status = json.loads(clean.run("status", "again", "--json").out)
    assert [one["restarts"] for one in status["workers"]] == [0, 1]


def claim_on(world: World, folder: Path) -> None:
    """A claim that a folder of this machine answers."""
    everywhere = [{"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}]
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "local": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": everywhere}},
        "claimRef": {"namespace": "default", "name": "ckpt"},
    }
    kubectl(world, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "ckpt"}, "spec": spec})
    wanted = {"accessModes": ["ReadWriteMany"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "ckpt", "namespace": "default"}}
    kubectl(world, {**claim, "spec": {**wanted, "volumeName": "ckpt"}})


def test_parts_of_logs_are_what_was_asked_for(clean):
    path = clean.document("parts", STEPS)
    assert clean.run("submit", str(path), "--wait").code == 0
    assert clean.run("logs", "parts", "--tail", "1", "--worker", "worker-0").out == "worker-0 | done\n"
    lines = clean.run("logs", "parts", "--timestamps", "--no-prefix").out.splitlines()
    assert len(lines) == 8
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert clean.run("logs", "parts", "--since", "1h", "--worker", "1").out.count("\n") == 4
    wrong = clean.run("logs", "parts", "--worker", "7")
    assert wrong.code == 2
    assert "--worker: must be one of worker-0, worker-1, got worker-7" in wrong.err
    alone = clean.run("logs", "parts", "--previous")
    assert alone.code == 3
    assert "previous terminated container" in alone.err


def test_waiting_and_following_go_on_when_the_api_server_restarts(clean):
    """Neither loses the training, and no line comes twice or is lost."""
    script = "for i in $(seq 1 30); do echo step $i; sleep 0.5; done"
    path = clean.document("long", script)
    waiting = clean.start("submit", str(path), "--wait")
    try:
        assert wait_until(lambda: bool(clean.left("long")) and phase(clean, "long") == "Running", 60)
        following = clean.start("logs", "long", "--follow")
        lines: list[str] = []
        reader = threading.Thread(target=lambda: lines.extend(following.stdout), daemon=True)
        reader.start()
        assert wait_until(lambda: len(lines) > 4, 60)
        clean.plane.stop_program("kube-apiserver", signal.SIGKILL)
        time.sleep(2)
        clean.plane.restart("kube-apiserver")
        assert waiting.wait(120) == 0, waiting.stderr.read()
        assert following.wait(60) == 0, following.stderr.read()
        reader.join(10)
        for worker in (0, 1):
            mine = [line for line in lines if line.startswith(f"worker-{worker} | ")]
            assert mine == [f"worker-{worker} | step {i}\n" for i in range(1, 31)]
    finally:
        for one in (waiting, following):
            one.kill()
            one.communicate()


def test_an_interruption_before_the_end_leaves_the_training_running(clean):
    with clean.start("submit", str(clean.document("kept", "sleep 60")), "--wait") as waiting:
        assert wait_until(lambda: bool(clean.left("kept")) and phase(clean, "kept") == "Running", 60)
        waiting.send_signal(signal.SIGINT)
        _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert "a training that was made goes on: tonnage train status kept" in err
    assert phase(clean, "kept") == "Running"


def test_a_training_that_is_cancelled_ends_those_who_wait_for_it(clean):
    with clean.start("submit", str(clean.document("ended", "sleep 60")), "--wait") as waiting:
        assert wait_until(lambda: bool(clean.left("ended")) and phase(clean, "ended") == "Running", 60)
        assert clean.run("cancel", "ended").code == 0
        _, err = waiting.communicate(timeout=60)
    assert waiting.returncode == 1
    assert "ended: was deleted before its end" in err


def test_status_is_watched_until_the_end(clean):
    assert clean.run("submit", str(clean.document("watched", STEPS)), "--no-wait-placement").code == 0
    done = clean.run("status", "watched", "--watch", "--json")
    states = [json.loads(line) for line in done.out.splitlines()]
    assert states[-1]["phase"] == "Succeeded"
    assert all(one["name"] == "watched" for one in states)


