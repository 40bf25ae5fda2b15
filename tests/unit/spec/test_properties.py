"""Whatever the text, a reader gives a ModelService or a SpecError; whatever the service, it reads back."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from spec_documents import FOUNDING, MINIMAL

from tonnage.errors import SpecError
from tonnage.spec import ModelService, parse_model_service, unused_fields
from tonnage.spec.fields import all_fields
from tonnage.units import Duration

_GOOD: dict[str, Any] = YAML(typ="safe").load(FOUNDING)
_NAMES = sorted({entry.name for entry in all_fields()})
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["100ms", "4Gi", "10k", "cpu", "latency", "required", "onnx", "a:B", "1.5", "-1s"])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_NAMES) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def read(text: str) -> ModelService | SpecError:
    found: ModelService | SpecError
    try:
        found = parse_model_service(text)
    except SpecError as error:
        found = error
    if isinstance(found, SpecError):
        assert found.problems
        assert all(problem.message and "\n" not in str(problem) for problem in found.problems)
    return found


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(inner for step, child in steps for inner in _paths(child, (*path, step)))]


@st.composite
def _damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The founding document with a few of its values replaced, taken out or joined by others."""
    document = copy.deepcopy(_GOOD)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(_paths(document)[1:]))
        holder: Any = document
        for step in path[:-1]:
            holder = holder[step]
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "remove":
            del holder[path[-1]]
        elif action == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(_NAMES) | st.text(max_size=6))] = draw(_VALUES)
        else:
            holder[path[-1]] = draw(_VALUES)
        if not _paths(document)[1:]:
            break
    return document


@given(st.text(max_size=200))
def test_any_text_is_a_service_or_a_spec_error(text: str) -> None:
    """No text makes the reader fail in another way."""
    read(text)


@given(st.text(alphabet="abx:-[]{}&*!|>'\"#%@`,?~ \n\t01.", max_size=80))
def test_any_yaml_like_text_is_a_service_or_a_spec_error(text: str) -> None:
    """Nor does text made of YAML's own signs."""
    read(text)


@given(st.integers(0, len(MINIMAL)), st.integers(0, 12), st.text(max_size=12))
def test_a_damaged_text_is_a_service_or_a_spec_error(start: int, count: int, inserted: str) -> None:
    """Nor does a good document with a piece of its text replaced."""
    read(MINIMAL[:start] + inserted + MINIMAL[start + count :])


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_damaged())
def test_a_damaged_document_is_a_service_or_a_spec_error(document: dict[str, Any]) -> None:
    """Nor does a good document whose values were replaced by others of any kind."""
    read(json.dumps(document))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(_damaged())
def test_a_service_reads_back_as_it_was_written(document: dict[str, Any]) -> None:
    """Writing a service, in short or in whole, and reading it gives an equal one."""
    service = read(json.dumps(document))
    if isinstance(service, ModelService):
        assert parse_model_service(json.dumps(service.to_document())) == service
        whole = service.model_dump(mode="json", by_alias=True)
        if service.spec.scaling is None or "replicas" in service.spec.model_fields_set:
            assert parse_model_service(json.dumps(whole)) == service
        for command in ("serve", "render"):
            unused_fields(service, command)


@given(st.permutations(sorted(_GOOD["spec"])))
def test_the_order_of_fields_means_nothing(order: list[str]) -> None:
    """A document with its fields in another order is the same service."""
    document = {**_GOOD, "spec": {name: _GOOD["spec"][name] for name in order}}
    assert parse_model_service(json.dumps(document)) == parse_model_service(FOUNDING)


_DURATIONS = st.integers(1, 10**13).map(lambda nanoseconds: str(Duration(nanoseconds)))
_SOUND = st.fixed_dictionaries(
    {"model": st.just({"format": "torch", "path": "m.pt2"})},
    optional={
        "objective": st.fixed_dictionaries(
            {}, optional={"requestsPerSecond": st.decimals("0.001", "1000000", places=3).map(str)}
        ),
        "resources": st.fixed_dictionaries(
            {},
            optional={
                "cpu": st.integers(1, 10**6).map(lambda milli: f"{milli}m"),
                "memory": st.integers(2**20, 2**50),
                "gpu": st.fixed_dictionaries(
                    {}, optional={"types": st.just(["h100", "a100"]), "count": st.integers(1, 8)}
                ),
            },
        ),
        "batching": st.fixed_dictionaries(
            {}, optional={"waitMax": _DURATIONS, "sizeMax": st.integers(1, 10**6), "enabled": st.booleans()}
        ),
        "server": st.fixed_dictionaries({}, optional={"latencyWindow": _DURATIONS, "grpcPort": st.none()}),
        "scaling": st.fixed_dictionaries({}, optional={"maxReplicas": st.integers(2, 100)}),
        "scheduling": st.fixed_dictionaries({}, optional={"spread": st.just([])}),
    },
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_SOUND)
def test_every_sound_document_is_accepted_and_reads_back(spec: dict[str, Any]) -> None:
    """Values within their bounds are taken, and writing them back in whole loses nothing."""
    service = parse_model_service(json.dumps({**_GOOD, "spec": spec}))
    assert parse_model_service(json.dumps(service.to_document())) == service
    again = parse_model_service(service.model_dump_json(by_alias=True, exclude={"spec": {"replicas"}}))
    assert again == service
