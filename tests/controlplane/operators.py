"""Real operators on a control plane: their CustomResourceDefinitions, webhooks and programs, from their modules.

    with ControlPlane(folder) as plane, jobset(plane), trainer(plane): ...

Each function is a context in which the operator reconciles: it has answered its own readiness probe, its
webhooks are registered, and it has acted on an object made to see that.

What differs from an installation in a cluster, for all of them: the program runs beside the API server with an
administrator's rights instead of in a pod with its own; there is one of it, without leader election; its metrics
are off; its webhooks are reached by address instead of by Service, with certificates made here (where the operator
insists on rotating certificates itself, it finds these valid in its Secret and leaves them). Kueue: its visibility
API is off. The Training Operator looks for mounted certificates at a fixed place under /tmp, where an empty file is
put for it; it serves with those made here.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from controlplane.api import Api, Plain, Refused
from controlplane.binaries import (
    COSCHEDULING,
    JOBSET,
    KUEUE,
    MODULE,
    TRAINER,
    TRAINING_OPERATOR,
    VOLCANO,
    Upstream,
    program,
    sources,
)
from controlplane.certificates import Webhook, webhook_certificates
from controlplane.plane import ControlPlane, free_port, wait_until
from controlplane.program import Program

FRAMEWORKS = (
    "batch/job",
    "jobset.x-k8s.io/jobset",
    "kubeflow.org/pytorchjob",
    "kubeflow.org/tfjob",
    "trainer.kubeflow.org/trainjob",
)
"""Kinds that Kueue queues, unless told otherwise."""
_NOT_QUEUED = ("pod.kb.io", "deployment.kb.io", "statefulset.kb.io")
"""Ends of the names of Kueue's webhooks for kinds that it is not set up to queue, and that others make here."""
SCHEDULER = "scheduler-plugins-scheduler"
"""Name of the scheduler that ``coscheduling`` runs, as the plug-ins' own chart names it."""
_DEFINITIONS = {
    JOBSET: "config/components/crd/bases/*.yaml",
    TRAINER: "manifests/base/crds/trainer.kubeflow.org_*.yaml",
    KUEUE: "config/components/crd/bases/*.yaml",
    TRAINING_OPERATOR: "manifests/base/crds/kubeflow.org_[pt][yf]*jobs.yaml",
    COSCHEDULING: "config/crd/bases/*.yaml",
}
_WEBHOOKS = {
    JOBSET: "config/components/webhook/manifests.yaml",
    TRAINER: "manifests/base/webhook/manifests.yaml",
    KUEUE: "config/components/webhook/manifests.yaml",
    TRAINING_OPERATOR: "manifests/base/webhook/manifests.yaml",
}
_FIXED_MOUNT = Path("/tmp/k8s-webhook-server/serving-certs/tls.crt")
_PROBES = "operator-probes"
_ACTS_S_MAX = 60.0


@functools.cache
def definitions(upstream: Upstream) -> tuple[Plain, ...]:
    """An operator's CustomResourceDefinitions, from its module; of the Training Operator's the two that we render.

    Volcano's are not in the module that has its types, and are generated from these, as Volcano does it.
    """
    if upstream == VOLCANO:
        return _generated(VOLCANO, "volcano.sh/apis/pkg/apis/scheduling/v1beta1")
    found = sorted(sources(upstream).glob(_DEFINITIONS[upstream]))
    return tuple(one for path in found for one in _load(path))


def define(plane: ControlPlane, *upstreams: Upstream) -> None:
    """Let a control plane serve the kinds of operators, without the operators."""
    Api(plane).define([one for upstream in upstreams for one in definitions(upstream)])


