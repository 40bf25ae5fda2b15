"""The metrics API's own objects agree with the program that they run."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tonnage.manifests import Release, render
from tonnage.manifests.metrics_api import MetricsApi, metrics_api_objects
from tonnage.metrics_api.ownership import owner_of
from tonnage.metrics_api.pods import pod_info
from tonnage.metrics_api.settings import MetricsApiSettings
from tonnage.spec import ModelService


def made(**wanted: Any) -> dict[tuple[str, str], dict[str, Any]]:
    objects = metrics_api_objects(MetricsApi(image="tonnage:1", **wanted))
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


NAME = "tonnage-metrics-api"


def test_the_program_reads_the_settings() -> None:
    """Its own type takes the ConfigMap, and its paths and port are those of the pod."""
    objects = made()
    text = objects["ConfigMap", f"{NAME}-settings"]["data"]["metrics-api.json"]
    settings = msgspec.json.decode(text, type=MetricsApiSettings)
    assert settings.problems() == []
    pod = objects["Deployment", NAME]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["ports"][0]["containerPort"] == settings.port
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert mounts[settings.certificate.rpartition("/")[0]] == "tls"
    assert container["command"][-1].rpartition("/")[0] in mounts
    assert settings.grace_s < pod["terminationGracePeriodSeconds"]


def test_it_knows_itself_by_the_service_that_is_registered() -> None:
    """What it takes for its own is what the APIServices name, and it may read just those."""
    objects = made(namespace="n", ca_bundle="UEVN")
    settings = json.loads(objects["ConfigMap", f"{NAME}-settings"]["data"]["metrics-api.json"])
    registered = {name: one for (kind, name), one in objects.items() if kind == "APIService"}
    for version in ("v1beta1", "v1beta2"):
        one = registered[f"{version}.custom.metrics.k8s.io"]
        assert owner_of(version, one, settings["service"]).whose == "ours"
    rules = [one for one in objects["ClusterRole", NAME]["rules"] if one["resources"] == ["apiservices"]]
    assert [(set(one["resourceNames"]), one["verbs"]) for one in rules] == [(set(registered), ["get"])]


def test_no_probe_outlasts_its_period() -> None:
    """A try that may take longer than the time to the next makes failures slower than they read."""
    (container,) = made()["Deployment", NAME]["spec"]["template"]["spec"]["containers"]
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[name]["timeoutSeconds"] <= container[name]["periodSeconds"]


def test_two_replicas_keep_apart_and_one_may_go() -> None:
    """So that a drain, a node or a rollout leaves one that answers."""
    objects = made()
    spec = objects["Deployment", NAME]["spec"]
    assert spec["replicas"] == 2
    assert "podAntiAffinity" in spec["template"]["spec"]["affinity"]
    assert objects["PodDisruptionBudget", NAME]["spec"]["maxUnavailable"] == 1


@pytest.mark.parametrize("bundle", [None, "UEVN"])
def test_the_certificate_is_vouched_for_in_one_way(bundle: str | None) -> None:
    """By the user's bundle, or by what cert-manager injects; never not at all."""
    objects = made(ca_bundle=bundle, namespace="n")
    for version in ("v1beta2", "v1beta1"):
        service = objects["APIService", f"{version}.custom.metrics.k8s.io"]
        annotated = "cert-manager.io/inject-ca-from" in service["metadata"].get("annotations", {})
        assert (service["spec"].get("caBundle"), annotated) == (bundle, bundle is None)
        assert "insecureSkipTLSVerify" not in service["spec"]
        assert service["spec"]["service"] == {"name": NAME, "namespace": "n", "port": 443}
    assert (("Certificate", NAME) in objects) is (bundle is None)


def test_it_finds_the_pods_of_a_service_and_not_itself() -> None:
    """Label and port annotation of a rendered pod are what it looks for."""
    document = {
        "apiVersion": "tonnage.dev/v1alpha1",
        "kind": "ModelService",
        "metadata": {"name": "m"},
        "spec": {"model": {"format": "onnx", "path": "m.onnx"}, "image": "m:v1", "server": {"port": 8181}},
    }
    rendered = render(ModelService.model_validate(document), release=Release())
    for value, url in (
        (next(one for one in rendered if one["kind"] == "Deployment"), "http://10.0.0.1:8181/metrics"),
        (made()["Deployment", NAME], None),
    ):
        metadata = {**value["spec"]["template"]["metadata"], "namespace": "n", "name": "p"}
        info = pod_info({"metadata": metadata, "status": {"podIP": "10.0.0.1"}})
        assert (info.target.url if info.target else None) == url
