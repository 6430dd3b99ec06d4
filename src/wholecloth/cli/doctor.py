"""``wholecloth doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from wholecloth.cli import options
from wholecloth.share import words

_SIGN = {"ok": "ok  ", "note": "note", "missing": "MISS"}


@click.command(
    short_help="What works here, what is old, what is missing.",
    epilog="Example:  wholecloth doctor",
)
@options.as_json
def doctor(as_json: bool) -> int:
    """Say what works on this machine, what does not and why, and what is out of date.

    Looks at the parts installed, decodes one drawn picture of each format, names the isolation
    this machine reaches, and lists every table that ages with the day it was checked; what is
    older than 180 days is named. Opens no connection. Exit code 5 if a needed part is missing.
    """
    from wholecloth.doctor import examine  # noqa: PLC0415

    checks = examine()
    missing = any(c.mark == "missing" for c in checks)
    if as_json:
        click.echo(json.dumps({"checks": [asdict(c) for c in checks]}, ensure_ascii=False))
        return 5 if missing else 0
    topic = ""
    for check in checks:
        if check.topic != topic:
            topic = check.topic
            click.echo(f"\n{topic}")
        click.echo(f"  {_SIGN[check.mark]}  {words.plain(check.text)}")
        if check.remedy:
            click.echo(f"        {words.plain(check.remedy)}")
    return 5 if missing else 0
