"""The expressions by which device classes and claims select devices, as far as they are commonly written.

Selectors are CEL. Of it this reads what selectors of devices consist of: ``device.driver``, attributes and
capacities of a domain, comparisons, ``in``, ``&&``, ``||``, ``!``, parentheses, the string functions
``startsWith``, ``endsWith``, ``contains``, ``matches`` and ``lowerAscii``, and ``compareTo``,
``isGreaterThan`` and ``isLessThan`` of quantities. Everything else is refused rather than guessed at, so that
whoever counts devices can say that a selector was not understood.

An attribute that a device lacks is an error in CEL, and a device for which the expression fails is not
selected; the same comes out here.

Source: k8s.io/dynamic-resource-allocation v0.37.2, cel/compile.go (the variable ``device``);
github.com/google/cel-spec doc/langdef.md (grammar).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tonnage.kube.quantity import Quantity, QuantityError, parse_quantity

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<text>r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*")|(?P<number>-?\d+)|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<mark>&&|\|\||[=!<>]=|[<>!().,\[\]]))"""
)
_LENGTH_MAX: Final = 10 * 1024
"""Characters of an expression; Kubernetes takes no longer ones."""
_DEPTH_MAX: Final = 50
_OF_DEVICE: Final = ("driver", "attributes", "capacity")


class NotUnderstood(ValueError):
    """The expression uses something that is not read here."""


class _Lacking(Exception):
    """The device has no such value, or one of another type: it is not selected."""


@dataclass(frozen=True, slots=True)
class Device:
    """What an expression sees of a device.

    Attributes:
        driver: Name of its driver.
        attributes: Domain to name to value: text, whole number or truth value.
        capacity: Domain to name to amount.
    """

    driver: str
    attributes: Mapping[str, Mapping[str, Any]]
    capacity: Mapping[str, Mapping[str, Quantity]]


Value = Callable[[Device], Any]


def compiled(expression: str) -> Callable[[Device], bool]:
    """Makes a test of devices of an expression.

    Raises:
        NotUnderstood: It uses more than is read here.
    """
    value = _Parser(expression).whole()

    def selects(device: Device) -> bool:
        try:
            return value(device) is True
        except _Lacking:
            return False

    return selects


class _Parser:
    """Reads one expression from left to right; each method reads one level of precedence."""

    def __init__(self, expression: str) -> None:
        if len(expression) > _LENGTH_MAX:
            raise NotUnderstood("it is too long")
        self._tokens: list[tuple[str, str]] = []
        at, text = 0, expression.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise NotUnderstood(f"{text[at : at + 20]!r}")
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        self._at = 0
        self._depth = 0

    def whole(self) -> Value:
        value = self._any()
        if self._at != len(self._tokens):
            raise NotUnderstood(f"{self._tokens[self._at][1]!r}")
        return value

    @contextmanager
    def _deeper(self) -> Iterator[None]:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise NotUnderstood("it is too deep")
        yield
        self._depth -= 1

    def _take(self, *marks: str) -> str | None:
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        if kind not in ("mark", "name") or text not in marks:
            return None
        self._at += 1
        return text

    def _need(self, mark: str) -> None:
        if self._take(mark) is None:
            raise NotUnderstood(f"no {mark!r} where it is needed")

    def _next(self, kind: str) -> str:
        if self._at >= len(self._tokens) or self._tokens[self._at][0] != kind:
            raise NotUnderstood("it ends early, or has something else than a value")
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _any(self) -> Value:
        with self._deeper():
            parts = [self._all()]
            while self._take("||"):
                parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda device: _either(parts, device)

    def _all(self) -> Value:
        parts = [self._compared()]
        while self._take("&&"):
            parts.append(self._compared())
        return parts[0] if len(parts) == 1 else lambda device: all(_truth(one, device) for one in parts)

    def _compared(self) -> Value:
        left = self._not()
        sign = self._take("==", "!=", "<", "<=", ">", ">=", "in")
        if sign is None:
            return left
        right = self._not()
        return lambda device: _compare(sign, left(device), right(device))

    def _not(self) -> Value:
        if self._take("!"):
            with self._deeper():
                inner = self._not()
            return lambda device: not _truth(inner, device)
        return self._reached()

    def _reached(self) -> Value:
        is_device = self._tokens[self._at : self._at + 1] == [("name", "device")]
        value = self._value()
        while True:
            if self._take("."):
                name = self._next("name")
                if is_device and name not in _OF_DEVICE:
                    raise NotUnderstood(f"device.{name}")
                is_device = False
                value = self._member(value, name)
            elif self._take("["):
                inner = self._any()
                self._need("]")
                value = _indexed(value, inner)
            else:
                return value

    def _member(self, value: Value, name: str) -> Value:
        if not self._take("("):
            return lambda device: _member(value(device), name)
        arguments = self._arguments(")")
        function = _FUNCTIONS.get(name)
        if function is None or len(arguments) != _ARGUMENTS.get(name, 1):
            raise NotUnderstood(f"{name}()")

        def call(device: Device) -> Any:
            try:
                return function(value(device), *(one(device) for one in arguments))
            except (AttributeError, TypeError, re.error):
                raise _Lacking from None

        return call

    def _arguments(self, end: str) -> list[Value]:
        found: list[Value] = []
        while not self._take(end):
            if found:
                self._need(",")
            found.append(self._any())
        return found

    def _value(self) -> Value:
        if self._take("("):
            value = self._any()
            self._need(")")
            return value
        if self._take("["):
            items = self._arguments("]")
            return lambda device: [item(device) for item in items]
        kind, text = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        self._at += 1
        if kind == "text":
            return _constant(_unquoted(text))
        if kind == "number":
            return _constant(int(text))
        if kind == "name" and text in ("true", "false"):
            return _constant(text == "true")
        if kind == "name" and text == "device":
            return lambda device: device
        if kind == "name" and text == "quantity":
            self._need("(")
            inner = self._any()
            self._need(")")
            return lambda device: _quantity(inner(device))
        raise NotUnderstood(f"{text!r}" if text else "it ends early")


