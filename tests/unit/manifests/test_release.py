"""What a pod needs to run, and what it may not do: settings, model, identity, security, budgets."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tonnage.contract.server_config import ServerConfig
from tonnage.errors import SpecError
from tonnage.kube.quantity import parse_quantity
from tonnage.manifests import Release, render
from tonnage.manifests.files import file_stem, object_files
from tonnage.manifests.settings import HASH_ANNOTATION, SETTINGS_FILE
from tonnage.manifests.text import dump_objects
from tonnage.scheduling.objects import devices_from_claim
from tonnage.spec import ModelService

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12), max_size=4)


def service(name: str = "m", model: dict[str, Any] | None = None, **spec: Any) -> ModelService:
    """A document with an image and what is given."""
    document = {
        "apiVersion": "tonnage.dev/v1alpha1",
        "kind": "ModelService",
        "metadata": {"name": name},
        "spec": {"model": model or {"format": "onnx", "path": "m.onnx"}, "image": "m:v1", **spec},
    }
    return ModelService.model_validate(document)


def made(document: ModelService, release: Release | None = None) -> dict[str, dict[str, Any]]:
    return {one["kind"]: one for one in render(document, release=release or Release())}


def config(document: ModelService) -> ServerConfig:
    return msgspec.json.decode(made(document)["ConfigMap"]["data"][SETTINGS_FILE], type=ServerConfig)


def template(document: ModelService, release: Release | None = None) -> Any:
    return made(document, release)["Deployment"]["spec"]["template"]


def test_the_pod_reads_exactly_the_documents_settings() -> None:
    """The server's own type reads the ConfigMap, and paths are those of the pod."""
    read = config(service(batching={"sizeMax": 7, "waitMax": "2ms"}, server={"port": 81, "grpcPort": None}))
    assert (read.batching.size_max, read.batching.wait_s_max) == (7, 0.002)
    assert (read.http[0].host, read.http[0].port, read.grpc) == ("0.0.0.0", 81, None)
    assert read.model.path == "/model/m.onnx"
    assert read.workers is None


def test_a_class_lies_in_the_documents_folder() -> None:
    """A Python model's folders are those of the pod, the document's own last."""
    read = config(service(model={"format": "python", "path": "a:B", "pythonPath": ["lib", "/opt/x"]}))
    assert read.model.path == "a:B"
    assert read.model.python_path == ("/model/lib", "/opt/x", "/model")


@given(size=st.integers(1, 1000), other=st.integers(1, 1000))
def test_a_change_of_settings_is_a_change_of_the_template(size: int, other: int) -> None:
    """The annotation is the hash of the file: equal for equal settings, and only for them."""
    one, two = service(batching={"sizeMax": size}), service(batching={"sizeMax": other})
    hashes = [template(each)["metadata"]["annotations"][HASH_ANNOTATION] for each in (one, two)]
    assert (hashes[0] == hashes[1]) is (size == other)
    text = made(one)["ConfigMap"]["data"][SETTINGS_FILE]
    assert hashes[0] == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"format": "onnx", "path": "../m.onnx"}, "spec.model.path: must lie in the document's folder, which is /model in the pod, got ../m.onnx; or name an absolute path of the image"),
        ({"format": "onnx", "path": "~/m.onnx"}, "spec.model.path: must lie in the document's folder, which is /model in the pod, got ~/m.onnx; or name an absolute path of the image"),
        ({"format": "onnx", "path": "package:p/m.onnx"}, "spec.model.path: must be a file in the document's folder or of the image, got package:p/m.onnx; where the package lies in the image is not known here; copy the file beside the document"),
        ({"format": "python", "path": "a:B", "pythonPath": ["../up"]}, "spec.model.pythonPath[0]: must lie in the document's folder, which is /model in the pod, got ../up; or name an absolute path of the image"),
    ],
)  # fmt: skip
def test_paths_that_mean_nothing_in_a_pod_are_refused(model: dict[str, Any], message: str) -> None:
    """What is not in the folder is not in the image."""
    with pytest.raises(SpecError) as caught:
        made(service(model=model))
    assert [str(one) for one in caught.value.problems] == [message]


