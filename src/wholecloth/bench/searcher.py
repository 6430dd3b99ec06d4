"""What ``bench retrieve`` asks of a search: build an index, rank, answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from wholecloth import originals
from wholecloth.intake.decode import Progress, WorkerPool
from wholecloth.model.media import RGB, Picture
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.index import Index
from wholecloth.retrieval.index.adding import add

RANKED = 100
"""Candidates asked for by words alone."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One photograph of an answer."""

    sha256: str
    verdict: str
    """``same_photo``, ``partial``, ``same_scene`` or ``no_match``."""
    share: float | None = None


class Searcher(Protocol):
    """An open index."""

    def rank(self, pixels: RGB, *, detail: bool = False) -> list[str]:
        """SHA-256 of up to ``RANKED`` candidates, best first, unverified."""

    def answer(self, published: Picture, pool: WorkerPool) -> list[Hit]:
        """The verified answer, best first."""


class Search(Protocol):
    """A way to search; pickled into every measuring process."""

    def build(
        self, place: Path, photographs: Sequence[Path], jobs: int, progress: Progress
    ) -> dict[str, Any]:
        """Index the photographs in a folder that does not exist yet; figures of the cost."""

    def open(self, place: Path) -> AbstractContextManager[Searcher]:
        """Open what ``build`` made."""


class Ours:
    """``wholecloth index``."""

    def build(
        self, place: Path, photographs: Sequence[Path], jobs: int, progress: Progress
    ) -> dict[str, Any]:
        """Make the index; ``bytes`` is what all its files take."""
        started = time.perf_counter()
        with Index.create(place, owner="wholecloth bench", purpose="measuring the search") as index:
            done = add(index, photographs, jobs=jobs, progress=progress)
        seconds = time.perf_counter() - started
        size = sum(p.stat().st_size for p in place.rglob("*") if p.is_file())
        return {
            "pictures": done.added,
            "skipped": len(done.skipped),
            "seconds": round(seconds, 1),
            "bytes": size,
        }

    @contextmanager
    def open(self, place: Path) -> Iterator[Searcher]:
        """With a cache of features beside it, so that photographs are read again only once."""
        cache = FeatureCache.open(place.parent / "features")
        try:
            with Index.open(place) as index:
                yield _OpenIndex(index, cache)
        finally:
            if cache is not None:
                cache.close()


class _OpenIndex:
    def __init__(self, index: Index, cache: FeatureCache | None) -> None:
        self._index = index
        self._cache = cache

    def rank(self, pixels: RGB, *, detail: bool = False) -> list[str]:
        found = self._index.rank(pixels, RANKED, "detail" if detail else "first")
        return [self._index.sha256_of(one.image) for one in found]

    def answer(self, published: Picture, pool: WorkerPool) -> list[Hit]:
        found = originals.answer(self._index, published, pool, self._cache)
        return [Hit(r.sha256, r.verdict, r.share) for r in found.results]
