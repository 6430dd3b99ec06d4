"""Robust fits of the model family, simplest adequate first.

The weights are iteratively re-estimated with a Geman-McClure-like influence, so that points on the
edit, which move with nothing, lose their say (Holland & Welsch 1977 for the scheme).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Homography
from wholecloth.registration.warp import Points, apply

Weights = NDArray[np.float64]

MODELS = ("axis", "affine", "homography")
"""Axis-scaled shift (4 parameters), affine (6), homography (8)."""
_BETTER_BY, _BETTER_PX = 0.85, 0.015
_ITERATIONS, _FLOOR_PX = 8, 0.05


def robust_fit(
    source: Points, target: Points, model: str, trust: Weights | None = None
) -> tuple[Homography, NDArray[np.float64]]:
    """Fit one model; returns it and the N residuals in target pixels.

    ``trust``: N weights, 0-1, from how well each point's surroundings were found again; all alike
    where None.
    """
    trust = np.ones(len(source)) if trust is None else trust
    weight = trust
    homography = np.eye(3)
    residual = np.zeros(len(source))
    for _ in range(_ITERATIONS):
        homography = _least_squares(source, target, model, np.sqrt(weight))
        residual = np.linalg.norm(apply(homography, source) - target, axis=1)
        trusted = residual[weight > 0.05]
        spread = 1.4826 * np.median(trusted) if len(trusted) > 8 else float(residual.std())
        weight = trust / (1.0 + (residual / (2 * max(float(spread), _FLOOR_PX))) ** 2) ** 2
    return homography, residual


def simplest_adequate(
    source: Points, target: Points, trust: Weights | None = None
) -> tuple[str, Homography, NDArray[np.float64]]:
    """The first model that no richer one clearly improves on.

    Richer must cut the median residual by 15 % *and* 0.015 px: less is noise fitted.
    """
    chosen = MODELS[0]
    fits = {m: robust_fit(source, target, m, trust) for m in MODELS}
    for richer in MODELS[1:]:
        now, then = (weighted_median(fits[m][1], trust) for m in (richer, chosen))
        if now < _BETTER_BY * then and then - now > _BETTER_PX:
            chosen = richer
    return chosen, *fits[chosen]


def weighted_median(values: NDArray[np.float64], weights: Weights | None = None) -> float:
    """The value at half the total weight; the plain median where no weights are given."""
    if weights is None:
        return float(np.median(values))
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order[min(int(np.searchsorted(total, total[-1] / 2)), len(order) - 1)]])


def _least_squares(
    source: Points, target: Points, model: str, weight: NDArray[np.float64]
) -> Homography:
    if model == "axis":
        return _axis(source, target, weight)
    if model == "affine":
        design = np.column_stack([source, np.ones(len(source))]) * weight[:, None]
        rows = np.linalg.lstsq(design, target * weight[:, None], rcond=None)[0].T
        return np.vstack([rows, [0.0, 0.0, 1.0]])
    return _dlt(source, target, weight)


def _axis(source: Points, target: Points, weight: NDArray[np.float64]) -> Homography:
    out = np.eye(3)
    for axis in (0, 1):
        design = np.column_stack([source[:, axis], np.ones(len(source))]) * weight[:, None]
        slope, offset = np.linalg.lstsq(design, target[:, axis] * weight, rcond=None)[0]
        out[axis, axis], out[axis, 2] = slope, offset
    return out


def _dlt(source: Points, target: Points, weight: NDArray[np.float64]) -> Homography:
    """Weighted direct linear transform on normalised points (Hartley & Zisserman 2004, 4.4)."""
    t1, t2 = _normaliser(source), _normaliser(target)
    a, b = apply(t1, source), apply(t2, target)
    zero, one = np.zeros(len(a)), np.ones(len(a))
    x, y, u, v = a[:, 0], a[:, 1], b[:, 0], b[:, 1]
    rows = np.vstack(
        [
            np.column_stack([x, y, one, zero, zero, zero, -u * x, -u * y, -u]) * weight[:, None],
            np.column_stack([zero, zero, zero, x, y, one, -v * x, -v * y, -v]) * weight[:, None],
        ]
    )
    _, vectors = np.linalg.eigh(rows.T @ rows)
    homography = np.linalg.inv(t2) @ vectors[:, 0].reshape(3, 3) @ t1
    return np.asarray(homography / homography[2, 2])


def _normaliser(points: Points) -> Homography:
    centre = points.mean(axis=0)
    spread = np.linalg.norm(points - centre, axis=1).mean()
    s = np.sqrt(2) / max(float(spread), 1e-9)
    return np.array([[s, 0, -s * centre[0]], [0, s, -s * centre[1]], [0, 0, 1.0]])
