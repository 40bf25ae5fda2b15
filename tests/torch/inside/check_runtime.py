"""The PyTorch runtime itself, with real files; run in PyTorch's own environment (see environment.py)."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tonnage.contract.server_config import BatchingConfig, ModelConfig, TensorConfig
from tonnage.errors import ModelLoadError
from tonnage.server.oip.tensors import TensorSpec
from tonnage.server.runtimes import load_runtime
from tonnage.server.warmup import warm_up

sys.path.insert(0, str(Path(__file__).parent))
import models

pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch's own, while it exports

X = TensorConfig(name="x", datatype="FP32", shape=(-1, 8))
Y = TensorConfig(name="y", datatype="FP32", shape=(-1, 3))


def load(path: Path, **settings: Any) -> Any:
    return load_runtime(ModelConfig(name="m", format="torch", path=str(path), providers=("cpu",), **settings))


def rows(n: int) -> Any:
    return np.random.default_rng(n).normal(size=(n, 8)).astype(np.float32)


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    example = torch.zeros(4, 8), torch.ones(4, 3, dtype=torch.int64)
    return models.exported(models.made(models.Masked), tmp_path / "masked.pt2", *example)


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    return models.exported(models.made(models.Linear), tmp_path / "linear.pt2", torch.zeros(4, 8))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return models.scripted(models.made(models.Linear), tmp_path / "linear.pt")


def test_an_exported_program_tells_its_signature(masked: Path) -> None:
    """Names, types, dynamic dimensions and outputs come from the program itself."""
    signature = load(masked).signature
    assert signature.platform == "pytorch_exported"
    assert signature.inputs == (TensorSpec("x", "FP32", (-1, 8)), TensorSpec("mask", "INT64", (-1, 3)))
    assert signature.outputs == (TensorSpec("logits", "FP32", (-1, 3)), TensorSpec("total", "FP32", (-1,)))
    assert signature.batches


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_an_exported_program_answers_as_the_module(masked: Path, n: int) -> None:
    """Any batch that the program allows gives what the bare module gives."""
    inputs = {"x": rows(n), "mask": np.arange(3 * n).reshape(n, 3) % 2}
    given = load(masked).run(dict(inputs), ())
    with torch.inference_mode():
        expected = models.made(models.Masked)(*map(torch.from_numpy, inputs.values()))
    assert list(given) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_allclose(given[name], tensor.numpy(), rtol=1e-6)


def test_every_batch_size_warms_up(masked: Path) -> None:
    """The server's own warm-up runs on zeros of the program's shapes."""
    config = ModelConfig(name="m", format="torch", path=str(masked), providers=("cpu",))
    assert [size for size, _ in warm_up(load_runtime(config), config, BatchingConfig(size_max=64)).steady][-1] == 64


def test_a_program_of_fixed_shape_does_not_batch(tmp_path: Path) -> None:
    """Without a dynamic dimension the batch is part of the shape."""
    path = models.exported(models.made(models.Linear), tmp_path / "m.pt2", torch.zeros(4, 8), dynamic=False)
    signature = load(path).signature
    assert not signature.batches
    assert signature.inputs[0].shape == (4, 8)


def test_dimensions_that_need_not_be_equal_are_no_batch(tmp_path: Path) -> None:
    """Two first dimensions that are free by themselves are not one batch."""

    class Outer(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.outer(a, b)

    shapes = {"a": {0: torch.export.Dim("n")}, "b": {0: torch.export.Dim("m")}}
    program = torch.export.export(Outer(), (torch.zeros(3), torch.zeros(4)), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "m.pt2")
    runtime = load(tmp_path / "m.pt2")
    assert not runtime.signature.batches
    given = runtime.run({"a": np.ones(2, np.float32), "b": np.ones(5, np.float32)}, ())
    assert given["output"].shape == (2, 5)


def test_outputs_of_a_tuple_are_numbered(tmp_path: Path) -> None:
    """Outputs without names of their own are called output_0, output_1, ..."""
    runtime = load(models.exported(models.made(models.Two), tmp_path / "m.pt2", torch.zeros(4, 8)))
    outputs = [(spec.name, spec.datatype) for spec in runtime.signature.outputs]
    assert outputs == [("output_0", "FP32"), ("output_1", "INT64")]
    x = rows(3)
    given = runtime.run({"x": x}, ())
    np.testing.assert_allclose(given["output_0"], x.mean(-1), rtol=1e-5)
    np.testing.assert_array_equal(given["output_1"], x.argmax(-1))


def test_keyword_arguments_are_passed_as_such(tmp_path: Path) -> None:
    """A program exported with a keyword argument is called with it."""
    example = {"mask": torch.ones(4, 3)}
    shapes = {"x": {0: torch.export.Dim("n")}, "mask": {0: torch.export.Dim("n")}}
    module = models.made(models.Masked)
    program = torch.export.export(module, (torch.zeros(4, 8),), example, dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "m.pt2")
    mask = np.array([[0, 1, 2]], np.float32)
    given = load(tmp_path / "m.pt2").run({"x": rows(1), "mask": mask}, ())
    with torch.inference_mode():
        expected = module(torch.from_numpy(rows(1)), torch.from_numpy(mask))["logits"].numpy()
    np.testing.assert_allclose(given["logits"], expected, rtol=1e-6)


def test_the_document_may_pick_and_retype_named_outputs(masked: Path) -> None:
    """Declared outputs choose among the named ones, in their own order and type."""
    declared = (
        TensorConfig(name="total", datatype="FP64", shape=(-1,)),
        TensorConfig(name="logits", datatype="FP32", shape=(-1, 3)),
    )
    given = load(masked, outputs=declared).run({"x": rows(2), "mask": np.ones((2, 3), np.int64)}, ())
    assert list(given) == ["total", "logits"]
    assert given["total"].dtype == np.float64


def test_the_document_names_an_unnamed_output(linear: Path) -> None:
    """The one output of a program without names gets the declared name."""
    assert list(load(linear, outputs=(Y,)).run({"x": rows(2)}, ())) == ["y"]


@pytest.mark.parametrize(
    ("field", "declared", "message"),
    [
        ("inputs", ("a", "FP32", (-1, 8)), "model.inputs: must be those of the program, x, got a"),
        ("inputs", ("x", "FP64", (-1, 8)), "got FP64 of [-1, 8]"),
        ("inputs", ("x", "FP32", (-1, 7)), "got FP32 of [-1, 7]"),
        ("inputs", ("x", "BYTES", (-1,)), '"x" must be of one of BOOL'),
        ("outputs", ("y", "FP32", (-1, 4)), '"y" must be of shape [-1, 3]'),
    ],
)
def test_a_document_that_contradicts_the_program_is_refused(
    linear: Path, field: str, declared: tuple[str, str, tuple[int, ...]], message: str
) -> None:
    """Declared tensors must fit the program, and the error says what it has."""
    name, datatype, shape = declared
    with pytest.raises(ModelLoadError) as caught:
        load(linear, **{field: (TensorConfig(name=name, datatype=datatype, shape=shape),)})
    assert message in str(caught.value)


def test_bfloat16_goes_in_and_comes_out_as_float32(tmp_path: Path) -> None:
    """A program in bfloat16 is given and gives float32, with bfloat16's values."""
    module = models.made(models.Linear).to(torch.bfloat16)
    path = models.exported(module, tmp_path / "m.pt2", torch.zeros(4, 8, dtype=torch.bfloat16))
    runtime = load(path)
    assert runtime.signature.inputs[0].datatype == runtime.signature.outputs[0].datatype == "BF16"
    given = runtime.run({"x": rows(3)}, ())["output"]
    with torch.inference_mode():
        expected = module(torch.from_numpy(rows(3)).to(torch.bfloat16)).float().numpy()
    assert given.dtype == np.float32
    np.testing.assert_array_equal(given, expected)


