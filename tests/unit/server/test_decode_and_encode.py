"""The short and the long way through the protocol agree, and every mistake is told."""

from __future__ import annotations

import gzip
import json
import math
import struct
from unittest.mock import Mock

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.server.oip.datatypes import DATATYPES, PACK_ELEMENTS_MAX
from tonnage.server.oip.decode import InferRequest, RequestDecoder
from tonnage.server.oip.encode import BatchAnswers, answer_start
from tonnage.server.oip.errors import Fault, InferenceError
from tonnage.server.oip.parameters import timeout_s
from tonnage.server.oip.tensors import Signature, TensorSpec, WantedOutput

FIXED = Signature("t", (TensorSpec("x", "FP32", (-1, 3)),), (TensorSpec("y", "FP32", (-1, 2)),), True)
VARYING = Signature("t", (TensorSpec("x", "INT64", (-1, -1)),), (), True)
TWO = Signature(
    "t", (TensorSpec("a", "FP32", (-1, 2)), TensorSpec("b", "INT32", (-1, 1))), (TensorSpec("y", "FP32", (-1,)),), True
)  # fmt: skip


def one(datatype: str, shape: tuple[int, ...] = (-1, -1)) -> Signature:
    return Signature("t", (TensorSpec("x", datatype, shape),), (), True)


def message(signature: Signature, body: bytes, json_length: int | None = None) -> str:
    decoder = RequestDecoder(signature, size_max=8)
    with pytest.raises(InferenceError) as caught:
        decoder.decode_json(body) if json_length is None else decoder.decode(body, json_length)
    assert caught.value.fault is Fault.BAD_REQUEST
    return caught.value.message


