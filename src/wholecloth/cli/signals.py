"""``wholecloth signals``: the cards of everything installed."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command(
    short_help="What is looked for, and its limits.", epilog="Example:  wholecloth signals --json"
)
@click.option("--json", "as_json", is_flag=True, help="Print the cards as JSON.")
def signals(as_json: bool) -> None:
    """List the installed signals: what each shows, its limits, its source."""
    from wholecloth.signals.registry import Broken, installed  # noqa: PLC0415

    cards = [asdict(s) if isinstance(s, Broken) else asdict(s.info) for s in installed()]
    if as_json:
        click.echo(json.dumps(cards, ensure_ascii=False))
        return
    for card in cards:
        if "reason" in card:
            click.echo(f"{card['name']}: broken ({card['reason']})\n")
            continue
        click.echo(f"{card['id']} {card['version']}  speaks to {', '.join(card['propositions'])}")
        click.echo(f"  shows   {card['shows']}\n  limits  {card['limits']}")
        click.echo(f"  source  {card['source']}  licence {card['licence']}\n")
