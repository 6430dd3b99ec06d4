"""The whole job: every published picture against all originals and distractors."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from wholecloth.bench.cases import BENIGN, DISTRACTORS, Row, sha256
from wholecloth.errors import InputRefused
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import Progress, WorkerPool, picture
from wholecloth.pipeline import examine_picture
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.reading import FeatureStore, Reader


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Right originals and verdicts per class."""

    classes: dict[str, dict[str, Any]]
    candidates: int
    seconds: float
    peak_mib: float
    """Of this process and, separately counted by the system, its largest worker."""


def measure(
    rows: Sequence[Row], cache: FeatureCache | None, progress: Progress = lambda *_: None
) -> SearchResult:
    """Examine every published picture once, however many rows name it."""
    candidates = {sha256(r.original): r.original for r in rows}
    published: dict[str, Path] = {}
    right: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.published is not None and row.kind != DISTRACTORS:
            digest = sha256(row.published)
            published.setdefault(digest, row.published)
            right[digest].add(sha256(row.original))
    started = time.perf_counter()
    answers = {}
    sources = [file_source(p) for p in candidates.values()]
    with WorkerPool() as pool, threadpool_limits(limits=1, user_api="blas"):
        reader = Reader(sources, pool, FeatureStore(), cache)
        for done, (digest, path) in enumerate(published.items()):
            progress("searching", done, len(published))
            try:
                answers[digest] = examine_picture(picture(pool.decode(file_source(path))), reader)
            except InputRefused:
                continue
        progress("searching", len(published), len(published))
    seconds = time.perf_counter() - started
    classes = {}
    for kind in dict.fromkeys(r.kind for r in rows if r.published and r.kind != DISTRACTORS):
        verdicts: Counter[str] = Counter()
        named = listed = 0
        of_class = [r for r in rows if r.kind == kind and r.published is not None]
        for row in of_class:
            digest = sha256(row.published) if row.published else ""
            answer = answers.get(digest)
            if answer is None:
                verdicts["refused"] += 1
                continue
            found = [s.picture.digests.sha256 for s in answer.sources]
            verdicts[answer.verdict] += 1
            named += bool(found) and found[0] in right[digest]
            listed += right[digest] <= set(found)
        classes[kind] = {
            "rows": len(of_class),
            "right_original": named,
            "all_sources_listed": listed,
            "verdicts": dict(verdicts),
            "benign": kind == BENIGN,
        }
    return SearchResult(classes, len(candidates), round(seconds, 1), peak_mib())


def peak_mib(*, own: bool = True) -> float:
    """Largest resident size of this process (if ``own``) plus its largest child; 0 if unknown."""
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return 0.0
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if own:
        kib += resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kib / 1024, 1)
