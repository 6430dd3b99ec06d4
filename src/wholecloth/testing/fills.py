"""What a replaced region is filled with: another photograph, or its own rim."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from wholecloth.model.media import RGB, Mask
from wholecloth.testing.derivations import sized
from wholecloth.testing.edits import blend
from wholecloth.testing.scenes import Rng

_GRAIN = 4.0
"""Standard deviation, in levels, of the noise over an inpainted region."""
_COARSE = 160
"""Longer side in pixels at which a region is inpainted: it comes out soft."""


def _covering(donor: RGB, shape: tuple[int, int], rng: Rng) -> RGB:
    """A part of the donor, enlarged to the frame."""
    height, width = shape
    factor = max(height / donor.shape[0], width / donor.shape[1]) * rng.uniform(1.0, 1.6)
    size = (max(width, round(donor.shape[1] * factor)), max(height, round(donor.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    large = cv2.resize(donor, size, interpolation=how)
    y, x = int(rng.integers(size[1] - height + 1)), int(rng.integers(size[0] - width + 1))
    return np.asarray(large[y : y + height, x : x + width], np.uint8)


def _poisson(picture: RGB, donor: RGB, where: Mask, rng: Rng) -> RGB:
    """Gradients of the donor, colours of the rim (Pérez, Gangnet and Blake 2003)."""
    other = _covering(donor, picture.shape[:2], rng)
    left, top, wide, high = cv2.boundingRect(where.astype(np.uint8))
    centre = (left + wide // 2, top + high // 2)
    mask = where.astype(np.uint8) * 255
    done = cv2.seamlessClone(other, picture, mask, centre, cv2.NORMAL_CLONE)
    return np.where(where[..., None], np.asarray(done, np.uint8), picture)


def _paste(picture: RGB, donor: RGB, where: Mask, rng: Rng) -> RGB:
    return blend(picture, _covering(donor, picture.shape[:2], rng), where, 1.5)


def _inpaint(picture: RGB, donor: RGB, where: Mask, rng: Rng) -> RGB:
    """From the rim (Telea 2004), coarsely, with a camera's noise on top."""
    del donor
    height, width = where.shape
    small = sized(picture, _COARSE)
    hole = cv2.resize(where.astype(np.uint8), small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    filled = cv2.inpaint(small, hole, 5, cv2.INPAINT_TELEA)
    large = cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC)
    noisy = large + rng.normal(0, _GRAIN, large.shape)
    return blend(picture, np.clip(np.rint(noisy), 0, 255).astype(np.uint8), where, 2.0)


FILLS: dict[str, Callable[[RGB, RGB, Mask, Rng], RGB]] = {
    "poisson": _poisson,
    "paste": _paste,
    "inpaint": _inpaint,
}
"""Each takes a picture, a donor, where to fill, and a generator."""
