"""``wholecloth bench retrieve``: the search beside hashes, over the same pictures in one run."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wholecloth import __version__
from wholecloth.bench import (
    asking,
    families,
    growth,
    hashes,
    negatives,
    queries,
    retrieve_charts,
    retrieve_figures,
    retrieve_page,
)
from wholecloth.bench.localise import machine, write
from wholecloth.bench.outcome import Outcome
from wholecloth.bench.peers import Peer
from wholecloth.bench.searcher import Ours, Search
from wholecloth.bench.work import spread
from wholecloth.errors import NotInstalled, OutputRefused
from wholecloth.intake.decode import Progress, WorkerPool

KEPT_OUT = 0.3
_AT_ONCE = 4
"""Queries a task: opening the index once for each costs little."""
_GROWTH_QUERIES = 240
"""As many as the reference measurement asked."""


@dataclass(frozen=True, slots=True)
class How:
    """What a run is asked to do."""

    count: int = 120
    """Drawn positives."""
    seed: int = 1
    kept_out: float = KEPT_OUT
    jobs: int | None = None
    growth: tuple[int, ...] = ()
    """Sizes."""


def run_retrieve(
    folder: Path,
    out: Path,
    how: How | None = None,
    *,
    others: Sequence[Peer] = (),
    search: Search | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Measure the search for the original.

    Args:
        folder: cases in the form of ``wholecloth.bench``, or any folder of photographs.
        out: where ``results.json``, ``results.md`` and the plots go; nothing of the pictures.
        how: how many queries, and so on.
        others: other people's verifiers, told the true pair.
        search: what is measured; ours by default.
        progress: called with (stage, done, of).

    Returns:
        What was written as JSON.
    """
    if out.exists() and not out.is_dir():
        raise OutputRefused(str(out), "is not a folder", "give another place with --out")
    how, search = how or How(), search or Ours()
    with tempfile.TemporaryDirectory(prefix="wholecloth-retrieve-") as name:
        work = Path(name)
        plan = queries.planned(
            folder, work, queries=how.count, seed=how.seed, kept_out=how.kept_out, progress=progress
        )
        negatives.add(plan, work / "frames", how.count // 2, how.seed, progress)
        paths = [p.path for p in plan.photographs]
        place = work / "index"
        built = search.build(place, paths, how.jobs or 1, progress)
        table = hashes.table(paths, progress)
        plan.queries = families.told_apart(plan.queries, table)
        outcomes = _asked(search, place, table, plan.queries, how.jobs, others, progress)
        grown: dict[str, Any] = {}
        if how.growth and isinstance(search, Ours):
            asked = _drawn(plan, table)
            grown = growth.measure(place, asked, how.growth, how.seed, progress)
    document = _document(folder, how, others, plan, built, outcomes, grown)
    files: dict[str, bytes] = {}
    try:
        files = retrieve_charts.drawn(document)
    except NotInstalled as error:
        document["notes"].append(f"No plots: they {error.reason} ({error.remedy}).")
    document["plots"] = list(files)
    files["results.md"] = retrieve_page.markdown(document).encode()
    files["results.json"] = json.dumps(document, ensure_ascii=False, indent=1).encode()
    write(out, files)
    return document


def _asked(
    search: Search,
    place: Path,
    table: hashes.Hashes,
    listed: Sequence[queries.Query],
    jobs: int | None,
    others: Sequence[Peer],
    progress: Progress,
) -> list[Outcome]:
    count = 0

    def step(done: list[Outcome]) -> None:
        nonlocal count
        count += len(done)
        progress("asking", count, len(listed))

    parts = [listed[i : i + _AT_ONCE] for i in range(0, len(listed), _AT_ONCE)]
    found = spread(asking.ask, [(search, place, table, p, others) for p in parts], jobs, step)
    return [outcome for part in found for outcome in part]


def _drawn(plan: queries.Plan, table: hashes.Hashes) -> list[tuple[bytes, set[str]]]:
    """The files of drawn queries, each with what is right."""
    mine = [q for q in plan.queries if q.kind == "drawn"][:_GROWTH_QUERIES]
    with WorkerPool(1) as pool:
        return [(asking.published(pool, q)[0], asking.right_of(q, table)) for q in mine]


def _document(
    folder: Path,
    how: How,
    others: Sequence[Peer],
    plan: queries.Plan,
    built: dict[str, Any],
    outcomes: Sequence[Outcome],
    grown: dict[str, Any],
) -> dict[str, Any]:
    apart = len(plan.kept_out) + len(plan.ground)
    notes = []
    if plan.unread:
        notes.append(f"{plan.unread} files were no different picture that can be read.")
    if len(plan.ground) < 2:
        notes.append("Look-alikes were drawn over scenes: too few photographs were kept out.")
    if not plan.kept_out:
        notes.append("No unrelated queries: no photograph was kept out.")
    return {
        "title": f"Search for the original: wholecloth {__version__}",
        "command": _command(folder, how, others),
        "how": f"{len(plan.photographs)} pictures of {folder.name} and look-alikes in the index, "
        f"{apart} kept out; {len(outcomes)} queries, seed {how.seed}.",
        "machine": machine(),
        "notes": notes,
        "index": built,
        **retrieve_figures.figures(outcomes),
        "growth": grown,
        "results": [o.as_dict() for o in outcomes],
    }


def _command(folder: Path, how: How, others: Sequence[Peer]) -> str:
    words = ["wholecloth", "bench", "retrieve", shlex.quote(folder.name)]
    words += ["--queries", str(how.count), "--seed", str(how.seed)]
    words += ["--kept-out", f"{how.kept_out:g}"] if how.kept_out != KEPT_OUT else []
    words += ["--growth", ",".join(map(str, how.growth))] if how.growth else []
    for peer in others:  # the commands themselves hold this machine's paths
        words += ["--peer", shlex.quote(f"{peer.name}=…")]
    return " ".join(words)
