"""A slow, smooth displacement on top of one homography: what re-rendering the whole frame leaves.

Image-to-image models re-draw the surroundings of an edit, too, and bend them by a few pixels.  The
displacement is a uniform cubic B-spline over the frame (Rueckert et al. 1999 for the form), fitted
to tracked points with robust weights and a bending penalty, so that it runs on smoothly where
nothing can be trusted, as inside an edit.

It is believed only where the *surroundings as a whole* move (a body pushed in by a few pixels in a
still frame is an edit, and stays one) and where it leaves next to nothing: parallax between two
photographs of one scene jumps at the edges of things, which no slow field explains.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from wholecloth.model.comparison import Field, Homography
from wholecloth.registration.estimate import weighted_median
from wholecloth.registration.field import basis, control_places, displacement_at, warp_through
from wholecloth.registration.track import contrast_normalised, trust_of
from wholecloth.registration.warp import support

KNOTS = 8
"""Spans of the spline along the longer side."""
_CORNERS, _APART_PX, _WINDOW = 2000, 7, 21
_MAX_MOVE_PX = (16.0, 4.0, 2.0)
"""From one round to the next; re-renderings seen so far move by less than 8 px."""
_BACK_PX = 0.7
"""A point tracked there and back must return within this."""
_BENDING = 0.003
"""Weight of the bending penalty against the points, relative to their normal matrix."""
_ITERATIONS, _FLOOR_PX = 12, 0.15
_MIN_POINTS = 100
"""As many as the spline has control points: a field on fewer is the penalty's invention."""
_LEFT_PX, _TRUSTED_PX, _ALIKE = 0.5, 1.0, 0.25
"""No slow drift if the field leaves more than this median.  Points within the second are the
trusted area; points with this part of the best trust found something alike."""
_JUMP_SHARE = 0.12
"""No slow drift if more than this share of the points that found something alike lie outside the
trusted area (48 drawn re-renderings at most .078, 8 pairs with 16 px of parallax at least .16)."""
_NEAR, _MIN_PAIRS, _ROUGH = 0.02, 50, 1.2
"""No slow drift if points are further off the field (median) than this times what neighbours
within 2 % of the longer side (20 px at least) differ by: then things move that the field runs
across.  48 drawn re-renderings bent by 1, 3 and 6 px .51-.95 (pure noise gives .71); 32 drawn pairs
of photographs with 2-10 px of parallax 1.36-3.4."""


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """A field that is believed."""

    homography: Homography
    """The given one with the field's own affine part taken into it: the field is what is left."""
    field: Field
    size_px: float
    """95th percentile of its length over the trusted area, in pixels of the tracked frame."""
    left_px: float
    """Median distance of the points from it."""


def drift_of(
    gray: NDArray[np.uint8], original: NDArray[np.uint8], homography: Homography
) -> Drift | None:
    """The field between a published picture and its original, or None where none is believed.

    Args:
        gray: the published picture, H×W.
        original: the original, reduced to about the published scale.
        homography: ``original`` → ``gray``, the best one model can do.
    """
    shape = (gray.shape[0], gray.shape[1])
    inside = support((original.shape[0], original.shape[1]), homography, shape)
    mask = np.asarray(cv2.erode(inside.astype(np.uint8), np.ones((15, 15), np.uint8)), np.uint8)
    smooth = cv2.GaussianBlur(gray, (0, 0), 1.2)
    corners = cv2.goodFeaturesToTrack(smooth, _CORNERS, 0.002, _APART_PX, mask=mask, blockSize=5)
    if corners is None or len(corners) < _MIN_POINTS:
        return None
    points = np.asarray(corners, np.float32)
    reference = contrast_normalised(gray)
    field: Field | None = None
    here = wanted = np.zeros((0, 2))
    trust = np.zeros(0)
    for step, limit in enumerate(_MAX_MOVE_PX):
        moved = warp_through(original, homography, shape, field)
        there, found, unlike = _there_and_back(
            reference, contrast_normalised(moved), points, 0 if step == 2 else 3 - step
        )
        here = np.asarray(points[:, 0], np.float64)
        near = found & (np.linalg.norm(here - there, axis=1) < limit)
        if near.sum() < _MIN_POINTS:
            return None
        here, there, trust = here[near], there[near], np.asarray(trust_of(unlike[near]))
        known = np.zeros_like(there) if field is None else displacement_at(field, there, shape)
        wanted = there + known - here
        field = _fitted(here, wanted, trust, shape)
    assert field is not None
    return _believed(homography, field, here, wanted, trust, shape)


def _believed(
    homography: Homography,
    field: Field,
    here: NDArray[np.float64],
    wanted: NDArray[np.float64],
    trust: NDArray[np.float64],
    shape: tuple[int, int],
) -> Drift | None:
    off = np.linalg.norm(displacement_at(field, here, shape) - wanted, axis=1)
    left = weighted_median(off, trust)
    alike = trust >= _ALIKE * trust.max()
    if left > _LEFT_PX or float((off[alike] > _TRUSTED_PX).mean()) > _JUMP_SHARE:
        return None
    near = max(20.0, _NEAR * max(shape))
    if roughness(here[alike], wanted[alike], off[alike], near) > _ROUGH:
        return None
    trusted = here[off < _TRUSTED_PX]
    moved, bend = _without_affine(homography, field, trusted, shape)
    size = np.linalg.norm(displacement_at(bend, trusted, shape), axis=1)
    return Drift(moved, bend, float(np.quantile(size, 0.95)), left)


