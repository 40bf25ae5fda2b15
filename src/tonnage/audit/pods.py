"""Views of pods: where their spec stands in each kind of object, their containers, resources and probes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tonnage.audit.views import quantity_or_none
from tonnage.kube.objects import KubeObject, plain
from tonnage.kube.paths import Path
from tonnage.kube.quantity import Quantity

_SPECS: Final[Mapping[str, Path]] = {
    "Deployment": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
    "ReplicaSet": ("spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "Pod": ("spec",),
    "InferenceService": ("spec", "predictor"),
}
INFERENCE_SERVICE: Final = "InferenceService"
_GPU_PREFIXES: Final = (
    "nvidia.com/gpu", "nvidia.com/mig-", "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe",
    "habana.ai/gaudi", "intel.com/gpu", "deviceclass.resource.kubernetes.io/",
)  # fmt: skip
NATIVE: Final = ("cpu", "memory", "ephemeral-storage")


def spec_path(item: KubeObject) -> Path | None:
    """Where the pod's spec stands; None in an object that makes no pods."""
    path = _SPECS.get(item.kind)
    if path is None or not isinstance(item.at(*path), Mapping):
        return None
    if item.kind == INFERENCE_SERVICE and not item.reference.api_version.startswith("serving.kserve.io/"):
        return None
    return path


def is_gpu(resource: str) -> bool:
    """Whether a resource counts GPUs, or slices of them."""
    return resource.startswith(_GPU_PREFIXES)


def is_extended(resource: str) -> bool:
    """Whether a resource is counted in whole devices: neither native nor huge pages."""
    return "/" in resource and not resource.startswith(("hugepages-", "kubernetes.io/"))


@dataclass(frozen=True, slots=True, eq=False)
class ProbeView:
    """A probe as it is, Kubernetes' defaults put in.

    Attributes:
        path: Where it stands.
        value: As it was written.

    Source: k8s.io/kubernetes v1.37.2 pkg/apis/core/v1/defaults.go SetDefaults_Probe.
    """

    path: Path
    value: Mapping[str, Any]

    def _number(self, name: str, default: int) -> int:
        value = self.value.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else default

    @property
    def delay_s(self) -> int:
        """From the container's start to the first try [s]."""
        return self._number("initialDelaySeconds", 0)

    @property
    def period_s(self) -> int:
        """From try to try [s]."""
        return self._number("periodSeconds", 10)

    @property
    def timeout_s(self) -> int:
        """How long an answer may take [s]."""
        return self._number("timeoutSeconds", 1)

    @property
    def failures(self) -> int:
        """Failures in a row until it counts as failed."""
        return self._number("failureThreshold", 3)

    @property
    def patience_s(self) -> int:
        """How long a container that answered before may be silent [s]."""
        return self.failures * self.period_s

    @property
    def budget_s(self) -> int:
        """From the container's start until it is failed, when it never answers [s]."""
        return self.delay_s + self.patience_s

    @property
    def http_path(self) -> str:
        """The path that it gets; empty where it is no HTTP probe."""
        got = self.value.get("httpGet")
        return str(got.get("path") or "/") if isinstance(got, Mapping) else ""

    @property
    def endpoint(self) -> tuple[str, ...] | None:
        """What it asks, such as (``httpGet``, ``/health``, ``8080``); None for a command."""
        for kind in ("httpGet", "grpc"):
            got = self.value.get(kind)
            if isinstance(got, Mapping):
                return kind, str(got.get("path") or got.get("service") or "/"), str(got.get("port"))
        return None

    @property
    def port(self) -> Any:
        """The port, by number or name; None where it has none."""
        for kind in ("httpGet", "tcpSocket"):
            got = self.value.get(kind)
            if isinstance(got, Mapping):
                return got.get("port")
        return None


