"""``wholecloth index``: find the original among very many photographs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wholecloth.cli import options, stopping
from wholecloth.cli.watch import Watch
from wholecloth.errors import AgeDoubt, IndexDamaged, InputRefused, UsageRefused
from wholecloth.share import words

if TYPE_CHECKING:
    from wholecloth.intake.collect import Skipped
    from wholecloth.originals import Answer
    from wholecloth.retrieval.index import About

_folder = click.argument("folder", metavar="DIR", type=options.PATH)
_vault = click.option(
    "--vault", type=options.PATH, metavar="FILE", help="The file of the vault key."
)
_jobs = click.option(
    "--jobs", type=click.IntRange(min=1), default=None, help="Processes.  [default: all]"
)
_MOST_SHOWN = 20


@click.group(
    short_help="Find the original among very many photographs.",
    epilog=(
        'Example:  wholecloth index create case-12.index --owner "Hotline NN" '
        '--purpose "finding originals of reported pictures"'
    ),
)
def index() -> None:
    """Keep an index of photographs and ask it which one a published picture was made from.

    It finds edited, cropped, mirrored, filtered and recompressed pictures, one person cut out of a
    group photograph too, and tells the same photograph from another one of the same scene. It
    holds no pixels: photographs stay where they are and are read again to verify. What is erased
    from it is gone, and does not come back.

    An index has an owner and a stated lawful purpose, printed with every answer. Answers name
    SHA-256 digests and verdicts; paths are shown for a reason that is logged first.
    """


@index.command(
    epilog=(
        'Example:  wholecloth index create case-12.index --owner "Hotline NN" '
        '--purpose "finding originals of reported pictures"'
    )
)
@_folder
@click.option("--owner", required=True, help="Who is responsible for it.")
@click.option("--purpose", required=True, help="The lawful purpose it is kept for.")
@click.option(
    "--may-ask",
    multiple=True,
    metavar="NAME",
    help="Only these (WHOLECLOTH_ACTOR) may ask; may be given again.",
)
@click.option(
    "--per-hour",
    type=click.IntRange(min=0),
    default=0,
    help="Questions each may ask an hour.  [default: no limit]",
)
@_vault
@click.option(
    "--like",
    type=options.PATH,
    metavar="DIR",
    help="Share the secret of this index, so that the two can be merged.",
)
@click.option(
    "--postings",
    default="",
    metavar="ADDRESS",
    help="Keep postings in ClickHouse: clickhouse://user@host:port,.../database; the password is "
    "in WHOLECLOTH_CLICKHOUSE_PASSWORD.",
)
@options.as_json
def create(
    folder: Path,
    owner: str,
    purpose: str,
    may_ask: tuple[str, ...],
    per_hour: int,
    vault: Path | None,
    like: Path | None,
    postings: str,
    as_json: bool,
) -> None:
    """Make an empty index in a new folder.

    With --vault its segments are encrypted with keys sealed by that file, which is made if it is
    missing: keep it elsewhere. Without --like each index has a secret of its own, so that two of
    them cannot be compared.
    """
    from wholecloth import indexes  # noqa: PLC0415 - help must not load the image libraries

    about = indexes.create(
        folder,
        owner=owner,
        purpose=purpose,
        may_ask=may_ask,
        per_hour=per_hour,
        vault=vault,
        like=like,
        postings=postings,
    )
    if as_json:
        _print({"index": _about(about)})
    else:
        click.echo(words.plain(f"Made {about.line()}"))


@index.command(epilog="Example:  wholecloth index add case-12.index photos/")
@_folder
@click.argument("paths", nargs=-1, type=options.PATH, metavar="PATH...")
@click.option(
    "--list",
    "lists",
    multiple=True,
    type=options.PATH,
    metavar="FILE",
    help="A file that names one path a line (or JSON lines with path); may be given again.",
)
@_jobs
@click.option(
    "--detail/--no-detail",
    default=True,
    help="Give pictures of 1000 px and more a second tier, for people cut out of groups.",
)
@click.option("--retry", is_flag=True, help="Read again what could not be read before.")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Let the workers of this Dask scheduler read them (tls://host:port); --jobs says how many "
    "tasks are under way.",
)
@_vault
@options.as_json
@options.quiet
def add(
    folder: Path,
    paths: tuple[Path, ...],
    lists: tuple[Path, ...],
    jobs: int | None,
    detail: bool,
    retry: bool,
    dask: str | None,
    vault: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Add photographs: files, folders (recursively), lists.

    Stopped and run again, it goes on: what was read and has not changed is not read again, content
    that is known already is not added twice, and content that was erased is not added at all.
    Files that cannot be read are named, and the rest goes on.
    """
    if not paths and not lists:
        raise UsageRefused("PATH", "nothing to add", "name files or folders, or give --list FILE")
    from wholecloth import indexes  # noqa: PLC0415
    from wholecloth.retrieval.index.elsewhere import executor_of  # noqa: PLC0415

    click.get_current_context().with_resource(stopping.armed())
    with Watch(quiet=quiet or as_json) as watch, indexes.opened(folder, vault, True) as opened:
        done = indexes.add(
            opened,
            paths,
            lists=lists,
            jobs=jobs or os.cpu_count() or 1,
            executor=executor_of(dask) if dask else None,
            detail=detail,
            retry=retry,
            progress=watch,
        )
        about = opened.about
    unread = [s for s in done.skipped if s.kind == "unread"]
    if as_json:
        _print(
            {
                "index": _about(about),
                "added": done.added,
                "known": done.known,
                "denied": done.denied,
                "unread": [{"name": s.name, "reason": s.reason} for s in unread],
                "left_out": len(done.skipped) - len(unread),
            }
        )
        return
    click.echo(words.plain(about.line()))
    click.echo(f"{done.added} added, {done.known} known already, {len(unread)} not read")
    if done.denied:
        click.echo(f"{done.denied} left out: their content was erased from this index")
    if len(done.skipped) > len(unread):
        click.echo(f"{len(done.skipped) - len(unread)} left out: not pictures, or the same files")
    for one in unread[:_MOST_SHOWN]:
        click.echo(f"not read: {words.plain(one.name)}: {words.plain(one.reason)}")
    if len(unread) > _MOST_SHOWN:
        click.echo(f"... and {len(unread) - _MOST_SHOWN} more; --json lists all")


