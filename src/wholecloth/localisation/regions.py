"""Connected changed areas as polygons a report can draw, and what changed in them in numbers.

The numbers need no viewing and give nothing of the picture away beyond what they say: how much
evidence, how the texture, the light and the colour changed, whether the structure was kept.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from wholecloth.localisation.benign import as_strong
from wholecloth.localisation.robust import F32
from wholecloth.model.comparison import Region
from wholecloth.model.media import Mask

_EPSILON_PX = 1.5
_MAX_REGIONS = 60
_EXACT_EVIDENCE = 14.0
_FINE_PX = 1.5
_LEAST_PIXELS = 40
_WORD_SHARE, _WORD_MIN_PX = 0.012, 6
"""Overlaid areas nearer than this share of the shorter side are drawn as one, as the letters of a
word are judged as one (``localisation.overlays``)."""


def regions_of(
    mask: Mask,
    valid: Mask,
    score: F32 | None,
    pair: tuple[F32, F32] | None = None,
    settings: str = "",
) -> tuple[Region, ...]:
    """Largest first; contours simplified to ``_EPSILON_PX`` (Douglas-Peucker).

    Args:
        mask: H×W, changed pixels.
        valid: H×W, comparable pixels.
        score: evidence per block, None in exact mode.
        pair: published and expected picture, h×w×3 YCrCb, 0-255, perhaps smaller than the mask.
        settings: name of the settings, for the figure of benign copies.
    """
    count, marks, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    area = max(float(valid.sum()), 1.0)
    order = np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:_MAX_REGIONS] + 1
    big = None
    if score is not None:
        big = cv2.resize(score, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_NEAREST)
    found = []
    for i in order if count > 1 else ():
        x, y, w, h = (int(v) for v in stats[i, :4])
        part = np.s_[y : y + h, x : x + w]
        inside = np.asarray(marks[part] == i)
        contours, _ = cv2.findContours(
            inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        outline = cv2.approxPolyDP(max(contours, key=cv2.contourArea), _EPSILON_PX, True)
        polygon = tuple((int(px) + x, int(py) + y) for px, py in outline.reshape(-1, 2))
        share = float(inside.sum()) / area
        region = Region(polygon, share, "edit", _EXACT_EVIDENCE)
        if big is not None:
            mean = float(big[part][inside].mean())
            region = replace(
                region,
                evidence=round(mean, 3),
                peak=round(float(big[part][inside].max()), 3),
                benign=as_strong(mean * share, settings),
            )
        if pair is not None:
            region = _with_change(region, inside, (x, y, w, h), mask.shape, pair)
        found.append(region)
    return tuple(found)


def _with_change(
    region: Region,
    inside: Mask,
    box: tuple[int, int, int, int],
    shape: tuple[int, ...],
    pair: tuple[F32, F32],
) -> Region:
    """What changed: texture, light, colour, structure."""
    x, y, w, h = box
    sy, sx = pair[0].shape[0] / shape[0], pair[0].shape[1] / shape[1]
    top, left = int(y * sy), int(x * sx)
    part = np.s_[top : max(top + 1, int((y + h) * sy)), left : max(left + 1, int((x + w) * sx))]
    p, e = pair[0][part], pair[1][part]
    size = (p.shape[1], p.shape[0])
    here = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if here.sum() < _LEAST_PIXELS:
        return region
    shift = p[here].mean(axis=0) - e[here].mean(axis=0)
    luma_p, luma_e = (np.ascontiguousarray(a[..., 0]) for a in (p, e))
    fine_p, fine_e = (
        float((a - cv2.GaussianBlur(a, (0, 0), _FINE_PX))[here].std()) for a in (luma_p, luma_e)
    )
    a, b = luma_p[here], luma_e[here]
    spread = float(a.std() * b.std())
    kept = float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 1 else None
    return replace(
        region,
        texture=round((fine_p + 0.5) / (fine_e + 0.5), 3),
        lighter=round(float(shift[0]), 2),
        colour=round(float(np.hypot(shift[1], shift[2])), 2),
        structure=None if kept is None else round(float(np.clip(kept, -1, 1)), 3),
    )


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
