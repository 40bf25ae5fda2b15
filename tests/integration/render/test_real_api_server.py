"""A real kube-apiserver takes everything that is rendered: no error, no warning, and twice is once.

PodSecurity admission enforces ``restricted`` in the namespaces, and warns by it.
"""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from controlplane.plane import ControlPlane, wait_until

from tonnage.manifests import Release, render
from tonnage.manifests.metrics_api import MetricsApi, metrics_api_objects
from tonnage.profile import load_profile
from tonnage.spec import load_model_service

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[3]
GOLDEN = sorted(path.parent for path in (ROOT / "tests/golden").glob("*/spec.yaml"))
EXAMPLES = sorted(ROOT.glob("examples/*/service.yaml"))
MANAGER = "tonnage"
CLUSTER_WIDE = ("Namespace", "ClusterRole", "ClusterRoleBinding", "APIService")
PLURALS = {"NetworkPolicy": "networkpolicies"}
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


class Client:
    """Server-side apply, with what the server warns of."""

    def __init__(self, plane: ControlPlane) -> None:
        self.url = plane.url
        self.authority = plane.cluster.certificate
        self.context = ssl.create_default_context(cafile=str(plane.cluster.certificate))
        admin = plane.folder / "admin.kubeconfig"
        user = json.loads(admin.read_text())["users"][0]["user"]
        self.context.load_cert_chain(user["client-certificate"], user["client-key"])

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[Any, list[str]]:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"content-type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return json.loads(answer.read()), answer.headers.get_all("warning") or []
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def apply(self, value: dict[str, Any], namespace: str, *, dry_run: bool = False) -> tuple[Any, list[str]]:
        query = f"?fieldManager={MANAGER}&fieldValidation=Strict{'&dryRun=All' if dry_run else ''}"
        kind = "application/apply-patch+yaml"
        return self.ask("PATCH", path_of(value, namespace) + query, value, kind)

    def namespace(self, name: str) -> str:
        metadata = {"name": name, "labels": RESTRICTED}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}, "")
        return name


def path_of(value: dict[str, Any], namespace: str) -> str:
    version, kind, metadata = value["apiVersion"], value["kind"], value["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = "" if kind in CLUSTER_WIDE else f"/namespaces/{metadata.get('namespace', namespace)}"
    return f"{root}{where}/{PLURALS.get(kind, kind.lower() + 's')}/{metadata['name']}"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with ControlPlane(tmp_path_factory.mktemp("plane")) as plane:
        yield Client(plane)


def rendered(folder: Path, release: Release | None = None) -> list[dict[str, Any]]:
    profile = folder / "profile.json"
    measured = load_profile(profile) if profile.is_file() else None
    name = "service.yaml" if (folder / "service.yaml").is_file() else "spec.yaml"
    service = load_model_service(folder / name)
    return list(render(service, measured, image="registry.example.com/m:v1", release=release or Release()))


def accepted(client: Client, objects: list[dict[str, Any]], namespace: str) -> None:
    """Applied dry, for real, and again: no warning ever, and the second time changes nothing."""
    for value in objects:
        assert client.apply(value, namespace, dry_run=True)[1] == [], value["kind"]
        first, warnings = client.apply(value, namespace)
        assert warnings == [], value["kind"]
        # a controller may write a status between the two; what we own stays as it is
        again, warnings = client.apply(value, namespace)
        assert warnings == [], value["kind"]
        assert owned(again) == owned(first), value["kind"]
        assert again["metadata"].get("generation") == first["metadata"].get("generation"), value["kind"]


def owned(value: dict[str, Any]) -> Any:
    """What the server remembers of our last apply, time included."""
    managers = value["metadata"]["managedFields"]
    return [one for one in managers if one["manager"] == MANAGER and one["operation"] == "Apply"]


@pytest.mark.parametrize("folder", [*GOLDEN, *(path.parent for path in EXAMPLES)], ids=lambda path: f"{path.parent.name}-{path.name}")
def test_every_object_is_accepted_without_a_warning(client: Client, folder: Path) -> None:
    """All vendors, claims and metrics, in a namespace that enforces ``restricted``."""
    objects = rendered(folder)
    own = objects[0]["metadata"].get("namespace")
    accepted(client, objects, client.namespace(own or f"{folder.parent.name}-{folder.name}"))


def test_a_model_image_is_accepted(client: Client) -> None:
    """The model as an OCI volume passes ``restricted`` too, and so does a Service without an address beside it."""
    release = Release(model_image="registry.example.com/model:v3", headless=True)
    objects = rendered(ROOT / "tests/golden/minimal", release)
    accepted(client, objects, client.namespace("model-image"))


def test_applying_again_writes_nothing(client: Client) -> None:
    """Objects that no controller touches keep their resourceVersion."""
    namespace = client.namespace("again")
    quiet = [one for one in rendered(ROOT / "tests/golden/founding") if one["kind"] in ("ConfigMap", "NetworkPolicy", "Service", "ServiceAccount")]
    assert len(quiet) == 4
    for value in quiet:
        versions = {client.apply(value, namespace)[0]["metadata"]["resourceVersion"] for _ in range(3)}
        assert len(versions) == 1, value["kind"]


def test_pods_of_the_deployment_are_admitted(client: Client) -> None:
    """The ReplicaSet makes pods, so admission of pods (and not only its warning on Deployments) agrees."""
    namespace = client.namespace("pods")
    for value in rendered(ROOT / "tests/golden/dra") + rendered(ROOT / "examples/founding"):
        client.apply(value, namespace)

    def pods() -> set[str]:
        items = client.ask("GET", f"/api/v1/namespaces/{namespace}/pods")[0]["items"]
        return {one["metadata"]["labels"]["app.kubernetes.io/name"] for one in items}

    assert wait_until(lambda: pods() == {"claimed", "model-serving"}, 60)


def test_a_change_of_the_claim_is_another_template(client: Client) -> None:
    """A template's spec cannot be changed, so one more GPU must give another name, and be accepted."""
    namespace = client.namespace("claims")
    service = load_model_service(ROOT / "tests/golden/dra/spec.yaml")
    gpu = service.spec.resources.gpu
    assert gpu is not None
    more = service.spec.resources.model_copy(update={"gpu": gpu.model_copy(update={"count": 4})})
    changed = service.model_copy(update={"spec": service.spec.model_copy(update={"resources": more})})
    for document in (service, changed):
        accepted(client, list(render(document, release=Release())), namespace)


def test_restricted_does_refuse_and_warn(client: Client) -> None:
    """What the tests above did not see can be seen: a container that says nothing is refused, and warned of."""
    namespace = client.namespace("refused")
    spec = {"containers": [{"name": "c", "image": "x"}]}
    metadata = {"name": "bad", "labels": {"app": "bad"}}
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        client.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}, namespace)
    template = {"metadata": {"labels": {"app": "bad"}}, "spec": spec}
    body = {"selector": {"matchLabels": {"app": "bad"}}, "template": template}
    _, warnings = client.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": body}, namespace)
    assert len(warnings) == 1
    assert "would violate PodSecurity" in warnings[0]


