"""Requests and answers of the protocol, for every datatype and both forms."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tonnage.server.assemble import assemble
from tonnage.server.oip.datatypes import DATATYPES, bfloat16_from_float32, float32_from_bfloat16, join_bytes
from tonnage.server.oip.decode import RequestDecoder
from tonnage.server.oip.encode import BatchAnswers, answer_start
from tonnage.server.oip.errors import InferenceError
from tonnage.server.oip.tensors import Signature, TensorSpec

NUMBERS = [name for name in DATATYPES if name not in ("BYTES", "BF16")]
X = Signature("t", (TensorSpec("x", "FP32", (-1, 3)),), (TensorSpec("y", "FP32", (-1, 2)),), True)


def signature(datatype: str) -> Signature:
    return Signature(
        "t", (TensorSpec("x", datatype, (-1, -1)),), (TensorSpec("y", datatype, (-1, -1)),), True
    )


def body(**tensor) -> bytes:
    given = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2.5, 3], **tensor}
    return json.dumps({"inputs": [{k: v for k, v in given.items() if v is not None}]}).encode()


def arrays(datatype: str):
    shapes = st.tuples(st.integers(1, 4), st.integers(1, 4))
    dtype = DATATYPES[datatype].numpy
    elements = npst.from_dtype(dtype, allow_nan=False, allow_infinity=False) if dtype.kind == "f" else None
    return npst.arrays(dtype, shapes, elements=elements)


@given(st.sampled_from(NUMBERS).flatmap(lambda name: st.tuples(st.just(name), arrays(name))), st.data())
def test_numbers_survive_both_forms(case, data):
    """JSON (flat or nested) and binary data give the model the same array, for each datatype."""
    datatype, array = case
    decoder = RequestDecoder(signature(datatype), size_max=8)
    nested = data.draw(st.booleans())
    values = array.tolist() if nested else array.ravel().tolist()
    as_json = body(shape=list(array.shape), datatype=datatype, data=values)
    raw = array.tobytes()
    head = body(
        shape=list(array.shape), datatype=datatype, data=None, parameters={"binary_data_size": len(raw)}
    )
    for _ in range(2):  # the second time the shape is known
        one = decoder.decode_json(as_json)
        two = decoder.decode(head + raw, len(head))
        for request in (one, two):
            got = assemble(signature(datatype), [request], {})["x"]
            assert got.dtype == array.dtype
            np.testing.assert_array_equal(got, array)
            got[0, 0] = 0  # the model may write to it


@given(st.sampled_from(NUMBERS).flatmap(lambda name: st.tuples(st.just(name), arrays(name))), st.booleans())
def test_answers_survive_both_forms(case, binary):
    """Each request of a batch gets its own rows back, as JSON or binary."""
    datatype, array = case
    answers = BatchAnswers(answer_start("m", "1"), {"y": array}, signature(datatype))
    for at in range(len(array)):
        text, length = answers.body(at, 1, "id", None, binary)
        answer = json.loads(text[:length])
        assert answer["id"] == "id"
        (output,) = answer["outputs"]
        if binary:
            got = np.frombuffer(text[length:], DATATYPES[datatype].numpy)
        else:
            got = np.array(output["data"], DATATYPES[datatype].numpy)
            assert json.loads(answers.json(at, 1, "id")) == answer
            assert json.loads(answers.json(at, 1, None))["outputs"] == answer["outputs"]
        np.testing.assert_array_equal(got, array[at])


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=6))
def test_byte_strings_survive_the_binary_form(elements):
    """BYTES tensors hold any bytes when they travel as binary data."""
    decoder = RequestDecoder(signature("BYTES"), size_max=8)
    raw = join_bytes(elements)
    shape = [1, len(elements)]
    head = body(shape=shape, datatype="BYTES", data=None, parameters={"binary_data_size": len(raw)})
    array = assemble(signature("BYTES"), [decoder.decode(head + raw, len(head))], {})["x"]
    assert array.tolist() == [elements]
    assert BatchAnswers(answer_start("m", "1"), {"y": array}, signature("BYTES")).raw("y", 0, 1) == raw


@given(npst.arrays(np.float32, 5, elements=st.floats(width=32)))
def test_bfloat16_rounds_to_nearest(array):
    """A bfloat16 and back is within half a unit of its 8 bits, and NaN and infinities stay."""
    back = float32_from_bfloat16(bfloat16_from_float32(array))
    np.testing.assert_array_equal(np.isnan(back), np.isnan(array))
    normal = np.isfinite(back) & (np.abs(array) > 1e-30)
    np.testing.assert_allclose(back[normal], array[normal], rtol=2**-8)


WRONG = [
    (b"{", "body: must be a JSON inference request, got Input data was truncated"),
    (b'{"inputs":[]}', 'inputs: must hold "x" also'),
    (body(name="z"), 'input "z": must be one of "x"'),
    (body(shape=[1, 4]), 'input "x": shape must be [-1,3], got [1,4]'),
    (body(shape=[3]), 'input "x": shape must be [-1,3], got [3]'),
    (body(shape=[0, 3]), 'input "x": the batch (first dimension) must hold 1 to 8 items, got 0'),
    (body(shape=[9, 3]), 'input "x": the batch (first dimension) must hold 1 to 8 items, got 9'),
    (body(datatype="INT8"), 'input "x": datatype must be FP32, got INT8'),
    (body(data=[1, 2]), 'input "x": data must hold 3 elements for its shape, got 2'),
    (body(data=[1, "a", 3]), "input \"x\": data[1] must be a number in the range of FP32, got 'a'"),
    (body(data=[1, 1e300, 3]), 'input "x": data[1] must be a number in the range of FP32, got 1e+300'),
    (body(data=None), 'input "x": must have data, or binary_data_size and binary data'),
    (
        body(data=[[1, 2], [3]]),
        'input "x": data must be flat or nested as its shape [1,3], got 2 elements where 1 belong at depth 0',
    ),
]


@pytest.mark.parametrize(("raw", "message"), WRONG)
def test_errors_name_the_tensor_and_what_was_expected(raw, message):
    """Each mistake has its own message, word for word."""
    with pytest.raises(InferenceError) as caught:
        RequestDecoder(X, size_max=8).decode_json(raw)
    assert caught.value.message == message


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["inputs", "name", "shape", "datatype", "data", "id", "outputs"]),
                        inner, max_size=5), max_leaves=20))  # fmt: skip
def test_any_json_is_a_request_or_an_error(document):
    """Nothing but an InferenceError leaves the decoder."""
    try:
        RequestDecoder(X, size_max=8).decode_json(json.dumps(document).encode())
    except InferenceError as error:
        assert error.fault.http_status == 400


def test_padding_fills_up_to_the_longest():
    """Inputs that the model lets us pad share a batch, filled with the given value."""
    decoder = RequestDecoder(signature("INT64"), size_max=8, padded=frozenset({"x"}))
    requests = [
        decoder.decode(body(shape=[1, n], datatype="INT64", data=list(range(1, n + 1)))) for n in (2, 3)
    ]
    assert requests[0].group == requests[1].group
    batch = assemble(signature("INT64"), requests, {"x": -1.0})["x"]
    assert batch.tolist() == [[1, 2, -1], [1, 2, 3]]


def test_other_shapes_are_kept_apart_without_padding():
    """Requests of different shapes are of different groups."""
    decoder = RequestDecoder(signature("INT64"), size_max=8)
    groups = [decoder.decode(body(shape=[1, n], datatype="INT64", data=[0] * n)).group for n in (2, 3, 2)]
    assert groups[0] == groups[2] != groups[1]
