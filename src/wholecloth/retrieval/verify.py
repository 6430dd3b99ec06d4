"""Geometric verification: do a candidate's features share one transformation with the query's?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Homography
from wholecloth.retrieval.features import MIRROR, Features

VERSION = "magsac-2"
"""Changes with anything that changes what ``verify`` gives; cached pairs carry it."""
_RATIO = 0.86
"""Lowe's ratio on RootSIFT distances; loose, because geometry follows."""
_THRESHOLD_PX = 2.0
"""Inlier distance in pixels of the picture the features were taken from."""
_CELL_PX = 12.0
"""Two inliers within one such cell count once: a caption's letters are not many witnesses."""
_SURE_INLIERS, _SURE_SHARE = 30, 0.55
"""Only with both is the second mirror state left untried; symmetric facades give 40-60 inliers
in the wrong one (measured: 4 of 246) …"""
_PROBED, _SYMMETRIC = 150, 0.4
"""… and only if less than this share of so many matched features also matches when mirrored:
photographs and scenes .03-.29 (16 looked at), drawn symmetric facades .65-.89 (9)."""
_RIVAL = 0.5
"""The other mirror state is kept beside the best from this share of its inliers on."""


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """A transformation that the features bear out, best of both mirror states."""

    original_to_published: Homography
    mirrored: bool
    inliers: int
    effective: int
    """Distinct cells in both pictures that hold an inlier, the smaller of the two."""
    putative: int
    rival: Verified | None = None
    """The other mirror state where features cannot tell the two apart (symmetric facades): pixels
    have to."""


def verify(candidate: Features, published: Features) -> Verified | None:
    """Best transformation candidate → published, or None when nothing consistent is found."""
    ours, theirs = published.descriptors, candidate.descriptors
    matches = mutual_matches(theirs, ours)
    plain = _one_state(candidate, published, matches, mirrored=False)
    sure = plain is not None and plain.inliers > max(_SURE_INLIERS, _SURE_SHARE * plain.putative)
    if sure and _also_mirrored(theirs[matches[:_PROBED, 0]], ours) < _SYMMETRIC:
        return plain
    turned = mutual_matches(theirs[:, MIRROR], ours)
    mirrored = _one_state(candidate, published, turned, mirrored=True)
    if plain is None or mirrored is None:
        return plain or mirrored
    best, other = (mirrored, plain) if mirrored.inliers > plain.inliers else (plain, mirrored)
    if other.inliers < _RIVAL * best.inliers:
        return best
    return replace(best, rival=other)


