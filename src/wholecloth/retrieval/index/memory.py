"""Postings in memory, for one run: the segments of a folder of candidates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wholecloth.retrieval.index.segment import MOST, Segment, build, joined, near_in, without
from wholecloth.retrieval.postings import Kept, TierName
from wholecloth.retrieval.score import Asked, best


class Memory:
    """``Postings`` that are gone with the process."""

    def __init__(self, kept: Sequence[Kept] = ()) -> None:
        self._segments: list[Segment] = []
        self.add(kept)

    def add(self, kept: Sequence[Kept]) -> int:
        """Keep these."""
        for start in range(0, len(kept), MOST):
            self._segments.append(build(kept[start : start + MOST]))
        return 0

    def erase(self, images: Sequence[int]) -> None:
        """Drop these."""
        self._segments = [without(s, images) for s in self._segments]

    def join(self) -> None:
        """One segment of all, where they fit."""
        if sum(len(s.images) for s in self._segments) <= MOST and len(self._segments) > 1:
            self._segments = [joined(self._segments)]

    def pictures(self, tier: TierName) -> int:
        """How many have this tier."""
        return sum(int((s.tier(tier).features > 0).sum()) for s in self._segments)

    def frequency(self, words: NDArray[np.uint16], tier: TierName) -> NDArray[np.int64]:
        """Postings per word."""
        total = np.zeros(len(words), np.int64)
        for segment in self._segments:
            total += segment.frequency(words, tier)
        return total

    def search(
        self, query: Asked, weight: NDArray[np.int64], tier: TierName, count: int
    ) -> list[tuple[int, float]]:
        """The best pictures."""
        found: list[tuple[int, float]] = []
        for segment in self._segments:
            scores = segment.scores(query, weight, tier)
            found += best(scores, segment.images.astype(np.int64), count)
        return sorted(found, key=lambda kept: (-kept[1], kept[0]))[:count]

    def near(self, hashes: Sequence[bytes], within: int) -> list[tuple[int, int]]:
        """Pictures by PDQ."""
        found = [hit for s in self._segments for hit in near_in(s, hashes, within)]
        return sorted(found, key=lambda kept: (kept[1], kept[0]))