def roughness(
    here: NDArray[np.float64],
    wanted: NDArray[np.float64],
    off: NDArray[np.float64],
    near: float,
) -> float:
    """Median distance from the field over the median difference between neighbours.

    Where a field explains all but the tracker's noise this is 1/√2.  Across the edges of things
    that moved on their own, neighbours on the same thing agree and the field agrees with neither.
    """
    pairs = cKDTree(here).query_pairs(near, output_type="ndarray")
    if len(pairs) < _MIN_PAIRS:
        return float("inf")
    apart = np.linalg.norm(wanted[pairs[:, 0]] - wanted[pairs[:, 1]], axis=1)
    return float(np.median(off)) / max(float(np.median(apart)), 1e-3)


def _without_affine(
    homography: Homography, field: Field, points: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[Homography, Field]:
    """The same map with as much as possible of it in the homography.

    With d(p) = A·p + b + r(p) and T(p) = p + A·p + b, reading the original at H⁻¹(p + d(p)) is
    reading it at (T⁻¹H)⁻¹(p + (I + A)⁻¹·r(p)).
    """
    design = np.column_stack([points, np.ones(len(points))])
    part, *_ = np.linalg.lstsq(design, displacement_at(field, points, shape), rcond=None)
    grid = control_places(field.shape[:2], shape)
    rest = field - (grid @ part[:2] + part[2])
    move = np.eye(3)
    move[:2] += part.T
    turned = rest @ np.linalg.inv(move[:2, :2]).T
    moved = np.linalg.inv(move) @ homography
    return moved / moved[2, 2], np.asarray(turned, np.float32)


def _there_and_back(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    points: NDArray[np.float32],
    levels: int,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    how = {
        "winSize": (_WINDOW, _WINDOW),
        "maxLevel": levels,
        "criteria": (3, 30, 0.01),
    }
    there, ok, unlike = cv2.calcOpticalFlowPyrLK(first, second, points, None, **how)  # type: ignore[call-overload]
    back, ok_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, None, **how)  # type: ignore[call-overload]
    returned = np.linalg.norm((back - points)[:, 0], axis=1) < _BACK_PX
    found = (ok.ravel() > 0) & (ok_back.ravel() > 0) & returned
    # Of points that were lost OpenCV leaves this memory as it was: any bits, also invalid numbers.
    known = np.where(ok.ravel() > 0, unlike.ravel(), np.float32(0))
    return np.asarray(there[:, 0], np.float64), found, np.asarray(known, np.float64)


def _fitted(
    here: NDArray[np.float64],
    wanted: NDArray[np.float64],
    trust: NDArray[np.float64],
    shape: tuple[int, int],
) -> Field:
    """Penalised least squares, reweighted (Geman-McClure, as the global models)."""
    h, w = shape
    span = max(h, w) / KNOTS
    counts = (max(1, round(h / span)) + 3, max(1, round(w / span)) + 3)
    rows, cols = basis(here[:, 1], h, counts[0]), basis(here[:, 0], w, counts[1])
    design = (rows[:, :, None] * cols[:, None, :]).reshape(len(here), -1)
    bending = _bending(counts)
    weight = trust.copy()
    control: NDArray[np.floating] = np.zeros((design.shape[1], 2))
    left = np.zeros(len(here))
    for _ in range(_ITERATIONS):
        weighted = design * weight[:, None]
        normal = weighted.T @ design
        penalty = bending * (_BENDING * float(weight.sum()) / len(normal))
        penalty[np.diag_indices_from(penalty)] += 1e-6 * float(weight.sum()) / len(normal)
        control = np.linalg.solve(normal + penalty, weighted.T @ wanted)
        left = np.linalg.norm(design @ control - wanted, axis=1)
        spread = max(1.4826 * weighted_median(left, trust), _FLOOR_PX)
        weight = trust / (1.0 + (left / (2 * spread)) ** 2) ** 2
    return np.asarray(control.reshape(*counts, 2), np.float32)


def _bending(counts: tuple[int, int]) -> NDArray[np.float64]:
    """Sum of squared second differences of the control points, as a quadratic form."""
    ny, nx = counts
    second_y, second_x = np.diff(np.eye(ny), 2, axis=0), np.diff(np.eye(nx), 2, axis=0)
    first_y, first_x = np.diff(np.eye(ny), axis=0), np.diff(np.eye(nx), axis=0)
    parts = (
        np.kron(second_y.T @ second_y, np.eye(nx)),
        np.kron(np.eye(ny), second_x.T @ second_x),
        2 * np.kron(first_y.T @ first_y, first_x.T @ first_x),
    )
    return np.asarray(sum(parts))
