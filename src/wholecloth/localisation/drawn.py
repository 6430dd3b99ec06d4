"""Whether what two pictures share was drawn: words, bars, icons, a frame.

Drawn things have few colours, even grounds, and around each edge just two tones; a photograph fills
the range between.  Measured on the published pixels that an original explains.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.localisation.robust import F32
from wholecloth.model.media import RGB, Mask

TWO_TONES = 0.43
FEW_COLOURS = 0.7
"""Both at least so: drawn.  Set between 12 drawn applications and frames around other pictures
(two tones .54-.68, few colours .79-.97) and 39 edits of photographs among the development cases,
of which those with few colours (.74-.89, a person before a blank wall) had two tones .10-.32."""
EVEN = 2.0
"""… and a quarter of the windows without an edge range over at most so many levels: the same drawn
ones 0, a photograph of stars on black (few colours, two tones) 4-23."""
_SOFTEST = 0.1
_WINDOW, _AROUND, _RANGE, _NEAR = 9, 15, 40, 0.2
_COLOURS, _MIN_PIXELS = 6, 200


def is_drawn(published: RGB, where: Mask) -> bool:
    """Whether the picture is drawn there.

    Where nothing has an edge it is not said to be: mist and sand have few colours too, and what was
    drawn to be seen has edges.
    """
    if few_colours(published, where) < FEW_COLOURS:
        return False
    tones, ground = two_tones(published, where)
    return tones is not None and tones >= TWO_TONES and (ground is None or ground <= EVEN)


def two_tones(published: RGB, where: Mask) -> tuple[float | None, float | None]:
    """How two-toned the edges are, and how even the ground between them.

    Returns:
        Share of a 9×9 window's pixels that are close to its darkest or lightest, 0-1: the tenth
        percentile over windows with a contrast of more than 40 levels, since what was drawn has
        hardly a soft edge.  Contrast of the other windows in levels: the lower quartile.  None
        where there are few such windows.
    """
    share, contrast = _extremes(published, _WINDOW)
    kernel = np.ones((_WINDOW, _WINDOW), np.uint8)
    asked = cv2.erode(where.astype(np.uint8), kernel) > 0
    edges, ground = asked & (contrast > _RANGE), asked & (contrast <= _RANGE)
    return (
        float(np.quantile(share[edges], _SOFTEST)) if edges.sum() >= _MIN_PIXELS else None,
        float(np.quantile(contrast[ground], 0.25)) if ground.sum() >= _MIN_PIXELS else None,
    )


def two_tones_at(published: RGB, points: NDArray[np.float64]) -> float | None:
    """The same around N×2 points (x, y): the median over 15×15 windows; None without points."""
    share, _ = _extremes(published, _AROUND)
    at = np.rint(points).astype(int)
    height, width = share.shape
    inside = (at >= 0).all(axis=1) & (at[:, 0] < width) & (at[:, 1] < height)
    if not inside.any():
        return None
    return float(np.median(share[at[inside, 1], at[inside, 0]]))


def _extremes(published: RGB, window: int) -> tuple[F32, F32]:
    """Per window: share of pixels in the outer fifths of its range, and that range in levels."""
    gray = np.asarray(cv2.cvtColor(published, cv2.COLOR_RGB2GRAY), np.uint8)
    kernel = np.ones((window, window), np.uint8)
    low, high = cv2.erode(gray, kernel), cv2.dilate(gray, kernel)
    contrast = np.asarray(high, np.float32) - low
    margin = np.float32(_NEAR) * contrast
    extreme = ((gray <= low + margin) | (gray >= high - margin)).astype(np.float32)
    return np.asarray(cv2.blur(extreme, (window, window)), np.float32), contrast


def few_colours(published: RGB, where: Mask) -> float:
    """Share of the pixels that the six commonest of 4096 colours cover, 0-1."""
    packed = (published[where] >> 4).astype(np.int64) @ np.array([256, 16, 1])
    if not len(packed):
        return 0.0
    counts = np.sort(np.bincount(packed, minlength=4096))[::-1]
    return float(counts[:_COLOURS].sum() / len(packed))