def test_autocast_computes_in_less_and_answers_as_declared(linear: Path) -> None:
    """Under autocast the answer is float32 and near, but not equal."""
    exact = load(linear).run({"x": rows(4)}, ())["output"]
    given = load(linear, options={"autocast": "bfloat16"}).run({"x": rows(4)}, ())["output"]
    assert given.dtype == np.float32
    assert not np.array_equal(given, exact)
    np.testing.assert_allclose(given, exact, atol=0.05)


def test_torchscript_answers_as_the_module(script: Path) -> None:
    """TorchScript with declared tensors gives what the bare module gives."""
    runtime = load(script, inputs=(X,), outputs=(Y,))
    assert runtime.signature.platform == "pytorch_torchscript"
    assert runtime.signature.batches
    given = runtime.run({"x": rows(3)}, ())
    with torch.inference_mode():
        expected = models.made(models.Linear)(torch.from_numpy(rows(3))).numpy()
    np.testing.assert_allclose(given["y"], expected, rtol=1e-6)


def test_torchscript_may_give_a_dict(tmp_path: Path) -> None:
    """Outputs of a dict are taken by their declared names."""
    path = models.scripted(models.made(models.Masked), tmp_path / "m.pt")
    mask = TensorConfig(name="mask", datatype="FP32", shape=(-1, 3))
    total = TensorConfig(name="total", datatype="FP32", shape=(-1,))
    given = load(path, inputs=(X, mask), outputs=(total,)).run(
        {"x": rows(2), "mask": np.ones((2, 3), np.float32)}, ()
    )
    np.testing.assert_allclose(given["total"], rows(2).sum(-1), rtol=1e-5)


