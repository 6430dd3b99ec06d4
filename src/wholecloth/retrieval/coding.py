"""A folder's candidates by their words, so that only the likeliest are looked at.

The same words and scores as an index has, in memory for one run; what was coded once lies in the
encrypted cache.  Nothing else is kept of the folder: no index to own, to state a purpose for, or to
erase from.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wholecloth.errors import HostileMedia, WholeclothError
from wholecloth.intake.collect import Skipped
from wholecloth.intake.decode import Progress
from wholecloth.intake.pdq import pdq
from wholecloth.model.media import RGB, Mask, Picture
from wholecloth.retrieval import score
from wholecloth.retrieval.area import box_of
from wholecloth.retrieval.cache import FeatureCache, fingerprint
from wholecloth.retrieval.features import MIRROR
from wholecloth.retrieval.index.folder import METHOD, PDQ_NEAR
from wholecloth.retrieval.index.memory import Memory
from wholecloth.retrieval.linear import LOOKED, in_threads
from wholecloth.retrieval.postings import Kept, TierName, rank
from wholecloth.retrieval.reading import Reader, settled
from wholecloth.retrieval.selection import (
    ASKED,
    ASKED_DETAIL,
    DETAIL,
    DETAIL_FROM,
    FIRST,
    Tier,
    descriptors,
)
from wholecloth.retrieval.vocabulary import Coded, Encoder

FROM = 200
"""Candidates from which a folder is searched by words; fewer are all looked at."""
_TIERS: dict[TierName, tuple[Tier, Tier]] = {
    "first": (FIRST, ASKED),
    "detail": (DETAIL, ASKED_DETAIL),
}
"""Kept, asked."""
_MARGIN = 0.02
"""Of the longer side, around an area that is asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What the cache keeps of one candidate in one tier."""

    sha256: str
    longest: int
    """Longer side of the full-size picture in pixels."""
    coded: Coded
    pdq: bytes


class Coding:
    """Words of one folder's candidates, made once for any number of published pictures."""

    def __init__(self, reader: Reader, cache: FeatureCache | None, progress: Progress) -> None:
        self.reader = reader
        self._cache = cache
        self.progress = progress
        """May be set anew for each picture."""
        secret = cache.derived("words") if cache is not None else secrets.token_bytes(32)
        self._encoder = Encoder(secret)
        self._rows: dict[TierName, dict[int, Row]] = {}
        self._stores: dict[TierName, Memory] = {}
        self.skipped: dict[int, Skipped] = {}

    def of(self, published: Picture) -> Listed:
        """The shortlist for one published picture."""
        return Listed(self, published)

    def ranked(
        self, pixels: RGB, tier: TierName, where: Mask | None = None
    ) -> list[tuple[int, float]]:
        """Candidates by words, best first."""
        store = self._store(tier)
        sift = descriptors(pixels, _TIERS[tier][1], where)
        if not len(sift):
            return []
        plain = score.asked(self._encoder.query(sift))
        mirrored = score.asked(self._encoder.query(sift[:, MIRROR]))
        return rank(store, plain, mirrored, tier, LOOKED)

    def same(self, published: Picture) -> list[int]:
        """Candidates that were the published file's own bytes, or whose PDQ is near its own."""
        own = published.digests.sha256
        found = [i for i, row in self._all("first").items() if row.sha256 == own]
        hashed = [bytes.fromhex(published.digests.pdq)] if published.digests.pdq else []
        near = self._store("first").near(hashed, PDQ_NEAR) if hashed else []
        return list(dict.fromkeys((*found, *(i for i, _ in near))))

    def _store(self, tier: TierName) -> Memory:
        if tier not in self._stores:
            rows = self._all(tier)
            none = Coded(np.zeros(0, np.uint16), np.zeros((0, 2), np.uint64))
            kept = [
                Kept(i, r.coded, None, r.pdq) if tier == "first" else Kept(i, none, r.coded, r.pdq)
                for i, r in rows.items()
            ]
            self._stores[tier] = Memory(kept)
        return self._stores[tier]

    def _all(self, tier: TierName) -> dict[int, Row]:
        if tier not in self._rows:
            indices: Sequence[int] = range(len(self.reader.sources))
            if tier == "detail":
                indices = [i for i, r in self._all("first").items() if r.longest >= DETAIL_FROM]
            stage = "looking at candidates" if tier == "first" else "looking closer"
            done = in_threads(
                lambda i: self._row(i, tier),
                indices,
                self.reader.pool.count,
                tick=lambda n: self.progress(stage, n, len(indices)),
                stop=self.reader.pool.close,
            )
            rows = dict(zip(indices, done, strict=True))
            self._rows[tier] = {i: r for i, r in rows.items() if r is not None}
        return self._rows[tier]

    def _row(self, index: int, tier: TierName) -> Row | None:
        source = self.reader.sources[index]
        identity = None
        if self._cache is not None and source.identity is not None:
            how = fingerprint(json.dumps([METHOD, tier, self.reader.limits_key]))
            identity = ["words", *source.identity, how]
            body = self._cache.get(identity)
            known = None if body is None else _opened(body, source.name)
            if known is not None:
                self.reader.from_cache += 1
            if isinstance(known, Row):
                return known
            if known is not None:
                self.skipped[index] = known
                return None
        made = self._made(index, tier)
        lasting = not (isinstance(made, tuple) and isinstance(made[1], HostileMedia))
        row = made[0] if isinstance(made, tuple) else made
        if identity is not None and self._cache is not None and lasting and settled(source):
            self._cache.put(identity, _closed(row))
        if isinstance(row, Skipped):
            self.skipped[index] = row
            return None
        return row

    def _made(self, index: int, tier: TierName) -> Row | tuple[Skipped, WholeclothError | None]:
        source = self.reader.sources[index]
        kept = _TIERS[tier][0]
        try:
            decoded = self.reader.pool.decode(source, max_side=DETAIL.side)
        except WholeclothError as error:
            return Skipped(source.name, error.reason, "unread"), error
        width, height = decoded.facts.width, decoded.facts.height
        if min(width, height) < self.reader.pool.limits.min_side:
            reason = f"too small to compare ({width} × {height} pixels)"
            return Skipped(source.name, reason, "unread"), None
        coded = self._encoder.index(descriptors(decoded.pixels, kept))
        hashed = bytes.fromhex(pdq(decoded.pixels).hex) if tier == "first" else bytes(32)
        return Row(decoded.digests.sha256, max(width, height), coded, hashed)