def _constant(value: Any) -> Value:
    def found(device: Device) -> Any:
        del device
        return value

    return found


def _unquoted(text: str) -> str:
    if text.startswith("r"):
        return text[2:-1]
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _truth(value: Value, device: Device) -> bool:
    found = value(device)
    if not isinstance(found, bool):
        raise _Lacking
    return found


def _either(parts: list[Value], device: Device) -> bool:
    """CEL's "or": one true side is enough, even when the other one fails."""
    failed = False
    for one in parts:
        try:
            if _truth(one, device):
                return True
        except _Lacking:
            failed = True
    if failed:
        raise _Lacking
    return False


def _compare(sign: str, left: Any, right: Any) -> bool:
    if sign == "in":
        if isinstance(right, list) or (isinstance(right, Mapping) and isinstance(left, str)):
            return left in right
        raise _Lacking
    if sign in ("==", "!="):
        same = type(left) is type(right) and left == right
        return same if sign == "==" else not same
    if type(left) is not type(right) or isinstance(left, bool | Device | list | Mapping):
        raise _Lacking
    order = (left > right) - (left < right)
    return bool({"<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0}[sign])


def _member(value: Any, name: str) -> Any:
    if isinstance(value, Device) and name in _OF_DEVICE:
        return getattr(value, name)
    if isinstance(value, Mapping) and name in value:
        return value[name]
    raise _Lacking


def _indexed(value: Value, inner: Value) -> Value:
    def found(device: Device) -> Any:
        holder, key = value(device), inner(device)
        if isinstance(holder, Mapping) and isinstance(key, str) and key in holder:
            return holder[key]
        raise _Lacking

    return found


def _quantity(text: Any) -> Quantity:
    try:
        return parse_quantity(text)
    except (QuantityError, TypeError):
        raise _Lacking from None


def _order(left: Quantity, right: Quantity) -> int:
    return (left.nano > right.nano) - (left.nano < right.nano)


_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": str.__contains__,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "lowerAscii": str.lower,
    "upperAscii": str.upper,
    "compareTo": _order,
    "isGreaterThan": lambda left, right: _order(left, right) > 0,
    "isLessThan": lambda left, right: _order(left, right) < 0,
}
_ARGUMENTS: Final[Mapping[str, int]] = {"lowerAscii": 0, "upperAscii": 0}
