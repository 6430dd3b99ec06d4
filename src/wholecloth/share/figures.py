"""Default figures: level L1, no pixel of the published picture.

The outline figure is drawn from the *original*: an edge sketch, laid into the published frame,
with the changed area filled flat, so that inside the edit the figure carries no information about
either picture.  (Fine residual maps follow the published pixels up to r = .84, measured; they are
never a default figure.)
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Alignment, EditMap
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.warp import reduce, warp

SIDE = 900
_PAPER, _LINE = (250, 250, 247), (90, 96, 104)
_FILL, _EDGE = (246, 205, 160), (176, 74, 0)
_LAID_FILL, _LAID_EDGE = (208, 220, 238), (44, 88, 152)
_OUTSIDE = (226, 228, 232)
_HATCH_PX = 9


def outline_figure(original: RGB, alignment: Alignment, edits: EditMap) -> RGB:
    """H×W×3 figure of at most ``SIDE`` pixels a side, in the published frame."""
    shape = edits.mask.shape
    factor = min(1.0, SIDE / max(shape))
    size = (max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor)))
    sx, sy = size[0] / shape[1], size[1] / shape[0]
    to_figure = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])
    homography = to_figure @ alignment.original_to_published
    small, h_small = reduce(original, homography)
    sketch = edges(warp(small, h_small, (size[1], size[0])))
    changed = _scaled(edits.mask, size)
    comparable = _scaled(edits.comparable, size)
    figure = np.full((size[1], size[0], 3), _PAPER, np.uint8)
    # A margin around the edit keeps its rim, which blends both pictures, out of the sketch.
    near = cv2.dilate(changed.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    figure[sketch & ~near] = _LINE
    figure[~comparable & ~changed] = _OUTSIDE
    laid = _laid(edits, shape, size) & ~changed
    figure[laid] = _LAID_FILL
    figure[laid & _hatching(laid.shape, rising=False)] = _LAID_EDGE
    figure[changed] = _FILL
    figure[changed & _hatching(changed.shape)] = _EDGE
    contours, _ = cv2.findContours(
        changed.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(figure, contours, -1, _EDGE, 2)
    return figure


def edges(picture: RGB) -> Mask:
    """Thin edge lines of an H×W×3 picture (Canny 1986), thresholds from its own gradients."""
    gray = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 1.4)
    slope = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    high = float(np.clip(np.quantile(slope, 0.9), 40, 220))
    return np.asarray(cv2.Canny(gray, 0.4 * high, high) > 0)


def _laid(edits: EditMap, shape: tuple[int, ...], size: tuple[int, int]) -> Mask:
    """What was laid on top, by its joined outlines: a caption may name somebody."""
    out = np.zeros(shape, np.uint8)
    for region in edits.overlays:
        cv2.fillPoly(out, [np.array(region.polygon, np.int32)], 1)
    return _scaled(out > 0, size)


def _hatching(shape: tuple[int, ...], *, rising: bool = True) -> NDArray[np.bool_]:
    """Diagonal lines: the filled area reads as filled in black and white too."""
    y, x = np.indices(shape)
    return np.asarray((x + y if rising else x - y) % _HATCH_PX == 0)


def _scaled(mask: Mask, size: tuple[int, int]) -> Mask:
    soft = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(soft >= 0.5)