def x(**fields: object) -> bytes:
    """A request for FIXED; None takes a field away."""
    given_ = {"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1, 2, 3], **fields}
    return json.dumps({"inputs": [{k: v for k, v in given_.items() if v is not None}]}).encode()


def outcome(way, body: bytes) -> object:
    try:
        request: InferRequest = way(body)
    except InferenceError as error:
        return error.message
    return (
        request.id, [(t.shape, bytes(t.data)) for t in request.tensors], request.items, request.group,
        request.wanted, request.binary, request.parameters,
    )  # fmt: skip


VALUES = st.one_of(st.integers(-5, 5), st.floats(allow_nan=False, width=32), st.booleans(), st.none(),
                   st.integers(), st.text(max_size=2))  # fmt: skip


@st.composite
def bodies(draw):
    """Requests that are right, nearly right or wrong in one field."""
    rows, columns = draw(st.integers(0, 9)), draw(st.integers(0, 3))
    count = rows * columns + draw(st.sampled_from([0, 0, 0, 1]))
    values = draw(st.sampled_from([st.integers(-5, 5), VALUES]))
    tensor: dict[str, object] = {
        "name": draw(st.sampled_from(["x", "x", "y"])),
        "shape": [rows, columns],
        "datatype": draw(st.sampled_from(["FP32", "INT64"])),
        "data": draw(st.lists(values, min_size=count, max_size=count)),
    }
    document: dict[str, object] = {"inputs": [tensor] * draw(st.sampled_from([1, 1, 1, 2]))}
    for name, choices in (
        ("id", ["a", 1]),
        ("parameters", [{}, {"binary_data_output": True}]),
        ("outputs", [[]]),
    ):
        if draw(st.integers(0, 4)) == 0:
            document[name] = draw(st.sampled_from(choices))
    return json.dumps(document).encode()


@given(st.lists(bodies(), min_size=1, max_size=5), st.sampled_from([FIXED, VARYING]))
def test_the_short_way_decodes_as_the_long_way(sent, signature):
    """decode_json gives what decode gives, group included, for known and unknown shapes alike."""
    short, long = RequestDecoder(signature, size_max=8), RequestDecoder(signature, size_max=8)
    for body in sent:
        assert outcome(short.decode_json, body) == outcome(long.decode, body)
        assert outcome(short.decode_json, body) == outcome(long.decode, body)


@given(st.integers(1, 4), st.integers(0, 3), st.one_of(st.none(), st.text(max_size=5)), st.data())
def test_the_short_way_answers_as_the_long_way(rows, columns, request_id, data):
    """BatchAnswers.json and body give the same bytes, and JSON that can be parsed, for any shape."""
    count = data.draw(st.integers(1, 2))
    outputs = {f"y{i}": np.arange(rows * columns, dtype="<f4").reshape(rows, columns) for i in range(count)}
    answers = BatchAnswers(answer_start("m", "1"), outputs, Signature("t", (), (), True))
    at = data.draw(st.integers(0, rows - 1))
    items = data.draw(st.integers(1, rows - at))
    short = answers.json(at, items, request_id)
    assert (short, None) == answers.body(at, items, request_id, None, False)
    document = json.loads(short)
    assert document.get("id") == request_id
    for got in document["outputs"]:
        assert got["shape"] == [items, columns]
        assert got["data"] == outputs[got["name"]][at : at + items].ravel().tolist()


@pytest.mark.parametrize("name", [n for n, d in DATATYPES.items() if d.json == "int"])
def test_integers_reach_their_bounds_and_not_beyond(name):
    """Each integer type takes its least and greatest value and refuses the next, naming it."""
    info = np.iinfo(DATATYPES[name].numpy)
    signature = one(name)
    for value in (info.min, info.max):
        body = json.dumps({"inputs": [{"name": "x", "shape": [1, 1], "datatype": name, "data": [value]}]})
        request = RequestDecoder(signature, size_max=8).decode_json(body.encode())
        assert np.frombuffer(request.tensors[0].data, DATATYPES[name].numpy)[0] == value
    for value in (info.min - 1, info.max + 1, 10**30, 1.0, True, None, "1"):
        body = json.dumps({"inputs": [{"name": "x", "shape": [1, 1], "datatype": name, "data": [value]}]})
        assert message(signature, body.encode()).startswith(
            f'input "x": data[0] must be a whole number in the range of {name}, got '
        )


@pytest.mark.parametrize("count", [2, PACK_ELEMENTS_MAX + 1])
@pytest.mark.parametrize("name", ["BOOL", "INT32", "FP16", "BF16", "FP32", "FP64"])
@pytest.mark.parametrize("value", ["1.5", None, [1], {}, 1e300, True, 2])
def test_large_tensors_are_as_strict_as_small_ones(count, name, value):
    """A value is taken or refused for what it is, however many stand beside it."""
    takes = {
        "BOOL": value is True,
        "INT32": type(value) is int,
        "FP64": type(value) in (int, float),
    }.get(name, type(value) is int)
    data = [0] * (count - 1) + [value]
    if name == "BOOL":
        data = [False] * (count - 1) + [value]
    body = json.dumps(
        {"inputs": [{"name": "x", "shape": [1, count], "datatype": name, "data": data}]}
    ).encode()
    if takes:
        request = RequestDecoder(one(name), size_max=8).decode_json(body)
        assert len(request.tensors[0].data) == count * DATATYPES[name].size_bytes
    else:
        told = message(one(name), body)
        assert told.startswith('input "x": data')
        assert name in told or "flat" in told


LONG = "1" * 4000
WRONG = [
    (FIXED, b"\xff", None),
    (FIXED, b'{"inputs":[{"name":"\xff"}]}', None),
    (FIXED, b'{"id":"\xff","inputs":[]}', None),
    (FIXED, b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[NaN,1,2]}]}', None),
    (FIXED, b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[Infinity,1,2]}]}', None),
    (FIXED, b'{"id":"\\ud800","inputs":[]}', None),
    (FIXED, b"[" * 100_000, None),
    (FIXED, b'{"inputs":[],"extra":' + b"[" * 200_000 + b"]" * 200_000 + b"}", None),
    (FIXED, b'{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":' + b"[" * 5000 + b"]" * 5000 + b"}]}",
     None),
    (FIXED, f'{{"inputs":[{{"name":"x","shape":[1,{LONG}],"datatype":"FP32","data":[1]}}]}}'.encode(), None),
    (VARYING, f'{{"inputs":[{{"name":"x","shape":[{LONG},{LONG}],"datatype":"INT64","data":[1]}}]}}'.encode(), None),
    (FIXED, x(shape=[1, -3]), 'input "x": shape must be [-1,3], got [1,-3]'),
    (FIXED, x(data=[True, 2, 3]), 'input "x": data[0] must be a number in the range of FP32, got True'),
    (FIXED, x(data=[1, None, 3]), 'input "x": data[1] must be a number in the range of FP32, got None'),
    (FIXED, x(data="abc"), 'input "x": data must be an array, got str'),
    (FIXED, x(name="xs"), 'input "xs": must be one of "x"; did you mean "x"?'),
    (FIXED, x(parameters={"binary_data_size": 12}), 'input "x": must have data or binary_data_size, got both'),
    (FIXED, x(parameters={"binary_data_size": True}, data=None),
     'input "x": binary_data_size must be a whole number >= 0, got True'),
    (FIXED, x(parameters={"binary_data_size": -1}, data=None),
     'input "x": binary_data_size must be a whole number >= 0, got -1'),
    (FIXED, x(parameters={"binary_data_size": 12}, data=None),
     'input "x": binary_data_size must be within the body, got 12 of 0'),
    (FIXED, x(parameters={"shared_memory_region": "r"}, data=None),
     'input "x": shared memory is not supported here; send the data in the body'),
    (FIXED, json.dumps({"inputs": [json.loads(x())["inputs"][0]] * 2}).encode(), 'input "x": must be given once'),
    (FIXED, json.dumps({"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32"}] * 65}).encode(),
     "inputs: must be at most 64 tensors, got 65"),
    (TWO, b'{"inputs":[]}', 'inputs: must hold "a", "b" also'),
    (TWO, json.dumps({"inputs": [
        {"name": "a", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]},
        {"name": "b", "shape": [1, 1], "datatype": "INT32", "data": [1]}]}).encode(),
     'input "b": must hold as many items as input "a", got 1 and 2'),
    (TWO, json.dumps({"inputs": [
        {"name": "a", "shape": [1, 2], "datatype": "FP32", "data": [1, False]},
        {"name": "b", "shape": [1, 1], "datatype": "INT32", "data": [1]}]}).encode(),
     'input "a": data[1] must be a number in the range of FP32, got False'),
]  # fmt: skip