@dataclass(frozen=True, slots=True, eq=False)
class ContainerView:
    """One container.

    Attributes:
        item: The object.
        path: Where it stands.
        value: As it was written.
    """

    item: KubeObject
    path: Path
    value: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.value.get("name") or self.path[-1])

    def at(self, *path: str | int) -> Any:
        """The value at a path inside it; None where there is none."""
        return self.item.at(*self.path, *path)

    def amounts(self, which: str) -> dict[str, Any]:
        """``requests`` or ``limits``, as written."""
        value = self.at("resources", which)
        return dict(value) if isinstance(value, Mapping) else {}

    def amount(self, which: str, resource: str) -> Quantity | None:
        """One of ``requests`` or ``limits``; None where it is missing or cannot be read."""
        return quantity_or_none(self.amounts(which).get(resource))

    def requested(self, resource: str) -> Quantity | None:
        """What it requests; a limit without a request is one, as the API server has it."""
        return self.amount("requests", resource) or self.amount("limits", resource)

    @property
    def gpus(self) -> dict[str, int]:
        """GPUs that it asks for by resource, in requests or limits."""
        wanted = {**self.amounts("requests"), **self.amounts("limits")}
        amounts = {name: quantity_or_none(value) for name, value in wanted.items() if is_gpu(name)}
        return {name: amount.value for name, amount in amounts.items() if amount is not None and amount.nano}

    def probe(self, kind: str) -> ProbeView | None:
        """Its ``startup``, ``readiness`` or ``liveness`` probe."""
        value = self.at(f"{kind}Probe")
        return (
            ProbeView((*self.path, f"{kind}Probe"), value) if isinstance(value, Mapping) and value else None
        )

    @property
    def probes(self) -> Iterator[ProbeView]:
        """Its probes."""
        found = (self.probe(kind) for kind in ("startup", "readiness", "liveness"))
        yield from (one for one in found if one is not None)

    @property
    def port_names(self) -> set[str]:
        """Names of its declared ports."""
        ports = self.at("ports")
        found = ports if isinstance(ports, list) else []
        return {str(port["name"]) for port in found if isinstance(port, Mapping) and port.get("name")}

    @property
    def env(self) -> Iterator[tuple[Path, str, Any]]:
        """Its variables that have a literal value: path, name, value."""
        listed = self.at("env")
        for index, one in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(one, Mapping) and one.get("value") is not None:
                yield (*self.path, "env", index, "value"), str(one.get("name")), one["value"]

    @property
    def pre_stop_sleep_s(self) -> float:
        """How long its preStop hook sleeps [s]; 0 where it does not, or no one can tell."""
        hook = self.at("lifecycle", "preStop")
        if not isinstance(hook, Mapping):
            return 0.0
        if isinstance(hook.get("sleep"), Mapping):
            seconds = hook["sleep"].get("seconds")
            return float(seconds) if isinstance(seconds, int) else 0.0
        command = self.at("lifecycle", "preStop", "exec", "command")
        words = " ".join(map(str, command)).split() if isinstance(command, list) else []
        for word, following in zip(words, words[1:], strict=False):
            if word.rpartition("/")[2] == "sleep" and following.rstrip("s;").isdecimal():
                return float(following.rstrip("s;"))
        return 0.0


@dataclass(frozen=True, slots=True, eq=False)
class PodView:
    """An object that makes pods, or is one.

    Attributes:
        item: The object.
        path: Where the pod's spec stands.
    """

    item: KubeObject
    path: Path

    def at(self, *path: str | int) -> Any:
        """The value at a path inside the pod's spec; None where there is none."""
        return self.item.at(*self.path, *path)

    def listed(self, *path: str | int) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """The mappings of a list inside the pod's spec, each with its path from the object's root."""
        value = self.at(*path)
        for index, one in enumerate(value if isinstance(value, list) else []):
            if isinstance(one, Mapping):
                yield (*self.path, *path, index), one

    @property
    def is_kserve(self) -> bool:
        """Whether KServe makes the pods: it adds the image, probes and ports itself."""
        return self.item.kind == INFERENCE_SERVICE

    @property
    def pod_labels(self) -> dict[str, str]:
        """Labels of its pods."""
        return self._pod_texts("labels")

    @property
    def pod_annotations(self) -> dict[str, str]:
        """Annotations of its pods."""
        return self._pod_texts("annotations")

    def _pod_texts(self, name: str) -> dict[str, str]:
        texts = self.item.at(*self.path[:-1], "metadata", name)
        if not isinstance(texts, Mapping):
            return {}
        return {str(key): str(value) for key, value in texts.items()}

    @property
    def container_views(self) -> tuple[ContainerView, ...]:
        """Its containers, and KServe's ``model``."""
        found = [ContainerView(self.item, path, value) for path, value in self.listed("containers")]
        if self.is_kserve and isinstance(self.at("model"), Mapping):
            found.insert(0, ContainerView(self.item, (*self.path, "model"), self.at("model")))
        return tuple(found)

    @property
    def gpus(self) -> dict[str, int]:
        """GPUs that one pod asks for, by resource."""
        found: dict[str, int] = {}
        for container in self.container_views:
            for name, count in container.gpus.items():
                found[name] = found.get(name, 0) + count
        return found

    @property
    def claims_devices(self) -> bool:
        """Whether it has claims of dynamic resource allocation."""
        return bool(self.at("resourceClaims"))

    @property
    def grace_s(self) -> int:
        """From the request to end until it is killed [s]."""
        value = self.at("terminationGracePeriodSeconds")
        return value if isinstance(value, int) and not isinstance(value, bool) else 30

    def plain_spec(self) -> dict[str, Any]:
        """The pod's spec as JSON would have it."""
        spec: dict[str, Any] = plain(self.at())
        return spec
