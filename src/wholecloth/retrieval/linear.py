"""The exhaustive search: every candidate, two depths, both mirror states.

Slow and right; any index that comes later is tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TypeVar

from wholecloth.errors import WholeclothError
from wholecloth.intake.collect import Skipped
from wholecloth.intake.decode import Decoded, Progress, WorkerPool
from wholecloth.model.media import Picture, Source
from wholecloth.retrieval.features import DEEP, QUICK, Features, FeatureSettings, extract
from wholecloth.retrieval.verify import Verified, verify

T = TypeVar("T")

ENOUGH = 6
"""Effective inliers from which a candidate is worth registering.  Unrelated photographs reach it
in 1.5 % of searches (reference measurement, 204 searches); registration decides."""
STRONG = 20
"""With one such candidate at the quick depth, the deep pass is not needed."""
DEEP_FROM_PIXELS = 1_000_000
MIN_SIDE = 32


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


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    index: int
    sha256: str
    verified: Verified | None
    pixels: int


def search(
    published: Picture, sources: Sequence[Source], pool: WorkerPool, progress: Progress
) -> Found:
    """Match the published picture against every source.

    Args:
        published: decoded at full size.
        sources: candidates in a stable order.
        pool: decode workers; one thread runs per worker.
        progress: called after each candidate; may raise to stop.
    """
    skipped: dict[int, Skipped] = {}
    quick = _pass(published, sources, range(len(sources)), QUICK, pool, progress, skipped)
    read = [look for look in quick if look.index not in skipped]
    identical = tuple(k.index for k in read if k.sha256 == published.digests.sha256)
    leads = _leads(read, "quick", identical)
    deep: list[_Looked] = []
    if not any(lead.verified.effective >= STRONG for lead in leads):
        again = [k.index for k in read if k.pixels > DEEP_FROM_PIXELS and k.index not in identical]
        if again:
            deep = _pass(published, sources, again, DEEP, pool, progress, skipped)
            leads = _merge(leads, _leads(deep, "deep", identical))
    leads.sort(key=lambda lead: (-lead.verified.effective, lead.index))
    return Found(
        tuple(leads),
        identical,
        len(read),
        tuple(skipped[i] for i in sorted(skipped)),
        len(deep),
        tuple((k.index, k.sha256) for k in read),
    )


def _leads(looks: Sequence[_Looked], depth: str, leave_out: Sequence[int]) -> list[Lead]:
    return [
        Lead(k.index, k.verified, k.sha256, depth)
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


def _pass(
    published: Picture,
    sources: Sequence[Source],
    indices: Sequence[int],
    settings: FeatureSettings,
    pool: WorkerPool,
    progress: Progress,
    skipped: dict[int, Skipped],
) -> list[_Looked]:
    query = extract(published.pixels, settings)
    stage = "looking at candidates" if settings is QUICK else "looking closer"

    def look(index: int) -> _Looked | None:
        source = sources[index]
        try:
            decoded = pool.decode(source, max_side=settings.side)
        except WholeclothError as error:
            skipped[index] = Skipped(source.name, error.reason, "unread")
            return None
        facts = decoded.facts
        if min(facts.width, facts.height) < MIN_SIDE:
            reason = f"too small to compare ({facts.width} × {facts.height} pixels)"
            skipped[index] = Skipped(source.name, reason, "unread")
            return None
        return _looked(index, decoded, settings, query)

    done = in_threads(look, indices, pool.count, lambda n: progress(stage, n, len(indices)))
    return [d for d in done if d is not None]


def _looked(index: int, decoded: Decoded, settings: FeatureSettings, query: Features) -> _Looked:
    facts = decoded.facts
    features = extract(decoded.pixels, settings, (facts.height, facts.width))
    verified = verify(features, query)
    return _Looked(index, decoded.digests.sha256, verified, facts.width * facts.height)


def in_threads(
    work: Callable[[int], T], items: Sequence[int], threads: int, tick: Callable[[int], None]
) -> list[T]:
    """``work`` over ``items``, results in order; ``tick`` runs in this thread and may raise.

    Only a few are in flight, so that stopping is prompt and memory does not grow with the folder.
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
            raise
    return [results[k] for k in sorted(results)]
