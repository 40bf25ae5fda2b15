"""PyTorch: exported programs (``torch.export.save``) and TorchScript (``torch.jit.save``).

The file's content says which of the two it is, not its name. An exported program tells its inputs,
types, dynamic dimensions and outputs itself; of TorchScript the document must declare them. Plain
pickles (``torch.save`` of a module or a ``state_dict``) are refused: to open one is to run whatever
code it holds, and it does not hold the model's own code. Loading an exported program also forces
PyTorch's restricted unpickler. A model file is a program all the same: serve only files you trust.

Settings in ``options``: ``autocast`` (``float16`` or ``bfloat16``: PyTorch chooses which operations
run in it) and, for TorchScript, ``dtype`` (``float32``, ``float16`` or ``bfloat16``: weights and
floating-point inputs are cast). An exported program has its types built in and is exported in the
one that is wanted. Outputs are given in the type the signature names, whatever the model computed in.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tonnage.contract.server_config import ModelConfig, TensorConfig
from tonnage.errors import ModelLoadError
from tonnage.server.oip.datatypes import Array
from tonnage.server.oip.tensors import Signature, TensorSpec
from tonnage.server.runtimes.base import RequestContext
from tonnage.server.runtimes.torch_files import Kind, kind_of

_TORCH_NAMES: Final = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "BF16": "bfloat16",
    "FP32": "float32",
    "FP64": "float64",
}
"""Datatypes of the protocol that tensors of PyTorch can have, and their names there."""
_FLOATS: Final = frozenset({"FP16", "BF16", "FP32", "FP64"})
_FORCE_SAFE: Final = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


class TorchRuntime:
    """One model on one device.

    Args:
        torch: The module ``torch``.
        model: Takes the tensors by position, and gives the outputs in the signature's order.
        signature: What it takes and gives.
        device: The ``torch.device`` it is on.
        casts: Per input the ``torch.dtype`` that the model wants.
        autocast: The ``torch.dtype`` for autocasting; None for none.
    """

    wants_context = False

    def __init__(
        self,
        torch: Any,
        model: Callable[[list[Any]], Sequence[Any]],
        signature: Signature,
        device: Any,
        casts: Sequence[Any],
        autocast: Any,
    ) -> None:
        self.signature = signature
        self._torch = torch
        self._model = model
        self._device = device
        self._inputs = [(spec.name, cast) for spec, cast in zip(signature.inputs, casts, strict=True)]
        # numpy has no bfloat16: it leaves as float32, which holds every one of its values
        self._outputs = [
            (spec.name, torch.float32 if spec.datatype == "BF16" else _dtype(torch, spec.datatype))
            for spec in signature.outputs
        ]
        self._autocast = autocast

    def run(self, inputs: dict[str, Array], context: tuple[RequestContext, ...]) -> Mapping[str, Array]:
        """Run the model once; what goes to a device and comes back is copied."""
        del context
        torch = self._torch
        with torch.inference_mode():
            tensors = [
                torch.from_numpy(inputs[name]).to(device=self._device, dtype=cast)
                for name, cast in self._inputs
            ]
            if self._autocast is None:
                given = self._model(tensors)
            else:
                with torch.autocast(self._device.type, dtype=self._autocast):
                    given = self._model(tensors)
            return {
                name: tensor.to(device="cpu", dtype=dtype).numpy()
                for (name, dtype), tensor in zip(self._outputs, given, strict=True)
            }

    def memory_bytes(self) -> int | None:
        """What PyTorch's allocator has taken of the accelerator."""
        if self._device.type != "cuda":
            return None
        return int(self._torch.cuda.memory_reserved(self._device))


