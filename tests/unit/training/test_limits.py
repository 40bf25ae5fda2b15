"""What a back end cannot do is refused before anything is made."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_documents import RESTARTABLE, job

from tonnage.errors import SpecError
from tonnage.spec.training_body import BackendName
from tonnage.training import render
from tonnage.training.limits import backend_problems, longest_names


def refusals(backend: Any, **spec: Any) -> list[str]:
    return [str(one) for one in backend_problems(job(**spec), backend)]


ELASTIC = {"elastic": {"min": 1, "max": 4}, **RESTARTABLE}


@pytest.mark.parametrize("backend", get_args(BackendName))
def test_an_elastic_range_is_for_those_who_can_regroup(backend: Any) -> None:
    """A JobSet and a TrainJob keep their number of workers."""
    refused = [one for one in refusals(backend, **ELASTIC) if one.startswith("spec.elastic")]
    assert bool(refused) is (backend not in ("job", "pytorchjob"))
    assert all("from 1 to 4 workers" in one for one in refused)


@pytest.mark.parametrize(
    ("backend", "spec", "refused"),
    [
        ("pytorchjob", {"framework": "jax"}, ["spec.framework"]),
        ("pytorchjob", {"launcher": "none"}, ["spec.launcher"]),
        ("pytorchjob", {"command": ["torchrun", "t.py"]}, []),
        ("tfjob", {"framework": "pytorch"}, ["spec.framework"]),
        ("job", {"framework": "tensorflow", "roles": {"parameterServers": {}}}, ["spec.roles.parameterServers"]),
        ("trainjob", {"framework": "tensorflow", "roles": {"chief": {}}}, ["spec.roles.chief"]),
        ("trainjob", {"network": {"port": 1234}}, ["spec.network.port"]),
        ("trainjob", {"network": {"port": 1234}, "framework": "plain"}, []),
        ("trainjob", {"cleanup": {"ttl": "1h"}}, ["spec.cleanup.ttl"]),
        ("job", {"restart": {"fatalExitCodes": [2]}, **RESTARTABLE}, ["spec.restart.fatalExitCodes"]),
        ("job", {"framework": "jax", "restart": {"fatalExitCodes": [2]}, **RESTARTABLE}, []),
        (
            "tfjob",
            {"framework": "tensorflow", "restart": {"fatalExitCodes": [2]}, **RESTARTABLE},
            ["spec.restart.fatalExitCodes"],
        ),
    ],
)
def test_what_a_back_end_cannot_do(backend: Any, spec: dict[str, Any], refused: list[str]) -> None:
    """Named by the field that asks for it."""
    assert [one.partition(":")[0] for one in refusals(backend, **spec)] == refused


def test_a_name_is_too_long_for_the_names_of_its_pods() -> None:
    """The message says how long it may be, and which name would not fit."""
    (problem,) = backend_problems(job("a" * 61, workers=1001), "job")
    assert str(problem) == (
        f"metadata.name: must be at most 55 characters with back end job, got 61; its pods and Services have "
        f"names such as {'a' * 61}-workers, of which DNS allows 63"
    )


@given(
    length=st.integers(1, 63),
    workers=st.integers(1, 10_000),
    backend=st.sampled_from(get_args(BackendName)),
)
def test_every_name_that_is_let_through_fits(length: int, workers: int, backend: Any) -> None:
    """And the length that a refusal allows is the longest that fits."""
    framework = "tensorflow" if backend == "tfjob" else "pytorch"
    document = job("a" * length, workers=workers, framework=framework)
    problems = backend_problems(document, backend)
    assert all(len(name) <= 63 for name in longest_names(document, backend)) is (problems == [])
    if problems:
        allowed = int(problems[0].message.removeprefix("must be at most ").partition(" ")[0])
        longest = job("a" * allowed, workers=workers, framework=framework)
        assert backend_problems(longest, backend) == []
        longer = job("a" * (allowed + 1), workers=workers, framework=framework)
        assert backend_problems(longer, backend) != []


def test_an_elastic_job_may_grow_to_its_largest_name() -> None:
    """Names are reckoned for the most workers that it may have."""
    assert "t-999" in longest_names(job(elastic={"min": 1, "max": 1000}, **RESTARTABLE), "job")


def test_nothing_is_rendered_of_what_is_refused() -> None:
    """Every problem is told."""
    with pytest.raises(SpecError) as caught:
        render(job(**ELASTIC, network={"port": 5}), backend="trainjob")
    assert [one.path for one in caught.value.problems] == ["spec.elastic", "spec.network.port"]