@pytest.mark.parametrize(("signature", "body", "text"), WRONG)
def test_mistakes_are_told_word_for_word(signature, body, text):
    """Whatever is wrong becomes a 400 that names the tensor; where no text is given, any 400 will do."""
    told = message(signature, body)
    assert text is None or told == text
    assert len(told) < 10_000


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ([{"name": "z"}], 'output "z": must be one of "y"'),
        ([{"name": "y"}, {"name": "y"}], 'output "y": must be asked for once'),
        ([{"name": "y", "parameters": {"classification": 3}}],
         'output "y": parameter "classification" is not supported here'),
        ([{"name": "y"}] * 65, "outputs: must be at most 64 tensors, got 65"),
    ],
)  # fmt: skip
def test_outputs_that_cannot_be_given_are_refused(outputs, text):
    """An output asked for must be one that the model has."""
    assert message(FIXED, json.dumps({**json.loads(x()), "outputs": outputs}).encode()) == text


class TestBinary:
    """The binary tensor extension on the way in."""

    def send(
        self, size: int, blob: bytes, signature: Signature = FIXED, shape: tuple[int, ...] = (1, 3)
    ) -> object:
        spec = signature.inputs[0]
        tensor = {
            "name": "x",
            "shape": shape,
            "datatype": spec.datatype,
            "parameters": {"binary_data_size": size},
        }
        head = json.dumps({"inputs": [tensor]}).encode()
        return RequestDecoder(signature, size_max=8).decode(head + blob, len(head))

    def told(self, *arguments: object) -> str:
        with pytest.raises(InferenceError) as caught:
            self.send(*arguments)  # type: ignore[arg-type]
        return caught.value.message

    def test_nan_and_infinity_travel(self):
        """What JSON cannot say, binary data can."""
        blob = struct.pack("<3f", math.nan, math.inf, -0.0)
        assert bytes(self.send(12, blob).tensors[0].data) == blob  # type: ignore[attr-defined]

    def test_sizes_must_agree(self):
        """Too few, too many and left-over bytes are refused by name."""
        assert self.told(8, bytes(8)) == (
            'input "x": binary data must be 12 bytes for 3 elements of FP32, got 8'
        )
        assert self.told(12, bytes(15)) == "body: must end with its last tensor, got 3 bytes over"

    def test_byte_strings_must_add_up(self):
        """A length that points outside the data, and too few elements, are refused."""
        signature = one("BYTES")
        assert self.told(6, b"\xff\xff\xff\xffab", signature, (1, 1)) == (
            'input "x": element 0 must fit into the tensor\'s data, got a length of 4294967295 with 2 bytes left'
        )
        assert self.told(5, b"\x01\0\0\0a", signature, (1, 2)) == (
            'input "x": must hold 2 elements, each behind its 4-byte length, got 1 and 0 bytes over'
        )

    def test_the_json_part_must_lie_within_the_body(self):
        """A JSON length beyond the body is refused."""
        assert message(FIXED, x(), 10_000) == (
            f"header inference-header-content-length: must be at most the body's length {len(x())}, got 10000"
        )


