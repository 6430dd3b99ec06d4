"""Homographies at work.  One convention throughout: see ``model.comparison.Homography``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask

Points = NDArray[np.float64]


def apply(homography: Homography, points: Points) -> Points:
    """Map N×2 points."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:])


def corners(shape: tuple[int, int]) -> Points:
    """The four corner pixels of an (height, width) frame, clockwise from the top left."""
    h, w = shape
    return np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float64)


def scale_of(homography: Homography, shape: tuple[int, int]) -> float:
    """Published pixels per original pixel (√|det J|) at the centre of the original."""
    centre = np.array([[(shape[1] - 1) / 2, (shape[0] - 1) / 2]])
    half = np.array([[0.5, 0.0], [0.0, 0.5]])
    jacobian = np.concatenate(
        [apply(homography, centre + e) - apply(homography, centre - e) for e in half]
    )
    return float(np.sqrt(abs(np.linalg.det(jacobian))))


def perspective_of(homography: Homography, shape: tuple[int, int]) -> tuple[float, float]:
    """How far a transformation is from an affine one, 0 = affine.

    The distance between the mapped corners of an original of (height, width) ``shape`` and the
    nearest parallelogram: over its longer diagonal, and in target pixels.
    """
    at = apply(homography, corners(shape))
    # The nearest parallelogram moves every corner by a quarter of the diagonals' mismatch.
    mismatch = (at[0] - at[1] + at[2] - at[3]) / 4
    diagonal = max(np.linalg.norm(at[2] - at[0]), np.linalg.norm(at[3] - at[1]))
    distance = float(np.linalg.norm(mismatch))
    return distance / max(float(diagonal), 1e-9), distance


def reduce(original: RGB, homography: Homography) -> tuple[RGB, Homography]:
    """Area-average a larger original to the published picture's scale before it is resampled.

    A cubic kernel reads 4×4 pixels: shrinking with it alone would alias.
    """
    scale = scale_of(homography, (original.shape[0], original.shape[1]))
    if scale >= 0.95:
        return original, homography
    h, w = original.shape[:2]
    size = (max(8, round(w * scale)), max(8, round(h * scale)))
    sx, sy = size[0] / w, size[1] / h
    to_small = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1.0]])
    small = cv2.resize(original, size, interpolation=cv2.INTER_AREA)
    reduced = homography @ np.linalg.inv(to_small)
    return np.asarray(small, np.uint8), reduced / reduced[2, 2]


def warp(
    picture: NDArray[np.uint8],
    homography: Homography,
    shape: tuple[int, int],
    interpolation: int = cv2.INTER_CUBIC,
) -> NDArray[np.uint8]:
    """Resample a picture (H×W or H×W×3) into an (height, width) frame; edges are reflected."""
    h, w = shape
    warped = cv2.warpPerspective(
        picture, homography, (w, h), flags=interpolation, borderMode=border_of(picture)
    )
    return np.asarray(warped, np.uint8)


def border_of(picture: NDArray[np.uint8]) -> int:
    """How OpenCV continues a picture beyond its edges: mirrored.

    A picture one pixel wide or high has nothing to mirror (OpenCV 5.0 then never returns).
    """
    return cv2.BORDER_REFLECT_101 if min(picture.shape[:2]) > 1 else cv2.BORDER_REPLICATE


def support(shape: tuple[int, int], homography: Homography, frame: tuple[int, int]) -> Mask:
    """Where an original of ``shape`` lies in the published ``frame``."""
    h, w = frame
    ones = np.full(shape, 255, np.uint8)
    return np.asarray(cv2.warpPerspective(ones, homography, (w, h), flags=cv2.INTER_NEAREST) > 0)


def snapped(
    homography: Homography, shape: tuple[int, int], tolerance: float = 0.12
) -> Homography | None:
    """The pure integer shift (perhaps mirrored) that this is within ``tolerance`` px of, if any.

    An integer copy needs no interpolation, so the comparison can be exact.
    """
    sign = np.sign(homography[0, 0])
    candidate = np.array(
        [
            [sign, 0.0, np.round(homography[0, 2])],
            [0.0, 1.0, np.round(homography[1, 2])],
            [0.0, 0.0, 1.0],
        ]
    )
    frame = corners(shape)
    moved = np.abs(apply(homography, frame) - apply(candidate, frame)).max()
    return candidate if moved < tolerance else None