@index.command(epilog="Example:  wholecloth index find case-12.index published.jpg --json")
@_folder
@click.argument("files", nargs=-1, required=True, type=options.PATH, metavar="FILE...")
@click.option(
    "--reveal", metavar="REASON", help="Also show where the photographs lie; it is logged first."
)
@click.option("--log", type=options.PATH, metavar="FILE", help="Log elsewhere than in the index.")
@_vault
@options.cache
@options.as_json
@options.quiet
@click.option(
    "--age-doubt",
    is_flag=True,
    help="The person may be under 18: open nothing, keep nothing, show where to report.",
)
def find(
    folder: Path,
    files: tuple[Path, ...],
    reveal: str | None,
    log: Path | None,
    vault: Path | None,
    use_cache: bool,
    as_json: bool,
    quiet: bool,
    age_doubt: bool,
) -> None:
    """Say for each published picture which photograph it was made from.

    FILE is a picture or a folder of them. Verdicts: same_photo (this photograph, edited or not),
    partial (a part of the frame comes from it, with the share it explains), same_scene (another
    photograph of the same scene), no_match. With --json: a list of query_sha256, verdict and
    results, each with sha256, verdict, share and, with --reveal, path.
    """
    if age_doubt:
        item = str(files[0])
        raise AgeDoubt(item, "doubt about age", " ".join(w for w in words.ROUTES if w))
    if reveal is not None and not reveal.strip():
        raise UsageRefused("--reveal", "needs a reason", 'for example --reveal "case 12"')
    from wholecloth import indexes  # noqa: PLC0415
    from wholecloth.intake.collect import Skipped  # noqa: PLC0415
    from wholecloth.retrieval.cache import FeatureCache  # noqa: PLC0415

    click.get_current_context().with_resource(stopping.armed())
    cache = FeatureCache.open() if use_cache else None
    rows: list[dict[str, Any]] = []
    unread = number = 0
    with (
        Watch(quiet=quiet or as_json) as watch,
        closing(cache) if cache else nullcontext(),
        indexes.opened(folder, vault) as opened,
    ):
        about = opened.about
        if not as_json:
            click.echo(words.plain(about.line()))
        try:
            asked = indexes.ask(opened, files, reveal=reveal, log=log, cache=cache, progress=watch)
            for number, (answer, paths) in enumerate(asked, 1):
                unread += isinstance(answer, Skipped)
                if as_json:
                    rows.append(_row(answer, paths, about))
                else:
                    _show(number, answer, paths)
        except AgeDoubt:
            if cache is not None:
                cache.withdraw()
            raise
    if as_json:
        _print(rows)
    options.flush()
    if unread == number:
        sys.exit(InputRefused.exit_code)