class Listed:
    """``linear.Shortlist`` of one published picture among a folder's candidates."""

    def __init__(self, coding: Coding, published: Picture) -> None:
        self._coding = coding
        self._published = published

    @property
    def skipped(self) -> dict[int, Skipped]:
        """Candidates that could not be read."""
        return self._coding.skipped

    def first(self) -> list[tuple[int, float]]:
        """The same bytes or nearly the same hash, then by words."""
        ranked = self._coding.ranked(self._published.pixels, "first")
        top = ranked[0][1] if ranked else 1.0
        found = dict.fromkeys(self._coding.same(self._published), 2 * top)
        for index, value in ranked:
            found.setdefault(index, value)
        return list(found.items())

    def closer(self) -> list[tuple[int, float]]:
        """Large candidates, by their detail."""
        return self._coding.ranked(self._published.pixels, "detail")

    def area(self, pixels: RGB, where: Mask) -> list[tuple[int, float]]:
        """By what lies in an area of the frame."""
        x0, y0, x1, y1 = box_of(where, round(_MARGIN * max(where.shape)))
        part = np.ascontiguousarray(pixels[y0:y1, x0:x1])
        return self._coding.ranked(part, "first", where[y0:y1, x0:x1])


def _closed(row: Row | Skipped) -> bytes:
    if isinstance(row, Skipped):
        return json.dumps({"skipped": row.reason, "kind": row.kind}).encode()
    head = {"sha256": row.sha256, "longest": row.longest, "count": len(row.coded)}
    words = row.coded.words.astype("<u2").tobytes()
    return (
        json.dumps(head).encode()
        + b"\n"
        + row.pdq
        + words
        + row.coded.signatures.astype("<u8").tobytes()
    )


def _opened(body: bytes, name: str) -> Row | Skipped:
    line, _, rest = body.partition(b"\n")
    head = json.loads(line)
    if "skipped" in head:
        return Skipped(name, head["skipped"], head["kind"])
    count = int(head["count"])
    words = np.frombuffer(rest, "<u2", count, 32).astype(np.uint16)
    signatures = np.frombuffer(rest, "<u8", 2 * count, 32 + 2 * count).astype(np.uint64)
    return Row(
        head["sha256"], int(head["longest"]), Coded(words, signatures.reshape(-1, 2)), rest[:32]
    )
