"""Small robust-statistics helpers used by the prediction and the null model."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]


def weighted_median(values: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    """The value at half the total weight."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    at = int(np.searchsorted(cumulative, cumulative[-1] / 2))
    return float(values[order[min(at, len(order) - 1)]])


def tukey_fit(
    design: F32,
    target: F32,
    weights: F32,
    *,
    rounds: int,
    k: float,
    floor: float,
    censored: NDArray[np.int8] | None = None,
) -> tuple[F32, F32]:
    """Iteratively reweighted least squares with Tukey's biweight.

    ``censored``: +1 where the target is only a lower bound (clipped white), −1 where only an
    upper one; such a row is without residual, and without say, once the fit is beyond it.

    Returns the coefficients and the absolute residuals.  The ridge is relative to the trace: an
    absolute one silently ruins the fit when weights are small.
    """
    weight = weights.copy()
    coefficients = np.zeros(design.shape[1], np.float32)
    residual = np.zeros(len(target), np.float32)
    for _ in range(rounds):
        weighted = design * weight[:, None]
        normal = weighted.T @ design
        ridge = np.eye(len(normal), dtype=np.float32) * (2e-6 * np.trace(normal) / len(normal))
        coefficients = np.linalg.solve(normal + ridge, weighted.T @ target)
        error = target - design @ coefficients
        if censored is not None:
            satisfied = ((censored > 0) & (error < 0)) | ((censored < 0) & (error > 0))
            error[satisfied] = 0
        residual = np.abs(error)
        scale = max(1.4826 * weighted_median(residual, weights), floor)
        u = np.minimum(residual / (k * scale), 1)
        weight = (weights * (1 - u * u) ** 2 + 1e-6).astype(np.float32)
        if censored is not None:
            weight[satisfied] *= 1e-3
    return coefficients.astype(np.float32), residual.astype(np.float32)


def local_ncc(first: F32, second: F32, size: int) -> tuple[F32, F32, F32]:
    """Normalised cross-correlation over size×size windows, and both local variances.

    The +25 keeps flat areas, where correlation means nothing, near zero.
    """
    box = (size, size)
    mean1, mean2 = cv2.blur(first, box), cv2.blur(second, box)
    var1 = cv2.blur(first * first, box) - mean1 * mean1
    var2 = cv2.blur(second * second, box) - mean2 * mean2
    cross = cv2.blur(first * second, box) - mean1 * mean2
    ncc = cross / np.sqrt(np.maximum(var1, 0) * np.maximum(var2, 0) + 25.0)
    return np.asarray(ncc, np.float32), np.asarray(var1, np.float32), np.asarray(var2, np.float32)


def to_ycc(rgb: NDArray[np.uint8] | F32) -> F32:
    """YCrCb in 0-255 (ITU-R BT.601 as OpenCV has it) from 8-bit or 0-1 RGB."""
    if rgb.dtype == np.uint8:
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb), np.float32)
    return np.asarray(cv2.transform(rgb, _TO_YCC * _BY_255), np.float32)


def ycc_of_255(rgb: F32) -> F32:
    """As ``to_ycc`` for RGB in 0-255."""
    return np.asarray(cv2.transform(rgb, _TO_YCC), np.float32)


def rgb_of(ycc: F32) -> F32:
    """The RGB, 0-255 and beyond, of a YCrCb picture."""
    return np.asarray(cv2.transform(ycc, _TO_RGB), np.float32)


def _affine(matrix: list[list[float]], before: float, after: float) -> F32:
    m = np.array(matrix, np.float64)
    offset = m @ np.array([0.0, before, before]) + np.array([0.0, after, after])
    return np.column_stack([m, offset]).astype(np.float32)


_Y = [0.299, 0.587, 0.114]
_TO_YCC = _affine(
    [
        _Y,
        [(1 - _Y[0]) * 0.713, -_Y[1] * 0.713, -_Y[2] * 0.713],
        [-_Y[0] * 0.564, -_Y[1] * 0.564, (1 - _Y[2]) * 0.564],
    ],
    0.0,
    128.0,
)
"""OpenCV's coefficients; chroma centred on 128, as its 8-bit form has it."""
_TO_RGB = _affine([[1, 1.403, 0], [1, -0.714, -0.344], [1, 0, 1.773]], -128.0, 0.0)
_BY_255 = np.array([255, 255, 255, 1], np.float32)
