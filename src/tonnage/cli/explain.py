"""``tonnage explain``: what a rule finds, why it matters, and what to do."""

from __future__ import annotations

import click


@click.command("explain", short_help="Explain a rule of the audit.")
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Print the rule with CODE, such as TNG040; without CODE the list of all rules."""
    from tonnage.audit.pages import rule_page
    from tonnage.audit.registry import RULES
    from tonnage.errors import Problem, SpecError
    from tonnage.kube.shape import near

    if code is None:
        for rule in RULES:
            click.echo(f"{rule.code}  {rule.severity:7}  {rule.title}")
        return
    by_code = {rule.code: rule for rule in RULES}
    if code.upper() not in by_code:
        meant = near(code, by_code)
        hint = f"did you mean {meant}?" if meant else "tonnage explain lists them"
        raise SpecError([Problem("CODE", f"must be the code of a rule, got {code}", hint=hint)])
    click.echo(rule_page(by_code[code.upper()]), nl=False)