@contextlib.contextmanager
def training_operator(plane: ControlPlane, *, gang: str = "") -> Iterator[Program]:
    """The Kubeflow Training Operator, for PyTorchJob and TFJob.

    Args:
        plane: Where it works; has the kinds of ``gang`` already.
        gang: Name of the scheduler for which it makes PodGroups; none when empty.
    """
    hooks = webhook_certificates("training-operator-ca", ("training-operator.kubeflow.svc", plane.address))
    api, folder = _prepared(plane, TRAINING_OPERATOR, hooks, "kubeflow", "training-operator-webhook-cert")
    _FIXED_MOUNT.parent.mkdir(parents=True, exist_ok=True)
    _FIXED_MOUNT.touch()
    hook, probe = free_port(plane.address), free_port("127.0.0.1")
    options = [
        f"--webhook-server-port={hook}",
        f"--health-probe-bind-address=127.0.0.1:{probe}",
        "--metrics-bind-address=0",
        f"--gang-scheduler-name={gang}",
        "--enable-scheme=pytorchjob",
        "--enable-scheme=tfjob",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]
    sample = _pytorch_job()
    with _running(plane, TRAINING_OPERATOR, options, folder, probe) as running:
        _register(api, TRAINING_OPERATOR, hooks, f"https://{plane.address}:{hook}")
        _acts_on(api, running, sample, lambda one: bool(one.get("status", {}).get("conditions")))
        yield running


@contextlib.contextmanager
def jobset(plane: ControlPlane) -> Iterator[Program]:
    """The JobSet controller."""
    hooks = webhook_certificates("jobset-ca", (plane.address,))
    api, folder = _prepared(plane, JOBSET, hooks)
    hook, probe = free_port(plane.address), free_port("127.0.0.1")
    config = {
        "apiVersion": "config.jobset.x-k8s.io/v1alpha1",
        "kind": "Configuration",
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {"enable": False},
        "webhook": {"port": hook, "certDir": str(_certificates(folder))},
        "health": {"healthProbeBindAddress": f"127.0.0.1:{probe}"},
        "metrics": {"bindAddress": "0"},
    }
    options = [_config(folder, config)]
    jobs = [{"name": "a", "replicas": 1, "template": {"spec": {"template": _pod_template()}}}]
    sample = _sample("jobset.x-k8s.io/v1alpha2", "JobSet", {"suspend": True, "replicatedJobs": jobs})
    with _running(plane, JOBSET, options, folder, probe) as running:
        _register(api, JOBSET, hooks, f"https://{plane.address}:{hook}")
        _acts_on(api, running, sample, lambda one: bool(one.get("status", {}).get("conditions")))
        yield running


