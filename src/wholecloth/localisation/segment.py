"""From block evidence to a pixel mask: minimum cut, component test, contour at full size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from wholecloth.localisation.evidence import Evidence
from wholecloth.localisation.robust import F32
from wholecloth.localisation.settings import Settings
from wholecloth.model.media import Mask

_CAPACITY = 256
"""Capacities are integers in the solver; evidence is resolved to 1/256."""

Flags = NDArray[np.bool_]


def segment(found: Evidence, published_luma: F32, valid: Mask, settings: Settings) -> Mask:
    """The changed pixels in the published frame."""
    size = found.score.shape[::-1]
    guide = np.asarray(cv2.resize(published_luma, size, interpolation=cv2.INTER_AREA), np.float32)
    labels = minimum_cut(found.score, guide, settings.smoothness)
    kept = _fill_holes(_believable(labels, found, settings), found.score, settings)
    if not kept.any():
        return np.zeros_like(valid)
    return _large_enough(_contour(kept, found, valid, settings) & valid, settings)


def _large_enough(mask: Mask, settings: Settings) -> Mask:
    """What peeling left of a component must still be one: specks are no finding."""
    _, marks, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= settings.speck * settings.min_area * mask.size
    keep[0] = False
    return np.asarray(keep[marks])


def minimum_cut(score: F32, guide: F32, smoothness: float) -> Flags:
    """Binary Potts segmentation by maximum flow (Boykov & Jolly 2001; Dinic via SciPy).

    ``guide`` lowers the price of a boundary where the picture itself has one.
    """
    h, w = score.shape
    node = np.arange(h * w, dtype=np.int32).reshape(h, w)
    right = smoothness * (0.35 + 0.65 * np.exp(-np.abs(np.diff(guide, axis=1)) / 12))
    down = smoothness * (0.35 + 0.65 * np.exp(-np.abs(np.diff(guide, axis=0)) / 12))
    source, sink = h * w, h * w + 1
    flat = score.ravel()
    up, no = np.flatnonzero(flat > 0), np.flatnonzero(flat < 0)
    left, above = node[:, :-1].ravel(), node[:-1].ravel()
    beside, below = node[:, 1:].ravel(), node[1:].ravel()
    start: list[NDArray[np.integer]] = [left, beside, above, below, np.full(len(up), source), no]
    end: list[NDArray[np.integer]] = [beside, left, below, above, up, np.full(len(no), sink)]
    price: list[NDArray[np.floating]] = [
        right.ravel(),
        right.ravel(),
        down.ravel(),
        down.ravel(),
        flat[up],
        -flat[no],
    ]
    rows = np.concatenate(start).astype(np.int32)
    cols = np.concatenate(end).astype(np.int32)
    caps = np.rint(np.concatenate(price) * _CAPACITY).astype(np.int32)
    graph = csr_array((caps, (rows, cols)), shape=(h * w + 2, h * w + 2))
    graph.sort_indices()
    flow = maximum_flow(graph, source, sink).flow
    residual = csr_array(graph - flow)
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, source, return_predecessors=False)
    labels = np.zeros(h * w + 2, bool)
    labels[reached] = True
    return labels[: h * w].reshape(h, w)


def _believable(labels: Flags, found: Evidence, settings: Settings) -> Flags:
    """Keep components with enough area and evidence that are not tone or sharpness residue."""
    count, marks, stats, _ = cv2.connectedComponentsWithStats(
        labels.astype(np.uint8), connectivity=8
    )
    total = np.bincount(marks.ravel(), found.score.ravel(), count)
    keep = np.zeros(count, bool)
    for i in range(1, count):
        area = int(stats[i, cv2.CC_STAT_AREA])
        enough = area >= max(10, settings.min_area * labels.size)
        if not enough or total[i] <= settings.min_sum or total[i] <= settings.min_mean * area:
            continue
        # Weak residue all over may have run together with an edit: the strong part is judged.
        inside, mean = marks == i, total[i] / area
        strong = inside & (found.score > settings.strong)
        if strong.sum() >= max(10, settings.min_area * labels.size) and _unlike(
            strong, found, settings
        ):
            inside, mean = strong, float(found.score[strong].mean())
        keep[i] = not _only_tone(inside, mean, found, settings)
    return np.asarray(keep[marks])


def _unlike(strong: Flags, found: Evidence, settings: Settings) -> bool:
    """Whether the strong part of a component is far from anything benign change leaves."""
    structured = strong & (found.structured > 0.5)
    lost = structured.sum() > 0.3 * strong.sum()
    lost = lost and float(np.median(found.ncc[structured])) < settings.filter_ncc
    far = any(float(np.median(np.abs(low[strong]))) > settings.strong_levels for low in found.low)
    return bool(lost or far) and float(found.score[strong].mean()) > settings.strong_mean


def _only_tone(inside: Flags, mean: float, found: Evidence, settings: Settings) -> bool:
    """Whether a component is what tone and sharpness left over, and no edit."""
    structured = inside & (found.structured > 0.5)
    part = structured.sum() / inside.sum()
    kept = 1.0 if part <= 0.05 else float(np.median(found.ncc[structured]))
    levels = [np.abs(low[inside]) for low in found.low]
    moved = [float(np.median(v)) for v in levels]
    if kept > settings.filter_ncc:
        if all(m < found.palette_error for m in moved):
            return True  # where palettes step, areas move as a whole
        # A strong filter is predicted less exactly, where it clips and where colours are rare.
        slack = min(settings.filter_levels, settings.filter_slack * found.strength)
        clear = mean > settings.filter_mean and part > 0.3 and kept < settings.filter_kept
        if not clear and all(m < slack for m in moved):
            return True
        most = max(float(np.quantile(v, 0.9)) for v in levels)
        if mean < settings.slight_mean and most < settings.slight_levels:
            return True  # no more than benign change leaves in places
        low, high = settings.plain_gain
        plain = found.strength == 0 and low < found.finest and found.sharpened < high
        if plain and most >= settings.plain_levels:
            return False  # neither tone nor sharpness changed, and it moved: a shape pushed aside
    sharpened = found.sharpened > settings.sharpened_gain
    bound = settings.sharpened_ncc if sharpened else settings.tone_ncc
    if part <= 0.3 or kept <= bound:
        return False
    small = all(m < level for m, level in zip(moved, settings.tone_levels, strict=True))
    return mean < settings.tone_mean or (small and kept > settings.tone_ncc)


def _fill_holes(kept: Flags, score: F32, settings: Settings) -> Flags:
    """Enclosed gaps are part of the edit unless the evidence says they are untouched."""
    h, w = kept.shape
    count, marks, stats, _ = cv2.connectedComponentsWithStats(
        (~kept).astype(np.uint8), connectivity=4
    )
    filled = kept.copy()
    for i in range(1, count):
        x, y, width, height, area = (int(v) for v in stats[i])
        enclosed = x > 0 and y > 0 and x + width < w and y + height < h
        if enclosed and area < settings.hole_share * kept.size:
            hole = marks == i
            if score[hole].mean() > settings.hole_mean:
                filled[hole] = True
    return filled


def _contour(kept: Flags, found: Evidence, valid: Mask, settings: Settings) -> Mask:
    """Blocks to pixels, then peel what is next to the outside and shows no evidence."""
    h, w = valid.shape
    soft = cv2.resize(cv2.GaussianBlur(kept.astype(np.float32), (0, 0), 0.8), (w, h))
    rough = soft > 0.5
    strength = np.log1p(pixel_evidence(found, (h, w)))
    depth: F32 = np.asarray(
        cv2.distanceTransform(rough.astype(np.uint8), cv2.DIST_L2, 3), np.float32
    )
    plateau = _plateau(strength, rough, settings)
    bound = np.minimum(np.log1p(settings.peel_evidence), settings.peel_below * plateau)
    low = rough & (strength < bound) & (depth <= settings.peel_depth_px)
    low |= rough & _halo(strength, plateau, depth, rough, settings)
    kernel = np.ones((3, 3), np.uint8)
    low = cv2.morphologyEx(low.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0
    _, marks = cv2.connectedComponents((~rough | low).astype(np.uint8), connectivity=4)
    touching = np.unique(marks[~rough])
    outside = np.isin(marks, touching[touching > 0]) & low
    peeled = cv2.morphologyEx((rough & ~outside).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    return np.asarray(cv2.medianBlur(peeled, 5) > 0)


def _plateau(strength: F32, rough: Flags, settings: Settings) -> F32:
    """How strong the evidence gets close by: largest smoothed log evidence in a square window."""
    inside = np.where(rough, strength, np.float32(0))
    smooth = cv2.GaussianBlur(inside, (0, 0), settings.halo_smooth_px)
    side = settings.halo_reach_px
    return np.asarray(cv2.dilate(smooth, np.ones((side, side), np.uint8)), np.float32)


def _halo(strength: F32, plateau: F32, depth: F32, rough: Flags, settings: Settings) -> Flags:
    """A narrow weak band round a strong core: what the edit's rim bled into.

    Weak is relative to the core close by, and narrow means that contour and core are near each
    other; a wide weak area next to a strong one is an edit of its own.
    """
    weak = strength < settings.halo_below * plateau
    kernel = np.ones((3, 3), np.uint8)
    core = cv2.morphologyEx((rough & ~weak).astype(np.uint8), cv2.MORPH_OPEN, kernel)
    to_core = cv2.distanceTransform((core == 0).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(weak & (depth + to_core <= settings.halo_width_px))


def pixel_evidence(found: Evidence, shape: tuple[int, int]) -> F32:
    """Normalised residual energy per pixel, 3×3 smoothed; for the contour only."""
    h, w = shape
    total = np.zeros(shape, np.float32)
    for c in range(3):
        base = 0.30 * found.expected_detail if c == 0 else np.float32(0.8)
        expected = cv2.resize(found.expected[c] * np.float32(1.5) + base, (w, h))
        smooth = cv2.blur(found.difference[c], (3, 3))
        total += smooth * smooth / expected
    return total
