"""What is left outside the edit: was the whole frame re-synthesised or degraded?

S2 compares fine residuals of published and predicted with what the file's own JPEG tables leave;
S3 compares energies.  Both say "the whole picture was re-synthesised *or* globally degraded",
never "AI" (reference measurement: median, NLM, bilateral, double JPEG fall in the same range).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.localisation.predict import Prediction
from wholecloth.localisation.robust import F32
from wholecloth.model.media import Mask

MIN_PIXELS = 3000
"""Fewer pixels outside the edit than this say nothing reliable."""
_DISTANCES = (24, 10, 3)


@dataclass(frozen=True, slots=True)
class Residue:
    """Numbers about the surroundings."""

    noise_correlation_drop: float | None
    unexplained_log: float | None
    unexplained_db: float | None


def residue(prediction: Prediction, mask: Mask, valid: Mask) -> Residue:
    """Measure outside the edit, well clear of its contour where there is room."""
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    p = np.ascontiguousarray(prediction.published[..., 0])
    unclipped = valid & (p > 4) & (p < 250)
    outside = np.zeros_like(mask)
    for clear in _DISTANCES:
        outside = unclipped & (distance > clear)
        if outside.sum() >= MIN_PIXELS:
            break
    if outside.sum() < MIN_PIXELS:
        return Residue(None, None, None)
    q = np.ascontiguousarray(prediction.predicted[..., 0])
    j = np.ascontiguousarray(prediction.recompressed[..., 0])
    fine_p, fine_q, fine_j = (_fine(a) for a in (p, q, j))
    where = outside.astype(np.uint8)
    drop = _correlation(fine_p, fine_q, where) - _correlation(fine_j, fine_q, where)
    count = float(outside.sum())
    left, explained = (cv2.norm(a, q, cv2.NORM_L2SQR, where) / count for a in (p, j))
    log = float(np.log((left + 0.3) / (explained + 0.3)))
    return Residue(float(drop), log, float(log * 10 / np.log(10)))


def _fine(a: F32) -> F32:
    return np.asarray(a - cv2.GaussianBlur(a, (0, 0), 1.2), np.float32)


def _correlation(first: F32, second: F32, where: NDArray[np.uint8]) -> float:
    (mean_a, spread_a), (mean_b, spread_b) = (
        (float(v[0, 0]) for v in cv2.meanStdDev(x, mask=where)) for x in (first, second)
    )
    count = float(np.count_nonzero(where))
    cross = cv2.mean(cv2.multiply(first, second), mask=where)[0] - mean_a * mean_b
    return cross * count / float(np.sqrt((spread_a * spread_b * count) ** 2 + 1e-9))
