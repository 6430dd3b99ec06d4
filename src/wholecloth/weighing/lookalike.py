"""What tells two photographs of one scene, or one drawing around two pictures, from a derivation.

* *Depth*: between two standpoints near things move against far ones.  Then the changed area shows
  what the candidate shows, a little displaced, and the place it came from changed with it.  In a
  copy-move the source stays where it was; in a replaced area nothing of the candidate is found.
* *Perspective*: no tool that reposts pictures makes one; another standpoint does, where much of the
  texture differs too.  Alone it is what a photographed print or screen has.
* *Drawn*: what agrees is an application's bars or a frame, and the picture inside is another.

The first two say so only where the fine detail of the surroundings is not carried over either: it
is in an edit or a copy, and cannot be in two exposures.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.localisation.drawn import is_drawn, two_tones_at
from wholecloth.localisation.within import blocks, explained_within
from wholecloth.model.comparison import Alignment, EditMap, Homography
from wholecloth.model.media import Mask, Picture
from wholecloth.registration.refine import register_within
from wholecloth.registration.warp import apply, corners, perspective_of, scale_of, warp
from wholecloth.retrieval.area import box_of, features_in
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.verify import agreeing, verify

_DETAIL_LOST, _ENERGY = -0.02, 0.5
"""S2 below and S3 above: the surroundings' fine detail is not carried over."""
_MIN_SHARE, _MIN_INLIERS = 0.015, 6
_DISPLACED = 0.003
"""Of the longer side; less is the same place."""
_ZOOM = 1.25
MOVED = 0.4
"""So much of the changed area is displaced content or the place it left.  Drawn bursts (two depths,
1-5 % apart): see ``docs/measured.md``; whole-frame AI edits among the development cases: at most
.07 displaced."""
_GAP, _RIM = 0.02, 0.008
"""Of the longer side."""
STAYED = 0.6
"""At most so much of the texture is still at the place it left; a copy-move leaves it all."""
HARDLY = 0.12
LITTLE, LETTERS = 0.2, 0.63
"""Agreement below the first, two tones around the features above the second: words.  Captions,
logos, stickers, frames and applications around other pictures, 24 drawn ones: .68-.86; trees
against a bright sky in screenshots with half of the picture replaced: .52-.59 (three of 120; looked
at on held-out photographs, so these are no longer unseen); 34 edits of photographs, each also
laundered, with little agreement: at most .5 and, where a sign with words was kept and all else
replaced, .87."""
LINE, LETTERS_IN_LINE = 0.03, 0.5
"""Where the features that agree span at most so much of the frame, as a line of words does, this is
enough: small captions, laundered, come down to .51."""
BORNE_OUT = 9.0
"""Where besides hardly anything agrees, and more than so many times that area is said to be
explained, they bear out the line alone.  Outlined captions on 17 pairs of other photographs:
spanned .003-.02, agreement .03-.09, tones .40-.59.  Captions, stickers and applications were said
to explain 15 times what they span and more; a sign that was kept, all else replaced, 5.6 times."""
WORDS_ALONE = 0.55
"""Where the features that agree are words in one small place, from so many two tones on, and the
rest is too plain to speak against it (mist, sky, a wall): they bear out the words alone.  Captions,
a sticker and applications around other, plain pictures, 12 pairs: spanned .003-.03, tones .59-.86,
agreement of what texture there was .23-.59."""
_OUTLIERS = 0.9
"""Share of the features, nearest to their middle, whose hull is taken."""
_MOSTLY = 0.4
"""From this changed share on it is asked whether what agrees was drawn."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What beside the edit map speaks against a derivation."""

    perspective: float = 0.0
    perspective_px: float = 0.0
    """See ``registration.warp.perspective_of``; the second in published pixels."""
    detail_lost: bool = False
    moved: float = 0.0
    """Share of the changed area that is the candidate's own content displaced, 0-1."""
    drawn: bool = False
    """What agrees is drawn, and most of the rest differs."""
    lettered: bool = False
    """Hardly anything agrees, and the features that do sit on drawn edges: words, a logo."""
    unwitnessed: bool = False
    """Hardly anything agrees, and the features that do lie in one small place: a caption, a
    sticker."""


