"""The one interface of every store of postings, and what is put into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from wholecloth.retrieval.score import Asked, best_of_both, rarity
from wholecloth.retrieval.vocabulary import Coded

TierName = Literal["first", "detail"]


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """What an index keeps of one picture besides its manifest row."""

    image: int
    """Its number in this index, 0 … 2³²-1; given once and never again."""
    first: Coded
    detail: Coded | None
    """Of large pictures."""
    pdq: bytes
    """32 bytes (ThreatExchange PDQ, the picture as it lies)."""

    def tier(self, name: TierName) -> Coded | None:
        """One of the two."""
        return self.first if name == "first" else self.detail


class Postings(Protocol):
    """Where postings lie.

    ``LocalSegments`` keeps them in one folder, ``ClickHouse`` in a cluster; both give the same best
    pictures with the same scores (tests/agreement).
    """

    def add(self, kept: Sequence[Kept]) -> int:
        """Keep these; when it returns they are on the disk.

        Returns the number of where they lie, for the manifest.
        """

    def erase(self, images: Sequence[int]) -> None:
        """Remove every byte of these, at once or after a wait that the store documents."""

    def pictures(self, tier: TierName) -> int:
        """How many there are."""

    def frequency(self, words: NDArray[np.uint16], tier: TierName) -> NDArray[np.int64]:
        """Postings per word, in the order of ``words``."""

    def search(
        self, query: Asked, weight: NDArray[np.int64], tier: TierName, count: int
    ) -> list[tuple[int, float]]:
        """The ``count`` best pictures and their scores, best first.

        Args:
            query: one mirror state of the picture asked for.
            weight: per posting asked, from ``score.rarity``.
            tier: which postings.
            count: how many.
        """

    def near(self, hashes: Sequence[bytes], within: int) -> list[tuple[int, int]]:
        """Pictures whose PDQ is within ``within`` bits of one of ``hashes``, nearest first.

        With each its Hamming distance.
        """


def rank(
    store: Postings, plain: Asked, mirrored: Asked, tier: TierName, count: int
) -> list[tuple[int, float]]:
    """The best pictures of both mirror states."""
    pictures = store.pictures(tier)
    found = [
        store.search(q, rarity(store.frequency(q.words, tier), pictures), tier, count)
        for q in (plain, mirrored)
    ]
    return best_of_both(found[0], found[1], count)
