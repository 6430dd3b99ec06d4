"""RootSIFT at a canonical size.

Sources: Lowe 2004 (SIFT); Arandjelović & Zisserman 2012 (RootSIFT: L1-normalise, square root, so
that a dot product is the Hellinger kernel).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.media import RGB, Mask

# OpenCV's own threads would compete with ours, one per candidate.
cv2.setNumThreads(1)

VERSION = "rootsift-2"
"""Changes with anything that changes what ``extract`` gives; cached features carry it."""

MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][:, :, [0, 7, 6, 5, 4, 3, 2, 1]].ravel()
"""A mirrored patch's descriptor is this permutation of the patch's own: the four rows of the
spatial grid reversed (the frame turns with the dominant orientation) and the eight orientation
bins negated.  So both mirror states cost one extraction."""

_CONTRAST, _EDGE = 0.005, 12.0
"""Faint features are taken only where strong ones do not fill the number.  In plain pictures (night
skies, mist, water; 5 of 40 looked at) they are what there is."""


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """At which size, and how many."""

    side: int
    """Longer side in pixels after area-averaging; smaller pictures keep their size."""
    count: int


QUICK = FeatureSettings(side=512, count=1000)
"""First look at every candidate."""
DEEP = FeatureSettings(side=1400, count=2500)
"""Before "no original" is said: one person cropped out of a group photograph needs it."""
WHOLE = FeatureSettings(side=2000, count=8000)
"""The likeliest of a shortlist, where even that gave little: 24 cut-outs of 6 % of photographs, the
true pair given, were verified with 12 and more effective inliers in 6, 9 and 11 with the three."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Local features of one picture, in its own full-size pixel coordinates."""

    points: NDArray[np.float64]
    """N×2, (x, y), (0, 0) the centre of the top-left pixel of the full-size picture."""
    sift: NDArray[np.uint8]
    """N×128 SIFT as OpenCV gives it (whole numbers 0-255)."""
    width: float
    """Of the full-size picture; the mirror axis."""
    scale: float
    """Side of the picture the features were taken from over full size, ≤ 1."""

    @property
    def descriptors(self) -> NDArray[np.float32]:
        """N×128 RootSIFT, unit length; made on demand, since it is four times the size."""
        raw = self.sift.astype(np.float32)
        return np.asarray(np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)))

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self.points.nbytes + self.sift.nbytes)


def extract(
    pixels: RGB,
    settings: FeatureSettings,
    full_size: tuple[int, int] | None = None,
    where: Mask | None = None,
) -> Features:
    """Features of an H×W×3 picture.

    ``full_size`` is (height, width) of the undiminished picture when ``pixels`` were reduced on
    decoding; points are given in its coordinates.  ``where``: H×W, keep only what lies there; the
    rest does not count against the number of features.
    """
    height, width = full_size or pixels.shape[:2]
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    factor = min(1.0, settings.side / max(gray.shape))
    if factor < 1.0:
        size = (max(1, round(gray.shape[1] * factor)), max(1, round(gray.shape[0] * factor)))
        gray = cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    count = settings.count if where is None else 0
    sift = cv2.SIFT.create(count, contrastThreshold=_CONTRAST, edgeThreshold=_EDGE)
    if where is None:
        keypoints, raw = sift.detectAndCompute(gray, None)
    else:
        keypoints, raw = sift.compute(gray, _strongest(sift.detect(gray), gray, where, settings))
    to_full = np.array([width / gray.shape[1], height / gray.shape[0]])
    if raw is None or len(keypoints) == 0:
        points, found = np.zeros((0, 2)), np.zeros((0, 128), np.uint8)
    else:
        # Pixel centres: (p + ½)·s − ½, or a quarter pixel is lost per halving.
        points = (np.array([k.pt for k in keypoints], np.float64) + 0.5) * to_full - 0.5
        found = np.asarray(raw, np.uint8)
    return Features(points, found, float(width), float(gray.shape[1] / width))


def _strongest(
    keypoints: Sequence[cv2.KeyPoint],
    gray: cv2.typing.MatLike,
    where: Mask,
    settings: FeatureSettings,
) -> list[cv2.KeyPoint]:
    """Those inside, strongest first, as many as the settings allow."""
    size = (gray.shape[1], gray.shape[0])
    small = cv2.resize(where.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    inside = [k for k in keypoints if small[round(k.pt[1]), round(k.pt[0])]]
    return sorted(inside, key=lambda k: -k.response)[: settings.count]
