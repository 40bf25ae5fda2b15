"""A control plane, the metrics API as a process registered in it, and pods whose pages a test writes."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from controlplane.certificates import Pair
from controlplane.network import Network
from controlplane.plane import ControlPlane, die_with_parent, free_port, wait_until
from lightkube import Client, KubeConfig
from lightkube.core.resource_registry import resource_registry
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.autoscaling_v2 import HorizontalPodAutoscaler
from lightkube.resources.core_v1 import Pod, Service
from lightkube.resources.discovery_v1 import EndpointSlice

from tonnage.contract import autoscaling as marks
from tonnage.manifests.metrics_api import MetricsApi, metrics_api_objects

NAMESPACE, NAME = "tonnage-system", "tonnage-metrics-api"
APP = {"app": "shop"}
LATENCY = "inference_latency_p99"


class Pages:
    """Serves what a test puts under a path, as a pod's server would."""

    def __init__(self, address: str) -> None:
        self.texts: dict[str, str] = {}
        pages = self.texts

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                text = pages.get(self.path)
                body = (text or "").encode()
                self.send_response(200 if text is not None else 404)
                self.send_header("content-type", "application/vnd.tonnage.window+json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def put(self, path: str, buckets: dict[int, int], in_flight: int = 0) -> None:
        """Let a pod say its window."""
        document = {
            "layout": "36/octave from 0.1 s * 2^-13",
            "windowSeconds": 30.0,
            "buckets": {str(bucket): count for bucket, count in buckets.items()},
            "answered": sum(buckets.values()),
            "inFlight": in_flight,
            "queue": 0,
        }
        self.texts[path] = json.dumps(document)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class World:
    """All of it, while its context is open."""

    def __init__(self, folder: Path, network: Network, plane: ControlPlane) -> None:
        self.folder, self.plane = folder, plane
        self.address = network.gateway
        self.client = Client(config=KubeConfig.from_file(str(plane.kubeconfig)).get(), trust_env=False)
        self.pages = Pages(self.address)
        self.port = free_port(self.address)
        self.process: subprocess.Popen[bytes] | None = None
        user = f"system:serviceaccount:{NAMESPACE}:{NAME}"
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}")
        self._config = plane.kubeconfig_for(
            "metrics-api", plane.cluster.issue("metrics-api", name=user, groups=groups)
        )

    def objects(self) -> tuple[dict[str, Any], ...]:
        """What is rendered for this control plane."""
        bundle = base64.b64encode(self.plane.cluster.certificate.read_bytes()).decode()
        return metrics_api_objects(MetricsApi(image="none", ca_bundle=bundle))

    def register(self) -> None:
        """Apply the rendered objects, but for the Service, which here has no pods of ours behind it."""
        wanted = ("Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "RoleBinding", "APIService")
        for value in self.objects():
            if value["kind"] in wanted:
                kind = resource_registry.load(value["apiVersion"], value["kind"])
                self.client.create(kind.from_dict(value))
        ports = [{"name": "https", "port": 443, "targetPort": self.port}]
        metadata = {"name": NAME, "namespace": NAMESPACE}
        self.client.create(Service.from_dict({"metadata": metadata, "spec": {"ports": ports}}))
        slice_ = {
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": NAME}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}}],
            "ports": [{"name": "https", "port": self.port, "protocol": "TCP"}],
        }
        self.client.create(EndpointSlice.from_dict(slice_))

    def certify(self, life: dt.timedelta = dt.timedelta(days=1)) -> None:
        """Put a serving certificate where the metrics API reads it, as a rotated Secret would."""
        hosts = (f"{NAME}.{NAMESPACE}.svc", self.address)
        pair: Pair = self.plane.cluster.issue("metrics-api-serving", name=NAME, hosts=hosts, life=life)
        for source, name in ((pair.key, "tls.key"), (pair.certificate, "tls.crt")):
            fresh = self.folder / f"{name}.new"
            shutil.copy(source, fresh)
            fresh.replace(self.folder / name)

    def start(self) -> None:
        """Start the metrics API, and wait until it is ready."""
        config = self.folder / "settings.json"
        config.write_text(
            json.dumps(
                {
                    "port": self.port,
                    "host": self.address,
                    "certificate": str(self.folder / "tls.crt"),
                    "key": str(self.folder / "tls.key"),
                    "scrapePeriodS": 1.0,
                    "staleS": 10.0,
                    "authorizationS": 1.0,
                }
            )
        )
        command = [sys.executable, "-m", "tonnage", "metrics-api", "--config", str(config)]
        with (self.folder / "metrics-api.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--kubeconfig", str(self._config)],
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                preexec_fn=die_with_parent,
            )
        assert wait_until(lambda: self.direct("/readyz")[0] == 200, 60), self.log()

    def stop(self, number: int = signal.SIGKILL) -> int:
        """End the metrics API; its exit code."""
        process, self.process = self.process, None
        assert process is not None
        process.send_signal(number)
        return process.wait(30)

    def log(self) -> str:
        return (self.folder / "metrics-api.log").read_text()

    def direct(self, path: str, pair: Pair | None = None, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Ask the metrics API itself, without the API server."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # what it answers is looked at, not who it is
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        return _get(f"https://{self.address}:{self.port}{path}", context, headers or {})

    def ask(self, path: str, pair: Pair | None = None) -> tuple[int, Any]:
        """Ask the API server, as kubectl get --raw does."""
        context = ssl.create_default_context(cafile=str(self.plane.cluster.certificate))
        who = pair or self.plane._admin
        context.load_cert_chain(who.certificate, who.key)
        return _get(f"{self.plane.url}{path}", context, {})

    def metric(self, path: str, version: str = "v1beta2") -> list[dict[str, Any]]:
        """The items of an answer, through the API server; none where it is an error."""
        status, body = self.ask(f"/apis/custom.metrics.k8s.io/{version}/namespaces/default/{path}")
        return body["items"] if status == 200 else []

    def deploy(self, replicas: int, target: str) -> None:
        """A Deployment of pods that are said to run, with a Service and an HPA on p99."""
        labels = {**APP, marks.MANAGED_BY_LABEL: marks.MANAGED_BY}
        annotations = {marks.PORT_ANNOTATION: str(self.pages.port), marks.SUSTAINABLE_ANNOTATION: "8"}
        container = {"name": "main", "image": "none"}
        template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": {"containers": [container]}}
        metadata = {"name": "shop", "namespace": "default"}
        spec = {"replicas": replicas, "selector": {"matchLabels": APP}, "template": template}
        self.client.create(Deployment.from_dict({"metadata": metadata, "spec": spec}))
        self.client.create(Service.from_dict({"metadata": metadata, "spec": {"selector": APP, "ports": [{"port": 80}]}}))
        metric = {"metric": {"name": LATENCY}, "target": {"type": "AverageValue", "averageValue": target}}
        autoscaler = {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [{"type": "Pods", "pods": metric}],
        }
        self.client.create(HorizontalPodAutoscaler.from_dict({"metadata": metadata, "spec": autoscaler}))
        assert wait_until(lambda: len(self.pods()) == replicas, 30)
        for index, pod in enumerate(self.pods()):
            name = pod.metadata.name
            path = {"metadata": {"annotations": {marks.PATH_ANNOTATION: f"/pod{index}"}}}
            self.client.patch(Pod, name, path, namespace="default")
            self.run_pod(name)

    def run_pod(self, name: str, ready: str = "True") -> None:
        """Say of a pod what a kubelet would say."""
        conditions = [{"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
        status = {"phase": "Running", "podIP": self.address, "podIPs": [{"ip": self.address}], "conditions": conditions}
        status["startTime"] = "2026-01-01T00:00:00Z"
        self.client.patch(Pod.Status, name, {"status": status}, namespace="default")

    def pods(self) -> list[Pod]:
        return sorted(self.client.list(Pod, namespace="default", labels=APP), key=lambda pod: pod.metadata.name)

    def replicas(self) -> int:
        return self.client.get(Deployment, "shop", namespace="default").spec.replicas

    def condition(self, kind: str = "ScalingActive") -> tuple[str, str]:
        """Status and reason of a condition of the HPA."""
        status = self.client.get(HorizontalPodAutoscaler, "shop", namespace="default").status
        for one in (status.conditions if status else None) or []:
            if one.type == kind:
                return one.status, one.reason
        return "", ""

    def seen(self) -> str:
        """The value of the metric that the HPA has read last."""
        status = self.client.get(HorizontalPodAutoscaler, "shop", namespace="default").status
        for one in status.currentMetrics or []:
            if one.pods is not None:
                return one.pods.current.averageValue
        return ""

    def close(self) -> None:
        if self.process is not None:
            self.stop()
        self.client.close()
        self.pages.close()


def _get(url: str, context: ssl.SSLContext, headers: dict[str, str]) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=context, timeout=20) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            status, raw = error.code, error.read()
    except OSError as error:
        return 0, str(error)
    return status, json.loads(raw) if raw.startswith(b"{") else raw.decode()
