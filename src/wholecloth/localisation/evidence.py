"""From what is left to evidence per block, against a null estimated from the picture itself.

Per block and band the energy that is left is divided by the energy benign change explains here
(a floor, the simulated JPEG loss, misregistration along edges, saturation, the colour map's own
uncertainty).  The score is a generalised log-likelihood ratio of "more energy than that" against
"just that".  Its constants are set by hand: a *score*, not a calibrated probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.localisation.predict import Prediction
from wholecloth.localisation.robust import F32, local_ncc
from wholecloth.localisation.settings import Settings
from wholecloth.model.media import RGB, Mask

Flags = NDArray[np.bool_]
_SURVIVES, _TEXTURED = 0.8, 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """All on the block grid unless said otherwise."""

    score: F32
    """Log-likelihood-ratio score per block; positive speaks for an edit."""
    usable: Flags
    ncc: F32
    structured: F32
    """0-1: how much texture a block has for its structure to be judged by."""
    low: tuple[F32, F32, F32]
    """Low-band difference per plane, in levels."""
    difference: tuple[F32, F32, F32]
    """Full-size residual per plane."""
    expected: tuple[F32, F32, F32]
    """Expected low-band energy per plane."""
    expected_detail: F32
    strength: float
    """Of the colour map, in levels; 0 where none was needed."""
    sharpened: float
    """Gain of the sharpness map on fine luma detail."""
    finest: float
    """The same, of the finest band alone."""
    palette_error: float
    """In levels; 0 unless the published picture has a palette."""
    agreement: float
    """Share of textured usable blocks whose structure survives."""


def evidence(prediction: Prediction, published: RGB, valid: Mask, settings: Settings) -> Evidence:
    """Score every block of the grid."""
    h, w = valid.shape
    stride = grid_stride(h, w, settings)
    size = (max(4, w // stride), max(4, h // stride))

    def on_grid(a: NDArray[np.floating]) -> F32:
        return np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_AREA), np.float32)

    p, q, j = prediction.published, prediction.predicted, prediction.recompressed
    usable = on_grid(valid.astype(np.float32)) > 0.9
    r, g, b = cv2.split(published)
    brightest, darkest = cv2.max(cv2.max(r, g), b), cv2.min(cv2.min(r, g), b)
    saturated = ((brightest >= 252) | (darkest <= 2)).astype(np.uint8)
    clipped = _box(on_grid(cv2.dilate(saturated, np.ones((5, 5), np.uint8)).astype(np.float32)), 3)
    slope_x, slope_y = (cv2.Sobel(q[..., 0], -1, *d, scale=0.125) for d in ((1, 0), (0, 1)))
    slope = _box(on_grid(slope_x * slope_x + slope_y * slope_y), 3)
    ncc, var_p, var_q = local_ncc(on_grid(p[..., 0]), on_grid(q[..., 0]), 5)
    texture = np.minimum(var_p, var_q)
    structured = np.asarray(np.clip(texture / (texture + 40), 0, 1), np.float32)
    textured = usable & (np.maximum(var_p, var_q) > _TEXTURED)
    agreement = float((ncc[textured] > _SURVIVES).mean()) if textured.sum() > 100 else 1.0
    trusted = usable
    survivors = usable & (ncc > 0.85) & (structured > 0.4)
    if agreement < 0.6 and survivors.sum() > 150:
        # Most of the frame was replaced: only blocks whose structure survives can tell the null.
        trusted = usable & (ncc > 0.85) & (structured > 0.3)

    score = np.full(size[::-1], -settings.bias, np.float32)
    leverage = None
    if prediction.leverage is not None:
        leverage = np.asarray(cv2.resize(prediction.leverage, size), np.float32)
    lows, differences, expectations = [], [], []
    expected_detail = score
    planes = [cv2.split(a) for a in (p, q, j)]
    for c in range(3):
        pc, qc, jc = (a[c] for a in planes)
        plain, against_jpeg = pc - qc, pc - jc
        better = np.median(np.abs(against_jpeg[::5, ::5])) < np.median(np.abs(plain[::5, ::5]))
        d = against_jpeg if better else plain
        mean = on_grid(d)
        low = _box(mean, 2)
        loss = on_grid(np.asarray(qc - jc, np.float32) ** 2)
        loss2 = _box(loss, 2)
        if c == 0:
            detail = _box(np.maximum(on_grid(d * d) - mean**2, 0), 2)
            causes = [loss2, slope, _box(loss, 6), clipped * (1 + _box(slope, 3))]
            ratio, expected_detail = _against_null(detail, causes, trusted, floor=0.4, cut=3.2)
            freedom = _freedom(ratio, trusted)
            score += _glr(ratio, freedom, settings.detail_ratio)
        causes = [loss2 * 0.25, slope, clipped, clipped * slope]
        if leverage is not None:
            causes.append(leverage)
        ratio, expected = _against_null(
            low * low, causes, trusted, floor=settings.low_floor[c], cut=9.0, extra=leverage
        )
        score += _glr(ratio, 1.5, settings.low_ratio)
        lows.append(low)
        differences.append(np.asarray(d, np.float32))
        expectations.append(expected)
    lost = np.clip((settings.structure_from - ncc) * settings.structure_weight, -2.5, 4)
    score += structured * lost
    score = np.clip(score, *settings.evidence_range).astype(np.float32)
    score[~usable] = -3
    return Evidence(
        score,
        usable,
        ncc,
        structured,
        (lows[0], lows[1], lows[2]),
        (differences[0], differences[1], differences[2]),
        (expectations[0], expectations[1], expectations[2]),
        expected_detail,
        prediction.strength,
        prediction.sharpened,
        prediction.finest,
        prediction.palette_error,
        agreement,
    )


def grid_stride(height: int, width: int, settings: Settings) -> int:
    """Pixels per block: 4, or more where the grid would outgrow the cut."""
    return max(settings.stride, int(np.ceil(np.sqrt(height * width / settings.max_nodes))))


def _box(a: NDArray[np.floating], size: int) -> F32:
    return np.asarray(cv2.blur(a, (size, size)), np.float32)


def _against_null(
    energy: F32,
    causes: list[F32],
    trusted: Flags,
    *,
    floor: float,
    cut: float,
    extra: F32 | None = None,
) -> tuple[F32, F32]:
    """Fit E[energy] = a + Σ bᵢ·causeᵢ, b ≥ 0, on the trimmed majority; returns ratio and E."""
    design = np.stack([np.ones(energy.size, np.float32)] + [c.ravel() for c in causes], axis=1)
    flat = energy.ravel()
    index = np.flatnonzero(trusted.ravel())
    if not len(index):
        index = np.arange(len(flat))
    index = index[:: max(1, len(index) // 12_000)]
    x, y = design[index], flat[index]
    keep = y <= np.quantile(y, 0.7)
    b = np.zeros(design.shape[1], np.float32)
    b[0] = max(float(y[keep].mean()), 1e-3)
    for _ in range(8):
        mu = np.maximum(x @ b, floor * 0.2) if b[1:].any() else np.full(len(y), b[0])
        weight = np.where(keep, 1 / (mu + 0.3) ** 2, 0).astype(np.float32)
        weighted = x * weight[:, None]
        normal = weighted.T @ x
        ridge = np.eye(len(normal), dtype=np.float32) * (1e-6 * np.trace(normal) / len(normal))
        b = np.maximum(np.linalg.solve(normal + ridge, weighted.T @ y), 0)
        mu = np.maximum(x @ b, floor * 0.2)
        ratio = y / mu
        keep = ratio <= max(float(np.quantile(ratio, 0.45)) * cut, 1e-3)
    expected = np.maximum(design @ b, floor)
    if extra is not None:
        expected = expected + extra.ravel()
    shape = energy.shape
    relative = np.asarray((flat / expected).reshape(shape), np.float32)
    return relative, np.asarray(expected.reshape(shape), np.float32)


def _freedom(ratio: F32, trusted: Flags) -> float:
    """Effective degrees of freedom of the detail band, from the lower spread of ln ratio."""
    values = ratio[trusted]
    if not len(values):
        return 0.8
    low, middle = np.quantile(np.log(values + 1e-6), [0.16, 0.5])
    return float(np.clip(2 / max(float(middle - low), 0.2) ** 2, 0.8, 6.0))


def _glr(ratio: F32, freedom: float, start: float) -> F32:
    """n/2·(t(1 − 1/r) − ln r), r = max(start, t): energy ≥ start-fold against as predicted."""
    r = np.maximum(start, ratio)
    return np.asarray(np.clip(freedom / 2 * (ratio * (1 - 1 / r) - np.log(r)), -3, 8), np.float32)
