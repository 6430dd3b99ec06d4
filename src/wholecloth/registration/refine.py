"""From a feature-based estimate to a registration of hundredths of a pixel.

Corners of the published picture are tracked into the warped original (pyramidal Lucas-Kanade,
Bouguet 2001) on local-contrast-normalised images, so that filters and tone curves do not pull,
and the transformation is refitted robustly.  Unmasked ECC was measured to *worsen* alignment,
because the replaced area pulls it (``docs/decisions``).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Alignment, Homography, NotAligned
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.estimate import simplest_adequate
from wholecloth.registration.warp import apply, reduce, snapped, support, warp
from wholecloth.retrieval.features import DEEP, extract
from wholecloth.retrieval.verify import Verified, plausible, verify

FEW_INLIERS = 20
"""Below this the pair is matched again at full useful resolution."""
MIN_INLIERS = 6
_CORNERS, _WINDOW, _ROUNDS = 700, 17, 2
_MAX_MOVE_PX = (6.0, 3.0)
_MIN_TRACKED = 12
_WORK_PIXELS = 2_500_000
"""Tracking above this size costs time and gains nothing measurable."""


def register(original: RGB, published: RGB, start: Verified) -> Alignment | NotAligned:
    """Refine a verified match into an ``Alignment``.

    Args:
        original, published: H×W×3 sRGB at full size.
        start: the transformation the search found, in full-size coordinates.

    Returns:
        The alignment, or why it cannot be trusted.
    """
    if start.inliers < FEW_INLIERS:
        closer = verify(extract(original, DEEP), extract(published, DEEP))
        if closer is not None and closer.inliers > start.inliers:
            start = closer
    if start.inliers < MIN_INLIERS:
        return NotAligned("too few features agree on one transformation", start.inliers)
    homography, model, residual = _refined(original, published, start.original_to_published)
    if model is None:
        return NotAligned(
            "the surroundings could not be tracked from one picture into the other",
            start.inliers,
            start.putative,
        )
    shape = (original.shape[0], original.shape[1])
    if snapped(homography, shape) is not None:
        model = "integer"
    return Alignment(homography, start.mirrored, start.inliers, start.putative, residual, model)


def register_within(
    original: RGB, published: RGB, start: Verified, area: Mask
) -> Alignment | NotAligned:
    """``register`` for one area of the published frame: only what lies there is tracked.

    ``start`` comes from features of the area; it is not looked for again.
    """
    homography, model, residual = _refined(original, published, start.original_to_published, area)
    if model is None:
        reason = "the area could not be tracked from one picture into the other"
        return NotAligned(reason, start.inliers, start.putative)
    return Alignment(homography, start.mirrored, start.inliers, start.putative, residual, model)


def _refined(
    original: RGB, published: RGB, homography: Homography, area: Mask | None = None
) -> tuple[Homography, str | None, float]:
    target, to_work = _working_copy(published)
    small, h_small = reduce(original, to_work @ homography)
    to_original = np.linalg.inv(h_small) @ to_work @ homography  # original → reduced original
    gray_small, gray = _gray(small), _gray(target)
    shape = (gray.shape[0], gray.shape[1])
    inside = support((gray_small.shape[0], gray_small.shape[1]), h_small, shape)
    inside_u8 = cv2.erode(inside.astype(np.uint8), np.ones((15, 15), np.uint8))
    if area is not None:
        size = (shape[1], shape[0])
        asked = cv2.resize(area.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        inside_u8 = cv2.bitwise_and(inside_u8, asked)
    # Corners of the smoothed picture: sensor noise has corners too, and they move with nothing.
    smooth = cv2.GaussianBlur(gray, (0, 0), 1.2)
    points = cv2.goodFeaturesToTrack(smooth, _CORNERS, 0.003, 10, mask=inside_u8, blockSize=5)
    model: str | None = None
    residual = float("nan")
    if points is None or len(points) < _MIN_TRACKED:
        return homography, None, residual
    reference = contrast_normalised(gray)
    for step in range(_ROUNDS):
        last = step == _ROUNDS - 1
        moved = warp(gray_small, h_small, shape, cv2.INTER_CUBIC if last else cv2.INTER_LINEAR)
        tracked, status, _ = cv2.calcOpticalFlowPyrLK(
            reference,
            contrast_normalised(moved),
            points,
            None,  # type: ignore[call-overload]
            winSize=(_WINDOW, _WINDOW),
            maxLevel=0 if step else 2,
            criteria=(3, 20, 0.01),
        )
        good = status.ravel() > 0
        here = np.asarray(points[good, 0], np.float64)
        there = np.asarray(tracked[good, 0], np.float64)
        near = np.asarray(np.linalg.norm(here - there, axis=1) < _MAX_MOVE_PX[min(step, 1)])
        here, there = here[near], there[near]
        if len(here) < _MIN_TRACKED:
            break
        source = apply(np.asarray(np.linalg.inv(h_small), np.float64), there)
        name, fitted, left = simplest_adequate(source, here)
        if not plausible(fitted, source) and not plausible(_unmirrored(fitted, source), source):
            break
        h_small, model, residual = fitted, name, float(np.median(left))
    full = np.linalg.inv(to_work) @ h_small @ to_original
    return full / full[2, 2], model, residual / float(to_work[0, 0])


def _gray(rgb: RGB) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def _unmirrored(homography: Homography, points: NDArray[np.float64]) -> Homography:
    """The same map after mirroring its input about the points' own centre line."""
    axis = float(points[:, 0].min() + points[:, 0].max())
    return np.asarray(homography @ np.array([[-1.0, 0, axis], [0, 1, 0], [0, 0, 1]]))


def _working_copy(published: RGB) -> tuple[RGB, Homography]:
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
