"""``wholecloth finding``: how to write a finding file, and checking one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

TEMPLATE = """\
# A finding: what only a person or a platform can say.  JSON with the same names works too.
[[finding]]
who = "analyst 7"                 # a role or pseudonym serves
when = 2026-11-24                 # ISO 8601 date or time
source = "analyst"                # where it comes from: analyst, witness, "platform: NAME" ...
proposition = "P4b"               # P1 P2 P3 P4a P4b P4c P5, or P4 for both P4a and P4b
direction = "supports"            # supports | contradicts | neutral
text = "the finding in one sentence"
reliability = "B"                 # Admiralty letter A-F, of the source (optional)
credibility = 2                   # Admiralty digit 1-6, of the information (optional)
# attachment_sha256 = "..."       # digest of the document it rests on
# method = "manual"               # for P3: ai | manual
# input = "...", output = "...", feature = "..."   # what a platform statement names
# context = "..."                 # cultural context, for P4c
"""


@click.command(
    short_help="What only a person or a platform can say.",
    epilog="Example:  wholecloth finding --template > finding.toml",
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--template", is_flag=True, help="Print a commented TOML file to fill in.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings read as JSON.")
def finding(files: tuple[Path, ...], template: bool, as_json: bool) -> None:
    """Check finding FILES, or print a template for one.

    Fields: who, when, source, proposition (or propositions), direction and text are required;
    reliability, credibility, attachment_sha256, method, input, output, feature and context are
    not. --template prints all of them with comments.

    \b
    P1   an original of this picture exists, and is earlier
    P2   the published picture was made from it by an edit
    P3   AI made the edit            (method = "manual" says it was not)
    P4a  the reference picture shows the person clothed
    P4b  the published one appears to show them unclothed
    P4c  it is sexual, with the cultural context named
    P5   it was presented as real

    A platform's statement can carry an outcome on documents alone if it names input, output and
    feature, its source is graded A or B, and the digest of the document is given.
    """
    if template or not files:
        click.echo(json.dumps({"template": TEMPLATE}) if as_json else TEMPLATE, nl=as_json)
        return
    from wholecloth import workflow  # noqa: PLC0415

    read = workflow.read_findings(files)
    if as_json:
        click.echo(json.dumps([asdict(s) for s in read], ensure_ascii=False))
        return
    for statement in read:
        click.echo(f"{'/'.join(statement.propositions)}  {statement.direction}  {statement.label}")