class TestAnswers:
    """What the model gives becomes what was announced."""

    SIGNATURE = Signature("t", (), (TensorSpec("y", "FP32", (-1, 2)),), True)

    def test_float64_for_a_declared_fp32_travels_as_float32(self):
        """Binary data are of the announced type, though numpy computed in float64."""
        answers = BatchAnswers(b"{", {"y": np.array([[1.5, 2.5]])}, self.SIGNATURE)
        assert answers.raw("y", 0, 1) == struct.pack("<2f", 1.5, 2.5)

    def test_big_endian_arrays_are_turned(self):
        """Elements travel little-endian whatever the model holds them in."""
        answers = BatchAnswers(b"{", {"y": np.array([[1, 2]], ">f4")}, self.SIGNATURE)
        assert answers.raw("y", 0, 1) == struct.pack("<2f", 1, 2)
        assert b'"data":[1.0,2.0]' in answers.json(0, 1, None)

    @pytest.mark.parametrize("array", [np.array([[1j, 2j]]), np.array([["a", "b"]], object)])
    def test_another_kind_is_the_models_fault(self, array):
        """Complex numbers or objects for a declared FP32 are a 500 that names the output."""
        with pytest.raises(InferenceError) as caught:
            BatchAnswers(b"{", {"y": array}, self.SIGNATURE)
        assert caught.value.fault is Fault.MODEL
        assert caught.value.message == f'output "y": must be FP32 as declared, got {array.dtype}'

    def test_a_type_without_a_name_is_the_models_fault(self):
        """An undeclared output of a type that the protocol lacks is a 500 that names it."""
        with pytest.raises(
            InferenceError, match='output "z": must be of a protocol datatype, got complex128'
        ):
            BatchAnswers(b"{", {"z": np.array([1j])}, self.SIGNATURE)

    def test_not_a_number_is_null_in_json(self):
        """JSON has no NaN: it reads null, and binary data keep it."""
        answers = BatchAnswers(answer_start("m", "1"), {"y": np.array([[np.nan, 1]], "f4")}, self.SIGNATURE)
        assert json.loads(answers.json(0, 1, None))["outputs"][0]["data"] == [None, 1.0]

    def test_bytes_that_are_no_text_need_binary(self):
        """A BYTES output that is not UTF-8 is refused in JSON with the way out, and given as binary."""
        signature = Signature("t", (), (TensorSpec("y", "BYTES", (-1,)),), True)
        answers = BatchAnswers(b"{", {"y": np.array([b"\xff"], object)}, signature)
        with pytest.raises(InferenceError, match='output "y": is not UTF-8 text; ask for it with'):
            answers.json(0, 1, None)
        body, length = answers.body(0, 1, None, (WantedOutput("y", True),), False)
        assert length is not None
        assert body[length:] == b"\x01\0\0\0\xff"


def test_decompression_is_bounded():
    """A small body that swells beyond the limit is refused with 413; a cut or false one with 400."""
    from tonnage.server.http.special import decompressed

    packed = gzip.compress(b"a" * 1000)
    assert decompressed({b"content-encoding": b"GZIP"}, packed, 1000) == b"a" * 1000
    for coding, data, limit, status in (
        (b"gzip", packed, 999, 413),
        (b"gzip", packed[:-1], 1000, 400),
        (b"gzip", packed + b"more", 1000, 400),
        (b"gzip", b"nonsense", 1000, 400),
        (b"br", packed, 1000, 415),
    ):
        with pytest.raises(InferenceError) as caught:
            decompressed({b"content-encoding": coding}, data, limit)
        assert caught.value.fault.http_status == status


JSON_ONCE = {
    "BYTES": ["a", "b"],
    "BOOL": [True, False],
    "BF16": [1.0, 2.0],
    "FP32": [1.0, 2.0],
}


