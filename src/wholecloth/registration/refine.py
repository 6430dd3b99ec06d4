"""From a feature-based match to a registration that can be trusted, or the reason why not."""

from __future__ import annotations

import cv2
import numpy as np

from wholecloth.model.comparison import Alignment, Homography, NotAligned
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.flow import Drift, drift_of
from wholecloth.registration.track import (
    AGREE_PX,
    MIN_TRACKED,
    Tracked,
    contrast_normalised,
    gray_of,
    refined,
    working_copy,
)
from wholecloth.registration.warp import reduce, scale_of, snapped, support, warp
from wholecloth.retrieval.features import DEEP, extract
from wholecloth.retrieval.verify import Verified, verify

FEW_INLIERS = 20
"""Below this the pair is matched again at full useful resolution."""
MIN_INLIERS = 6
_CHANCE_INLIERS, _MIN_AGREEING, _AGREE_SHARE = 12, 6.0, 0.1
"""A registration on so few features is refused unless tracking bears it out: the trust of points
within half a pixel must sum to six and to a tenth of their number.  Right registrations with
70-95 % of the frame replaced, cropped to 8 % or 150 px wide had at least 10.0 and .18 (79); two
that were off by more than a pixel 2.1 and .11, 0 and 0; 14 pairs of unrelated drawn scenes at most
6.7 and .026, or 2.4 and .07."""

_DRIFT_FROM_PX, _DRIFT_MIN_PX, _DRIFT_LEFT = 0.3, 0.5, 0.8
"""A field is sought where the homography leaves more than this, and kept where it is larger than
this and leaves less than this part, in pixels of the coarser picture.  Set on 64 drawn
re-renderings: those not bent at all leave .12-.41 px and give fields of .05-.25 px."""


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
    found = _one_state(original, published, start)
    if start.rival is None or isinstance(found, NotAligned):
        return found
    other = _one_state(original, published, start.rival)
    if isinstance(other, NotAligned):
        return found
    ours, theirs = (likeness(original, published, f.original_to_published) for f in (found, other))
    return found if ours >= theirs else other


def _one_state(original: RGB, published: RGB, start: Verified) -> Alignment | NotAligned:
    if start.inliers < MIN_INLIERS:
        return NotAligned("too few features agree on one transformation", start.inliers)
    tracked = refined(original, published, start.original_to_published)
    if tracked is None:
        return NotAligned(
            "the surroundings could not be tracked from one picture into the other",
            start.inliers,
            start.putative,
        )
    enough = max(_MIN_AGREEING, _AGREE_SHARE * tracked.points)
    if start.inliers < _CHANCE_INLIERS and tracked.agreeing < enough:
        return NotAligned(
            f"only {start.inliers} features agree, and tracking does not bear them out: "
            f"{tracked.points} tracked points lie {tracked.residual_px:.1f} px (median) off the "
            f"transformation, and those within {AGREE_PX:g} px count for {tracked.agreeing:.0f}",
            start.inliers,
            start.putative,
        )
    homography, model, drift_px, field = tracked.homography, tracked.model, 0.0, None
    bend = drift(original, published, tracked)
    if bend is not None:
        homography, drift_px, field = bend.homography, bend.size_px, bend.field
    elif snapped(homography, (original.shape[0], original.shape[1])) is not None:
        model = "integer"
    return Alignment(
        homography,
        start.mirrored,
        start.inliers,
        start.putative,
        tracked.residual_px,
        model,
        drift_px,
        field,
    )


def register_within(
    original: RGB, published: RGB, start: Verified, area: Mask
) -> Alignment | NotAligned:
    """``register`` for one area of the published frame: only what lies there is tracked.

    ``start`` comes from features of the area; it is not looked for again, and no field is sought.
    """
    tracked = refined(original, published, start.original_to_published, area)
    if tracked is None:
        reason = "the area could not be tracked from one picture into the other"
        return NotAligned(reason, start.inliers, start.putative)
    return Alignment(
        tracked.homography,
        start.mirrored,
        start.inliers,
        start.putative,
        tracked.residual_px,
        tracked.model,
    )


def drift(original: RGB, published: RGB, tracked: Tracked) -> Drift | None:
    """The slow field on top of a tracked transformation, in full-size published pixels.

    Sought only where the transformation leaves the *median* trusted point off: then it is the
    surroundings as a whole that move, not one part of them.
    """
    scale = scale_of(tracked.homography, (original.shape[0], original.shape[1]))
    if not tracked.residual_px / max(1.0, scale) > _DRIFT_FROM_PX:
        return None
    target, to_work = working_copy(published)
    small, h_small = reduce(original, to_work @ tracked.homography)
    found = drift_of(gray_of(target), gray_of(small), h_small)
    if found is None:
        return None
    factor = float(to_work[0, 0])
    size, left = found.size_px / factor, found.left_px / factor
    if size / max(1.0, scale) < _DRIFT_MIN_PX or left > _DRIFT_LEFT * tracked.residual_px:
        return None
    # reduced original → working copy, back to original → published
    full = np.linalg.inv(to_work) @ found.homography @ np.linalg.inv(h_small) @ to_work
    full = full @ tracked.homography
    return Drift(full / full[2, 2], np.asarray(found.field / factor, np.float32), size, left)


def likeness(original: RGB, published: RGB, homography: Homography) -> float:
    """How alike the two are under a transformation: fine structure plus light, each up to 1.

    Of a facade whose two halves mirror each other both mirror states fit to the pixel; what tells
    them apart are things on one side only, and the fall of light.
    """
    target, to_work = working_copy(published)
    small, h_small = reduce(original, to_work @ homography)
    first, gray = gray_of(small), gray_of(target)
    shape = (gray.shape[0], gray.shape[1])
    covered = support((first.shape[0], first.shape[1]), h_small, shape)
    moved = warp(first, h_small, shape, cv2.INTER_LINEAR)
    unlike = cv2.absdiff(contrast_normalised(gray), contrast_normalised(moved))[covered]
    structure = float(np.clip(1 - unlike / 47.0, 0, 1).mean()) if len(unlike) else 0.0
    step = max(2.0, 0.03 * min(shape))
    inside = np.asarray(covered, np.float32)
    weight = cv2.GaussianBlur(inside, (0, 0), step) + np.float32(1e-3)
    light = [
        (cv2.GaussianBlur(g.astype(np.float32) * inside, (0, 0), step) / weight)[covered]
        for g in (gray, moved)
    ]
    flat = len(unlike) < MIN_TRACKED or min(float(v.std()) for v in light) < 1
    return structure + (0.0 if flat else float(np.corrcoef(light[0], light[1])[0, 1]))
