"""The scalar fields of a document: exact text forms tied to pydantic and to JSON Schema.

Parsing lives in ``units`` and ``kube.quantity``; here is only what a field of a document adds: bounds,
the wording of a refusal with its next step, and the pattern that an editor checks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import BaseModel as PydanticModel
from pydantic import ConfigDict, Field, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tonnage.kube.quantity import QUANTITY_PATTERN, Quantity, QuantityError, parse_quantity
from tonnage.units import (
    COUNT_PATTERN,
    DURATION_PATTERN,
    Duration,
    Rate,
    UnitError,
    parse_count,
    parse_duration,
    parse_rate,
)

_SAMPLE_DEPTH_MAX: Final = 16

REFUSED: Final = "refused"
"""The pydantic error type of every refusal worded here; its context holds ``what`` and ``hint``."""


def refusal(what: str, hint: str | None = None) -> PydanticCustomError:
    """Makes the error that a field's parser raises: what must hold, and the next step."""
    return PydanticCustomError(REFUSED, "{what}", {"what": what, "hint": hint})


class Part(PydanticModel):
    """A mapping of a document: frozen, camelCase in text, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class _Unmade:
    """The class of no value."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scalar:
    """Ties a parser of text or number to a field.

    Attributes:
        parse: Turns what the document holds into the value; raises through ``refusal``.
        kind: The class of the value, which passes unparsed but not unchecked; ``_Unmade`` where text and
            value are of one class and every value is parsed.
        schema: The field's JSON Schema.
        check: Looks at the value and raises through ``refusal``.
    """

    parse: Callable[[Any], Any]
    kind: type
    schema: dict[str, Any]
    check: Callable[[Any], None] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Takes the place of pydantic's own validation of the field."""
        return core_schema.no_info_plain_validator_function(
            self._validate, serialization=core_schema.plain_serializer_function_ser_schema(_to_text)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Answers the pattern for editors."""
        return dict(self.schema)

    def _validate(self, given: Any) -> Any:
        value = given if type(given) is self.kind else self.parse(given)
        if self.check is not None:
            self.check(value)
        return value


def _to_text(value: Any) -> Any:
    if isinstance(value, tuple) and all(isinstance(item, Duration) for item in value):
        return [str(item) for item in value]
    return str(value) if isinstance(value, Duration | Rate | Quantity) else value


def _plain_text(given: Any, form: str) -> str:
    """The text of a number or string; anything else is refused with ``form`` as what must hold."""
    if isinstance(given, str):
        return given
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise refusal(form)
    return str(given) if isinstance(given, int) else format(Decimal(str(given)), "f")


def _duration(given: Any) -> Duration:
    text = _plain_text(given, "must be a duration with a unit, such as 100ms, 30s or 5m")
    try:
        return parse_duration(text)
    except UnitError as error:
        raise refusal(str(error), error.hint) from None


def _durations(given: Any) -> tuple[Duration, ...]:
    """One duration, or a list of measured ones, in any order; kept in order of length."""
    if not isinstance(given, list | tuple):
        return (_duration(given),)
    if not given:
        raise refusal("must hold at least one duration")
    return tuple(sorted(item if isinstance(item, Duration) else _duration(item) for item in given))


def _json_value(given: Any, depth_left: int = _SAMPLE_DEPTH_MAX) -> Any:
    if depth_left == 0:
        raise refusal(f"must be nested at most {_SAMPLE_DEPTH_MAX} deep")
    if isinstance(given, dict):
        return {str(key): _json_value(value, depth_left - 1) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_json_value(value, depth_left - 1) for value in given]
    return given if given is None else _option(given)


def _json_mapping(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise refusal("must be a mapping")
    value: dict[str, Any] = _json_value(given)
    return value


def _rate(given: Any) -> Rate:
    try:
        return parse_rate(_plain_text(given, "must be a number such as 500, 10k or 1.5M"))
    except UnitError as error:
        raise refusal(str(error), error.hint) from None


def _count(given: Any) -> int:
    try:
        return parse_count(_plain_text(given, "must be a whole number such as 500 or 10k"))
    except UnitError as error:
        raise refusal(str(error), error.hint) from None


def _quantity(given: Any) -> Quantity:
    try:
        return parse_quantity(_plain_text(given, "must be a quantity such as 2, 500m or 4Gi"))
    except QuantityError as error:
        raise refusal(str(error), _quantity_hint(given)) from None


def _quantity_hint(given: Any) -> str | None:
    """Recognises the everyday spellings of byte suffixes: 4GB, 4gb, 4 Gi, 512mi."""
    match = re.fullmatch(r"([0-9.]+) ?([kKmMgGtT])i?[bB]?", given) if isinstance(given, str) else None
    return f'did you mean "{match[1]}{match[2].upper()}i"?' if match else None


def _duration_range(low: Duration, high: Duration | None, whole: bool) -> Callable[[Duration], None]:
    def check(value: Duration) -> None:
        if whole and not value.is_whole_seconds:
            raise refusal("must be a whole number of seconds, as Kubernetes counts them")
        if value < low:
            raise refusal("must be longer than 0s" if low.nanoseconds == 1 else f"must be at least {low}")
        if high is not None and value > high:
            raise refusal(f"must be at most {high}")

    return check


def _duration_scalar(low: str = "0s", high: str | None = None, *, whole: bool = False) -> _Scalar:
    limit = parse_duration(high) if high else None
    schema = {"type": "string", "pattern": DURATION_PATTERN, "examples": ["100ms", "30s", "5m"]}
    return _Scalar(_duration, Duration, schema, _duration_range(parse_duration(low), limit, whole))


_QUANTITY_SCHEMA: Final = {"anyOf": [{"type": "string", "pattern": QUANTITY_PATTERN}, {"type": "number"}]}
_COUNT_SCHEMA: Final = {
    "anyOf": [{"type": "string", "pattern": COUNT_PATTERN}, {"type": "integer", "minimum": 0}]
}
_RATE_SCHEMA: Final = {
    "anyOf": [{"type": "string", "pattern": COUNT_PATTERN}, {"type": "number", "exclusiveMinimum": 0}]
}


_RATE_OR_ZERO_SCHEMA: Final = {
    "anyOf": [{"type": "string", "pattern": COUNT_PATTERN}, {"type": "number", "minimum": 0}]
}
_DURATION_SCHEMA: Final = {"type": "string", "pattern": DURATION_PATTERN}


def _check_rate(value: Rate) -> None:
    if value.exact_per_second <= Fraction(0):
        raise refusal("must be greater than 0")


def _check_amount(value: Quantity) -> None:
    if value.nano < 0:
        raise refusal("must be >= 0")


def _check_number(value: float) -> None:
    if value < 0:
        raise refusal("must be >= 0")


def _check_positive(value: int) -> None:
    if value < 1:
        raise refusal("must be at least 1")


def _check_cpu(value: Quantity) -> None:
    if value.nano <= 0:
        raise refusal("must be greater than 0")
    if value.nano % 10**6:
        raise refusal("must be a multiple of 1m, the finest that Kubernetes takes for CPU")


def _check_memory(value: Quantity) -> None:
    if not value.is_whole:
        raise refusal("must be a whole number of bytes", "m means thousandths; Mi means mebibytes")
    if value.value < 2**20:
        raise refusal("must be at least 1Mi", f'did you mean "{value.value}Gi"?' if value.value > 0 else None)


def _check_bytes(value: Quantity) -> None:
    if not value.is_whole or value.nano <= 0:
        raise refusal("must be a whole number of bytes, at least 1")


def _check_positive_quantity(value: Quantity) -> None:
    if value.nano <= 0:
        raise refusal("must be greater than 0")


def _check_ratio(value: Quantity) -> None:
    if value.nano < 0 or value.milli_value > 1000:
        raise refusal("must be from 0 to 1, such as 0.1 for 10%")


def _number(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        raise refusal("must be a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refusal("must be a finite number")
    return number


def _option(given: Any) -> str | bool | int | float:
    if isinstance(given, str | bool | int):
        return given
    if not isinstance(given, float | Decimal):
        raise refusal("must be a string, a number, true or false")
    return _number(given)


def _elements(given: Any, depth_left: int = _SAMPLE_DEPTH_MAX) -> tuple[Any, ...]:
    """Reads tensor data, nested or flat: strings, numbers and truth values in lists."""
    if not isinstance(given, list | tuple) or depth_left == 0:
        raise refusal(f"must be a list of elements, nested at most {_SAMPLE_DEPTH_MAX} deep")
    return tuple(
        _elements(element, depth_left - 1) if isinstance(element, list | tuple) else _option(element)
        for element in given
    )


def text_form(pattern: str, what: str, hint: str | None = None, *, length_max: int = 253) -> _Scalar:
    """Makes a string field of one form.

    Args:
        pattern: Regular expression that the whole string must match.
        what: What must hold, for the message.
        hint: The next step, for the message.
        length_max: Characters at most.
    """
    compiled = re.compile(pattern)

    def parse(given: Any) -> str:
        if not isinstance(given, str):
            raise refusal("must be a string", QUOTE_HINT)
        if len(given) > length_max or compiled.fullmatch(given) is None:
            raise refusal(what, hint)
        return given

    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": length_max}
    return _Scalar(parse, _Unmade, schema)


QUOTE_HINT: Final = "put it in quotes"
"""The next step where YAML read a number or a truth value and a string is wanted."""

AnyDuration = Annotated[Duration, _duration_scalar()]
PositiveDuration = Annotated[Duration, _duration_scalar("1ns")]
WholeSeconds = Annotated[Duration, _duration_scalar(whole=True)]
PositiveWholeSeconds = Annotated[Duration, _duration_scalar("1s", whole=True)]
StabilizationWindow = Annotated[Duration, _duration_scalar(high="1h", whole=True)]
PolicyPeriod = Annotated[Duration, _duration_scalar("1s", "30m", whole=True)]

PositiveRate = Annotated[Rate, _Scalar(_rate, Rate, _RATE_SCHEMA, _check_rate)]
PositiveCount = Annotated[int, _Scalar(_count, _Unmade, _COUNT_SCHEMA, _check_positive)]

Cpu = Annotated[Quantity, _Scalar(_quantity, Quantity, _QUANTITY_SCHEMA, _check_cpu)]
Memory = Annotated[Quantity, _Scalar(_quantity, Quantity, _QUANTITY_SCHEMA, _check_memory)]
Bytes = Annotated[Quantity, _Scalar(_quantity, Quantity, _QUANTITY_SCHEMA, _check_bytes)]
PositiveQuantity = Annotated[
    Quantity, _Scalar(_quantity, Quantity, _QUANTITY_SCHEMA, _check_positive_quantity)
]
Ratio = Annotated[Quantity, _Scalar(_quantity, Quantity, _QUANTITY_SCHEMA, _check_ratio)]

Amount = Annotated[Quantity, _Scalar(_quantity, Quantity, _QUANTITY_SCHEMA, _check_amount)]
AnyRate = Annotated[Rate, _Scalar(_rate, Rate, _RATE_OR_ZERO_SCHEMA)]
Durations = Annotated[
    tuple[Duration, ...],
    _Scalar(
        _durations,
        _Unmade,
        {"anyOf": [_DURATION_SCHEMA, {"type": "array", "items": _DURATION_SCHEMA, "minItems": 1}]},
    ),
]
"""A time that differs from one to the next: one value, or the values that were measured."""
JsonMapping = Annotated[dict[str, Any], _Scalar(_json_mapping, _Unmade, {"type": "object"})]
"""A piece of another document, such as a patch; read as it is."""

NonNegative = Annotated[float, _Scalar(_number, _Unmade, {"type": "number", "minimum": 0}, _check_number)]
Number = Annotated[float, _Scalar(_number, _Unmade, {"type": "number"})]
OptionValue = Annotated[
    str | bool | int | float,
    _Scalar(_option, _Unmade, {"type": ["string", "number", "boolean"]}),
]
SampleData = Annotated[tuple[Any, ...], _Scalar(_elements, _Unmade, {"type": "array"})]

Whole = Annotated[int, Field(strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=4096)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
Percentage = Annotated[int, Field(strict=True, ge=1, le=100)]

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"

ServiceName = Annotated[
    str,
    text_form(
        r"[a-z]([-a-z0-9]*[a-z0-9])?",
        'must be at most 63 lowercase letters, digits or "-", begin with a letter and not end with "-"',
        "it names a Kubernetes Service (RFC 1035 label)",
        length_max=63,
    ),
]
DnsLabel = Annotated[
    str,
    text_form(
        _LABEL,
        'must be at most 63 lowercase letters, digits or "-", and not begin or end with "-"',
        "RFC 1123 label",
        length_max=63,
    ),
]
DnsSubdomain = Annotated[
    str, text_form(_SUBDOMAIN, "must be RFC 1123 labels joined by dots, at most 253 characters")
]
LabelKey = Annotated[
    str,
    text_form(
        rf"({_SUBDOMAIN}/)?{_QUALIFIED}",
        "must be a label key such as team or example.com/team",
        length_max=317,
    ),
]
LabelValue = Annotated[
    str,
    text_form(
        rf"({_QUALIFIED})?",
        'must be at most 63 letters, digits, "-", "_" or ".", begin and end with a letter or digit',
        length_max=63,
    ),
]
UrlPath = Annotated[str, text_form(r"/[!-~]*", 'must be an HTTP path that begins with "/"', length_max=1024)]