def load(config: ModelConfig) -> TorchRuntime:
    """Open the model's file.

    Raises:
        ModelLoadError: PyTorch is missing, there is no such file or device, it is of another kind, or
            it takes or gives what the protocol lacks or the document does not declare.
    """
    path = Path(config.path)
    if not path.is_file():
        raise ModelLoadError(f"model.path: must be a file, got {path}")
    torch = _import_torch()
    kind = kind_of(path)
    device = _device(torch, config.providers)
    torch.set_num_threads(config.threads)
    autocast, dtype = _options(torch, config.options, kind)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and still what many have
            if kind == "exported":
                return _load_exported(torch, path, config, device, autocast)
            return _load_script(torch, path, config, device, autocast, dtype)
    except ModelLoadError:
        raise
    except Exception as error:  # PyTorch raises whatever is at hand
        raise ModelLoadError(
            f"model.path: must be a model that PyTorch {torch.__version__} loads, got "
            f"{type(error).__name__}: {error}"[:2000]
        ) from error


def _import_torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ModelLoadError(
            f"model.format: torch needs PyTorch, got {error}; pip install 'tonnage[torch]'"
        ) from None
    return torch


def _device(torch: Any, providers: tuple[str, ...] | None) -> Any:
    """The first device of the list that is there."""
    if providers is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reasons = []
    for name in providers:
        try:
            device = torch.device(name)
            torch.empty(1, device=device).cpu()
        except Exception as error:  # each back end has its own
            reasons.append(f"{name} ({(str(error) or repr(error)).splitlines()[0]})")
        else:
            return device
    raise ModelLoadError(
        f"model.providers: must name a device that PyTorch has here, got {', '.join(reasons) or 'none'}"
    )


def _options(torch: Any, options: Mapping[str, Any], kind: Kind) -> tuple[Any, Any]:
    """The dtypes of ``autocast`` and ``dtype``; None where not given."""
    allowed = {"autocast": ("float16", "bfloat16"), "dtype": ("float32", "float16", "bfloat16")}
    for name, value in options.items():
        if name not in allowed:
            raise ModelLoadError(f"model.options: must be among {', '.join(allowed)}, got {name}")
        if value not in allowed[name]:
            choice = ", ".join(allowed[name])
            raise ModelLoadError(f"model.options.{name}: must be one of {choice}, got {value!r}")
    if "dtype" in options and kind == "exported":
        raise ModelLoadError(
            "model.options.dtype: must not be given for an exported program, whose types are built in; "
            "export the model in that type, or use autocast"
        )
    autocast, dtype = (getattr(torch, options[name]) if name in options else None for name in allowed)
    return autocast, dtype


def _load_script(
    torch: Any, path: Path, config: ModelConfig, device: Any, autocast: Any, dtype: Any
) -> TorchRuntime:
    if not config.inputs or not config.outputs:
        raise ModelLoadError(
            "model.inputs, model.outputs: must be declared for TorchScript, which does not tell its "
            "tensors' types and shapes"
        )
    inputs = tuple(_declared(one, "model.inputs") for one in config.inputs)
    outputs = tuple(_declared(one, "model.outputs") for one in config.outputs)
    module = torch.jit.load(str(path), map_location=device).eval()
    if dtype is not None:
        module = module.to(dtype)
    arguments = [argument.name for argument in module.forward.schema.arguments[1:]]
    names = [spec.name for spec in inputs]
    unknown = [name for name in names if name not in arguments]
    if unknown:
        raise ModelLoadError(
            f"model.inputs: must be among the arguments of forward, {', '.join(arguments)}, "
            f"got {', '.join(unknown)}"
        )
    pick = _picker([spec.name for spec in outputs])

    def model(tensors: list[Any]) -> Sequence[Any]:
        return pick(module(**dict(zip(names, tensors, strict=True))))

    batches = all(spec.shape and spec.shape[0] == -1 for spec in inputs + outputs)
    casts = [
        dtype if dtype is not None and spec.datatype in _FLOATS else _dtype(torch, spec.datatype)
        for spec in inputs
    ]
    signature = Signature("pytorch_torchscript", inputs, outputs, batches)
    return TorchRuntime(torch, model, signature, device, casts, autocast)


