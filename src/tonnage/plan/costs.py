"""What a plan costs: nodes for its replicas, at the prices of a table."""

from __future__ import annotations

from collections import Counter
from typing import Final

from tonnage.plan.ask import Ask
from tonnage.plan.document import Cost, Given, Reason, Scaling
from tonnage.plan.price import HOURS_PER_MONTH, Packing, PriceTable, cheapest
from tonnage.plan.sizing import Counts
from tonnage.plan.words import money, number

_EXAMPLE: Final = "prices are those of the example table: give your own with --prices"


def cost_of(
    ask: Ask, counts: Counts, scaling: Scaling | None
) -> tuple[Cost | None, list[Reason], tuple[str, ...]]:
    """Prices a plan.

    Returns:
        The cost, None where nothing is known; why; and what a reader should know.
    """
    table = ask.prices
    if table is None:
        return None, [], ()
    if ask.stock is not None:
        return _of_nodes(ask, table, counts)
    fit = packed(ask, counts)
    if fit is None:
        what = "a replica's CPU, memory and GPUs" if ask.gpus else "a replica's CPU and memory without a GPU"
        return None, [], (f"no instance of {table.source} takes {what}: no cost is known",)
    cost = Cost(
        currency=table.currency,
        prices=f"{table.source}, {table.date}",
        example=table.example,
        instance=fit.instance.name,
        packing=fit,
        nodes=fit.nodes(counts.replicas),
        per_hour=fit.nodes(counts.replicas) * fit.instance.per_hour,
        per_month=fit.per_month(counts.replicas),
        per_month_min=None if scaling is None else fit.per_month(scaling.range.minimum),
        per_month_max=None if scaling is None else fit.per_month(scaling.range.highest),
        per_month_mean=None if scaling is None else _mean(fit, scaling.range.mean),
    )
    remarks = (_EXAMPLE,) if table.example else ()
    return cost, _reasons(cost, fit), remarks


def packed(ask: Ask, counts: Counts) -> Packing | None:
    """How replicas are put on rented nodes; None where nodes are given, or no instance is known to fit.

    Where a node may be lost, no more go on one than can be missed: packing never asks for more replicas.
    """
    if ask.prices is None or ask.stock is not None:
        return None
    losable = counts.replicas - counts.serving if ask.survive == "node" else None
    return cheapest(ask.prices, ask.need, counts.replicas, losable)


def _mean(fit: Packing, replicas: float) -> float:
    """Cost of a mean number of replicas; nodes come and go whole, so this is a little less than they cost."""
    return replicas / fit.per_node * fit.instance.per_hour * HOURS_PER_MONTH


def _reasons(cost: Cost, fit: Packing) -> list[Reason]:
    instance = fit.instance
    origin = instance.source or cost.prices
    where = f"{instance.region}: {origin}".lstrip(": ")
    price = Given("price", f"{money(instance.per_hour, cost.currency)}/h", where)
    per_node = Given("replicas on each", str(fit.per_node), f"ended by {fit.bound_by}")
    reasons = [
        Reason(
            "cost.nodes",
            f"{cost.nodes} x {instance.name}",
            "the cheapest instance for so many replicas; replicas over those on each, rounded up",
            (per_node,),
        ),
        Reason(
            "cost.perMonth",
            money(cost.per_month, cost.currency),
            f"nodes times price times {HOURS_PER_MONTH:g} hours",
            (price,),
        ),
    ]
    if cost.per_month_mean is not None:
        reasons.append(
            Reason(
                "cost.perMonthMean",
                money(cost.per_month_mean, cost.currency),
                "the same for the mean number of replicas, if the month is as the traffic",
                (Given("mean replicas", "scaling.meanReplicas", "above"),),
            )
        )
    return reasons


def _of_nodes(
    ask: Ask, table: PriceTable, counts: Counts
) -> tuple[Cost | None, list[Reason], tuple[str, ...]]:
    """Prices the given nodes that the replicas are placed on: their own price, else their instance type's."""
    stock = ask.stock
    assert stock is not None
    listed = {instance.name: instance.per_hour for instance in table.instances}
    nodes: dict[str, tuple[str, float]] = {}
    unknown: set[str] = set()
    placed = zip(stock.nodes, stock.instance_types, stock.per_hour, strict=True)
    for (name, kind, own), _ in zip(placed, range(counts.replicas), strict=False):
        price = own if own is not None else listed.get(kind)
        if price is None:
            unknown.add(kind or "(no label)")
        else:
            nodes[name] = (kind, price)
    if unknown or not nodes:
        missing = ", ".join(sorted(unknown)) or "(none placed)"
        return None, [], (f"no cost is known: {table.source} has no price for instance type {missing}",)
    per_hour = sum(price for _, price in nodes.values())
    groups = Counter(nodes.values())
    example = table.example and any(own is None for own in stock.per_hour[: counts.replicas])
    cost = Cost(
        currency=table.currency,
        prices=f"{table.source}, {table.date}" if example or not table.example else "prices of the nodes",
        example=example,
        instance=next(iter(groups))[0] if len(groups) == 1 else "",
        packing=None,
        nodes=len(nodes),
        per_hour=per_hour,
        per_month=per_hour * HOURS_PER_MONTH,
    )
    given = tuple(
        Given(f"{number(count)} x {kind or 'node'}", f"{money(price, table.currency)}/h", cost.prices)
        for (kind, price), count in groups.items()
    )
    why = Reason(
        "cost.perMonth",
        money(cost.per_month, cost.currency),
        f"prices of the nodes that replicas are placed on, times {HOURS_PER_MONTH:g} hours",
        given,
    )
    return cost, [why], (_EXAMPLE,) if example else ()