def _also_mirrored(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Share of ``first`` whose mirrored descriptors pass the ratio test in ``second``, 0-1."""
    if len(second) < 2:
        return 0.0
    similarity = np.sort(first[:, MIRROR] @ second.T, axis=1)[:, -2:]
    next_, near = np.sqrt(np.maximum(2 - 2 * similarity, 0)).T
    return float((near < _RATIO * next_).mean())


def agreeing(
    candidate: Features, published: Features, homography: Homography, *, mirrored: bool
) -> NDArray[np.float64]:
    """N×2 points of the published picture whose matches bear a known transformation out."""
    theirs = candidate.descriptors
    matches = mutual_matches(theirs[:, MIRROR] if mirrored else theirs, published.descriptors)
    source, target = candidate.points[matches[:, 0]], published.points[matches[:, 1]]
    mapped = np.column_stack([source, np.ones(len(source))]) @ homography.T
    error = np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - target, axis=1)
    return np.asarray(target[error < 2 * _THRESHOLD_PX / published.scale])


def mutual_matches(
    first: NDArray[np.float32], second: NDArray[np.float32], ratio: float = _RATIO
) -> NDArray[np.intp]:
    """M×2 indices of mutual nearest neighbours that pass the ratio test one way.

    The way back is only looked at for what passed the ratio test, a few columns instead of all
    (walking down every column took as long as the product itself).
    """
    if len(first) < 2 or len(second) < 2:
        return np.zeros((0, 2), np.intp)
    similarity = first @ second.T
    rows = np.arange(len(first))
    nearest = similarity.argmax(axis=1)
    best = similarity[rows, nearest].copy()
    similarity[rows, nearest] = -1
    second_best = similarity.max(axis=1)
    similarity[rows, nearest] = best
    near, next_ = (np.sqrt(np.maximum(2 - 2 * s, 0)) for s in (best, second_best))
    passed = rows[near < ratio * next_]
    back = similarity[:, nearest[passed]].argmax(axis=0)
    kept = passed[back == passed]
    return np.stack([kept, nearest[kept]], axis=1)


def mutual_matches_plain(
    first: NDArray[np.float32], second: NDArray[np.float32], ratio: float = _RATIO
) -> NDArray[np.intp]:
    """The same, as one would write it down; the twin that ``mutual_matches`` must agree with."""
    similarity = first @ second.T
    back = similarity.argmax(axis=0)
    out = []
    for row, values in enumerate(similarity):
        column = int(values.argmax())
        others = np.delete(values, column)
        near, next_ = (np.sqrt(np.maximum(2 - 2 * s, 0)) for s in (values[column], others.max()))
        if near < ratio * next_ and back[column] == row:
            out.append((row, column))
    return np.array(out, np.intp).reshape(-1, 2)


def _one_state(
    candidate: Features, published: Features, matches: NDArray[np.intp], *, mirrored: bool
) -> Verified | None:
    if len(matches) < 5:
        return None
    source = candidate.points[matches[:, 0]]
    target = published.points[matches[:, 1]]
    flip = np.array([[-1.0, 0, candidate.width - 1], [0, 1, 0], [0, 0, 1]])
    if mirrored:
        # USAC rejects samples that reverse orientation, so estimate on flipped coordinates.
        source = np.column_stack([candidate.width - 1 - source[:, 0], source[:, 1]])
    threshold = _THRESHOLD_PX / published.scale
    homography, inlier = _estimate(source, target, threshold)
    if homography is None or not plausible(homography, source[inlier]):
        return None
    effective = min(
        _cells(source[inlier] * candidate.scale), _cells(target[inlier] * published.scale)
    )
    if mirrored:
        homography = homography @ flip
    homography = homography / homography[2, 2]
    return Verified(homography, mirrored, int(inlier.sum()), effective, len(matches))


def _estimate(
    source: NDArray[np.float64], target: NDArray[np.float64], threshold: float
) -> tuple[Homography | None, NDArray[np.bool_]]:
    """A similarity where it explains three quarters of what the freer model does, else that."""
    cv2.setRNGSeed(1)
    none = np.zeros(len(source), bool)
    full, full_in = None, none
    if len(source) >= 8:
        full, mask = cv2.findHomography(
            source, target, cv2.USAC_MAGSAC, threshold, maxIters=3000, confidence=0.9999
        )
        full_in = mask.ravel().astype(bool) if full is not None else none
        if full is not None and not plausible(np.asarray(full, np.float64), source[full_in]):
            full, full_in = None, none
    rigid, mask = cv2.estimateAffinePartial2D(
        source,
        target,
        method=cv2.RANSAC,
        ransacReprojThreshold=1.25 * threshold,
        maxIters=3000,
        confidence=0.999,
    )
    if rigid is not None:
        rigid_in = mask.ravel().astype(bool)
        scale = float(np.hypot(rigid[0, 0], rigid[1, 0]))
        if 0.05 < scale < 20 and rigid_in.sum() >= 0.75 * full_in.sum():
            return np.vstack([rigid, [0.0, 0.0, 1.0]]).astype(np.float64), rigid_in
    return (None if full is None else full.astype(np.float64)), full_in


def plausible(homography: Homography, points: NDArray[np.float64]) -> bool:
    """No reposting tool folds, flips or squeezes a picture fourfold along one axis."""
    if len(points) < 4 or not np.isfinite(homography).all():
        return False
    low, high = points.min(axis=0), points.max(axis=0)
    for x, y in ((low[0], low[1]), (high[0], low[1]), (low[0], high[1]), (high[0], high[1])):
        w = homography[2, 0] * x + homography[2, 1] * y + homography[2, 2]
        if w <= 1e-6:
            return False
        px = (homography[0] @ (x, y, 1)) / w
        py = (homography[1] @ (x, y, 1)) / w
        jacobian = np.array(
            [
                [
                    homography[0, 0] - px * homography[2, 0],
                    homography[0, 1] - px * homography[2, 1],
                ],
                [
                    homography[1, 0] - py * homography[2, 0],
                    homography[1, 1] - py * homography[2, 1],
                ],
            ]
        )
        jacobian /= w
        stretch = np.linalg.svd(jacobian, compute_uv=False)
        if np.linalg.det(jacobian) <= 0 or stretch[0] > 20 or stretch[1] < 0.02:
            return False
        if stretch[0] > 4 * stretch[1]:
            return False
    return True


def _cells(points: NDArray[np.float64]) -> int:
    if not len(points):
        return 0
    return len(np.unique(np.floor(points / _CELL_PX).astype(np.int64), axis=0))
