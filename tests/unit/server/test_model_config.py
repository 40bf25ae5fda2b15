"""What clients of Triton's configuration extension are told."""

from __future__ import annotations

from tonnage.server.grpc.messages import MESSAGES
from tonnage.server.oip.datatypes import DATATYPES
from tonnage.server.oip.model_config import data_type_name, data_type_number, model_config
from tonnage.server.oip.tensors import Signature, TensorSpec

INPUTS = (TensorSpec("ids", "INT64", (-1, 16)), TensorSpec("text", "BYTES", (-1, -1)))
OUTPUTS = (TensorSpec("scores", "FP32", (-1, 3)),)


def test_a_batch_dimension_is_not_among_the_dims():
    """A model that batches tells its largest batch, and dims without the batch dimension."""
    config = model_config("m", Signature("onnxruntime_onnx", INPUTS, OUTPUTS, batches=True), 32)
    assert config["max_batch_size"] == 32
    assert [tensor["dims"] for tensor in config["input"]] == [[16], [-1]]
    assert config["output"] == [{"name": "scores", "data_type": "FP32", "dims": [3]}]


def test_a_model_that_does_not_batch_says_zero():
    """Without a batch dimension all dims are told, and the largest batch is 0 as Triton has it."""
    config = model_config("m", Signature("python", INPUTS, OUTPUTS, batches=False), 1)
    assert config["max_batch_size"] == 0
    assert config["input"][0]["dims"] == [-1, 16]


def test_every_datatype_has_its_name_and_number():
    """Each datatype is in the enumeration of the .proto under the same name and number."""
    field = MESSAGES["ModelInput"].DESCRIPTOR.fields_by_name["data_type"]
    numbers = {value.name: value.number for value in field.enum_type.values}
    for datatype in DATATYPES:
        assert numbers[data_type_name(datatype)] == data_type_number(datatype)
