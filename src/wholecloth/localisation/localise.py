"""The localiser on one page: warp, compare exactly if possible, else predict, score, segment."""

from __future__ import annotations

import cv2
import numpy as np

from wholecloth.localisation.evidence import Evidence, evidence
from wholecloth.localisation.exact import exact_mask
from wholecloth.localisation.overlays import Overlays, find_overlays
from wholecloth.localisation.predict import predict
from wholecloth.localisation.regions import overlays_of, regions_of
from wholecloth.localisation.residue import Residue, residue
from wholecloth.localisation.robust import F32, rgb_of, to_ycc
from wholecloth.localisation.segment import segment
from wholecloth.localisation.settings import DEFAULT, Settings
from wholecloth.localisation.support import beside, coarse_colours, comparable
from wholecloth.model.comparison import Alignment, EditMap, Homography
from wholecloth.model.media import RGB, JpegTables, Mask
from wholecloth.registration.field import supported, warp_through
from wholecloth.registration.warp import reduce, snapped, warp

MIN_COMPARABLE = 0.02
MIN_WITHIN = 0.005
"""The same where an area was asked for: of the frame that is given, usually cut to that area."""


def localise(
    original: RGB,
    published: RGB,
    alignment: Alignment,
    jpeg: JpegTables | None,
    settings: Settings = DEFAULT,
    within: Mask | None = None,
) -> EditMap | None:
    """Where the published picture is not what the original predicts.

    Args:
        original, published: H×W×3 sRGB.
        alignment: original → published.
        jpeg: the published file's quantisation, None if it is no JPEG.
        within: compare only here; the whole frame by default.

    Returns:
        The edit map, or None where no comparable area is left (under 2 % of the frame).
    """
    shape = (original.shape[0], original.shape[1])
    homography = alignment.original_to_published
    field = alignment.field
    valid = comparable(shape, homography, published)
    if field is not None:
        valid &= supported(shape, homography, (valid.shape[0], valid.shape[1]), field)
    if within is not None:
        valid &= within
    if valid.mean() < (MIN_COMPARABLE if within is None else MIN_WITHIN):
        return None
    around = (beside(shape, homography, published), coarse_colours(published))
    whole = snapped(homography, shape) if field is None else None
    if whole is not None:
        copied = warp(original, whole, valid.shape, cv2.INTER_NEAREST)
        exact = exact_mask(copied, published, valid, settings)
        if exact is not None:
            laid = find_overlays(published, copied, exact, valid)
            pair = to_ycc(published), to_ycc(copied)
            return _edit_map(exact, laid, valid, settings, exact=True, around=around, pair=pair)
    working, h_work, factor = _reduced(published, homography, settings)
    if factor < 1:
        jpeg = None  # averaged pixels no longer carry the file's own quantisation
        whole = None
    if whole is not None:
        warped = warp(original, whole, valid.shape, cv2.INTER_NEAREST)
    else:
        small, h_small = reduce(original, h_work)
        bend = None if field is None else np.asarray(field * factor, np.float32)
        warped = warp_through(small, h_small, (working.shape[0], working.shape[1]), bend)
    valid_work = valid if factor == 1 else _resized(valid, working.shape[:2])
    prediction = predict(warped, working, valid_work, jpeg)
    found = evidence(prediction, working, valid_work, settings)
    mask = segment(found, prediction.published[..., 0], valid_work, settings)
    outside = residue(prediction, mask, valid_work)
    laid = find_overlays(working, rgb_of(prediction.recompressed), mask, valid_work)
    full = mask if factor == 1 else _resized(mask, valid.shape) & valid
    if factor < 1:
        laid = Overlays(*(_resized(m, valid.shape) & valid for m in (laid.mask, laid.opaque)))
    return _edit_map(
        full,
        laid,
        valid,
        settings,
        exact=False,
        around=around,
        pair=(prediction.published, prediction.recompressed),
        found=found,
        outside=outside,
    )


def _reduced(
    published: RGB, homography: Homography, settings: Settings
) -> tuple[RGB, Homography, float]:
    h, w = published.shape[:2]
    factor = min(1.0, float(np.sqrt(settings.work_pixels / (h * w))))
    if factor == 1:
        return published, homography, 1.0
    size = (round(w * factor), round(h * factor))
    sx, sy = size[0] / w, size[1] / h
    to_small = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])
    small = cv2.resize(published, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), to_small @ homography, factor


def _resized(mask: Mask, shape: tuple[int, ...]) -> Mask:
    h, w = shape
    soft = cv2.resize(mask.astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    return np.asarray(soft > 0.5)


def _edit_map(
    changed: Mask,
    laid: Overlays,
    valid: Mask,
    settings: Settings,
    *,
    exact: bool,
    around: tuple[float, int | None],
    pair: tuple[F32, F32],
    found: Evidence | None = None,
    outside: Residue | None = None,
) -> EditMap:
    mask = changed & ~laid.mask
    valid = valid & ~laid.opaque
    area = float(valid.sum())
    share = float(mask.sum()) / area if area else 0.0
    return EditMap(
        mask=mask,
        comparable=valid,
        regions=regions_of(mask, valid, found.score if found else None, pair, settings.name),
        overlay=laid.mask,
        overlays=overlays_of(laid.mask),
        exact=exact,
        share=share,
        agreement=found.agreement if found else 1.0 - share,
        ring_unchanged=ring_unchanged(mask, valid),
        unexplained_db=outside.unexplained_db if outside else None,
        noise_correlation_drop=outside.noise_correlation_drop if outside else None,
        unexplained_log=outside.unexplained_log if outside else None,
        beside=around[0],
        colours=around[1],
        settings=settings.name,
    )


def ring_unchanged(mask: Mask, valid: Mask) -> float:
    """Unchanged share of the outer ring of the comparable area.

    A person cut out of a photograph brings none of its surroundings along, so the ring is all
    changed; an edit of the photograph leaves most of it.  The ring is 6 % of the shorter side.
    """
    if not valid.any():
        return 0.0
    padded = np.pad(valid.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, cols = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    side = min(rows[-1] - rows[0], cols[-1] - cols[0]) + 1
    ring = valid & (depth <= max(3.0, 0.06 * side))
    return float((~mask[ring]).mean()) if ring.any() else 0.0
