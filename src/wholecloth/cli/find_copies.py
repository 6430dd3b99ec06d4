"""``wholecloth find-copies``: one original, many published files."""

from __future__ import annotations

import json
import sys
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import click

from wholecloth.cli import options, stopping
from wholecloth.cli.watch import Watch
from wholecloth.errors import AgeDoubt, UsageRefused
from wholecloth.share import words


@click.command(
    "find-copies",
    cls=options.ManyValued,
    short_help="One original against many published files.",
    epilog="Example:  wholecloth find-copies original.jpg --in intake/ --out case-12-copies/",
)
@click.argument("original", type=options.PATH)
@click.option(
    "--in",
    "queue",
    multiple=True,
    required=True,
    type=options.PATH,
    help="Published files, folders of them (read recursively), and indexes of them.",
)
@click.option("--out", type=options.PATH, help="Folder for copies.json and the custody log.")
@click.option(
    "--names",
    is_flag=True,
    help="Also show the file names of what matched; needs --reason and --out.",
)
@click.option("--reason", help="Why names are shown; it is logged before they are.")
@click.option("--vault", type=options.PATH, metavar="FILE", help="Vault key of an index.")
@options.replace
@options.cache
@options.paranoid
@options.as_json
@options.quiet
@click.option(
    "--age-doubt",
    is_flag=True,
    help="The person may be under 18: examine nothing, keep nothing, show where to report.",
)
def find_copies(
    original: Path,
    queue: tuple[Path, ...],
    out: Path | None,
    names: bool,
    reason: str | None,
    vault: Path | None,
    replace: bool,
    use_cache: bool,
    paranoid: bool,
    as_json: bool,
    quiet: bool,
    age_doubt: bool,
) -> None:
    """Find the copies and edits of one ORIGINAL among many published files.

    Every file gets the verdict that `wholecloth examine FILE --among ORIGINAL` would give, with
    the same proof; of an index, the pictures that have most in common with the original. The
    answer names items by label and SHA-256, not by file name. Stopped and run again, it goes on
    quickly: what was read is in the cache.
    """
    if age_doubt:
        raise AgeDoubt(str(original), "doubt about age", " ".join(w for w in words.ROUTES if w))
    if names and not (reason and reason.strip() and out):
        remedy = "add --reason TEXT and --out FOLDER, where it is logged"
        raise UsageRefused("--names", "names are shown for a reason that is logged", remedy)
    if reason and not names:
        raise UsageRefused("--reason", "is only for showing names", "add --names, or leave it out")
    watch = click.get_current_context().with_resource(Watch(quiet=quiet or as_json))
    if not (as_json or quiet):
        click.echo(words.BEFORE_DECODING_QUEUE, err=True)
    from wholecloth import copies  # noqa: PLC0415 - help must not load the image libraries
    from wholecloth.casework.output import withdraw  # noqa: PLC0415
    from wholecloth.retrieval.cache import FeatureCache  # noqa: PLC0415

    click.get_current_context().with_resource(stopping.armed())
    cache = FeatureCache.open() if use_cache else None
    with closing(cache) if cache else nullcontext():
        try:
            done = copies.find_copies(
                original,
                queue,
                out=out,
                replace=replace,
                names_for=reason if names else None,
                cache=cache,
                paranoid=paranoid,
                vault=vault,
                progress=watch,
            )
        except AgeDoubt:
            withdraw([out] if out is not None else [])
            if cache is not None:
                cache.withdraw()
            raise
    if as_json:
        document = done.record | ({"names": done.names} if names else {})
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        _show(done.record, done.names, out)
    options.flush()


def _show(record: dict[str, Any], names: dict[str, str], out: Path | None) -> None:
    for row in record["items"]:
        if row["verdict"] not in (*words.MATCHED, "same_scene"):
            continue
        share = row["changed_share"]
        changed = f"  {words.percent(share)} changed" if share else ""
        name = f"  {words.plain(names[row['label']])}" if row["label"] in names else ""
        sha = row["sha256"][:16]
        click.echo(f"{row['label']:<6} {sha}  {row['verdict']:<12}{changed}{name}")
    counts = ", ".join(f"{n} {words.plain(v)}" for v, n in record["counts"].items())
    click.echo(f"{len(record['items'])} files: {counts or 'none'}")
    for row in record["items"]:
        if row["verdict"] == "unread":
            sha = (row["sha256"] or "not readable")[:16]
            click.echo(f"not read: {row['label']} {sha}: {words.plain(row['because'])}")
    for row in record["indexes"]:
        about = f"index {row['id']}, kept by {row['owner']} for: {row['purpose']}"
        click.echo(words.plain(f"{about}; {row['examined']} of {row['pictures']} examined"))
        if row["gone"]:
            click.echo(f"{row['gone']} likely ones are not where they were added: not examined")
        if row["holds_original"]:
            click.echo("the original's own bytes are in it")
    for row in record["left_out"]:
        click.echo(f"left out: {row['count']} {row['kind']} ({words.plain(row['reason'])})")
    if out is not None:
        click.echo(f"Written to {words.plain(str(out))}: copies.json, custody.jsonl")
