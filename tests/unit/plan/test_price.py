"""Price tables, and the cheapest instance for a replica."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonnage.errors import SpecError
from tonnage.plan.price import (
    HOURS_PER_MONTH,
    Instance,
    PriceTable,
    ReplicaNeed,
    cheapest,
    example_prices,
    packing,
    parse_prices,
)

GI = 2**30
SMALL = Instance("small", 4, 16 * GI, 0, "", 0.2)
LARGE = Instance("large", 16, 64 * GI, 0, "", 0.7)
GPU = Instance("gpu", 8, 32 * GI, 4, "t4", 4.0)
TABLE = PriceTable("USD", "2026-01-01", False, (SMALL, LARGE, GPU), "table")
NEED = ReplicaNeed(cpu_millicores=1000, memory_bytes=2 * GI)


def test_the_example_table_reads_and_says_that_it_is_one():
    """Every row of the shipped table names its source."""
    table = example_prices()
    assert table.example
    assert all(instance.source and instance.per_hour > 0 for instance in table.instances)


def test_what_runs_out_first_ends_a_packing():
    """CPU, memory, GPUs, or that replicas keep apart."""
    assert packing(SMALL, NEED) == pytest.approx(packing(SMALL, NEED))
    cpu, memory = packing(SMALL, NEED), packing(SMALL, ReplicaNeed(100, 5 * GI))
    gpus, apart = packing(GPU, ReplicaNeed(100, GI, gpus=2)), packing(SMALL, ReplicaNeed(100, GI, alone=True))
    assert [(fit.per_node, fit.bound_by) for fit in (cpu, memory, gpus, apart) if fit is not None] == [
        (3, "cpu"),
        (2, "memory"),
        (2, "gpus"),
        (1, "anti-affinity"),
    ]


def test_gpus_are_neither_wasted_nor_missed():
    """No GPU instance for a replica without GPUs, and none of another type."""
    assert packing(GPU, NEED) is None
    assert packing(SMALL, ReplicaNeed(100, GI, gpus=1)) is None
    assert packing(GPU, ReplicaNeed(100, GI, gpus=1, gpu_types=("a100",))) is None


def test_the_cheapest_depends_on_how_many_there_are():
    """Three replicas fit one small node, fifteen fit one large."""
    few, many = cheapest(TABLE, NEED, 3), cheapest(TABLE, NEED, 15)
    assert few is not None
    assert many is not None
    assert (few.instance.name, few.per_month(3)) == ("small", 0.2 * HOURS_PER_MONTH)
    assert (many.instance.name, many.nodes(15)) == ("large", 1)


def test_what_may_be_lost_bounds_what_goes_on_a_node():
    """Where two replicas can be missed, no node has three; and there are two nodes at least."""
    fit = cheapest(TABLE, NEED, 6, 2)
    assert fit is not None
    assert (fit.per_node, fit.bound_by, fit.nodes(6)) == (2, "the loss of a node", 3)
    assert fit.nodes(2) == 2
    assert fit.nodes(1) == 1


@given(count=st.integers(1, 500), more=st.integers(0, 200), losable=st.one_of(st.none(), st.integers(0, 20)))
def test_more_replicas_never_cost_less(count, more, losable):
    fewer, greater = cheapest(TABLE, NEED, count, losable), cheapest(TABLE, NEED, count + more, losable)
    assert fewer is not None
    assert greater is not None
    assert greater.per_month(count + more) >= fewer.per_month(count)


def test_a_wrong_table_is_refused_with_every_problem():
    """Each fault has its line; unknown fields, missing prices and nonsense are all found."""
    text = (
        "kind: PriceTable\n"
        "currency: EUR\n"
        "instances:\n"
        "  - {name: a, cpu: 4, memory: 16Gi, pricePerHour: -1, colour: red}\n"
        "  - {name: b, cpu: none, memory: 16Gi, gpus: 1}\n"
    )
    with pytest.raises(SpecError) as caught:
        parse_prices(text, source="p.yaml")
    found = [(problem.path, problem.line) for problem in caught.value.problems]
    assert found == [
        ("date", 1),
        ("instances[0].colour", 4),
        ("instances[0].pricePerHour", 4),
        ("instances[1].gpuType", 5),
        ("instances[1].cpu", 5),
        ("instances[1].pricePerHour", 5),
    ]


def test_the_texts_of_problems():
    """A missing price and an empty table, word for word."""
    with pytest.raises(SpecError) as caught:
        parse_prices('{"kind": "PriceTable", "currency": "EUR", "date": "x", "instances": []}', source="p")
    assert str(caught.value) == "p:1:69: instances: must be a list of at least one instance"