@contextlib.contextmanager
def trainer(plane: ControlPlane) -> Iterator[Program]:
    """The Kubeflow Trainer; needs the kinds of JobSet, and its controller for pods."""
    hooks = webhook_certificates("trainer-ca", (plane.address,))
    api, folder = _prepared(plane, TRAINER, hooks)
    if "jobsets" not in {plural for _, _, plural in api.served()}:
        api.define(definitions(JOBSET))
    hook, probe, status = free_port(plane.address), free_port("127.0.0.1"), free_port("127.0.0.1")
    config = {
        "apiVersion": "config.trainer.kubeflow.org/v1alpha1",
        "kind": "Configuration",
        "leaderElection": {"leaderElect": False},
        "certManagement": {"enable": False},
        "webhook": {"port": hook, "host": plane.address},
        "health": {"healthProbeBindAddress": f"127.0.0.1:{probe}"},
        "metrics": {"bindAddress": "0", "secureServing": False},
        "statusServer": {"port": status},
        "clientConnection": {"qps": 200, "burst": 400},
    }
    runtime = {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": [_trainer_job()]}}}
    reference = {"name": "probe", "kind": "TrainingRuntime"}
    sample = _sample("trainer.kubeflow.org/v1alpha1", "TrainJob", {"suspend": True, "runtimeRef": reference})
    needed = _sample("trainer.kubeflow.org/v1alpha1", "TrainingRuntime", runtime)
    with _running(plane, TRAINER, [_config(folder, config)], folder, probe) as running:
        _register(api, TRAINER, hooks, f"https://{plane.address}:{hook}")
        _acts_on(api, running, sample, lambda one: bool(one.get("status", {}).get("conditions")), needed)
        yield running


@contextlib.contextmanager
def kueue(plane: ControlPlane, *, frameworks: Sequence[str] = FRAMEWORKS) -> Iterator[Program]:
    """Kueue; it takes up a framework whose kind the control plane serves before or later."""
    hooks = webhook_certificates("kueue-ca", ("kueue-webhook-service.kueue-system.svc", plane.address))
    hook, probe = free_port(plane.address), free_port("127.0.0.1")
    url = f"https://{plane.address}:{hook}"
    api, folder = _prepared(plane, KUEUE, hooks, "kueue-system", "kueue-webhook-server-cert", url)
    config = {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "namespace": "kueue-system",
        "leaderElection": {"leaderElect": False},
        "internalCertManagement": {
            "enable": True,
            "webhookServiceName": "kueue-webhook-service",
            "webhookSecretName": "kueue-webhook-server-cert",
        },
        "webhook": {"port": hook, "host": plane.address, "certDir": str(_certificates(folder))},
        "health": {"healthProbeBindAddress": f"127.0.0.1:{probe}"},
        "metrics": {"bindAddress": "0"},
        "clientConnection": {"qps": 300, "burst": 500},
        "integrations": {"frameworks": list(frameworks)},
    }
    options = [_config(folder, config), "--feature-gates=VisibilityOnDemand=false"]
    sample = _sample("kueue.x-k8s.io/v1beta2", "ClusterQueue", {"namespaceSelector": {}})
    with _running(plane, KUEUE, options, folder, probe) as running:
        _register(api, KUEUE, hooks, url, lambda one: not one["name"].endswith(_NOT_QUEUED))
        _acts_on(api, running, sample, lambda one: bool(one.get("status", {}).get("conditions")))
        yield running


@contextlib.contextmanager
def coscheduling(plane: ControlPlane) -> Iterator[Program]:
    """A second scheduler, named ``SCHEDULER``, with the coscheduling plug-in for PodGroups.

    Pods that it could not place are tried again when one joins their group or the group changes, and else after
    five minutes: the plug-in has itself woken by nothing else, and not by nodes (``EventsToRegister``).
    """
    api = Api(plane)
    api.define(definitions(COSCHEDULING))
    folder = _folder(plane, "coscheduling")
    port = free_port("127.0.0.1")
    mine = [{"name": "Coscheduling"}]
    plugins = {"multiPoint": {"enabled": mine}, "queueSort": {"enabled": mine, "disabled": [{"name": "*"}]}}
    arguments = [{"name": "Coscheduling", "args": {"permitWaitingTimeSeconds": 10}}]
    config = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(plane.kubeconfig)},
        "profiles": [{"schedulerName": SCHEDULER, "plugins": plugins, "pluginConfig": arguments}],
    }
    options = [
        _config(folder, config),
        f"--authentication-kubeconfig={plane.kubeconfig}",
        f"--authorization-kubeconfig={plane.kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
    ]
    running = Program("coscheduling", [str(program(COSCHEDULING)), *options], folder)
    try:
        running.start(f"https://127.0.0.1:{port}/readyz")
        yield running
    finally:
        running.stop()


def _prepared(
    plane: ControlPlane, upstream: Upstream, hooks: Webhook, namespace: str = "", secret: str = "", convert: str = ""
) -> tuple[Api, Path]:
    """Define the kinds, write the certificates, and put them where a rotator looks for them."""
    api = Api(plane)
    found = list(definitions(upstream))
    if convert:
        found = [_converted(one, convert, hooks) for one in found]
    api.define(found)
    folder = _folder(plane, upstream.package.rpartition("/")[2])
    place = _certificates(folder)
    place.mkdir(parents=True, exist_ok=True)
    for name, data in hooks.files().items():
        (place / name).write_bytes(data)
    api.namespace(_PROBES)
    if namespace:
        api.namespace(namespace)
        data = {name: base64.b64encode(text).decode() for name, text in hooks.files().items()}
        metadata = {"name": secret, "namespace": namespace}
        api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    return api, folder


def _converted(definition: Plain, url: str, hooks: Webhook) -> Plain:
    """A kind of several versions, converted by its operator."""
    if len(definition["spec"]["versions"]) < 2:
        return definition
    webhook = {
        "clientConfig": {"url": f"{url}/convert", "caBundle": hooks.bundle()},
        "conversionReviewVersions": ["v1"],
    }
    spec = {**definition["spec"], "conversion": {"strategy": "Webhook", "webhook": webhook}}
    return {**definition, "spec": spec}