def _picker(names: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
    """From what a model gives, a tensor, a sequence or a dict, to its tensors in the order of ``names``."""

    def pick(given: Any) -> Sequence[Any]:
        if isinstance(given, Mapping):
            if not set(names) <= set(given):
                raise ValueError(f"must give outputs {', '.join(names)}, got {', '.join(map(str, given))}")
            return [given[name] for name in names]
        tensors = list(given) if isinstance(given, tuple | list) else [given]
        if len(tensors) != len(names):
            raise ValueError(f"must give {len(names)} outputs as declared, got {len(tensors)}")
        return tensors

    return pick


def _load_exported(torch: Any, path: Path, config: ModelConfig, device: Any, autocast: Any) -> TorchRuntime:
    with _no_pickled_code():
        program = torch.export.load(str(path))
    program = _moved(torch, program, device)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    graph = program.graph_signature
    inputs = _agreed_inputs(config.inputs, _tensors(torch, graph.user_inputs, values, "input"))
    own_outputs = _tensors(torch, graph.user_outputs, values, "output")
    names, named = _output_names(torch, program.call_spec.out_spec, len(own_outputs))
    own_outputs = [replace(spec, name=name) for name, spec in zip(names, own_outputs, strict=True)]
    outputs, order = _agreed_outputs(config.outputs, own_outputs, named=named)
    positions, keywords = _call_form(torch, program.call_spec.in_spec, len(inputs))
    module = program.module()
    leaves = torch.utils._pytree.tree_leaves  # noqa: SLF001  what torch.export itself flattens with

    def model(tensors: list[Any]) -> Sequence[Any]:
        arguments = [tensors[at] for at in positions]
        given = leaves(module(*arguments, **{name: tensors[at] for name, at in keywords.items()}))
        return [given[at] for at in order]

    firsts = {str(values[name].shape[:1]) for name in (*graph.user_inputs, *graph.user_outputs)}
    # one symbol for all: dimensions that merely are all free need not be the same length
    batches = len(firsts) == 1 and all(spec.shape and spec.shape[0] == -1 for spec in inputs + outputs)
    signature = Signature("pytorch_exported", inputs, outputs, batches)
    casts = [_dtype(torch, spec.datatype) for spec in inputs]
    return TorchRuntime(torch, model, signature, device, casts, autocast)


@contextmanager
def _no_pickled_code() -> Iterator[None]:
    """PyTorch falls back to plain unpickling for what its restricted unpickler refuses; not here."""
    before = os.environ.get(_FORCE_SAFE)
    os.environ[_FORCE_SAFE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_FORCE_SAFE]
        else:
            os.environ[_FORCE_SAFE] = before


def _moved(torch: Any, program: Any, device: Any) -> Any:
    """The program on the device; its constants and created tensors name the one it was exported on."""
    try:
        from torch.export.passes import move_to_device_pass
    except ImportError as error:
        raise ModelLoadError(
            f"model.format: exported programs need PyTorch 2.7 or later, got {torch.__version__}; "
            "pip install --upgrade torch"
        ) from error
    return move_to_device_pass(program, str(device))


def _tensors(torch: Any, names: Sequence[Any], values: Mapping[str, Any], what: str) -> list[TensorSpec]:
    """What the program says of its own inputs or outputs; -1 for a dimension that is a symbol."""
    told = {getattr(torch, theirs): ours for ours, theirs in _TORCH_NAMES.items()}
    specs = []
    for name in names:
        value = values.get(name) if isinstance(name, str) else None
        if not isinstance(value, torch.Tensor) or value.dtype not in told:
            got = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise ModelLoadError(f"model.path: each {what} must be a tensor of a known datatype, got {got}")
        shape = tuple(length if isinstance(length, int) else -1 for length in value.shape)
        specs.append(TensorSpec(name, told[value.dtype], shape))
    return specs


def _output_names(torch: Any, out_spec: Any, count: int) -> tuple[list[str], bool]:
    """Names of the outputs, and whether they are the model's own or only numbers."""
    form = torch.utils._pytree.tree_unflatten(list(range(count)), out_spec)  # noqa: SLF001
    if isinstance(form, int):
        return ["output"], False
    if isinstance(form, Mapping) and set(form.values()) == set(range(count)):
        return [str(key) for key, _ in sorted(form.items(), key=lambda pair: pair[1])], True
    if isinstance(form, tuple | list) and list(form) == list(range(count)):
        return [f"output_{i}" for i in range(count)], False
    raise ModelLoadError(f"model.path: must give a tensor, or a tuple or dict of tensors, got {form}")


def _call_form(torch: Any, in_spec: Any, count: int) -> tuple[list[int], dict[str, int]]:
    """Which input goes where in the call: by position, and by keyword."""
    args, kwargs = torch.utils._pytree.tree_unflatten(list(range(count)), in_spec)  # noqa: SLF001
    if not all(isinstance(at, int) for at in (*args, *kwargs.values())):
        raise ModelLoadError("model.path: must take each input as an argument of its own, got nested ones")
    return list(args), dict(kwargs)


def _agreed_inputs(
    declared: tuple[TensorConfig, ...] | None, own: Sequence[TensorSpec]
) -> tuple[TensorSpec, ...]:
    """The program's inputs, with shapes as the document narrows them."""
    if declared is None:
        return tuple(own)
    told = {one.name: _declared(one, "model.inputs") for one in declared}
    if set(told) != {spec.name for spec in own}:
        raise ModelLoadError(
            f"model.inputs: must be those of the program, {', '.join(spec.name for spec in own)}, "
            f"got {', '.join(told)}"
        )
    for spec in own:
        if told[spec.name].datatype != spec.datatype or not _narrows(told[spec.name].shape, spec.shape):
            raise ModelLoadError(
                f'model.inputs: "{spec.name}" must be {spec.datatype} of shape {list(spec.shape)} as the '
                f"program has it, got {told[spec.name].datatype} of {list(told[spec.name].shape)}"
            )
    return tuple(told[spec.name] for spec in own)


def _agreed_outputs(
    declared: tuple[TensorConfig, ...] | None, own: Sequence[TensorSpec], *, named: bool
) -> tuple[tuple[TensorSpec, ...], list[int]]:
    """The outputs to give, and where the program has them: named ones by name, others in order."""
    if declared is None:
        return tuple(own), list(range(len(own)))
    told = tuple(_declared(one, "model.outputs") for one in declared)
    names = [spec.name for spec in own]
    if not {spec.name for spec in told} <= set(names) if named else len(told) != len(own):
        raise ModelLoadError(
            f"model.outputs: must be the program's {len(own)}, {', '.join(names)}, "
            f"got {', '.join(spec.name for spec in told)}"
        )
    order = [names.index(spec.name) if named else i for i, spec in enumerate(told)]
    for spec, at in zip(told, order, strict=True):
        if not _narrows(spec.shape, own[at].shape):
            raise ModelLoadError(
                f'model.outputs: "{spec.name}" must be of shape {list(own[at].shape)} as the program has it, '
                f"got {list(spec.shape)}"
            )
    return told, order


def _narrows(told: tuple[int, ...], own: tuple[int, ...]) -> bool:
    return len(told) == len(own) and all(its in (-1, mine) for mine, its in zip(told, own, strict=True))


def _declared(one: TensorConfig, where: str) -> TensorSpec:
    if one.datatype not in _TORCH_NAMES:
        raise ModelLoadError(
            f'{where}: "{one.name}" must be of one of {", ".join(_TORCH_NAMES)}, got {one.datatype}'
        )
    return TensorSpec(one.name, one.datatype, tuple(one.shape))


def _dtype(torch: Any, datatype: str) -> Any:
    return getattr(torch, _TORCH_NAMES[datatype])
