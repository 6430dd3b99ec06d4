"""The search: candidates, two depths, both mirror states.

Without a shortlist every candidate is looked at: slow and right, and what any index is tested
against.  With one, those it puts first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar

from wholecloth.intake.collect import Skipped
from wholecloth.intake.decode import Progress
from wholecloth.model.media import RGB, Mask, Picture
from wholecloth.retrieval.features import DEEP, QUICK, WHOLE, FeatureSettings, extract
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
LOOKED = 20
"""Candidates of a shortlist looked at; at 1 000 times as many pictures more are needed (reference
measurement: 2 points of recall among the first 100 lost per decade)."""
_SURE = 40
"""With so many effective inliers, candidates far behind the one that has them are left out …"""
_BEHIND = 0.1
"""… where far behind is less than this share of its score.  Nine in ten of the best unrelated
pictures have .06 of an attacked original's score or less (115 queries, 243 pictures); another
photograph of the scene, or another edit of it, has more."""
_NEAREST = 4
"""The first of a shortlist are looked at closer however small they are …"""
_CLOSER = 12
"""… and so many candidates of a shortlist in all; each costs a third of a second."""
_LITTLE, _LAST = 12, 4
"""With fewer effective inliers than the first, so many at most are looked at whole: the best so
far, and the first by detail and by the whole picture.  It costs three quarters of a second each."""


class Shortlist(Protocol):
    """Which candidates are worth looking at for one published picture.

    Lists of (index, score ≥ 0), best first; scores are compared within one list only.
    """

    @property
    def skipped(self) -> Mapping[int, Skipped]:
        """Candidates that could not be read when the list was made."""

    def first(self) -> Sequence[tuple[int, float]]:
        """By the whole picture."""

    def closer(self) -> Sequence[tuple[int, float]]:
        """By their detail, large candidates; asked if the first list gave nothing strong."""

    def area(self, pixels: RGB, where: Mask) -> Sequence[tuple[int, float]]:
        """By what lies in an area of the frame; ``where``: H×W."""


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
    unseen: int = 0
    """Candidates that a shortlist put too far behind to be looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    index: int
    read: Read
    verified: Verified | None


def search(
    published: Picture,
    reader: Reader,
    progress: Progress,
    shortlist: Shortlist | None = None,
) -> Found:
    """Match the published picture against every candidate, or those of a shortlist.

    Args:
        published: decoded at full size.
        reader: gives the candidates' features; one thread runs per decode worker.
        progress: called after each candidate; may raise to stop.
        shortlist: which candidates to look at; all without it.
    """
    skipped: dict[int, Skipped] = {}
    run = _Run(published, reader, progress, skipped)
    if shortlist is None:
        read = run.look(range(len(reader.sources)), QUICK)
    else:
        read = run.best_first(shortlist.first())
    own = published.digests.sha256
    identical = tuple(k.index for k in read if k.read.sha256 == own)
    leads = _leads(read, "quick", identical)
    deep: list[_Looked] = []
    closer: list[int] = []
    nearest: list[int] = []
    if not any(lead.verified.effective >= STRONG for lead in leads):
        large = [k.index for k in read if k.read.pixels > DEEP_FROM_PIXELS]
        again = [i for i in large if i not in identical]
        if shortlist is not None:
            closer = [i for i, _ in shortlist.closer()]
            nearest = [k.index for k in read[:_NEAREST]]
            again = list(dict.fromkeys((*nearest, *closer, *again)))[:_CLOSER]
            again = [i for i in again if i not in identical]
        if again:
            deep = run.look(again, DEEP)
            leads = _merge(leads, _leads(deep, "deep", identical))
        if shortlist is not None and not any(k.verified.effective >= _LITTLE for k in leads):
            best = sorted(deep, key=lambda k: -(k.verified.effective if k.verified else 0))
            likely = (*(k.index for k in best[:1]), *closer[:2], *nearest[:1])
            last = [i for i in dict.fromkeys(likely) if i not in identical][:_LAST]
            whole = run.look(last, WHOLE, asked=DEEP)
            leads = _merge(leads, _leads(whole, "deep", identical))
    leads.sort(key=lambda lead: (-lead.verified.effective, lead.index))
    seen = {k.index: k.read.sha256 for k in (*read, *deep)}
    unseen = 0
    if shortlist is not None:
        skipped = {**shortlist.skipped, **skipped}
        unseen = len(reader.sources) - len(seen.keys() | skipped.keys())
    return Found(
        tuple(leads),
        identical,
        len(seen) + unseen,
        tuple(skipped[i] for i in sorted(skipped)),
        len(deep),
        tuple(seen.items()),
        FEW_FEATURES if leads else len(extract(published.pixels, QUICK).points),
        unseen,
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

    def best_first(self, order: Sequence[tuple[int, float]]) -> list[_Looked]:
        """Look at the candidates of a shortlist until the rest is hopeless."""
        looked: list[_Looked] = []
        sure = 0.0
        step = self.reader.pool.count
        scores = dict(order)
        for at in range(0, len(order), step):
            some = [i for i, score in order[at : at + step] if score >= _BEHIND * sure]
            if not some:
                break
            new = self.look(some, QUICK, at, len(order))
            looked += new
            own = self.published.digests.sha256  # the very file says nothing about its original
            strong = [
                k.index
                for k in new
                if k.verified and k.verified.effective >= _SURE and k.read.sha256 != own
            ]
            sure = max([sure, *(scores[i] for i in strong)])
        return looked

    def look(
        self,
        indices: Sequence[int],
        settings: FeatureSettings,
        before: int = 0,
        of: int = 0,
        asked: FeatureSettings | None = None,
    ) -> list[_Looked]:
        """Match the published picture with these candidates; refusals go to ``skipped``.

        ``asked``: at which size the published picture is taken, where it is another one.
        """
        query = extract(self.published.pixels, asked or settings)
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
            tick=lambda n: self.progress(stage, before + n, of or len(indices)),
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
