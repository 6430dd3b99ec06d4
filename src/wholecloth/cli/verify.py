"""``wholecloth verify``: does a result folder still hold what was written?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wholecloth.cli import options
from wholecloth.share import words

if TYPE_CHECKING:
    from wholecloth.casework.verify import Verified


@click.command(
    short_help="Does a result still hold what was written?",
    epilog="Example:  wholecloth verify case-12/ --files .",
)
@click.argument("folder", type=options.PATH)
@click.option(
    "--files",
    type=options.PATH,
    help="Where the published file and its sources lie; they are found by SHA-256.",
)
@options.as_json
def verify(folder: Path, files: Path | None, as_json: bool) -> None:
    """Recompute every digest of a result FOLDER and the chain of its custody log.

    Names the first thing that differs and ends with exit code 4. With --files the pictures that
    were examined are checked too. A chain shows accidents and careless hands; against somebody who
    rewrites everything, keep the record digest it prints in another place.
    """
    from wholecloth.casework.verify import verify as check  # noqa: PLC0415

    done = check(folder, files)
    if as_json:
        click.echo(json.dumps({"verified": True} | asdict(done), ensure_ascii=False))
        return
    for one in (done, *done.items):
        _show(one)


def _show(done: Verified) -> None:
    click.echo(f"{words.plain(done.folder)}: everything holds")
    log = f", {done.events} events of the custody log" if done.events else ""
    click.echo(f"  {len(done.files)} files{log}")
    if done.inputs:
        click.echo(f"  found and unchanged: {', '.join(done.inputs)}")
    for name in done.not_covered:
        click.echo(f"  not covered by the log: {words.plain(name)}")
    click.echo(f"  record digest {done.record_digest}")