@index.command(epilog="Example:  wholecloth index erase case-12.index photos/withdrawn.jpg")
@_folder
@click.argument("named", nargs=-1, required=True, metavar="PATH|SHA256...")
@_vault
@options.as_json
def erase(folder: Path, named: tuple[str, ...], vault: Path | None, as_json: bool) -> None:
    """Erase photographs from an index, by path, folder or SHA-256.

    Their segments are written anew without them, and freed pages of the manifest are zeroed. A
    keyed digest of each stays, so that they are not added again. The photographs themselves are not
    touched. Copies of the index made before (backups, snapshots) still hold them.
    """
    from wholecloth import indexes  # noqa: PLC0415

    with indexes.opened(folder, vault, True) as opened:
        done = indexes.erase(opened, named)
    if as_json:
        _print({"erased": done.pictures, "not_found": list(done.not_found)})
    else:
        click.echo(f"{done.pictures} erased")
        for name in done.not_found:
            click.echo(f"not in the index: {words.plain(name)}")


@index.command(epilog="Example:  wholecloth index allow case-12.index 3f5a...")
@_folder
@click.argument("digests", nargs=-1, required=True, metavar="SHA256...")
@_vault
def allow(folder: Path, digests: tuple[str, ...], vault: Path | None) -> None:
    """Let erased content be added again."""
    from wholecloth import indexes  # noqa: PLC0415

    with indexes.opened(folder, vault, True) as opened:
        indexes.allow(opened, digests)
    click.echo(f"{len(digests)} allowed; add the photographs again")


@index.command(epilog="Example:  wholecloth index verify case-12.index")
@_folder
@_vault
@options.as_json
def verify(folder: Path, vault: Path | None, as_json: bool) -> None:
    """Check every byte of an index, and name what does not hold."""
    from wholecloth import indexes  # noqa: PLC0415

    with indexes.opened(folder, vault) as opened:
        broken = list(indexes.damage(opened))
        pictures = len(opened)
    if as_json:
        _print({"holds": not broken, "pictures": pictures, "damage": broken})
        if broken:
            sys.exit(IndexDamaged.exit_code)
        return
    for line in broken:
        click.echo(words.plain(line))
    if broken:
        remedy = "restore what is named from a copy, or erase and add it again"
        raise IndexDamaged(str(folder), f"{len(broken)} thing(s) do not hold", remedy)
    click.echo(f"holds: {pictures} pictures")


@index.command(epilog="Example:  wholecloth index stats case-12.index")
@_folder
@_vault
@options.as_json
def stats(folder: Path, vault: Path | None, as_json: bool) -> None:
    """Say what an index holds and how large it is."""
    from wholecloth import indexes  # noqa: PLC0415

    with indexes.opened(folder, vault) as opened:
        found = indexes.stats(opened)
        line = opened.about.line()
    if as_json:
        _print(found)
        return
    click.echo(words.plain(line))
    click.echo(f"pictures   {found['pictures']} in {found['segments']} segments")
    for name, tier in found["tiers"].items():
        size = f"{tier['bytes_per_picture'] / 1000:.1f} KB each" if tier["pictures"] else "none"
        click.echo(f"{name:<10} {tier['pictures']} pictures, {size}")
    click.echo(f"manifest   {found['manifest_bytes'] / 1000:.0f} KB")
    click.echo(f"size       {found['bytes'] / 1e6:.1f} MB")
    click.echo(f"refused    {found['refused']} files; {found['denied']} contents denied")