def likeness(
    original: Picture, published: Picture, alignment: Alignment, edits: EditMap
) -> Likeness:
    """Measure it; the costly part only where an edit might be a depth."""
    s2, s3 = edits.noise_correlation_drop, edits.unexplained_log
    lost = s2 is not None and s3 is not None and s2 < _DETAIL_LOST and s3 > _ENERGY
    moved = 0.0
    if lost and edits.share >= _MIN_SHARE:
        moved = displaced(original, published, alignment, edits)
    drawn = edits.share > _MOSTLY and is_drawn(published.pixels, edits.comparable & ~edits.mask)
    lettered, unwitnessed = _lettered(original, published, alignment, edits)
    return Likeness(
        *perspective_of(alignment.original_to_published, original.shape),
        lost,
        moved,
        drawn,
        lettered,
        unwitnessed,
    )


def _lettered(
    original: Picture, published: Picture, alignment: Alignment, edits: EditMap
) -> tuple[bool, bool]:
    """Whether what agrees are words, and whether it is one small place."""
    homography, mirrored = alignment.original_to_published, alignment.mirrored
    features = extract(original.pixels, QUICK), extract(published.pixels, QUICK)
    at = agreeing(*features, homography, mirrored=mirrored)
    tones = two_tones_at(published.pixels, at)
    if tones is None:
        return False, False
    spanned = _spanned(at, published.shape)
    explained = float((edits.comparable & ~edits.mask).mean())
    alone = spanned <= LINE and explained > BORNE_OUT * spanned
    lettered = tones >= (LETTERS_IN_LINE if spanned <= LINE else LETTERS)
    return (
        lettered and edits.agreement < LITTLE,
        alone and (edits.agreement < HARDLY or tones >= WORDS_ALONE),
    )


def _spanned(at: NDArray[np.float64], shape: tuple[int, int]) -> float:
    """Share of the frame that N×2 points span, a few outliers apart."""
    away = np.linalg.norm(at - np.median(at, axis=0), axis=1)
    inner = at[away <= np.quantile(away, _OUTLIERS)]
    return float(cv2.contourArea(cv2.convexHull(inner.astype(np.float32))) / (shape[0] * shape[1]))


def displaced(original: Picture, published: Picture, alignment: Alignment, edits: EditMap) -> float:
    """Share of the changed area that shows the candidate's own content, moved, or where it was."""
    area = _interior(edits.mask)
    if not area.any():
        return 0.0
    query = features_in(published.pixels, area, QUICK)
    start = verify(extract(original.pixels, QUICK), query)
    if start is None or start.inliers < _MIN_INLIERS or start.mirrored != alignment.mirrored:
        return 0.0
    again = register_within(original.pixels, published.pixels, start, area)
    if not isinstance(again, Alignment):
        return 0.0
    found = explained_within(
        original.pixels, published.pixels, again, published.facts.jpeg, edits.mask
    )
    if found is None:
        return 0.0
    there, here = again.original_to_published, alignment.original_to_published
    zoom = scale_of(there, original.shape) / scale_of(here, original.shape)
    if not 1 / _ZOOM < zoom < _ZOOM or _distance(found.mask, there, here) < _DISPLACED:
        return 0.0
    back = here @ np.linalg.inv(there)
    frame = (found.mask.shape[0], found.mask.shape[1])
    came_from = warp(found.mask.astype(np.uint8) * np.uint8(255), back, frame) > 127
    came_from &= edits.comparable
    textured, agrees, _ = blocks(original.pixels, published.pixels, alignment, came_from)
    if agrees.sum() > STAYED * textured.sum():
        return 0.0
    return float((found.mask | came_from)[edits.mask].mean())


def _interior(mask: Mask) -> Mask:
    """The changed area with its gaps, without its rim, which shows what did not move."""
    closing = max(3, round(_GAP * max(mask.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * closing + 1, 2 * closing + 1))
    rim = max(2, round(_RIM * max(mask.shape)))
    padded = np.pad(mask, closing).astype(np.uint8)
    whole = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[closing:-closing, closing:-closing]
    small = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    return np.asarray(cv2.erode(whole, small, borderType=cv2.BORDER_REPLICATE) > 0)


def _distance(mask: Mask, there: Homography, here: Homography) -> float:
    """How far the content of a region moved, at its box's corners, over the frame's longer side."""
    x0, y0, x1, y1 = box_of(mask)
    box = corners((y1 - y0, x1 - x0)) + np.array([x0, y0])
    moved = apply(here @ np.linalg.inv(there), box)
    return float(np.median(np.linalg.norm(moved - box, axis=1)) / max(mask.shape))
