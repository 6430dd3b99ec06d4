"""Which published pixels can be compared at all."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.warp import support

_LEVELS, _SHARE, _MARGIN = 10, 0.985, 4
_RIM, _RIM_LEVELS, _RIM_SHARE = 8, 25, 0.95
"""The inner side of a frame as JPEG leaves it: less than a block's width of lines that are nearly
of its colour.  Where more lines are, it is a background of that colour, not the frame."""
_COARSE = 16
_NESTED = 3
"""Frames within frames: a repost of a framed picture is framed again."""
_PACK = np.array([65536, 256, 1], np.uint32)
_BESIDE_SIDE = 512
_BUSY = 4.0
"""Standard deviation in levels from which a neighbourhood shows something; on a copy of at most
``_BESIDE_SIDE`` pixels, since only a coarse share is wanted."""


def comparable(original_shape: tuple[int, int], homography: Homography, published: RGB) -> Mask:
    """Covered by the warped original, two pixels inside its edge, and not a uniform frame."""
    shape = (published.shape[0], published.shape[1])
    covered = support(original_shape, homography, shape).astype(np.uint8)
    # Outside the picture counts as covered: the published picture's own border is no seam.
    inside = cv2.erode(
        covered,
        np.ones((5, 5), np.uint8),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=(1.0, 0, 0, 0),
    )
    return (inside > 0) & ~uniform_frame(published)


def beside(original_shape: tuple[int, int], homography: Homography, published: RGB) -> float:
    """Share of the frame, 0-1, that shows something the original does not even cover.

    Another picture of a collage, an app's controls; flat margins do not count.
    """
    h, w = published.shape[:2]
    factor = min(1.0, _BESIDE_SIDE / max(h, w))
    size = (max(1, round(w * factor)), max(1, round(h * factor)))
    small = np.asarray(cv2.resize(published, size, interpolation=cv2.INTER_AREA), np.uint8)
    to_small = np.diag([size[0] / w, size[1] / h, 1.0])
    covered = support(original_shape, to_small @ homography, (size[1], size[0]))
    outside = ~covered & ~uniform_frame(small)
    if not outside.any():
        return 0.0
    luma = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean = cv2.blur(luma, (5, 5))
    busy = cv2.blur(luma * luma, (5, 5)) - mean * mean > _BUSY**2
    # A little texture makes a neighbourhood busy: a picture has calm areas too.
    busy = cv2.dilate(busy.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    return float((outside & busy).mean())


def coarse_colours(published: RGB) -> int | None:
    """How many colours a picture has, if at most 16; else None."""
    flat = published.reshape(-1, 3)
    some = flat[:: max(1, len(flat) // 4000)]
    if len(np.unique(some.astype(np.uint32) @ _PACK)) > _COARSE:
        return None
    packed = flat.astype(np.uint32) @ _PACK
    count = len(np.unique(packed))
    return count if count <= _COARSE else None


def uniform_frame(published: RGB) -> Mask:
    """Letterbox bars and coloured frames, also nested: border rows and columns of one colour."""
    h, w = published.shape[:2]
    frame = np.zeros((h, w), bool)
    top, bottom, left, right = 0, h, 0, w
    for _ in range(_NESTED):
        inner = _frame(published[top:bottom, left:right])
        part = frame[top:bottom, left:right]
        part |= inner
        rows, cols = np.flatnonzero(~inner.all(axis=1)), np.flatnonzero(~inner.all(axis=0))
        if not inner.any() or not len(rows):
            break
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        left, right = left + int(cols[0]), left + int(cols[-1]) + 1
    return frame


def _frame(published: RGB) -> Mask:
    """One frame."""
    h, w = published.shape[:2]
    levels = published
    top = _run(levels[: h // 3])
    bottom = _run(levels[::-1][: h // 3])
    middle = levels[top : h - bottom] if h - top - bottom > 8 else levels
    sideways = middle.transpose(1, 0, 2)
    left = _run(sideways[: w // 3])
    right = _run(sideways[::-1][: w // 3])
    frame = np.zeros((h, w), bool)
    # The margin takes in the frame's soft edge; runs of one or two lines are picture, not frame.
    if top > 2:
        frame[: top + _MARGIN] = True
    if bottom > 2:
        frame[h - bottom - _MARGIN :] = True
    if left > 2:
        frame[:, : left + _MARGIN] = True
    if right > 2:
        frame[:, w - right - _MARGIN :] = True
    return frame


def _run(lines: NDArray[np.uint8]) -> int:
    """How many leading lines are of the first line's colour.

    Looked at in blocks that double: most pictures have no frame, and the first line says so.
    """
    if not len(lines):
        return 0
    colour = np.median(lines[0], axis=0)
    run, block = 0, 1
    while run < len(lines):
        near = _share_near(lines[run : run + block], colour, _LEVELS) > _SHARE
        if not near.all():
            run += int(near.argmin())
            break
        run, block = run + block, min(2 * block, 64)
    run = min(run, len(lines))
    if run <= 2 or run == len(lines):
        return run
    rim = _share_near(lines[run : run + _RIM], colour, _RIM_LEVELS) > _RIM_SHARE
    return run if rim.all() else run + int(rim.argmin())


def _share_near(
    lines: NDArray[np.uint8], colour: NDArray[np.floating], levels: int
) -> NDArray[np.floating]:
    """Per line, the share of pixels within so many levels of a colour."""
    part = np.abs(lines - colour) <= levels
    return np.asarray((part[..., 0] & part[..., 1] & part[..., 2]).mean(axis=1))