@pytest.mark.parametrize(("datatype", "data"), JSON_ONCE.items())
def test_a_body_is_parsed_once(datatype, data, monkeypatch):
    """Whatever the datatype, a flat JSON request is parsed once, and tensors beyond the packers' size too."""
    for count in (2, 2 * PACK_ELEMENTS_MAX):
        spec = TensorSpec("x", datatype, (-1, count))
        decoder = RequestDecoder(Signature("test", (spec,), (), True), size_max=4)
        typed = Mock(wraps=decoder._decode_typed)
        monkeypatch.setattr(decoder, "_decode_typed", typed)
        monkeypatch.setattr(decoder, "_decode_any", None)
        tensor = {"name": "x", "shape": [1, count], "datatype": datatype, "data": data * (count // 2)}
        for calls in (1, 2):  # of a shape that is new, and of one seen before
            assert decoder.decode_json(orjson.dumps({"inputs": [tensor]})).items == 1
            assert typed.call_count == calls


def test_nested_data_is_parsed_in_the_general_form_once():
    """Nested data costs one attempt in the usual form and one in the general one."""
    spec = TensorSpec("x", "FP32", (-1, 2))
    decoder = RequestDecoder(Signature("test", (spec,), (), True), size_max=4)
    calls = []
    typed, general = decoder._decode_typed, decoder._decode_any
    decoder._decode_typed = lambda body: calls.append("typed") or typed(body)
    decoder._decode_any = lambda body: calls.append("general") or general(body)
    decoder.decode_json(b'{"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}]}')
    assert calls == ["typed", "general"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"parameters": {"binary_data_output": "yes"}},
            "parameters: binary_data_output must be true or false",
        ),
        (
            {"outputs": [{"name": "y", "parameters": {"binary_data": "false"}}]},
            'output "y": binary_data must be',
        ),
        ({"outputs": [{"name": "y", "parameters": {"binary_data": 1}}]}, 'output "y": binary_data must be'),
        (
            {"outputs": [{"name": "y", "parameters": {"classification": 3}}]},
            '"classification" is not supported',
        ),
    ],
)
def test_parameters_that_are_obeyed_are_checked(more, message):
    """A flag that is no truth value is refused, and never read as one."""
    decoder = RequestDecoder(
        Signature("test", (TensorSpec("x", "FP32", (-1, 1)),), (TensorSpec("y", "FP32", (-1, 1)),), True),
        size_max=4,
    )
    one = {"name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1]}
    for decode in (decoder.decode, decoder.decode_json):
        with pytest.raises(InferenceError, match=message):
            decode(orjson.dumps({"inputs": [one], **more}))


def test_binary_truth_values_are_0_or_1():
    """Bytes that are no truth value are refused: numpy would reckon wrongly with them."""
    spec = TensorSpec("x", "BOOL", (-1, 3))
    decoder = RequestDecoder(Signature("test", (spec,), (), True), size_max=4)
    head = orjson.dumps(
        {
            "inputs": [
                {"name": "x", "shape": [1, 3], "datatype": "BOOL", "parameters": {"binary_data_size": 3}}
            ]
        }
    )
    assert bytes(decoder.decode(head + b"\0\1\1", len(head)).tensors[0].data) == b"\0\1\1"
    with pytest.raises(InferenceError, match="must be bytes of 0 or 1"):
        decoder.decode(head + b"\0\2\1", len(head))


@pytest.mark.parametrize("value", [None, 0, 7, 2**70])
def test_a_timeout_is_microseconds(value):
    """A timeout is read in seconds; none, 0 and what is beyond every clock are no timeout."""
    given_s = timeout_s({} if value is None else {"timeout": value})
    assert given_s == (7e-6 if value == 7 else math.inf)


@pytest.mark.parametrize("value", ["1", -1, 1.5, True, None])
def test_a_false_timeout_is_refused(value):
    """A timeout that is no whole number of microseconds is refused instead of ignored."""
    with pytest.raises(InferenceError, match="timeout must be whole microseconds"):
        timeout_s({"timeout": value})


def test_a_truth_value_is_no_whole_number_on_the_short_way_either():
    """A shape seen before does not let through a value that the first request would be refused for."""
    signature = Signature("t", (TensorSpec("x", "INT64", (-1, 1)),), (), True)
    decoder = RequestDecoder(signature, size_max=4)
    body = b'{"inputs": [{"name": "x", "shape": [1, 1], "datatype": "INT64", "data": [%s]}]}'
    decoder.decode_json(body % b"1")
    with pytest.raises(InferenceError, match="whole number"):
        decoder.decode_json(body % b"false")
