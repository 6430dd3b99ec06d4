"""Connected changed areas as polygons a report can draw."""

from __future__ import annotations

import cv2
import numpy as np

from wholecloth.localisation.robust import F32
from wholecloth.model.comparison import Region
from wholecloth.model.media import Mask

_EPSILON_PX = 1.5
_MAX_REGIONS = 60
_WORD_SHARE, _WORD_MIN_PX = 0.012, 6
"""Overlaid areas nearer than this share of the shorter side are drawn as one, as the letters of a
word are judged as one (``localisation.overlays``)."""


def regions_of(mask: Mask, valid: Mask, score: F32 | None) -> tuple[Region, ...]:
    """Largest first; contours simplified to ``_EPSILON_PX`` (Douglas-Peucker)."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = max(float(valid.sum()), 1.0)
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:_MAX_REGIONS] + 1
    big = None
    if score is not None:
        big = cv2.resize(score, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_NEAREST)
    found = []
    for i in order if count > 1 else ():
        inside = marks == i
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        outline = cv2.approxPolyDP(max(contours, key=cv2.contourArea), _EPSILON_PX, True)
        polygon = tuple((int(x), int(y)) for x, y in outline.reshape(-1, 2))
        mean = float(big[inside].mean()) if big is not None else 14.0
        found.append(Region(polygon, float(inside.sum()) / area, "edit", round(mean, 3)))
    return tuple(found)


def overlays_of(overlay: Mask) -> tuple[Region, ...]:
    """Areas of overlays, largest first; what lies close together is one, so no word is legible."""
    reach = int(max(_WORD_MIN_PX, _WORD_SHARE * min(overlay.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    joined = cv2.morphologyEx(overlay.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    count, marks = cv2.connectedComponents(joined, connectivity=8)
    found = []
    for i in range(1, count):
        inside = marks == i
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        outline = cv2.approxPolyDP(max(contours, key=cv2.contourArea), _EPSILON_PX, True)
        polygon = tuple((int(x), int(y)) for x, y in outline.reshape(-1, 2))
        share = float((overlay & inside).sum()) / overlay.size
        found.append(Region(polygon, share, "overlay", 0.0))
    return tuple(sorted(found, key=lambda r: -r.share)[:_MAX_REGIONS])
