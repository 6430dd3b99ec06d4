"""Overlays: what was laid on top of a picture, told apart from edits of what it shows.

Captions, logos, stickers, censor bars, player controls: few flat colours with hard edges that the
original does not have there.  Watermarks: one colour blended in with one opacity.  Blurred and
pixelated boxes: the original's own coarse content without its fine.  What is not clearly one of
these stays an edit: to call an edit an overlay is the worse mistake, so colours must be flatter
than photographs are, and new to the surroundings or in a plain drawn shape.

Judged per group of changed areas that lie close together (the letters of a word).  Colours are
compared in luma and halved chroma, since chroma subsampling smears the latter over thin strokes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.localisation.graphics import Group, hull_of, is_blend, is_graphic, is_hidden
from wholecloth.localisation.robust import F32
from wholecloth.model.media import RGB, Mask

_CHANGED_LEVELS = 18
"""A pixel counts as changed from this difference of its most changed channel on."""
_JOIN_SHARE, _JOIN_MIN_PX = 0.012, 6
"""Changed areas nearer than this share of the shorter side are one group."""
_MIN_PIXELS = 60
_NEAR_PX, _AROUND = 7, 4
_PLAIN_SHAPE = 0.88
_SCRAP = 0.001
"""Of the picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlays:
    """What of a change mask is laid on top."""

    mask: Mask
    """Pixels of overlays, H×W."""
    opaque: Mask
    """Of these, the ones that hide what is below: nothing can be said about it."""


def find_overlays(
    published: RGB, expected: NDArray[np.generic], mask: Mask, valid: Mask
) -> Overlays:
    """Tell overlays from edits.

    Args:
        published: H×W×3, 0-255.
        expected: H×W×3 RGB, 0-255: the published picture as it would be without any change.
        mask: changed pixels.
        valid: comparable pixels.
    """
    found = np.zeros_like(mask)
    opaque = np.zeros_like(mask)
    if not mask.any():
        return Overlays(found, opaque)
    reach = int(max(_JOIN_MIN_PX, _JOIN_SHARE * min(mask.shape)))
    joined = _grown(mask, reach)
    count, marks, stats, _ = cv2.connectedComponentsWithStats(
        joined.astype(np.uint8), connectivity=8
    )
    sample = _space(np.clip(expected[::5, ::5], 0, 255).astype(np.uint8))[valid[::5, ::5]]
    for i in range(1, count):
        x, y, w, h = (int(v) for v in stats[i, :4])
        pad = _AROUND * reach
        part = np.s_[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
        group = _group(published[part], expected[part], marks[part] == i, mask[part], valid[part])
        if group is None:
            continue
        group = group.within(sample, mask.shape, (x, y, w, h))
        covers, hides = _judged(group)
        found[part] |= covers
        opaque[part] |= covers & hides
    found |= _scraps(mask & ~found, found, opaque)
    return Overlays(found & valid, opaque & valid)


def _scraps(left: Mask, found: Mask, opaque: Mask) -> Mask:
    """Small leftovers beside an overlay: its rim, a thin stroke that was too small to be judged."""
    out = np.zeros_like(left)
    if not found.any() or not left.any():
        return out
    near = _grown(found, int(max(_JOIN_MIN_PX, 2 * _JOIN_SHARE * min(left.shape))))
    count, marks, stats, _ = cv2.connectedComponentsWithStats(left.astype(np.uint8), connectivity=8)
    for i in range(1, count):
        if stats[i, cv2.CC_STAT_AREA] < _SCRAP * left.size:
            scrap = marks == i
            if near[scrap].all():
                out |= scrap
    opaque |= out
    return out


def _judged(group: Group) -> tuple[Mask, Mask]:
    nothing = np.zeros(group.area.shape, bool)
    everything = ~nothing
    if is_blend(group):
        return group.area, nothing
    if is_graphic(group):
        return _extent(group), everything
    if is_hidden(group):
        return hull_of(group.area), everything
    apart = group.flat_parts()  # a bar over an edit, a sticker beside one
    covers = nothing.copy()
    for piece in apart:
        if is_graphic(piece, alone=True):
            covers |= _grown(_extent(piece), 2) & group.area
    rest = group.area & ~covers
    if covers.any() and rest.sum() < 0.1 * covers.sum():
        covers |= rest  # its soft edge
    return covers, everything


def _extent(group: Group) -> Mask:
    """A graphic's own pixels and those between them; a plain shape as a whole."""
    hull = hull_of(group.area)
    if group.area.sum() > _PLAIN_SHAPE * hull.sum():
        return hull
    return group.area


def _group(
    published: RGB, expected: NDArray[np.generic], here: Mask, mask: Mask, valid: Mask
) -> Group | None:
    plain = np.clip(expected, 0, 255).astype(np.uint8)
    r, g, b = cv2.split(cv2.absdiff(published, plain))
    changed = np.asarray(cv2.max(cv2.max(r, g), b) > _CHANGED_LEVELS)
    changed &= here & valid & _grown(mask & here, _NEAR_PX // 2)
    if changed.sum() < _MIN_PIXELS:
        return None
    area = (mask & here) | changed
    around = valid & ~changed & ~area
    return Group(_space(published), _space(plain), changed, area, around)


def _space(rgb: RGB) -> F32:
    """Luma and halved chroma, in levels."""
    ycc = np.asarray(cv2.cvtColor(rgb.reshape(-1, 1, 3), cv2.COLOR_RGB2YCrCb), np.float32)
    ycc[..., 1:] = (ycc[..., 1:] - 128) / 2
    return ycc.reshape(rgb.shape)


def _grown(mask: Mask, by: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by + 1, 2 * by + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)
