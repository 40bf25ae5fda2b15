"""Documents that are wrong, and every problem that must be told of them, word for word."""

from __future__ import annotations

from spec_documents import MINIMAL, with_model, with_spec

BAD: dict[str, tuple[str, list[str]]] = {
    "unknown field near miss": (
        with_spec("batching: {sizemax: 8}"),
        ['9:14: spec.batching.sizemax: must be a known field, got "sizemax"; did you mean "sizeMax"?'],
    ),
    "snake case": (
        with_spec("batching: {size_max: 8}"),
        ['9:14: spec.batching.size_max: must be a known field, got "size_max"; did you mean "sizeMax"?'],
    ),
    "unknown elsewhere": (
        with_spec("port: 80"),
        ['9:3: spec.port: must be a known field, got "port"; did you mean spec.server.port?'],
    ),
    "unknown far": (
        with_spec("colour: red"),
        [
            '9:3: spec.colour: must be a known field, got "colour"; known here are model, image, imagePullSecrets, replicas, objective, resources, batching, server, scaling, probes, scheduling'
        ],
    ),
    "foreign requests": (
        with_spec("resources: {requests: {cpu: 2}}"),
        [
            '9:15: spec.resources.requests: must be a known field, got "requests"; cpu and memory stand directly under resources, and are what is requested'
        ],
    ),
    "k8s seconds name": (
        with_spec("probes: {readiness: {periodSeconds: 5}}"),
        [
            '9:24: spec.probes.readiness.periodSeconds: must be a known field, got "periodSeconds"; did you mean "period"?'
        ],
    ),
    "int duration": (
        with_spec("batching: {waitMax: 5}"),
        [
            "9:23: spec.batching.waitMax: must be a duration with a unit, such as 100ms, 30s or 5m, got 5; write 5s, or 5ms for milliseconds"
        ],
    ),
    "long duration": (
        with_spec("server: {gracePeriod: 1500ms}"),
        [
            "9:25: spec.server.gracePeriod: must be a whole number of seconds, as Kubernetes counts them, got 1500ms"
        ],
    ),
    "bool word": (
        with_spec("batching: {enabled: yes}"),
        ["9:23: spec.batching.enabled: must be true or false, got yes"],
    ),
    "quoted int": (with_spec('replicas: "3"'), ['9:13: spec.replicas: must be a whole number, got "3"']),
    "zero replicas": (with_spec("replicas: 0"), ["9:13: spec.replicas: must be >= 1, got 0"]),
    "null": (
        with_spec("replicas: null"),
        ["9:13: spec.replicas: must be a whole number, got null; leave the field out for its default"],
    ),
    "float int": (
        with_spec("resources: {gpu: {count: 0.5}}"),
        ["9:28: spec.resources.gpu.count: must be a whole number, got 0.5"],
    ),
    "vendor": (
        with_spec("resources: {gpu: {vendor: nvida}}"),
        [
            '9:29: spec.resources.gpu.vendor: must be one of nvidia, amd, intel, got nvida; did you mean "nvidia"?'
        ],
    ),
    "memory GB": (
        with_spec("resources: {memory: 4GB}"),
        [
            '9:23: spec.resources.memory: must be a quantity such as 2, 500m or 4Gi, got 4GB; did you mean "4Gi"?'
        ],
    ),
    "memory m": (
        with_spec("resources: {memory: 400m}"),
        [
            "9:23: spec.resources.memory: must be a whole number of bytes, got 400m; m means thousandths; Mi means mebibytes"
        ],
    ),
    "memory bytes": (
        with_spec("resources: {memory: 4}"),
        ['9:23: spec.resources.memory: must be at least 1Mi, got 4; did you mean "4Gi"?'],
    ),
    "cpu fine": (
        with_spec("resources: {cpu: 100u}"),
        [
            "9:20: spec.resources.cpu: must be a multiple of 1m, the finest that Kubernetes takes for CPU, got 100u"
        ],
    ),
    "cpu zero": (
        with_spec("resources: {cpu: 0}"),
        ["9:20: spec.resources.cpu: must be greater than 0, got 0"],
    ),
    "limits": (
        with_spec("resources: {cpu: 2, memory: 4Gi, limits: {cpu: 1, memory: 2Gi}}"),
        [
            "9:50: spec.resources.limits.cpu: must be >= spec.resources.cpu (2), got 1",
            "9:61: spec.resources.limits.memory: must be >= spec.resources.memory (4Gi), got 2Gi",
        ],
    ),
    "gpu type and types": (
        with_spec("resources: {gpu: {type: a100, types: [a100, t4]}}"),
        [
            "9:40: spec.resources.gpu.types: must not be given beside type; put every acceptable type into types"
        ],
    ),
    "gpu types dup": (
        with_spec("resources: {gpu: {types: [a100, a100]}}"),
        ["9:28: spec.resources.gpu.types: must name each type once, got a100, a100"],
    ),
    "mig amd": (
        with_spec("resources: {gpu: {vendor: amd, migProfile: 1g.5gb, sharing: mps}}"),
        [
            "9:46: spec.resources.gpu.migProfile: must not be given with vendor amd, MIG is NVIDIA's",
            "9:63: spec.resources.gpu.sharing: must be exclusive with vendor amd, got mps",
        ],
    ),
    "mig form": (
        with_spec("resources: {gpu: {migProfile: 9g}}"),
        ["9:33: spec.resources.gpu.migProfile: must be a MIG profile such as 1g.10gb or 3g.40gb, got 9g"],
    ),
    "dra class": (
        with_spec("resources: {gpu: {deviceClass: gpu.nvidia.com}}"),
        ["9:34: spec.resources.gpu.deviceClass: must be given only with allocation dra"],
    ),
    "dra resource": (
        with_spec("resources: {gpu: {allocation: dra, resourceName: nvidia.com/gpu}}"),
        ["9:52: spec.resources.gpu.resourceName: must be given only with allocation plugin"],
    ),
    "latency order": (
        with_spec("objective: {latency: {p50: 1s, p99: 100ms}}"),
        ["9:39: spec.objective.latency.p99: must be >= p50 (1s), got 100ms"],
    ),
    "rate zero": (
        with_spec("objective: {requestsPerSecond: 0}"),
        ["9:34: spec.objective.requestsPerSecond: must be greater than 0, got 0"],
    ),
    "rate text": (
        with_spec("objective: {requestsPerSecond: 10 thousand}"),
        [
            "9:34: spec.objective.requestsPerSecond: must be a number such as 500, 10k or 1.5M, got 10 thousand"
        ],
    ),
    "ports": (
        with_spec("server: {grpcPort: 8080}"),
        [
            "9:22: spec.server.grpcPort: must differ from spec.server.port, got 8080 for both; null switches gRPC off"
        ],
    ),
    "port range": (
        with_spec("server: {port: 70000}"),
        ["9:18: spec.server.port: must be <= 65535, got 70000"],
    ),
    "lame duck": (
        with_spec("server: {lameDuck: 30s}"),
        ["9:22: spec.server.lameDuck: must be shorter than spec.server.gracePeriod (30s), got 30s"],
    ),
    "probe port": (
        with_spec("probes: {liveness: {port: 9000}}"),
        [
            "9:29: spec.probes.liveness.port: must be spec.server.port (8080), where health is answered, got 9000"
        ],
    ),
    "probe path": (
        with_spec("probes: {liveness: {path: livez}}"),
        ['9:29: spec.probes.liveness.path: must be an HTTP path that begins with "/", got livez'],
    ),
    "deadline": (
        with_spec("objective: {latency: {p99: 100ms}}\nbatching: {deadline: 50ms}"),
        [
            "10:24: spec.batching.deadline: must be >= the objective's latency (100ms), got 50ms; a shorter one refuses requests that would meet the objective"
        ],
    ),
    "wait": (
        with_spec("objective: {latency: {p99: 100ms}}\nbatching: {waitMax: 100ms}"),
        ["10:23: spec.batching.waitMax: must be shorter than the objective's latency (100ms), got 100ms"],
    ),
    "wait deadline": (
        with_spec("batching: {waitMax: 2s, deadline: 1s}"),
        ["9:23: spec.batching.waitMax: must be shorter than spec.batching.deadline (1s), got 2s"],
    ),
    "min max": (
        with_spec("scaling: {minReplicas: 5, maxReplicas: 3}"),
        ["9:26: spec.scaling.minReplicas: must be <= maxReplicas (3), got 5"],
    ),
    "replicas range": (
        with_spec("replicas: 11\nscaling: {maxReplicas: 10}"),
        ["9:13: spec.replicas: must be from minReplicas (2) to maxReplicas (10), got 11"],
    ),
    "metric type": (
        with_spec("scaling: {metrics: [{type: cpuu}]}"),
        [
            '9:30: spec.scaling.metrics[0].type: must be one of cpu, memory, latency, load, pods, got cpuu; did you mean "cpu"?'
        ],
    ),
    "metric no type": (
        with_spec("scaling: {metrics: [{utilization: 3}]}"),
        ["9:23: spec.scaling.metrics[0].type: must be given, one of cpu, memory, latency, load, pods"],
    ),
    "metric field": (
        with_spec("scaling: {metrics: [{type: cpu, target: 3}]}"),
        [
            '9:35: spec.scaling.metrics[0].target: must be a known field, got "target"; known here are type, utilization'
        ],
    ),
    "metric twice": (
        with_spec("scaling: {metrics: [{type: cpu}, {type: cpu, utilization: 50}]}"),
        ["9:36: spec.scaling.metrics[1]: must be given once, got a second cpu"],
    ),
    "metric none": (
        with_spec("scaling: {metrics: []}"),
        ["9:22: spec.scaling.metrics: must hold at least 1 item, got an empty list"],
    ),
    "latency target": (
        with_spec("scaling: {metrics: [{type: latency}]}"),
        [
            "9:23: spec.scaling.metrics[0].target: must be given, because spec.objective.latency.p99 is not; write target: 100ms"
        ],
    ),
    "policy period": (
        with_spec("scaling: {behavior: {scaleUp: {policies: [{type: Percent, value: 10, period: 1h}]}}}"),
        ["9:80: spec.scaling.behavior.scaleUp.policies[0].period: must be at most 30m, got 1h"],
    ),
    "policy type": (
        with_spec("scaling: {behavior: {scaleUp: {policies: [{type: percent, value: 10, period: 15s}]}}}"),
        [
            '9:52: spec.scaling.behavior.scaleUp.policies[0].type: must be one of Percent, Pods, got percent; did you mean "Percent"?'
        ],
    ),
    "window": (
        with_spec("scaling: {behavior: {scaleDown: {stabilizationWindow: 2h}}}"),
        ["9:57: spec.scaling.behavior.scaleDown.stabilizationWindow: must be at most 1h, got 2h"],
    ),
    "tolerance": (
        with_spec("scaling: {behavior: {scaleDown: {tolerance: 10}}}"),
        ["9:47: spec.scaling.behavior.scaleDown.tolerance: must be from 0 to 1, such as 0.1 for 10%, got 10"],
    ),
    "toleration key": (
        with_spec("scheduling: {tolerations: [{effect: NoSchedule}]}"),
        ["9:30: spec.scheduling.tolerations[0]: must have a key, or operator Exists"],
    ),
    "toleration value": (
        with_spec("scheduling: {tolerations: [{key: a, operator: Exists, value: b}]}"),
        ['9:64: spec.scheduling.tolerations[0].value: must not be given with operator Exists, got "b"'],
    ),
    "toleration seconds": (
        with_spec("scheduling: {tolerations: [{key: a, operator: Exists, tolerationSeconds: 3}]}"),
        ["9:76: spec.scheduling.tolerations[0].tolerationSeconds: must be given only with effect NoExecute"],
    ),
    "image": (
        with_spec("image: My Model"),
        [
            "9:10: spec.image: must be an image reference such as registry.example.com/team/model:v1.2.3, got My Model"
        ],
    ),
    "name": (
        MINIMAL.replace("digits\n", "Digits_1\n", 1),
        [
            '4:9: metadata.name: must be at most 63 lowercase letters, digits or "-", begin with a letter and not end with "-", got Digits_1; it names a Kubernetes Service (RFC 1035 label)'
        ],
    ),
    "name digit": (
        MINIMAL.replace("name: digits", "name: 3digits", 1),
        [
            '4:9: metadata.name: must be at most 63 lowercase letters, digits or "-", begin with a letter and not end with "-", got 3digits; it names a Kubernetes Service (RFC 1035 label)'
        ],
    ),
    "namespace": (
        MINIMAL.replace("name: digits", "name: digits\n  namespace: a.b", 1),
        [
            '5:14: metadata.namespace: must be at most 63 lowercase letters, digits or "-", and not begin or end with "-", got a.b; RFC 1123 label'
        ],
    ),
    "label": (
        MINIMAL.replace("name: digits", "name: digits\n  labels: {a b: c, d: 1, e: -x}", 1),
        [
            '5:12: metadata.labels["a b"]: must be a label key such as team or example.com/team, got "a b"',
            '5:23: metadata.labels.d: must be a string, got 1; put it in quotes: "1"',
            '5:29: metadata.labels.e: must be at most 63 letters, digits, "-", "_" or ".", begin and end with a letter or digit, got -x',
        ],
    ),
    "format": (
        MINIMAL.replace("format: onnx", "format: onx"),
        ['7:13: spec.model.format: must be one of onnx, python, torch, got onx; did you mean "onnx"?'],
    ),
    "no path": (MINIMAL.replace("    path: digits.onnx\n", ""), ["7:5: spec.model.path: must be given"]),
    "python path form": (
        MINIMAL.replace("format: onnx", "format: python"),
        ['8:11: spec.model.path: must be module:Class for format python, got "digits.onnx"'],
    ),
    "module onnx": (
        MINIMAL.replace("digits.onnx", "digits:Model"),
        [
            '8:11: spec.model.path: must be a file for format onnx, got "digits:Model"; did you mean format: python?'
        ],
    ),
    "package form": (
        MINIMAL.replace("digits.onnx", "package:magika"),
        ['8:11: spec.model.path: must be package:<name>/<file>, got "package:magika"'],
    ),
    "package dots": (
        MINIMAL.replace("digits.onnx", "package:magika/../x"),
        ['8:11: spec.model.path: must stay inside the package, got "package:magika/../x"'],
    ),
    "pythonPath": (
        with_model("pythonPath: [src]"),
        ["9:17: spec.model.pythonPath: must be given only with format python, got onnx"],
    ),
    "version": (
        with_model("version: 1.10"),
        ['9:14: spec.model.version: must be a string, got 1.10; put it in quotes: "1.10"'],
    ),
    "datatype": (
        with_model("inputs: [{name: x, datatype: float32, shape: [-1, 64]}]"),
        [
            '9:34: spec.model.inputs[0].datatype: must be one of BOOL, UINT8, UINT16, UINT32, UINT64, INT8, INT16, INT32, INT64, FP16, BF16, FP32, FP64, BYTES, got float32; did you mean "FP32"?'
        ],
    ),
    "shape": (
        with_model("inputs: [{name: x, datatype: FP32, shape: [-2, 64]}]"),
        ["9:48: spec.model.inputs[0].shape[0]: must be >= -1, got -2"],
    ),
    "dup input": (
        with_model(
            "inputs: [{name: x, datatype: FP32, shape: [-1]}, {name: x, datatype: FP32, shape: [-1]}]"
        ),
        ['9:61: spec.model.inputs[1].name: must be unique, got "x" twice'],
    ),
    "sample": (
        with_model(
            "inputs: [{name: x, datatype: FP32, shape: [-1, 2]}, {name: y, datatype: FP32, shape: [-1]}]\nwarmup: {inputs: [{name: x, datatype: FP64, shape: [1, 3], data: [1, 2]}, {name: z, datatype: UINT8, shape: [1], data: [256]}]}"
        ),
        [
            "10:22: spec.model.warmup.inputs: must hold every declared input, missing y",
            "10:43: spec.model.warmup.inputs[0].datatype: must be FP32 as declared, got FP64",
            "10:56: spec.model.warmup.inputs[0].shape: must fit [-1, 2] as declared, got [1, 3]",
            "10:70: spec.model.warmup.inputs[0].data: must hold 3 elements for shape [1, 3], got 2",
            '10:86: spec.model.warmup.inputs[1].name: must be a declared input (x, y), got "z"',
            "10:124: spec.model.warmup.inputs[1].data: must hold elements of datatype UINT8, got 256",
        ],
    ),
    "sample both": (
        with_model("warmup: {file: a.json, inputs: [{name: x, datatype: BOOL, shape: [1], data: [true]}]}"),
        ["9:20: spec.model.warmup.file: must not be given beside inputs"],
    ),
    "sample data": (
        with_model("warmup: {inputs: [{name: x, datatype: BYTES, shape: [1], data: {}}]}"),
        [
            "9:68: spec.model.warmup.inputs[0].data: must be a list of elements, nested at most 16 deep, got a mapping"
        ],
    ),
    "gathered above a batch": (
        with_spec("batching: {sizeMax: 8, gatherMax: 16}"),
        ["9:37: spec.batching.gatherMax: must be <= spec.batching.sizeMax (8), got 16"],
    ),
    "batch sizes": (
        with_model("warmup: {batchSizes: [1, 64]}"),
        ["9:30: spec.model.warmup.batchSizes[1]: must be <= spec.batching.sizeMax (32), got 64"],
    ),
    "padding": (
        with_model(
            "inputs: [{name: ids, datatype: INT64, shape: [-1, -1]}, {name: t, datatype: BYTES, shape: [-1]}]"
        )
        + "  batching: {padding: {id: 0, t: 0}}\n",
        [
            '10:28: spec.batching.padding.id: must name a declared input (ids, t), got "id"',
            '10:34: spec.batching.padding.t: must name an input of numbers, got "t" of datatype BYTES',
        ],
    ),
    "padding value": (
        with_spec("batching: {padding: {ids: zero}}"),
        ["9:29: spec.batching.padding.ids: must be a number, got zero"],
    ),
    "options": (
        with_model("options: {a: null, b: [1]}"),
        [
            "9:18: spec.model.options.a: must be a string, a number, true or false, got null; leave the field out for its default",
            "9:27: spec.model.options.b: must be a string, a number, true or false, got a list",
        ],
    ),
    "threads": (with_model("threads: many"), ["9:14: spec.model.threads: must be a whole number, got many"]),
    "apiVersion": (
        MINIMAL.replace("v1alpha1", "v1"),
        [
            '1:13: apiVersion: must be tonnage.dev/v1alpha1, got tonnage.dev/v1; did you mean "tonnage.dev/v1alpha1"?'
        ],
    ),
    "kind": (
        MINIMAL.replace("ModelService", "Deployment"),
        ["2:7: kind: must be ModelService, got Deployment"],
    ),
    "kind near": (
        MINIMAL.replace("ModelService", "Modelservice"),
        ['2:7: kind: must be ModelService, got Modelservice; did you mean "ModelService"?'],
    ),
    "two": (MINIMAL + "---\n" + MINIMAL, ["10:1: must hold one ModelService, got another one"]),
    "other": (MINIMAL + "---\nkind: Service\n", ["10:7: kind: must be ModelService, got Service"]),
    "duplicate": (
        MINIMAL + "    path: b.onnx\n",
        ["9:5: spec.model.path: must be given once, got a second one (the first is in line 8)"],
    ),
    "tag": (
        with_spec("image: !!python/name:os.system x"),
        ["9:10: spec.image: must have no tag, got tag:yaml.org,2002:python/name:os.system"],
    ),
    "list": ("- a\n", ["1:1: must be a mapping, got a list"]),
    "scalar spec": (MINIMAL.split("spec:")[0] + "spec: fast\n", ["5:7: spec: must be a mapping, got fast"]),
    "empty": ("", ["1:1: must hold a ModelService, got no document"]),
    "yaml": ("a: [\n", ["2:1: must be valid YAML: expected the node content, but found '<stream end>'"]),
    "alias": ("a: *b\n", ["1:4: must be an alias of an earlier anchor, got *b"]),
    "int key": (
        with_spec("scheduling: {nodeSelector: {1: a}}"),
        ['9:31: spec.scheduling.nodeSelector.1: must be a string as key, got 1; write "1"'],
    ),
    "merge": (
        with_spec("server: {<<: {port: 80}}"),
        ['9:12: spec.server["<<"]: must be no merge key; write the fields out'],
    ),
    "inf": (
        with_spec("batching: {padding: {ids: .inf}}"),
        ["9:29: spec.batching.padding.ids: must be a finite number, got .inf"],
    ),
}
