"""A smooth displacement field at work: evaluate it, and warp through it.

The field is the control points of a uniform cubic B-spline stretched over the frame, so that it
does not depend on the size the frame is looked at in (only its values, in pixels, do).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Field, Homography
from wholecloth.model.media import Mask
from wholecloth.registration.warp import border_of, warp


def basis(at: NDArray[np.float64], size: int, count: int) -> NDArray[np.float64]:
    """N×count values of the uniform cubic B-splines over pixel centres 0 … size − 1."""
    spans = count - 3
    u = np.clip(at / max(size - 1, 1), 0, 1) * spans
    cell = np.minimum(u.astype(int), spans - 1)
    t = u - cell
    parts = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    out = np.zeros((len(at), count))
    for k, part in enumerate(parts):
        out[np.arange(len(at)), cell + k] = part / 6
    return out


def displacement_at(
    field: Field, points: NDArray[np.float64], shape: tuple[int, int]
) -> NDArray[np.float64]:
    """N×2 displacements at N×2 points (x, y) of an (height, width) frame."""
    rows = basis(points[:, 1], shape[0], field.shape[0])
    cols = basis(points[:, 0], shape[1], field.shape[1])
    return np.asarray(np.einsum("ni,nj,ijc->nc", rows, cols, field.astype(np.float64)))


def control_places(counts: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.float64]:
    """gh×gw×2 (x, y): where in an (height, width) frame each control point sits.

    A spline with the values of an affine map at these places *is* that map.
    """
    y, x = (
        (np.arange(count) - 1) * (size - 1) / (count - 3)
        for count, size in zip(counts, shape, strict=True)
    )
    return np.stack(np.meshgrid(x, y), axis=-1)


def dense(field: Field, shape: tuple[int, int]) -> NDArray[np.float32]:
    """H×W×2 displacements of every pixel of an (height, width) frame."""
    rows = basis(np.arange(shape[0], dtype=np.float64), shape[0], field.shape[0])
    cols = basis(np.arange(shape[1], dtype=np.float64), shape[1], field.shape[1])
    parts = [rows @ field[..., k].astype(np.float64) @ cols.T for k in (0, 1)]
    return np.stack(parts, axis=-1).astype(np.float32)


def read_from(homography: Homography, shape: tuple[int, int], field: Field) -> NDArray[np.float32]:
    """H×W×2: where in the original each pixel of the frame is read."""
    moved = dense(field, shape).astype(np.float64)
    x = np.arange(shape[1], dtype=np.float64) + moved[..., 0]
    y = np.arange(shape[0], dtype=np.float64)[:, None] + moved[..., 1]
    a = np.linalg.inv(homography)
    w = a[2, 0] * x + a[2, 1] * y + a[2, 2]
    there = [(row[0] * x + row[1] * y + row[2]) / w for row in a[:2]]
    return np.stack(there, axis=-1).astype(np.float32)


def warp_through(
    picture: NDArray[np.uint8],
    homography: Homography,
    shape: tuple[int, int],
    field: Field | None,
    interpolation: int = cv2.INTER_CUBIC,
) -> NDArray[np.uint8]:
    """``warp``, through a field where there is one (in pixels of this frame)."""
    if field is None:
        return warp(picture, homography, shape, interpolation)
    there = read_from(homography, shape, field)
    moved = cv2.remap(
        picture, there[..., 0], there[..., 1], interpolation, borderMode=border_of(picture)
    )
    return np.asarray(moved, np.uint8)


def supported(
    original: tuple[int, int], homography: Homography, shape: tuple[int, int], field: Field
) -> Mask:
    """Where an original of this (height, width) lies in the frame, two pixels inside its edge."""
    there = read_from(homography, shape, field)
    limit = np.array([original[1] - 3, original[0] - 3], np.float32)
    return np.asarray(((there >= 2) & (there <= limit)).all(axis=2))