@index.command(epilog="Example:  wholecloth index compact case-12.index")
@_folder
@_vault
@options.as_json
def compact(folder: Path, vault: Path | None, as_json: bool) -> None:
    """Join small segments, so that questions are answered sooner, and give space back."""
    from wholecloth import indexes  # noqa: PLC0415

    with indexes.opened(folder, vault, True) as opened:
        joined = indexes.compact(opened)
    if as_json:
        _print({"joined": joined})
    else:
        click.echo(f"{joined} segments joined")


@index.command(epilog="Example:  wholecloth index merge all.index shard-1.index shard-2.index")
@_folder
@click.argument("others", nargs=-1, required=True, type=options.PATH, metavar="OTHER...")
@_vault
@options.as_json
@options.quiet
def merge(
    folder: Path, others: tuple[Path, ...], vault: Path | None, as_json: bool, quiet: bool
) -> None:
    """Add what other indexes hold, made with `index create --like`; they are not changed."""
    from wholecloth import indexes  # noqa: PLC0415

    total = 0
    with Watch(quiet=quiet or as_json) as watch, indexes.opened(folder, vault, True) as opened:
        for other in others:
            with indexes.opened(other, vault) as shard:
                total += indexes.merge(opened, shard, watch)
    if as_json:
        _print({"merged": total})
    else:
        click.echo(f"{total} pictures merged")


def _about(about: About) -> dict[str, Any]:
    return {"id": about.id, "owner": about.owner, "purpose": about.purpose}


def _row(answer: Answer | Skipped, paths: dict[str, list[str]], about: About) -> dict[str, Any]:
    from wholecloth.originals import Answer  # noqa: PLC0415

    if not isinstance(answer, Answer):
        error = {"item": answer.name, "reason": answer.reason}
        return {"query_sha256": None, "verdict": None, "results": [], "error": error}
    return {
        "query_sha256": answer.query_sha256,
        "verdict": answer.verdict,
        "results": [
            {
                "path": next(iter(paths.get(r.sha256, [])), None),
                "sha256": r.sha256,
                "verdict": r.verdict,
                "share": None if r.share is None else round(r.share, 4),
                "changed": None if r.changed is None else round(r.changed, 4),
                "inliers": r.inliers,
                "because": r.because,
            }
            for r in answer.results
        ],
        "not_verified": [{"sha256": s, "reason": why} for s, why in answer.not_verified],
        "looked": answer.looked,
        "of": answer.of,
        "reach": list(answer.reach),
        "index": _about(about),
    }


def _show(number: int, answer: Answer | Skipped, paths: dict[str, list[str]]) -> None:
    for line in _lines(number, answer, paths):
        click.echo(line)


def _lines(number: int, answer: Answer | Skipped, paths: dict[str, list[str]]) -> Iterator[str]:
    from wholecloth.originals import Answer  # noqa: PLC0415

    if not isinstance(answer, Answer):
        yield f"Q{number}  not read: {words.plain(answer.name)}: {words.plain(answer.reason)}"
        return
    yield f"Q{number}  {answer.query_sha256[:16]}  {answer.verdict}"
    for r in answer.results:
        said = [] if r.share is None else [f"explains {words.percent(r.share)} of the frame"]
        if r.changed:
            said.append(f"{words.percent(r.changed)} changed")
        yield f"    {r.sha256[:16]}  {r.verdict:<10}  {', '.join(said) or words.plain(r.because)}"
        for path in paths.get(r.sha256, []):
            yield f"        {words.plain(path)}"
    for sha256, why in answer.not_verified[:_MOST_SHOWN]:
        yield f"    {sha256[:16]}  not verified: {words.plain(why)}"
    for line in answer.reach:
        yield f"    reach: {line}"


def _print(document: object) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
