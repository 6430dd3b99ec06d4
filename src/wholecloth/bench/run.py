"""Run the benchmarks and write their results."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wholecloth import __version__, atomic
from wholecloth.bench import search, tables
from wholecloth.bench.cases import DISTRACTORS, Row, load
from wholecloth.bench.pairs import PairResult, measure
from wholecloth.bench.work import spread
from wholecloth.errors import NotInstalled, OutputRefused
from wholecloth.intake.decode import Progress
from wholecloth.localisation.settings import Settings
from wholecloth.retrieval.cache import FeatureCache


def run_all(
    folder: Path,
    out: Path,
    *,
    launder: int = 0,
    seed: int = 1,
    jobs: int | None = None,
    with_search: bool = True,
    cache: FeatureCache | None = None,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Measure a folder of cases.

    Args:
        folder: cases in the form of ``wholecloth.bench``.
        out: where ``results.json``, ``results.md`` and the plots go.
        launder: 0 = the published files as they lie; N = each N times through a random repost.
        seed: of the first repost.
        jobs: processes; the processors by default.
        with_search: also the search for the original, over all files.
        cache: features of files read before.
        progress: called with (stage, done, of).

    Returns:
        What was written as JSON.
    """
    rows = load(folder)
    if out.exists() and not out.is_dir():
        raise OutputRefused(str(out), "is not a folder", "give another place with --out")
    atomic.make_folder(out)
    seeds: list[int | None] = [seed + i for i in range(launder)] if launder else [None]
    results = measure_pairs(rows, seeds, jobs, progress)
    document: dict[str, Any] = {
        "title": f"wholecloth {__version__}, settings {Settings().name}",
        "how": _how(folder, seeds),
        "machine": {
            "system": platform.system(),
            "machine": platform.machine(),
            "processors": os.cpu_count(),
            "python": platform.python_version(),
        },
        "pairs": tables.per_class(results),
        "stages": tables.stages(results),
        "peak_mib": search.peak_mib(own=False),
        "results": [r.as_dict() for r in results],
    }
    if with_search:
        document["search"] = asdict(search.measure(rows, cache, progress))
    try:
        document["plots"] = tables.plots(results, out)
    except NotInstalled as error:
        document["plots"] = []
        document["how"] += f" ({error.reason}: {error.remedy})"
    text = json.dumps(document, ensure_ascii=False, indent=1)
    atomic.write(out / "results.json", text.encode())
    atomic.write(out / "results.md", tables.markdown(document).encode())
    return document


def measure_pairs(
    rows: Sequence[Row],
    seeds: Sequence[int | None],
    jobs: int | None = None,
    progress: Progress = lambda *_: None,
) -> list[PairResult]:
    """Every pair with every seed, in the order of the rows."""
    work = [(r, s) for r in rows if r.published and r.kind != DISTRACTORS for s in seeds]
    count = 0

    def step(_: PairResult) -> None:
        nonlocal count
        count += 1
        progress("measuring pairs", count, len(work))

    return spread(measure, work, jobs, step)


def _how(folder: Path, seeds: Sequence[int | None]) -> str:
    if seeds == [None]:
        return f"Cases of {folder.name}, the published files as they lie."
    return (
        f"Cases of {folder.name}, every published file through {len(seeds)} random repost(s), "
        f"seeds {seeds[0]}-{seeds[-1]}."
    )
