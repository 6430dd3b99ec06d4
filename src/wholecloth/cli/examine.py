"""``wholecloth examine``: the main job."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from wholecloth.cli import options, stopping
from wholecloth.cli.options import PATH, ManyValued
from wholecloth.cli.watch import Watch
from wholecloth.errors import AgeDoubt, InputRefused, VerificationFailed
from wholecloth.share import words


@click.command(
    cls=ManyValued,
    short_help="Find the original and prove the edit.",
    epilog=(
        "Exit codes: 0 done (whatever was found), 2 command line, 3 input refused, 1 our fault.\n\n"
        "Example:  wholecloth examine published.jpg --among photos/ --out case-12/"
    ),
)
@click.argument("published", nargs=-1, required=True, type=PATH)
@click.option(
    "--among",
    multiple=True,
    type=PATH,
    help="Files and folders that may hold the original; folders are read recursively.",
)
@click.option("--out", type=PATH, help="Folder for the results. Default: ./NAME.wholecloth/")
@click.option(
    "--finding",
    "findings",
    multiple=True,
    type=PATH,
    help="JSON or TOML files with what only a person or a platform can say; "
    "see `wholecloth finding --help`.",
)
@options.replace
@click.option(
    "--resume",
    is_flag=True,
    help="Of several pictures, keep the results that are there and still hold, and do the rest; "
    "with --replace, redo those that are there.",
)
@click.option(
    "--exhaustive",
    is_flag=True,
    help="Look at every candidate; without it, of 200 and more only the likeliest are.",
)
@options.cache
@options.paranoid
@options.as_json
@options.quiet
@click.option(
    "--age-doubt",
    is_flag=True,
    help="The person may be under 18: examine nothing, keep nothing, show where to report.",
)
def examine(
    published: tuple[Path, ...],
    among: tuple[Path, ...],
    out: Path | None,
    findings: tuple[Path, ...],
    replace: bool,
    resume: bool,
    exhaustive: bool,
    use_cache: bool,
    paranoid: bool,
    as_json: bool,
    quiet: bool,
    age_doubt: bool,
) -> int:
    """Find the original of each PUBLISHED picture among candidates and prove the edit.

    Says which candidate is the original and how sure the geometry is, whether and where the
    published picture was edited, what was found about the method, and which DISARM outcome the
    evidence reaches. Writes record.json, report.html and figures.

    The effect of an edit is never decided here: bring it as a --finding. Do not use this where
    the person may be under 18; while it runs, the key "a" stops it and removes what it wrote.
    """
    if age_doubt:
        raise AgeDoubt(str(published[0]), "doubt about age", " ".join(w for w in words.ROUTES if w))
    # Listening starts before the notice that names the key, and ends with the command.
    watch = click.get_current_context().with_resource(Watch(quiet=quiet or as_json))
    if not (as_json or quiet):
        click.echo(words.BEFORE_DECODING.format(count=len(published)), err=True)
    from wholecloth import atomic, workflow  # noqa: PLC0415 - help must not load the image libraries
    from wholecloth.casework.output import SUFFIX, withdraw  # noqa: PLC0415
    from wholecloth.intake.collect import candidates_of  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415
    from wholecloth.retrieval.cache import FeatureCache  # noqa: PLC0415
    from wholecloth.retrieval.reading import FeatureStore, Reader  # noqa: PLC0415
    from wholecloth.share import terminal  # noqa: PLC0415
    from wholecloth.signals.registry import installed  # noqa: PLC0415

    installed()  # imports them; from here on nothing is imported any more
    click.get_current_context().with_resource(stopping.armed())
    batch = out if len(published) > 1 else None
    said = workflow.read_findings(findings)
    candidates = candidates_of(among, bool(said))
    items: list[dict[str, Any]] = []
    code = 0
    made: list[Path] = []
    store = FeatureStore() if len(published) > 1 else None
    cache = FeatureCache.open() if use_cache else None
    with contextlib.ExitStack() as held:
        if batch is not None:
            fresh: list[Path] = []
            held.callback(_remove_empty, fresh)
            atomic.make_folder(batch, fresh)
            held.enter_context(atomic.locked(batch))
            if not (replace or resume):
                workflow.refuse_earlier_batch(batch)
        earlier = {}
        if resume:
            single = out or Path(published[0].name + SUFFIX)
            earlier = workflow.results_in([single] if len(published) == 1 else (batch or Path()))
        taken = {folder.name for folder, _ in earlier.values()}
        if cache is not None:
            held.enter_context(contextlib.closing(cache))
        pool = held.enter_context(WorkerPool())
        reader = Reader(candidates.sources, pool, store, cache, paranoid=paranoid)
        coding = None if exhaustive else workflow.coded(reader, cache, watch)
        try:
            for path in published:
                known = earlier.pop(workflow.digest_of_file(path), None) if earlier else None
                if known is not None:
                    folder = known[0]
                elif out is None or batch is not None:
                    folder = (batch or Path()) / workflow.folder_name(path, taken)
                else:
                    folder = out
                try:
                    if known is not None and not replace:
                        record = workflow.done_before(known, among, said)
                    else:
                        record = workflow.examine_one(
                            path,
                            among,
                            candidates,
                            said,
                            reader,
                            out=folder,
                            replace=replace,
                            coding=coding,
                            progress=watch,
                        ).record
                        made.append(folder)
                except (InputRefused, VerificationFailed) as error:
                    if len(published) == 1:
                        raise
                    code = max(code, error.exit_code)
                    items.append({"published": str(path), "error": error.as_dict()})
                    continue
                items.append({"published": str(path), "folder": str(folder), "record": record})
        except AgeDoubt:
            withdraw(made)
            if cache is not None:
                cache.withdraw()
            raise
        if batch is not None:
            kept = [
                {"published": r["run"]["published"], "folder": str(f), "record": r}
                for f, r in earlier.values()
            ]
            workflow.write_summary(batch, [*items, *kept])
    _show(items, terminal, as_json=as_json)
    options.flush()
    return code


def _remove_empty(folders: list[Path]) -> None:
    """Of the folders this run made, those in which nothing was left."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _show(items: list[dict[str, Any]], terminal: ModuleType, *, as_json: bool) -> None:
    if as_json:
        document = items[0]["record"] if len(items) == 1 else {"items": items}
        sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
        return
    for item in items:
        if "error" in item:
            said = {k: words.plain(v) for k, v in item["error"].items()}
            print(f"{said['item']}: {said['reason']} - {said['remedy']}", file=sys.stderr)  # noqa: T201
        else:
            summary = terminal.summary(item["record"], item["published"], item["folder"])
            sys.stdout.write(summary + "\n\n")
    if len(items) > 1:
        sys.stdout.write(terminal.overview(items) + "\n")
