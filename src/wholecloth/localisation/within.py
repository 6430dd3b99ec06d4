"""How much of an area an original explains, measured densely.

Features say that something agrees, not how far it reaches.  First the blocks whose structure
survives are found (normalised correlation needs no null model); what they and the featureless
blocks between them cover is then compared in full; what comes out unchanged is explained, if its
textured blocks bear that out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.localisation.localise import localise
from wholecloth.localisation.robust import F32, local_ncc
from wholecloth.localisation.settings import DEFAULT, Settings
from wholecloth.model.comparison import Alignment
from wholecloth.model.media import RGB, JpegTables, Mask
from wholecloth.registration.warp import reduce, support, warp

_STRIDE, _SIDE = 4, 300
"""Pixels per block: 4, or more where the grid would have over 300 blocks a side."""
_SURVIVES, _TEXTURED = 0.8, 60.0
"""As the localiser counts agreement; a block with less texture has nothing to agree on."""
_WINDOW = 5
_NEIGHBOURHOOD, _DENSE = 7, 0.5
"""So many of the textured blocks of a neighbourhood must survive: unrelated pictures agree in a
tenth of their blocks by chance, never in half of 49 (see ``tests/unit/test_derivation_map.py``)."""
_GROW = 3
_MARGIN, _JPEG = 16, 16
"""Pixels around the area; JPEG's blocks with halved chroma are 16 pixels wide."""
MIN_BLOCKS = 24
"""Agreeing blocks (4 px) below which a component is not borne out: about 20 × 20 px."""
BORNE_OUT = 0.6
"""… and this share of its textured blocks must agree."""


@dataclass(frozen=True, slots=True, eq=False)
class Explained:
    """What one original explains inside an area."""

    mask: Mask
    """H×W, published frame."""
    agreement: float
    """Share of the mask's textured blocks whose structure survives, 0-1."""
    blocks: int
    """How many agree."""


Flags = NDArray[np.bool_]


def explained_within(
    original: RGB,
    published: RGB,
    alignment: Alignment,
    jpeg: JpegTables | None,
    area: Mask,
    settings: Settings = DEFAULT,
) -> Explained | None:
    """The part of ``area`` that ``original`` explains; None where nothing is borne out.

    Args:
        original, published: H×W×3 sRGB.
        alignment: original → published.
        jpeg: the published file's quantisation, None if it is no JPEG.
        area: H×W, published frame.
        settings: of the localiser.
    """
    textured, agrees, flat = blocks(original, published, alignment, area)
    reach = _reach(textured, agrees, flat)
    if not reach.any():
        return None
    frame = (published.shape[1], published.shape[0])
    wide = cv2.resize(reach.astype(np.uint8), frame, interpolation=cv2.INTER_NEAREST) > 0
    unchanged = _unchanged(original, published, alignment, jpeg, np.asarray(wide & area), settings)
    if unchanged is None:
        return None
    kept = borne_out(unchanged, textured, agrees)
    if not kept.any():
        return None
    inside = _deep(_on_grid(kept, textured.shape))
    count = int((agrees & inside).sum())
    return Explained(kept, count / max(1, int((textured & inside).sum())), count)


def _unchanged(
    original: RGB,
    published: RGB,
    alignment: Alignment,
    jpeg: JpegTables | None,
    area: Mask,
    settings: Settings,
) -> Mask | None:
    """Localise in a cut-out around the area, on the published file's own JPEG grid."""
    if not area.any():
        return None
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    x0, y0 = (max(0, int(v[0]) - _MARGIN) // _JPEG * _JPEG for v in (columns, rows))
    x1, y1 = (int(v[-1]) + 1 + _MARGIN for v in (columns, rows))
    shift = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]])
    moved = replace(alignment, original_to_published=shift @ alignment.original_to_published)
    cut = np.ascontiguousarray(published[y0:y1, x0:x1])
    edits = localise(original, cut, moved, jpeg, settings, area[y0:y1, x0:x1])
    if edits is None:
        return None
    out = np.zeros_like(area)
    out[y0:y1, x0:x1] = edits.comparable & ~edits.mask
    return out


def blocks(
    original: RGB, published: RGB, alignment: Alignment, area: Mask
) -> tuple[Flags, Flags, Flags]:
    """On the block grid: textured in one or both, structure survives, and textured in neither."""
    h, w = published.shape[:2]
    stride = max(_STRIDE, -(-max(h, w) // _SIDE))
    grid = (max(4, w // stride), max(4, h // stride))
    small, homography = reduce(original, alignment.original_to_published)
    moved = warp(small, homography, (h, w))
    p, q = _luma(published, grid), _luma(moved, grid)
    ncc, var_p, var_q = local_ncc(p, q, _WINDOW)
    covered = support((small.shape[0], small.shape[1]), homography, (h, w)) & area
    usable = _on_grid(np.asarray(covered), (grid[1], grid[0]))
    most = np.maximum(var_p, var_q)
    textured = usable & (most > _TEXTURED)
    return textured, textured & (ncc > _SURVIVES), usable & ~textured


def borne_out(mask: Mask, textured: Flags, agrees: Flags) -> Mask:
    """The components of a mask in which enough textured blocks agree.

    A block near the rim sees what lies beyond it, so only those at some depth are asked.
    """
    solid = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, marks = cv2.connectedComponents(solid, connectivity=4)
    size = (textured.shape[1], textured.shape[0])
    index = cv2.resize(marks.astype(np.float32), size, interpolation=cv2.INTER_NEAREST).astype(int)
    index = np.where(_deep(index > 0), index, 0)
    have = np.bincount(index[textured], minlength=count)
    good = np.bincount(index[agrees], minlength=count)
    keep = (good >= MIN_BLOCKS) & (good >= BORNE_OUT * have)
    keep[0] = False
    return np.asarray(keep[marks])


def _deep(inside: Flags) -> Flags:
    """Blocks whose whole window lies inside."""
    kernel = np.ones((_WINDOW, _WINDOW), np.uint8)
    return np.asarray(cv2.erode(inside.astype(np.uint8), kernel) > 0)


def _reach(textured: Flags, agrees: Flags, flat: Flags) -> Flags:
    """Where most textured blocks survive, with the flat ground that this touches."""
    box = (_NEIGHBOURHOOD, _NEIGHBOURHOOD)
    here = cv2.blur(textured.astype(np.float32), box)
    good = cv2.blur(agrees.astype(np.float32), box)
    dense = (good > _DENSE * here) & (good > 0.06) & (textured | agrees | flat)
    joined = (dense | flat).astype(np.uint8)
    count, marks = cv2.connectedComponents(joined, connectivity=4)
    support_of = np.bincount(marks[agrees & dense], minlength=count)
    keep = support_of >= MIN_BLOCKS
    keep[0] = False
    kernel = np.ones((2 * _GROW + 1, 2 * _GROW + 1), np.uint8)
    return np.asarray(cv2.dilate(keep[marks].astype(np.uint8), kernel) > 0)


def _luma(rgb: RGB, grid: tuple[int, int]) -> F32:
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, grid, interpolation=cv2.INTER_AREA), np.float32)


def _on_grid(mask: Mask, shape: tuple[int, ...]) -> Flags:
    soft = cv2.resize(mask.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(soft > 0.5)