def test_pods_are_restricted() -> None:
    """Not root, no more rights, no capability, nothing to write but /tmp, no token."""
    spec = template(service())["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]
    assert spec["automountServiceAccountToken"] is False
    assert made(service())["ServiceAccount"]["automountServiceAccountToken"] is False


def test_an_account_that_exists_is_not_made() -> None:
    """The document's account is named, and nothing of it is decided here."""
    document = service(scheduling={"serviceAccountName": "theirs"})
    assert "ServiceAccount" not in made(document)
    assert template(document)["spec"]["serviceAccountName"] == "theirs"


def test_a_model_image_is_mounted_where_the_document_lies() -> None:
    """Read-only, at /model."""
    spec = template(service(), Release(model_image="r/m:v3"))["spec"]
    assert {"name": "model", "image": {"reference": "r/m:v3"}} in spec["volumes"]
    assert {"name": "model", "mountPath": "/model", "readOnly": True} in spec["containers"][0]["volumeMounts"]


@given(count=st.integers(1, 64), mebibytes=st.integers(64, 2**20))
def test_several_gpus_share_a_bounded_part_of_the_memory(count: int, mebibytes: int) -> None:
    """/dev/shm is there for two GPUs and more, larger than the runtime's own, and never more than half the limit."""
    spec = template(service(resources={"memory": f"{mebibytes}Mi", "gpu": {"count": count}}))["spec"]
    shared = [one["emptyDir"] for one in spec["volumes"] if one["name"] == "shared-memory"]
    mounts = [one["name"] for one in spec["containers"][0]["volumeMounts"] if one["mountPath"] == "/dev/shm"]
    assert len(shared) == len(mounts) == int(count > 1 and mebibytes // 2 > 64)
    for volume in shared:
        assert volume["medium"] == "Memory"
        assert 64 * 2**20 < parse_quantity(volume["sizeLimit"]).value <= min(mebibytes * 2**19, count * 2**30)


def test_slices_of_gpus_share_nothing() -> None:
    """MIG slices do not speak to each other, so nothing of the memory is set apart for it."""
    spec = template(service(resources={"memory": "8Gi", "gpu": {"count": 2, "migProfile": "1g.10gb"}}))["spec"]
    assert "shared-memory" not in [one["name"] for one in spec["volumes"]]


@given(count=st.integers(1, 64), name=st.sampled_from(["nvidia", "amd", "intel"]))
def test_devices_are_claimed_as_the_scheduler_counts_them(count: int, name: str) -> None:
    """The claim names class and count, the container the claim, and nothing is asked for twice."""
    document = service(resources={"gpu": {"vendor": name, "allocation": "dra", "count": count}})
    claim = made(document)["ResourceClaimTemplate"]
    assert devices_from_claim(claim) == {f"gpu.{name}.com": count}
    spec = template(document)["spec"]
    assert spec["resourceClaims"] == [{"name": "gpu", "resourceClaimTemplateName": claim["metadata"]["name"]}]
    resources = spec["containers"][0]["resources"]
    assert resources["claims"] == [{"name": "gpu"}]
    assert set(resources["limits"]) == {"cpu", "memory"}


def test_another_claim_is_another_template() -> None:
    """A template cannot be changed, so its name says what is in it; equal claims keep it."""
    names = {
        count: made(service(resources={"gpu": {"allocation": "dra", "count": count}}))["ResourceClaimTemplate"]["metadata"]["name"]
        for count in (1, 2)
    }
    assert names[1] != names[2]
    same = service(resources={"gpu": {"allocation": "dra", "count": 1}, "cpu": 3})
    assert made(same)["ResourceClaimTemplate"]["metadata"]["name"] == names[1]


def test_a_drain_is_never_blocked_for_ever() -> None:
    """One replica may always go, and those that are not ready whatever the budget says."""
    budget = made(service())["PodDisruptionBudget"]["spec"]
    assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == ("10%", "AlwaysAllow")
    assert "minAvailable" not in budget


@pytest.mark.parametrize(
    ("endpoint", "ports"),
    [(None, None), ("http://c:4318", [53, 53, 4318]), ("https://c", [53, 53, 443]), ("http://c", [53, 53, 80])],
)
def test_a_file_model_calls_nobody_but_the_collector(endpoint: str | None, ports: list[int] | None) -> None:
    """Egress is closed, but for DNS and the port where traces go."""
    spec = made(service(server={"otlpEndpoint": endpoint}))["NetworkPolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    found = [one["port"] for rule in spec.get("egress", []) for one in rule["ports"]] or None
    assert found == ports


def test_a_class_may_call_anyone() -> None:
    """What it needs no document says."""
    spec = made(service(model={"format": "python", "path": "a:B"}))["NetworkPolicy"]["spec"]
    assert spec["policyTypes"] == ["Ingress"]


def test_a_pod_monitor_is_made_when_asked_for() -> None:
    """It is of another API group, which a cluster need not have."""
    assert "PodMonitor" not in made(service())
    endpoint = made(service(), Release(pod_monitor=True))["PodMonitor"]["spec"]["podMetricsEndpoints"][0]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")


@given(lines=LINES, end=st.sampled_from(["", "\n", "\n\n"]), key=st.sampled_from(["a", "x.json", "yes"]))
def test_texts_of_several_lines_come_back_as_they_were(lines: list[str], end: str, key: str) -> None:
    """Literal or quoted, every text is read as it was written."""
    value = {"data": {key: "\n".join(lines) + end}, "list": [{"text": "a\nb\n"}]}
    assert YAML(typ="safe").load(dump_objects([value])) == value


def test_each_object_has_a_file_and_the_kustomization_names_them() -> None:
    """In the order of applying."""
    objects = render(service(scaling={}), release=Release(pod_monitor=True))
    files = object_files(objects)
    assert list(files) == [*(f"{file_stem(one)}.yaml" for one in objects), "kustomization.yaml"]
    assert list(files)[:3] == ["service-account-m.yaml", "config-map-m-settings.yaml", "network-policy-m.yaml"]
    assert YAML(typ="safe").load(files["kustomization.yaml"])["resources"] == list(files)[:-1]


def test_ports_say_what_they_speak_and_nothing_sticks() -> None:
    """Meshes and gateways balance requests by it; neither affinity nor nearness gives one replica another's load."""
    spec = made(service())["Service"]["spec"]
    assert {one["name"]: one["appProtocol"] for one in spec["ports"]} == {"http": "http", "grpc": "kubernetes.io/h2c"}
    assert not spec.keys() & {"sessionAffinity", "trafficDistribution", "clusterIP"}


def test_clients_that_balance_by_themselves_get_the_replicas_addresses() -> None:
    """On demand there is a second Service without an address, of the same ready pods and ports."""
    objects = render(service(), release=Release(headless=True))
    plain, headless = (one for one in objects if one["kind"] == "Service")
    assert (headless["metadata"]["name"], headless["spec"].pop("clusterIP")) == ("m-headless", "None")
    assert headless["spec"] == plain["spec"]
    assert len([one for one in render(service(), release=Release()) if one["kind"] == "Service"]) == 1
