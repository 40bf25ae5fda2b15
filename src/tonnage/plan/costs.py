"""What a plan costs: nodes for its replicas, at the prices of a table."""

from __future__ import annotations

from collections.abc import Sequence

from tonnage.plan.ask import Ask
from tonnage.plan.document import Cost, Given, Reason, Scaling
from tonnage.plan.price import HOURS_PER_MONTH, Packing, PriceTable, cheapest
from tonnage.plan.sizing import Counts
from tonnage.plan.words import money, number


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
    fit = cheapest(table, ask.need, counts.replicas)
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
    remarks = ("prices are those of the example table: give your own with --prices",) if table.example else ()
    return cost, _reasons(cost, fit), remarks


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
    """Prices the given nodes that the replicas are placed on, by their instance types."""
    assert ask.stock is not None
    placed = list(zip(ask.stock.nodes, ask.stock.instance_types, strict=True))[: counts.replicas]
    nodes = dict(placed)
    prices = {instance.name: instance.per_hour for instance in table.instances}
    unknown = sorted({kind or "(no label)" for kind in nodes.values() if kind not in prices})
    if unknown or not nodes:
        missing = _listed(unknown)
        return None, [], (f"no cost is known: {table.source} has no price for instance type {missing}",)
    per_hour = sum(prices[kind] for kind in nodes.values())
    kinds = sorted(set(nodes.values()))
    cost = Cost(
        currency=table.currency,
        prices=f"{table.source}, {table.date}",
        example=table.example,
        instance=kinds[0] if len(kinds) == 1 else "",
        packing=None,
        nodes=len(nodes),
        per_hour=per_hour,
        per_month=per_hour * HOURS_PER_MONTH,
    )
    given = tuple(
        Given(
            f"{number(sum(1 for one in nodes.values() if one == kind))} x {kind}",
            f"{money(prices[kind], table.currency)}/h",
            cost.prices,
        )
        for kind in kinds
    )
    why = Reason(
        "cost.perMonth",
        money(cost.per_month, cost.currency),
        f"prices of the nodes that replicas are placed on, times {HOURS_PER_MONTH:g} hours",
        given,
    )
    remarks = ("prices are those of the example table: give your own with --prices",) if table.example else ()
    return cost, [why], remarks


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "(none placed)"