@contextlib.contextmanager
def _running(plane: ControlPlane, upstream: Upstream, options: list[str], folder: Path, probe: int) -> Iterator[Program]:
    environment = {"KUBECONFIG": str(plane.kubeconfig), "TMPDIR": str(folder)}
    name = folder.name
    running = Program(name, [str(program(upstream)), *options], folder, environment)
    try:
        running.start(f"http://127.0.0.1:{probe}/readyz")
        yield running
    finally:
        running.stop()


def _register(
    api: Api, upstream: Upstream, hooks: Webhook, url: str, wanted: Callable[[Plain], bool] = lambda _: True
) -> None:
    """Register an operator's webhooks, by address."""
    for one in _load(sources(upstream) / _WEBHOOKS[upstream]):
        chosen = []
        for webhook in filter(wanted, one["webhooks"]):
            path = webhook["clientConfig"]["service"]["path"]
            config = {"url": f"{url}{path}", "caBundle": hooks.bundle()}
            chosen.append({**webhook, "clientConfig": config})
        name = f"{upstream.module.replace('/', '.')}-{one['kind'].partition('Webhook')[0].lower()}"
        api.apply({**one, "metadata": {"name": name}, "webhooks": chosen})


def _acts_on(api: Api, running: Program, sample: Plain, done: Callable[[Plain], bool], *needed: Plain) -> None:
    """Make an object, and wait until the operator has acted on it."""
    version, kind, name = sample["apiVersion"], sample["kind"], sample["metadata"]["name"]

    def made(one: Plain) -> bool:
        try:
            api.apply(one, _PROBES)
        except Refused as error:
            if error.code < 500:  # a webhook may not be reached at once
                raise
            return False
        return True

    def acted() -> bool:
        return done(api.get(version, kind, name, _PROBES))

    there = all(wait_until(lambda one=one: made(one), _ACTS_S_MAX) for one in (*needed, sample))
    if not there or not wait_until(acted, _ACTS_S_MAX):
        raise TimeoutError(f"{running.name}: did nothing with a {kind} in {_ACTS_S_MAX:g} s\n{running.log()[-4000:]}")
    for one in (sample, *needed):
        api.delete(one["apiVersion"], one["kind"], one["metadata"]["name"], _PROBES)


def _sample(version: str, kind: str, spec: Mapping[str, Any]) -> Plain:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "probe"}, "spec": dict(spec)}


def _pod_template(name: str = "a") -> Plain:
    return {"spec": {"restartPolicy": "Never", "containers": [{"name": name, "image": "none"}]}}


def _pytorch_job() -> Plain:
    replicas = {"replicas": 1, "restartPolicy": "Never", "template": _pod_template("pytorch")}
    spec = {"runPolicy": {"suspend": True}, "pytorchReplicaSpecs": {"Worker": replicas}}
    return _sample("kubeflow.org/v1", "PyTorchJob", spec)


def _trainer_job() -> Plain:
    labels = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    template = {"metadata": {"labels": labels}, "spec": {"template": _pod_template("node")}}
    return {"name": "node", "template": template}


def _generated(upstream: Upstream, *packages: str) -> tuple[Plain, ...]:
    with tempfile.TemporaryDirectory() as folder:
        paths = ";".join(packages)
        command = [str(program(upstream)), "crd", f"paths={paths}", f"output:crd:dir={folder}"]
        subprocess.run(command, cwd=MODULE / upstream.folder, check=True)
        return tuple(one for path in sorted(Path(folder).glob("*.yaml")) for one in _load(path))


def _load(path: Path) -> list[Plain]:
    return [one for one in yaml.load_all(path.read_text(), yaml.CSafeLoader) if one]


def _folder(plane: ControlPlane, name: str) -> Path:
    folder = plane.folder / name
    folder.mkdir(exist_ok=True)
    return folder


def _certificates(folder: Path) -> Path:
    """Where controller-runtime looks for certificates below TMPDIR, unless it is told."""
    return folder / "k8s-webhook-server" / "serving-certs"


def _config(folder: Path, config: Mapping[str, Any]) -> str:
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return f"--config={path}"
