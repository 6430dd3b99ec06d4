"""How much a picture asked for and a picture kept have in common, by their words alone.

Per feature asked and picture kept, the best posting counts: its word's rarity squared, times a
weight that falls with the Hamming distance of the signatures.  The sum is divided by the square
root of the number of features kept.  A feature that meets fifty windows of one facade counts once
(burst; Jégou et al. 2009, the strongest form).

Everything is a whole number until that division, so that a sum does not depend on its order:
segments, one SQL statement and the plain twin give the same ranking to the last place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wholecloth.retrieval.vocabulary import BITS, WORDS, Coded

VERSION = "hamming-1"

NEAR = 40
"""Signatures further apart say nothing: of unrelated ones, one in 170 000 is nearer (binomial,
128 fair bits).  Reference measurement: 40 and σ 11 as good as 44 and 13 or 50 and 16, within one
point in a hundred."""
_SIGMA = 11.0
_ONE = 1024
"""Weight of distance 0."""
_FEW = 100
"""Pictures below which frequency says nothing yet.  Chosen, not fitted."""
_RARITY = 16.0
"""Whole numbers per squared natural logarithm."""

WEIGHTS: NDArray[np.int64] = np.rint(
    _ONE * np.exp(-(np.arange(BITS + 1) ** 2) / (2 * _SIGMA**2))
).astype(np.int64)
WEIGHTS[NEAR:] = 0
WEIGHTS.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One picture's query in one mirror state."""

    words: NDArray[np.uint16]
    """Q, sorted."""
    signatures: NDArray[np.uint64]
    """Q×2."""
    feature: NDArray[np.int64]
    """Q, which feature of the picture each belongs to."""

    def __len__(self) -> int:
        return len(self.words)


def asked(coded: Coded) -> Asked:
    """A query's words in the order in which postings lie."""
    count, each = coded.words.shape
    words = coded.words.ravel()
    order = np.argsort(words, kind="stable")
    feature = np.repeat(np.arange(count, dtype=np.int64), each)
    return Asked(words[order], coded.signatures.reshape(-1, 2)[order], feature[order])


def rarity(frequency: NDArray[np.int64], pictures: int) -> NDArray[np.int64]:
    """Weight per word from its number of postings: 16 × ln² of (pictures + 1) / (postings + 1).

    A word with as many postings as there are pictures weighs nothing: it is a stop word.  Fewer
    than ``_FEW`` pictures are counted as so many: in an index of one, every word would be one.
    """
    ratio = np.log((max(pictures, _FEW) + 1) / (np.asarray(frequency, np.float64) + 1))
    return np.rint(_RARITY * np.maximum(ratio, 0) ** 2).astype(np.int64)


def normalised(total: NDArray[np.int64], features: NDArray[np.int64]) -> NDArray[np.float64]:
    """Scores from whole sums."""
    return np.asarray(total / np.sqrt(np.maximum(features, 1)), np.float64)


def best(
    scores: NDArray[np.float64], images: NDArray[np.int64], count: int
) -> list[tuple[int, float]]:
    """The ``count`` highest, equal ones in the order of their numbers; none of score 0."""
    some = np.flatnonzero(scores > 0)
    if len(some) > count:
        least = np.partition(scores[some], len(some) - count)[len(some) - count]
        some = some[scores[some] >= least]
    order = some[np.lexsort((images[some], -scores[some]))][:count]
    return [(int(images[i]), float(scores[i])) for i in order]


def best_of_both(
    plain: list[tuple[int, float]], mirrored: list[tuple[int, float]], count: int
) -> list[tuple[int, float]]:
    """The higher score of the two mirror states."""
    found = dict(plain)
    for image, score in mirrored:
        found[image] = max(score, found.get(image, 0.0))
    return sorted(found.items(), key=lambda kept: (-kept[1], kept[0]))[:count]


def scores_plain(
    query: Asked, kept: Mapping[int, Coded], pictures: int | None = None
) -> dict[int, float]:
    """Score of every picture, as one would write it down: the twin of every ``Postings``.

    Args:
        query: from ``asked``.
        kept: what an index holds of each picture.
        pictures: how many there are; those of ``kept`` by default.
    """
    frequency = np.zeros(WORDS, np.int64)
    for coded in kept.values():
        np.add.at(frequency, coded.words, 1)
    weight = rarity(frequency, len(kept) if pictures is None else pictures)
    out = {}
    for image, coded in kept.items():
        votes: dict[int, int] = {}
        for word, signature, feature in zip(
            query.words, query.signatures, query.feature, strict=True
        ):
            for other in coded.signatures[coded.words == word]:
                distance = int(np.bitwise_count(signature ^ other).sum())
                vote = int(weight[word] * WEIGHTS[distance])
                votes[int(feature)] = max(votes.get(int(feature), 0), vote)
        total = np.array([sum(votes.values())], np.int64)
        out[image] = float(normalised(total, np.array([len(coded)]))[0])
    return {image: score for image, score in out.items() if score > 0}
