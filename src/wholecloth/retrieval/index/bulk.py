"""What an index keeps of a file, as a plain map over lists of files.

``take`` needs nothing but paths and a frozen value, so it runs the same in this process, in local
processes, or on a cluster: whatever has ``submit`` like ``concurrent.futures.Executor`` (Dask's
``client.get_executor()``, and executors made for Ray) can be given to ``Index.add``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path

from wholecloth.errors import WholeclothError
from wholecloth.intake.collect import Skipped, identity_now, worth_decoding
from wholecloth.intake.decode import Worker
from wholecloth.intake.limits import DEFAULT, Limits
from wholecloth.intake.pdq import pdq
from wholecloth.model.media import RGB, Source
from wholecloth.retrieval.selection import DETAIL, DETAIL_FROM, FIRST, descriptors
from wholecloth.retrieval.vocabulary import Coded, Encoder

AT_ONCE = 16
"""Files per task: long enough that handing over costs nothing, short enough to lose little."""

_ONE = threading.Lock()
"""Executors may run several threads in a process; its decode worker serves one."""


@dataclass(frozen=True, slots=True)
class How:
    """Everything ``take`` needs to know."""

    secret: bytes = field(repr=False)
    """Of the index, from which words are numbered and directions drawn."""
    limits: Limits = DEFAULT
    detail: bool = True
    """Whether large pictures get their second tier."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """One picture as it goes into an index."""

    path: str
    stat: tuple[int, ...]
    """Device, inode, size, times of change and of status change, in ns."""
    sha256: bytes
    width: int
    height: int
    first: Coded
    detail: Coded | None
    pdq: bytes


@dataclass(frozen=True, slots=True)
class Left:
    """A file that gave nothing."""

    skipped: Skipped
    stat: tuple[int, ...]


def take(paths: Sequence[str], how: How) -> list[Taken | Left]:
    """What an index keeps of each file; a bad one is named and the rest goes on."""
    with _ONE:
        return [_one(path, how) for path in paths]


def coded(pixels: RGB, encoder: Encoder, *, detail: bool = True) -> tuple[Coded, Coded | None]:
    """Both tiers of a picture, H×W×3, longer side reduced to ``DETAIL.side`` or not at all."""
    first = encoder.index(descriptors(pixels, FIRST))
    if not detail or max(pixels.shape[:2]) < DETAIL_FROM:
        return first, None
    return first, encoder.index(descriptors(pixels, DETAIL))


def _one(path: str, how: How) -> Taken | Left:
    skipped: list[Skipped] = []
    source = worth_decoding(Path(path), path, skipped)
    if source is None or source.identity is None:
        return Left(skipped[0], stat_of(path))
    try:
        decoded = _worker(how.limits).decode(source, max_side=DETAIL.side)
        width, height = decoded.facts.width, decoded.facts.height
        if min(width, height) < how.limits.min_side:
            reason = f"too small to be found again ({width} × {height} pixels)"
            return Left(Skipped(path, reason, "unread"), source.identity)
        first, detail = coded(decoded.pixels, _encoder(how.secret), detail=how.detail)
    except WholeclothError as error:
        return Left(Skipped(path, error.reason, "unread"), source.identity)
    sha256 = bytes.fromhex(decoded.digests.sha256)
    hashed = bytes.fromhex(pdq(decoded.pixels).hex)
    return Taken(path, _unchanged(source), sha256, width, height, first, detail, hashed)


def _unchanged(source: Source) -> tuple[int, ...]:
    """The identity to keep: an impossible one where the file changed while it was read."""
    now = identity_now(source)
    return now if now is not None and now == source.identity else ()


def stat_of(path: str) -> tuple[int, ...]:
    """File identity as ``Source.identity`` has it; empty where there is no such file."""
    try:
        info = os.stat(path)
    except OSError:
        return ()
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


@cache
def _worker(limits: Limits) -> Worker:
    """One decode process for each process that takes."""
    return Worker(limits)


@cache
def _encoder(secret: bytes) -> Encoder:
    return Encoder(secret)


def processes(count: int) -> Executor:
    """Local processes; Ctrl-C is for their parent to act on, and they end when it does."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, mp_context=context, initializer=_child)


def _child() -> None:
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # They hold both ends of the pipe they wait at, and would not notice that their parent is gone.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def spread(
    paths: Iterable[str], how: How, executor: Executor | None, ahead: int
) -> Iterator[list[Taken | Left]]:
    """``take`` over all paths, results in order, at most ``ahead`` tasks in flight.

    A process that dies takes its task with it: that task's files are tried once more here, one by
    one, in this process.
    """
    batches = _cut(iter(paths))
    if executor is None:
        yield from (take(batch, how) for batch in batches)
        return
    flying: deque[tuple[list[str], Future[list[Taken | Left]]]] = deque()
    broken = False
    for batch in batches:
        if not broken:
            try:
                flying.append((batch, executor.submit(take, batch, how)))
            except BrokenProcessPool:
                broken = True
        if broken:
            while flying:
                yield _result(*flying.popleft(), how)
            yield take(batch, how)
            continue
        if len(flying) >= ahead:
            yield _result(*flying.popleft(), how)
    while flying:
        yield _result(*flying.popleft(), how)


def _cut(paths: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(paths, AT_ONCE)):
        yield batch


def _result(batch: list[str], future: Future[list[Taken | Left]], how: How) -> list[Taken | Left]:
    try:
        return future.result()
    except BrokenProcessPool:
        return take(batch, how)
