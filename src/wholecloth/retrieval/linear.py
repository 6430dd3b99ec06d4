"""The exhaustive search: every candidate, two depths, both mirror states.

Slow and right; any index that comes later is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from wholecloth.intake.collect import Skipped
from wholecloth.intake.decode import Progress
from wholecloth.model.media import Picture
from wholecloth.retrieval.features import DEEP, QUICK, FeatureSettings, extract
from wholecloth.retrieval.reading import Read, Reader
from wholecloth.retrieval.verify import Verified

T = TypeVar("T")

ENOUGH = 6
"""Effective inliers from which a candidate is worth registering.  Unrelated photographs reach it
in 1.5 % of searches (reference measurement, 204 searches); registration decides."""
STRONG = 20
"""With one such candidate at the quick depth, the deep pass is not needed."""
DEEP_FROM_PIXELS = 1_000_000
FEW_FEATURES = 40
"""A published picture with fewer gives the search nothing to hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Lead:
    """A candidate that geometry bears out."""

    index: int
    """Into the sources searched."""
    verified: Verified
    sha256: str
    depth: str
    """quick | deep"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave."""

    leads: tuple[Lead, ...]
    """Most effective inliers first."""
    identical: tuple[int, ...]
    """Candidates whose bytes are the published file's own."""
    read: int
    skipped: tuple[Skipped, ...]
    deep: int
    """How many candidates were also matched at the deep setting."""
    digests: tuple[tuple[int, str], ...] = ()
    """(index, SHA-256) of what was read."""
    features: int = 0
    """Local features of the published picture, counted where nothing was found: with few, that
    says little."""


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    index: int
    read: Read
    verified: Verified | None


def search(
    published: Picture,
    reader: Reader,
    progress: Progress,
) -> Found:
    """Match the published picture against every candidate.

    Args:
        published: decoded at full size.
        reader: gives the candidates' features; one thread runs per decode worker.
        progress: called after each candidate; may raise to stop.
    """
    skipped: dict[int, Skipped] = {}
    run = _Run(published, reader, progress, skipped)
    read = run.look(range(len(reader.sources)), QUICK)
    own = published.digests.sha256
    identical = tuple(k.index for k in read if k.read.sha256 == own)
    leads = _leads(read, "quick", identical)
    deep: list[_Looked] = []
    if not any(lead.verified.effective >= STRONG for lead in leads):
        large = [k.index for k in read if k.read.pixels > DEEP_FROM_PIXELS]
        again = [i for i in large if i not in identical]
        if again:
            deep = run.look(again, DEEP)
            leads = _merge(leads, _leads(deep, "deep", identical))
    leads.sort(key=lambda lead: (-lead.verified.effective, lead.index))
    return Found(
        tuple(leads),
        identical,
        len(read),
        tuple(skipped[i] for i in sorted(skipped)),
        len(deep),
        tuple((k.index, k.read.sha256) for k in read),
        FEW_FEATURES if leads else len(extract(published.pixels, QUICK).points),
    )


def _leads(looks: Sequence[_Looked], depth: str, leave_out: Sequence[int]) -> list[Lead]:
    return [
        Lead(k.index, k.verified, k.read.sha256, depth)
        for k in looks
        if k.verified and k.verified.effective >= ENOUGH and k.index not in leave_out
    ]


def _merge(first: list[Lead], second: list[Lead]) -> list[Lead]:
    best = {lead.index: lead for lead in first}
    for lead in second:
        known = best.get(lead.index)
        if known is None or lead.verified.effective > known.verified.effective:
            best[lead.index] = lead
    return list(best.values())


@dataclass(frozen=True, slots=True)
class _Run:
    """One search's fixed parts."""

    published: Picture
    reader: Reader
    progress: Progress
    skipped: dict[int, Skipped]

    def look(self, indices: Sequence[int], settings: FeatureSettings) -> list[_Looked]:
        """Match the published picture with these candidates; refusals go to ``skipped``."""
        query = extract(self.published.pixels, settings)
        own = self.published.digests.sha256
        stage = "looking at candidates" if settings is QUICK else "looking closer"

        def one(index: int) -> _Looked | None:
            read = self.reader.read(index, settings)
            if isinstance(read, Skipped):
                self.skipped[index] = read
                return None
            matched = self.reader.matched(read, query, own, settings)
            return _Looked(index, read, matched)

        done = in_threads(
            one,
            indices,
            self.reader.pool.count,
            tick=lambda n: self.progress(stage, n, len(indices)),
            stop=self.reader.pool.close,
        )
        return [d for d in done if d is not None]


def in_threads(
    work: Callable[[int], T],
    items: Sequence[int],
    threads: int,
    *,
    tick: Callable[[int], None],
    stop: Callable[[], None],
) -> list[T]:
    """``work`` over ``items``, results in order; ``tick`` runs in this thread and may raise.

    Only a few are in flight, so that memory does not grow with the folder; when anything raises,
    ``stop`` ends what the running ones wait for, so that leaving is prompt.
    """
    results: dict[int, T] = {}
    waiting = iter(enumerate(items))
    flying: dict[Future[T], int] = {}
    with ThreadPoolExecutor(threads, "wholecloth") as executor:
        try:
            while True:
                while len(flying) < 2 * threads and (nxt := next(waiting, None)) is not None:
                    flying[executor.submit(work, nxt[1])] = nxt[0]
                if not flying:
                    break
                # The timeout lets a key press or Ctrl-C be noticed while a slow file decodes.
                done, _ = wait(flying, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in done:
                    results[flying.pop(future)] = future.result()
                tick(len(results))
        except BaseException:
            for future in flying:
                future.cancel()
            stop()
            raise
    return [results[k] for k in sorted(results)]
