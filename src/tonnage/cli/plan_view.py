"""A plan on the terminal: what, why, latency by situation, and what to know."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from tonnage.plan.document import ServingPlan
from tonnage.plan.words import duration, money, number, rate


def print_plan(plan: ServingPlan, *, console: Console) -> None:
    """Prints a plan that holds."""
    targets = ", ".join(f"{target.name} <= {duration(target.latency_s)}" for target in plan.targets)
    goal = f"{rate(plan.rate_per_s)}" + (f" at {targets}" if targets else "")
    console.print(f"{plan.name}: {goal}", style="bold", highlight=False, markup=False)
    console.print(_summary(plan))
    console.print(_why(plan))
    console.print(_latencies(plan))
    for remark in plan.remarks:
        console.print(f"note: {remark}", style="yellow", highlight=False, markup=False)


def print_refusals(plan: ServingPlan, *, source: str, console: Console) -> None:
    """Prints why there is no plan, and the nearest objectives that hold."""
    for refusal in plan.refusals:
        where = f"{source}: {refusal.path}" if refusal.path.startswith("spec.") else refusal.path
        line = f"tonnage plan: {where}: {refusal.message}"
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        for one in refusal.alternatives:
            line = f"  possible: {one.field}: {one.value} ({one.text})"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    for remark in plan.remarks:
        console.print(f"note: {remark}", highlight=False, markup=False, soft_wrap=True)


def _summary(plan: ServingPlan) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    counts, scaling, rollout, cost = plan.counts, plan.scaling, plan.rollout, plan.cost
    if counts is not None:
        table.add_row("replicas", str(counts.replicas))
    if scaling is not None:
        found = scaling.range
        text = f"{found.minimum} to {found.highest}, {number(found.mean)} on average"
        table.add_row("with the traffic", text)
    if rollout is not None:
        text = f"maxSurge {rollout.max_surge}, maxUnavailable {rollout.max_unavailable}"
        table.add_row("rolling update", text)
    if plan.gpus and counts is not None:
        text = f"{plan.gpus * counts.replicas}, {plan.gpus * plan.replicas_peak} at most"
        table.add_row("GPUs", text)
    table.add_row("a replica carries", rate(plan.replica.sustainable_per_s))
    if cost is not None:
        kind = f" ({cost.nodes} x {cost.instance})" if cost.instance else f" ({cost.nodes} nodes)"
        table.add_row("cost of a month", money(cost.per_month, cost.currency) + kind)
        if cost.per_month_mean is not None:
            table.add_row("  with the traffic", money(cost.per_month_mean, cost.currency))
    if plan.confirmation is not None:
        held = plan.confirmation.held
        table.add_row("twin", "[green]confirmed[/]" if held else "[red]not confirmed[/]")
    return table


def _why(plan: ServingPlan) -> Tree:
    tree = Tree("why", guide_style="dim")
    for reason in plan.reasons:
        branch = tree.add(f"[bold]{reason.path}[/] = {_safe(reason.value)}: {_safe(reason.because)}")
        for one in reason.given:
            branch.add(f"{_safe(one.name)}: {_safe(one.value)} [dim]({_safe(one.origin)})[/]")
    return tree


def _latencies(plan: ServingPlan) -> Table:
    table = Table(box=None, pad_edge=False, title="latency", title_justify="left", title_style="bold")
    table.add_column("situation")
    table.add_column("replicas", justify="right")
    table.add_column("each", justify="right")
    shown = [percentile for percentile, _ in plan.states[0].latencies_s] if plan.states else []
    for percentile in shown:
        table.add_column(f"p{percentile:g}", justify="right")
    confirmed = {run.name: run for run in plan.confirmation.runs} if plan.confirmation is not None else {}
    if confirmed:
        table.add_column(f"twin p{shown[-1]:g}", justify="right")
    for state in plan.states:
        row = [state.name, str(state.replicas), f"{number(state.rate_per_s)}/s"]
        row += [duration(latency_s) for _, latency_s in state.latencies_s]
        run = confirmed.get(state.name)
        if confirmed:
            row.append(duration(run.latencies_s[-1][1]) if run is not None else "")
        table.add_row(*row)
    return table


def _safe(text: str) -> str:
    return text.replace("[", "\\[")
