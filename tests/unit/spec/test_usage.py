"""No field is without effect in silence: each has its users, and the rest is named."""

from __future__ import annotations

import pytest
from spec_documents import FOUNDING, MINIMAL, with_spec

from tonnage.spec import COMMANDS, parse_model_service, unused_fields
from tonnage.spec.fields import all_fields, leaf_paths
from tonnage.spec.usage import USERS, users_of


@pytest.mark.parametrize("path", leaf_paths())
def test_every_field_of_the_schema_has_a_command_that_uses_it(path: str) -> None:
    """A field that no command uses could not be accepted."""
    assert users_of(path)
    assert users_of(path) <= set(COMMANDS)


def test_the_table_names_only_fields_that_exist() -> None:
    """An entry for a field that was renamed would hide the new one."""
    assert set(USERS) <= {entry.path for entry in all_fields()}


def test_a_field_that_does_not_exist_has_no_users() -> None:
    """The table answers for fields only."""
    with pytest.raises(KeyError):
        users_of("status.phase")


def test_serve_names_what_only_a_cluster_uses() -> None:
    """What is given and not used is listed, the outermost mapping for all that it holds."""
    assert unused_fields(parse_model_service(FOUNDING), "serve") == (
        "metadata.labels",
        "spec.image",
        "spec.replicas",
        "spec.objective.requestsPerSecond",
        "spec.resources",
        "spec.scaling",
        "spec.probes",
        "spec.scheduling",
    )


def test_render_uses_the_founding_service_but_for_its_rate() -> None:
    """Rendering takes everything but what only planning needs."""
    assert unused_fields(parse_model_service(FOUNDING), "render") == ("spec.objective.requestsPerSecond",)


def test_defaults_are_not_named() -> None:
    """Only what the author wrote is listed."""
    assert unused_fields(parse_model_service(MINIMAL), "serve") == ()


def test_settings_of_batching_that_is_off_are_named() -> None:
    """Switching batching off leaves its settings without effect, and that is said."""
    service = parse_model_service(with_spec("batching: {enabled: false, sizeMax: 8, queueMax: 10}"))
    assert unused_fields(service, "serve") == ("spec.batching.sizeMax",)


def test_an_unknown_command_is_a_mistake_of_the_caller() -> None:
    """The message lists the commands."""
    with pytest.raises(ValueError, match=r"^command: must be one of serve, up, load, .*, got fly$"):
        unused_fields(parse_model_service(MINIMAL), "fly")


def test_an_empty_mapping_is_used_by_all_who_use_a_part_of_it() -> None:
    """An empty objective says nothing that could be ignored, and is no mistake."""
    assert unused_fields(parse_model_service(MINIMAL + "\n  objective: {}\n"), "serve") == ()
