"""Add photographs to an index: resumable, known content skipped, bad files named."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from wholecloth.intake.collect import Skipped
from wholecloth.intake.decode import Progress
from wholecloth.intake.limits import DEFAULT, Limits
from wholecloth.retrieval.index import bulk, walk
from wholecloth.retrieval.index.bulk import How, Left, Taken
from wholecloth.retrieval.index.folder import Index
from wholecloth.retrieval.index.manifest import ImageRow, identity
from wholecloth.retrieval.postings import Kept

_PICTURES, _SECONDS = 1000, 60.0
"""A segment is written after so many pictures, or so long: that much a kill can lose."""
_POSTINGS = 6_000_000
"""… or so many postings, some 120 MB held in memory."""
_OTHERS = 20_000
"""… or so many files that gave no new picture."""
_FEW = 2 * bulk.AT_ONCE
"""So few files are not worth starting processes for."""


@dataclass(slots=True)
class Added:
    """What became of the files."""

    added: int = 0
    """Pictures new to the index."""
    known: int = 0
    """Files whose content it had already."""
    denied: int = 0
    """Files whose content was erased; they are not added again."""
    skipped: list[Skipped] = field(default_factory=list)
    """Files that are no pictures, or could not be read."""


def add(
    index: Index,
    paths: Sequence[Path],
    *,
    lists: Sequence[Path] = (),
    jobs: int = 1,
    executor: Executor | None = None,
    detail: bool = True,
    retry: bool = False,
    limits: Limits = DEFAULT,
    progress: Progress = lambda *_: None,
) -> Added:
    """Add the pictures in files and folders.

    Args:
        index: opened for writing.
        paths: files, and folders walked recursively.
        lists: files that name one path a line.
        jobs: local processes; with 1 everything happens in this one.
        executor: something with ``submit`` to use in place of local processes.
        detail: whether large pictures get a detail tier.
        retry: read again what could not be read before.
        limits: of decoding one file.
        progress: called with (stage, done, of); whatever it raises stops the run, and what was
            written until then stays.

    Raises:
        InputRefused: a path does not exist, a list cannot be read.
        OutputRefused: the index cannot be written, or is being written.
    """
    done = Added()
    with index.writing():
        run = _Run(index, done, retry, progress, walk.count(paths))
        how = How(index.keys.derived("words"), limits, detail)
        new = run.new(_chained(paths, lists, done))
        own = executor is None and jobs > 1 and run.total > _FEW
        workers = bulk.processes(jobs) if own else executor
        try:
            for batch in bulk.spread(new, how, workers, 3 * max(jobs, 1)):
                for one in batch:
                    run.take(one)
                run.flush(sparing=True)
        finally:
            if own and workers is not None:
                workers.shutdown(wait=False, cancel_futures=True)
            run.flush()
        with index.manifest.change():
            index.segments.join()
        index.segments.settle()
        index.manifest.flush()
    return done


def _chained(paths: Sequence[Path], lists: Sequence[Path], done: Added) -> Iterator[str]:
    yield from walk.files(paths, done.skipped)
    yield from walk.listed(lists)


class _Run:
    """One ``add``."""

    def __init__(
        self, index: Index, done: Added, retry: bool, progress: Progress, total: int
    ) -> None:
        self.total = total
        self._index = index
        self._done = done
        self._retry = retry
        self._progress = progress
        self._seen = 0
        self._waiting: dict[bytes, Taken] = {}
        self._places: list[Taken] = []
        self._left: list[Left] = []
        self._postings = 0
        self._since = time.monotonic()

    def new(self, paths: Iterable[str]) -> Iterator[str]:
        """Paths that have to be read: not those kept with the same file identity."""
        manifest = self._index.manifest
        for path in paths:
            stat = identity(bulk.stat_of(path))
            known = manifest.place(path)
            if known is not None and stat and known[1] == stat:
                self._done.known += 1
                self._tick()
                continue
            refused = manifest.refused(path)
            if refused is not None and stat and refused[0] == stat and not self._retry:
                self._done.skipped.append(Skipped(path, refused[1], refused[2]))  # type: ignore[arg-type]
                self._tick()
                continue
            yield path

    def _tick(self) -> None:
        self._seen += 1
        self._progress("adding", min(self._seen, self.total), max(self.total, self._seen))

    def take(self, one: Taken | Left) -> None:
        """Sort a result to where it goes; nothing is written yet."""
        self._tick()
        if isinstance(one, Left):
            self._done.skipped.append(one.skipped)
            self._left.append(one)
            return
        manifest = self._index.manifest
        if manifest.denied(one.sha256):
            self._done.denied += 1
        elif one.sha256 in self._waiting or manifest.by_sha256(one.sha256) is not None:
            self._done.known += 1
            self._places.append(one)
        else:
            self._waiting[one.sha256] = one
            self._postings += len(one.first) + (len(one.detail) if one.detail else 0)

    def flush(self, *, sparing: bool = False) -> None:
        """Write what waits as one segment, in one transaction; ``sparing``: only if enough does."""
        others = len(self._places) + len(self._left)
        large = len(self._waiting) >= _PICTURES or self._postings >= _POSTINGS or others >= _OTHERS
        if sparing and not (large or time.monotonic() - self._since > _SECONDS):
            return
        self._since = time.monotonic()
        if not (self._waiting or self._places or self._left):
            return
        manifest, waiting = self._index.manifest, list(self._waiting.values())
        # Numbers are given away before they are used: what a killed run has left in a cluster under
        # its numbers must not meet the pictures of the next one.
        with manifest.change():
            ids = manifest.next_ids(len(waiting))
        with manifest.change():
            kept = [
                Kept(id_, t.first, t.detail, t.pdq) for id_, t in zip(ids, waiting, strict=True)
            ]
            number = self._index.postings.add(kept) if kept else 0
            for id_, taken in zip(ids, waiting, strict=True):
                row = ImageRow(id_, taken.sha256, number, taken.width, taken.height)
                manifest.put_image(row)
            for taken in (*waiting, *self._places):
                image = manifest.by_sha256(taken.sha256)
                if image is not None:
                    manifest.put_place(taken.path, image.id, taken.stat)
                    manifest.drop_refused(taken.path)
            for left in self._left:
                manifest.put_refused(
                    left.skipped.name, left.stat, left.skipped.reason, left.skipped.kind
                )
        self._done.added += len(waiting)
        self._waiting, self._places, self._left, self._postings = {}, [], [], 0