def test_the_metrics_apis_objects_are_accepted(client: Client) -> None:
    """Namespace, roles, settings, Deployment and both APIServices, with a CA bundle of one's own."""
    bundle = base64.b64encode(client.authority.read_bytes()).decode()
    objects = list(metrics_api_objects(MetricsApi(image="registry.example.com/tonnage:v1", ca_bundle=bundle)))
    accepted(client, objects, "unused")

    def replicas() -> int:
        items = client.ask("GET", "/api/v1/namespaces/tonnage-system/pods")[0]["items"]
        return len(items)

    assert wait_until(lambda: replicas() == 2, 60)


@pytest.mark.parametrize(
    ("account", "verb", "group", "resource", "allowed"),
    [
        ("system:serviceaccount:tonnage-system:tonnage-metrics-api", "watch", "", "pods", True),
        ("system:serviceaccount:tonnage-system:tonnage-metrics-api", "delete", "", "pods", False),
        ("system:serviceaccount:tonnage-system:tonnage-metrics-api", "get", "", "secrets", False),
        ("system:serviceaccount:tonnage-system:tonnage-metrics-api", "create", "authorization.k8s.io", "subjectaccessreviews", True),
        ("system:serviceaccount:kube-system:horizontal-pod-autoscaler", "get", "custom.metrics.k8s.io", "pods", True),
        ("system:serviceaccount:default:default", "get", "custom.metrics.k8s.io", "pods", False),
    ],
)
def test_rights_are_the_least(client: Client, account: str, verb: str, group: str, resource: str, allowed: bool) -> None:
    """Asked of the real authorizer, after the objects are there."""
    for value in metrics_api_objects(MetricsApi(image="registry.example.com/tonnage:v1", ca_bundle="UEVN")):
        if value["kind"] in ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "RoleBinding"):
            client.apply(value, "unused")
    attributes = {"namespace": "default", "verb": verb, "group": group, "resource": resource}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": account, "resourceAttributes": attributes},
    }

    def answer() -> bool:
        return bool(client.ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)[0]["status"]["allowed"])

    assert wait_until(lambda: answer() is allowed, 10)