def test_torchscript_is_cast_to_half(script: Path) -> None:
    """With dtype float16 the weights are halved, and inputs and outputs stay as declared."""
    exact = load(script, inputs=(X,), outputs=(Y,)).run({"x": rows(4)}, ())["y"]
    half = load(script, inputs=(X,), outputs=(Y,), options={"dtype": "float16"})
    given = half.run({"x": rows(4)}, ())["y"]
    assert given.dtype == np.float32
    assert not np.array_equal(given, exact)
    np.testing.assert_allclose(given, exact, atol=0.01)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "model.inputs, model.outputs: must be declared for TorchScript"),
        ({"inputs": (X,)}, "model.inputs, model.outputs: must be declared for TorchScript"),
        (
            {"inputs": (TensorConfig(name="z", datatype="FP32", shape=(-1, 8)),), "outputs": (Y,)},
            "model.inputs: must be among the arguments of forward, x, got z",
        ),
        ({"inputs": (X,), "outputs": (Y,), "options": {"half": True}}, "model.options: must be among"),
        (
            {"inputs": (X,), "outputs": (Y,), "options": {"dtype": "int8"}},
            "model.options.dtype: must be one of float32, float16, bfloat16, got 'int8'",
        ),
    ],
)
def test_torchscript_that_is_not_declared_right_is_refused(
    script: Path, settings: dict[str, Any], message: str
) -> None:
    """What is missing or wrong in the document is told by its path."""
    with pytest.raises(ModelLoadError) as caught:
        load(script, **settings)
    assert message in str(caught.value)


def test_a_wrong_number_of_outputs_is_told(script: Path) -> None:
    """One tensor where two are declared is an error of the request, not a wrong answer."""
    runtime = load(script, inputs=(X,), outputs=(Y, TensorConfig(name="z", datatype="FP32", shape=(-1,))))
    with pytest.raises(ValueError, match="must give 2 outputs as declared, got 1"):
        runtime.run({"x": rows(1)}, ())


def test_a_program_is_not_cast(linear: Path) -> None:
    """An exported program refuses dtype, and says what to do."""
    with pytest.raises(ModelLoadError, match="export the model in that type, or use autocast"):
        load(linear, options={"dtype": "float16"})


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_what_torch_save_writes_is_refused_unopened(tmp_path: Path, whole: bool, zipped: bool) -> None:
    """A pickled module or state_dict, in the old form and the new, is refused with the way to export it."""
    module = models.made(models.Linear)
    path = tmp_path / "m.pt"
    what = module if whole else module.state_dict()
    torch.save(what, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ModelLoadError, match=r"got a pickle.*torch\.export\.save"):
        load(path)


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_program_with_a_pickle_in_it_does_not_run_it(linear: Path, tmp_path: Path) -> None:
    """A program whose sample inputs hold code is refused, and the code has not run."""
    trace, bad = tmp_path / "ran", tmp_path / "bad.pt2"
    sample = io.BytesIO()
    torch.save(((Bomb(trace),), {}), sample)
    with zipfile.ZipFile(linear) as old, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as new:
        for one in old.infolist():
            inner = one.filename.partition("/")[2]
            data = sample.getvalue() if inner.startswith("data/sample_inputs/") else old.read(one)
            new.writestr("bad/" + inner, data)
    with pytest.raises(ModelLoadError):
        load(bad)
    assert not trace.exists()
    torch.load(io.BytesIO(sample.getvalue()), weights_only=False)
    assert trace.exists()  # it would have run


def test_a_damaged_file_is_told(linear: Path, tmp_path: Path) -> None:
    """A program with half of its graph missing is refused as a model that does not load."""
    bad = tmp_path / "bad.pt2"
    with zipfile.ZipFile(linear) as old, zipfile.ZipFile(bad, "w", zipfile.ZIP_STORED) as new:
        for one in old.infolist():
            data = old.read(one)
            inner = one.filename.partition("/")[2]
            new.writestr("bad/" + inner, data[: len(data) // 2] if inner.endswith("model.json") else data)
    with pytest.raises(ModelLoadError, match=r"^model\.path: must be a model that PyTorch 2\..* loads"):
        load(bad)


def test_the_first_device_that_is_there_is_taken(linear: Path) -> None:
    """Devices are an order of preference; one that is not there is passed over."""
    config = ModelConfig(name="m", format="torch", path=str(linear), providers=("cuda:99", "cpu"))
    assert load_runtime(config).memory_bytes() is None


def test_no_device_at_all_is_told(linear: Path) -> None:
    """When no device is there, each is named with its reason."""
    config = ModelConfig(name="m", format="torch", path=str(linear), providers=("cuda:99", "potato"))
    with pytest.raises(ModelLoadError, match=r"^model\.providers: .*cuda:99 \(.+\), potato \(.+\)$"):
        load_runtime(config)


def test_threads_are_the_documents(linear: Path) -> None:
    """One model call uses as many threads as the document says."""
    load(linear, threads=2)
    assert torch.get_num_threads() == 2
    load(linear, threads=1)
    assert torch.get_num_threads() == 1
