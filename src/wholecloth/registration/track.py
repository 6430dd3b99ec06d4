"""Corners of the published picture, found again in the warped original to hundredths of a pixel.

Pyramidal Lucas-Kanade (Bouguet 2001) on local-contrast-normalised images, so that filters and tone
curves do not pull, then a robust refit.  What a point finds at the end of its track decides how far
it is trusted: on an edit the tracker ends somewhere, but on nothing alike.  Unmasked ECC was
measured to *worsen* alignment, because the replaced area pulls it (``docs/decisions``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.estimate import simplest_adequate, weighted_median
from wholecloth.registration.warp import apply, reduce, support, warp
from wholecloth.retrieval.verify import plausible

_CORNERS, _WINDOW, _ROUNDS = 700, 17, 2
_MAX_MOVE_PX = (6.0, 3.0)
MIN_TRACKED = 12
_UNLIKE = (6.0, 16.0)
"""Levels of a contrast-normalised window (standard deviation 42) within which a point is found
again.  Looked at on twelve pairs with half and with 85 % of the frame replaced: found .7-7 (20 in
a narrow rim), on the edit 8-40."""
_FEW_TRUSTED = 120.0
"""Below this sum of weights, corners are sought again where the structure survives."""
AGREE_PX = 0.5
"""Within this a tracked point bears the transformation out."""
_WORK_PIXELS = 2_500_000
"""Tracking above this size costs time and gains nothing measurable."""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """What tracking gave, in full-size published pixels."""

    homography: Homography
    model: str
    residual_px: float
    """Median, each point with its trust."""
    points: int
    agreeing: float
    """Sum of the trust of points within ``AGREE_PX``."""


def refined(
    original: RGB, published: RGB, homography: Homography, area: Mask | None = None
) -> Tracked | None:
    """Track and refit twice, from a transformation that is right to a few pixels.

    With ``area``, only points in it (published frame) are tracked.

    Returns:
        None where too little can be tracked.
    """
    target, to_work = working_copy(published)
    small, h_small = reduce(original, to_work @ homography)
    to_original = np.linalg.inv(h_small) @ to_work @ homography  # original → reduced original
    gray_small, gray = gray_of(small), gray_of(target)
    shape = (gray.shape[0], gray.shape[1])
    inside = support((gray_small.shape[0], gray_small.shape[1]), h_small, shape)
    inside_u8 = np.asarray(
        cv2.erode(inside.astype(np.uint8), np.ones((15, 15), np.uint8)), np.uint8
    )
    if area is not None:
        size = (shape[1], shape[0])
        asked = cv2.resize(area.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        inside_u8 = np.asarray(cv2.bitwise_and(inside_u8, asked), np.uint8)
    # Corners of the smoothed picture: sensor noise has corners too, and they move with nothing.
    smooth = np.asarray(cv2.GaussianBlur(gray, (0, 0), 1.2), np.uint8)
    corners = cv2.goodFeaturesToTrack(smooth, _CORNERS, 0.003, 10, mask=inside_u8, blockSize=5)
    if corners is None or len(corners) < MIN_TRACKED:
        return None
    points = np.asarray(corners, np.float32)
    reference = contrast_normalised(gray)
    done: Tracked | None = None
    for step in range(_ROUNDS):
        last = step == _ROUNDS - 1
        moved = warp(gray_small, h_small, shape, cv2.INTER_CUBIC if last else cv2.INTER_LINEAR)
        tracked, status, unlike = cv2.calcOpticalFlowPyrLK(
            reference,
            contrast_normalised(moved),
            points,
            None,  # type: ignore[call-overload]
            winSize=(_WINDOW, _WINDOW),
            maxLevel=0 if step else 2,
            criteria=(3, 20, 0.01),
        )
        here, there = (np.asarray(p[:, 0], np.float64) for p in (points, tracked))
        moved_by = np.linalg.norm(here - there, axis=1)
        near = np.asarray((status.ravel() > 0) & (moved_by < _MAX_MOVE_PX[min(step, 1)]))
        here, there = here[near], there[near]
        if len(here) < MIN_TRACKED:
            break
        trust = trust_of(np.asarray(unlike.ravel()[near], np.float64))
        source = apply(np.asarray(np.linalg.inv(h_small), np.float64), there)
        name, fitted, left = simplest_adequate(source, here, trust)
        if not plausible(fitted, source) and not plausible(_unmirrored(fitted, source), source):
            break
        h_small = fitted
        full = np.linalg.inv(to_work) @ h_small @ to_original
        left = left / float(to_work[0, 0])
        agreeing = float(trust[left < AGREE_PX].sum())
        median = weighted_median(left, trust)
        done = Tracked(full / full[2, 2], name, median, len(here), agreeing)
        if not last and trust.sum() < _FEW_TRUSTED * trust.max():
            points = _closer(reference, gray_small, h_small, smooth, inside_u8, points)
    return done


def trust_of(unlike: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights, 0-1, of tracked points from what each found at the end of its track.

    ``unlike`` is the mean absolute difference of the two contrast-normalised windows.  On an edit
    the tracker ends somewhere, but on nothing alike.
    """
    scale = float(np.clip(2 * np.quantile(unlike, 0.1), *_UNLIKE))
    trust = 1.0 / (1.0 + (unlike / scale) ** 2) ** 2
    return np.asarray(trust)


def _closer(
    reference: NDArray[np.uint8],
    gray_small: NDArray[np.uint8],
    homography: Homography,
    smooth: NDArray[np.uint8],
    inside: NDArray[np.uint8],
    points: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Corners where the structure survives, closer together: little of the frame is left."""
    shape = (reference.shape[0], reference.shape[1])
    moved = contrast_normalised(warp(gray_small, homography, shape, cv2.INTER_LINEAR))
    unlike = cv2.blur(cv2.absdiff(reference, moved), (_WINDOW, _WINDOW))
    alike = ((unlike < _UNLIKE[1]) & (inside > 0)).astype(np.uint8)
    more = cv2.goodFeaturesToTrack(smooth, _CORNERS, 0.003, 5, mask=alike, blockSize=5)
    return points if more is None or len(more) < MIN_TRACKED else np.asarray(more, np.float32)


def gray_of(rgb: RGB) -> NDArray[np.uint8]:
    """H×W luma."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _unmirrored(homography: Homography, points: NDArray[np.float64]) -> Homography:
    """The same map after mirroring its input about the points' own centre line."""
    axis = float(points[:, 0].min() + points[:, 0].max())
    return np.asarray(homography @ np.array([[-1.0, 0, axis], [0, 1, 0], [0, 0, 1]]))


def working_copy(published: RGB) -> tuple[RGB, Homography]:
    """The picture at the size that is tracked, and full size → that size."""
    h, w = published.shape[:2]
    factor = float(np.sqrt(_WORK_PIXELS / (h * w)))
    if factor >= 1:
        return published, np.eye(3)
    size = (round(w * factor), round(h * factor))
    sx, sy = size[0] / w, size[1] / h
    small = cv2.resize(published, size, interpolation=cv2.INTER_AREA)
    to_small = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])
    return np.asarray(small, np.uint8), to_small


def contrast_normalised(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Local mean to 128, local contrast to a constant, over 31×31 windows."""
    f = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 0.7)
    mean = cv2.boxFilter(f, -1, (31, 31))
    variance = cv2.boxFilter(f * f, -1, (31, 31)) - mean * mean
    scaled = 128 + 42 * (f - mean) / np.sqrt(np.maximum(variance, 0) + 16)
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)
