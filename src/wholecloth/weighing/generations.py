"""Several sources of one picture, nearest generation first.

The nearest generation is the source least changed, with two exceptions that the pixels can show:

* A source whose surroundings are bit-identical to the published picture's comes first.
* *Siblings*: S and the published picture P were both made from Y by redoing one area.  Then P and
  S differ only where S and Y differ too, and all over it, and S is another version of P, not its
  original.  In a chain Y → S → P the last edit reaches beyond the earlier one or leaves part of
  it as it was.

Which of two pictures came first is not shown by any of this; the order is an order of likeness.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment, Candidate, EditMap
from wholecloth.model.media import Mask
from wholecloth.registration.refine import register
from wholecloth.registration.warp import warp
from wholecloth.retrieval.verify import Verified

_RANK = {"copy": 1, "rerendered": 2, "edit": 3, "partial": 4}
_TIE_SHARE, _TIE_REST = 0.1, 0.01
"""Changed shares this close (relative plus absolute) are told apart by the surroundings."""
_CONTAINED = 0.8
"""So much of P against S must lie where S and Y differ for S to count as a sibling …"""
_REDONE = 0.85
"""… and so much of where S and Y differ must be redone in P; a child keeps part of its parent's
edit (development cases: children .22-.71, siblings .97-1.0)."""
_SAME_VERSION = 0.1
"""S changed by less than this part of what Y is changed: another version of P in any case."""
MAX_RELATED = 6
"""Sources whose relations to each other are worked out, nearest first (each pair costs one
comparison)."""


def order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Believed candidates, nearest generation first."""
    ranked = sorted(candidates, key=lambda c: (_tier(c), _edits(c).share))
    ranked = _by_surroundings(ranked)
    edits = [c for c in ranked if c.comparison.kind == "edit" and not _edits(c).exact]
    if len(edits) < 2 or ranked[0] is not edits[0]:
        return ranked
    related = edits[:MAX_RELATED]
    return [*_after_their_origin(related), *[c for c in ranked if c not in related]]


def _tier(candidate: Candidate) -> int:
    exact = _edits(candidate).exact
    return 0 if exact else _RANK[candidate.comparison.kind]


def _edits(candidate: Candidate) -> EditMap:
    edits = candidate.comparison.edits
    assert edits is not None
    return edits


def _by_surroundings(ranked: list[Candidate]) -> list[Candidate]:
    """Within a tie of tier and share, the one whose fine detail outside the edit is kept best."""
    out: list[Candidate] = []
    left = list(ranked)
    while left:
        head = left[0]
        limit = _edits(head).share * (1 + _TIE_SHARE) + _TIE_REST
        level = [c for c in left if _tier(c) == _tier(head) and _edits(c).share <= limit]
        first = max(level, key=_detail_kept)
        out.append(first)
        left.remove(first)
    return out


def _detail_kept(candidate: Candidate) -> float:
    drop = _edits(candidate).noise_correlation_drop
    return 0.0 if drop is None else drop


def _after_their_origin(related: list[Candidate]) -> list[Candidate]:
    """Move each sibling of the published picture behind the source both were made from."""
    behind: dict[int, set[int]] = {i: set() for i in range(len(related))}
    for s, sibling in enumerate(related):
        for y, origin in enumerate(related):
            if s != y and _is_sibling(sibling, origin):
                behind[s].add(y)
    out: list[Candidate] = []
    left = list(range(len(related)))
    while left:
        # A circle of mutual siblings (three versions, none the origin) keeps the plain order.
        free = [i for i in left if not behind[i] & set(left)] or left
        out.append(related[free[0]])
        left.remove(free[0])
    return out


def _is_sibling(sibling: Candidate, origin: Candidate) -> bool:
    """Whether P and ``sibling`` are two versions made from ``origin``."""
    near, far = _edits(sibling), _edits(origin)
    if far.share < _SAME_VERSION * near.share:
        return False  # the other one is a version of P
    version = near.share < _SAME_VERSION * far.share
    if not version and not _detail_kept(origin) < _detail_kept(sibling):
        return False
    if not near.mask.any():
        return False
    between = _difference(sibling, origin)
    if between is None:
        return False
    if float(between[near.mask].mean()) < _CONTAINED:
        return False
    if version or near.share > far.share:
        return True  # a parent is no further from its child than a grandparent
    redone = near.mask[between & near.comparable]
    return bool(len(redone)) and float(redone.mean()) >= _REDONE


def _difference(sibling: Candidate, origin: Candidate) -> Mask | None:
    """Where the two sources differ from each other, in the published frame."""
    first, second = sibling.comparison.alignment, origin.comparison.alignment
    if not isinstance(first, Alignment) or not isinstance(second, Alignment):
        return None
    start = np.linalg.inv(first.original_to_published) @ second.original_to_published
    guess = Verified(
        start / start[2, 2], first.mirrored != second.mirrored, second.inliers, 0, second.inliers
    )
    aligned = register(origin.picture.pixels, sibling.picture.pixels, guess)
    if not isinstance(aligned, Alignment):
        return None
    edits = localise(
        origin.picture.pixels, sibling.picture.pixels, aligned, sibling.picture.facts.jpeg
    )
    if edits is None:
        return None
    frame = _edits(sibling).mask.shape
    moved = warp(
        edits.mask.astype(np.uint8) * np.uint8(255),
        first.original_to_published,
        (frame[0], frame[1]),
        cv2.INTER_NEAREST,
    )
    return np.asarray(moved > 127)
