"""Exact mode: most pixels are bit-identical, so the edit is simply where they are not."""

from __future__ import annotations

import cv2
import numpy as np

from wholecloth.localisation.settings import Settings
from wholecloth.model.media import RGB, Mask


def exact_mask(warped: RGB, published: RGB, valid: Mask, settings: Settings) -> Mask | None:
    """The changed pixels, or None when too few are identical for this to be a pasted edit."""
    r, g, b = cv2.split(cv2.absdiff(published, warped))
    difference = cv2.max(cv2.max(r, g), b)
    inside = difference[valid]
    if not len(inside) or (inside == 0).mean() <= settings.exact_share:
        return None
    changed = ((difference > settings.exact_level) & valid).astype(np.uint8)
    joined = cv2.morphologyEx(
        cv2.medianBlur(changed, 3), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)
    )
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    seeded = (difference > settings.exact_seed_level) & (joined > 0)
    seeds = np.bincount(labels.ravel(), seeded.ravel(), count)
    area = stats[:, cv2.CC_STAT_AREA]
    keep = (area >= settings.exact_min_pixels) & (seeds >= settings.exact_seed_share * area)
    keep[0] = False
    mask = np.asarray(keep[labels] & valid)
    # A pasted edit leaves the rest alone; a gentle re-encoding also keeps most pixels, but
    # changes some everywhere, and is for the null model to judge.
    near = cv2.dilate(mask.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
    rest = difference[valid & ~near]
    if len(rest) and (rest == 0).mean() < settings.exact_rest:
        return None
    return mask
