"""Edits with exact masks.  Each takes a picture and a generator and says which pixels differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.media import RGB, Mask
from wholecloth.testing.scenes import Rng, noise_field, scene, surface


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """An edited picture and its truth."""

    pixels: RGB
    mask: Mask
    """Pixels that differ from the input."""
    kind: str


Edit = Callable[[RGB, Rng], Edited]


def blob(shape: tuple[int, int], share: float, rng: Rng) -> Mask:
    """One irregular, roughly upright region of about ``share`` of the (height, width) frame."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    cy, cx = (rng.uniform(0.42, 0.58) * s for s in (height, width))
    aspect = rng.uniform(1.1, 2.2)
    turn = np.deg2rad(rng.uniform(-25, 25))
    u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    v = -(x - cx) * np.sin(turn) + (y - cy) * np.cos(turn)
    distance = np.hypot(u * np.sqrt(aspect), v / np.sqrt(aspect))
    wobble = 1 + 0.22 * noise_field(rng, width, height, 1.4)
    field = distance * wobble
    inside = field <= np.quantile(field, share)
    _, marks, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    return np.asarray(marks == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])))


def blend(base: RGB, other: RGB, mask: Mask, feather: float) -> RGB:
    """``other`` inside the mask, softened over ``feather`` px towards its rim; else ``base``."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), feather)[..., None]
    soft = np.where(mask[..., None], np.maximum(soft, 0.5), 0.0)
    mixed = base * (1 - soft) + other * soft
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _truth(before: RGB, after: RGB, kind: str) -> Edited:
    return Edited(after, np.asarray((before != after).any(axis=2)), kind)


def splice(picture: RGB, rng: Rng) -> Edited:
    """A region replaced by another scene, feathered."""
    height, width = picture.shape[:2]
    donor = scene(int(rng.integers(1 << 30)), (width, height))
    mask = blob((height, width), rng.uniform(0.08, 0.35), rng)
    return _truth(picture, blend(picture, donor, mask, rng.uniform(0.8, 2.0)), "splice")


def recloth(picture: RGB, rng: Rng) -> Edited:
    """A region given a new drawn texture that follows the old shading: a garment swap's shape."""
    height, width = picture.shape[:2]
    mask = blob((height, width), rng.uniform(0.08, 0.35), rng)
    shade = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (0, 0), 12)
    cloth = surface(rng, width, height, rng.uniform(40, 215, 3).astype(np.float32), 24)
    lit = cloth * (0.5 + shade[..., None] / np.float32(max(shade.mean(), 20)) / 2)
    grain = rng.normal(0, 1.8, lit.shape)
    patch = np.clip(lit + grain, 0, 255).astype(np.uint8)
    return _truth(picture, blend(picture, patch, mask, rng.uniform(0.8, 2.0)), "recloth")


def inpaint(picture: RGB, rng: Rng) -> Edited:
    """A region filled from its rim (Telea 2004): no learning involved."""
    height, width = picture.shape[:2]
    mask = blob((height, width), rng.uniform(0.02, 0.06), rng)
    filled = cv2.inpaint(picture, mask.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    return _truth(picture, np.asarray(filled, np.uint8), "inpaint")


def clone(picture: RGB, rng: Rng) -> Edited:
    """A region copied from elsewhere in the same picture."""
    height, width = picture.shape[:2]
    mask = blob((height, width), rng.uniform(0.03, 0.12), rng)
    moved = np.roll(picture, (height // 3, width // 3), axis=(0, 1))
    return _truth(picture, blend(picture, moved, mask, 1.0), "clone")


def rerender(picture: RGB, rng: Rng) -> RGB:
    """The whole frame mildly re-synthesised: smoothed, resampled, bent by under 0.8 px."""
    height, width = picture.shape[:2]
    smooth = cv2.bilateralFilter(picture, 5, 22, 5)
    half = cv2.resize(smooth, None, fx=0.72, fy=0.72, interpolation=cv2.INTER_AREA)
    back = cv2.resize(half, (width, height), interpolation=cv2.INTER_CUBIC)
    bend = [np.clip(noise_field(rng, width, height, 2.5) * 0.35, -0.8, 0.8) for _ in range(2)]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    bent = cv2.remap(back, x + bend[0], y + bend[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(bent, np.uint8)


def drift_field(
    shape: tuple[int, int], rng: Rng, largest: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A slow, smooth displacement (x, y) over an (height, width) frame, at most ``largest`` px."""
    height, width = shape
    x, y = (noise_field(rng, width, height, 2.5) for _ in range(2))
    scale = np.float32(largest / max(float(np.hypot(x, y).max()), 1e-6))
    return x * scale, y * scale


def bent(picture: RGB, field: tuple[NDArray[np.float32], NDArray[np.float32]]) -> RGB:
    """Every pixel p shows what the picture has at p + field(p)."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    moved = cv2.remap(
        picture, x + field[0], y + field[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(moved, np.uint8)


def drift(
    picture: RGB, rng: Rng, largest: float = 3.0, kept: float = 0.5
) -> tuple[RGB, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The whole frame re-drawn, as models that answer with a new picture do, and its field.

    Detail is smoothed away, bent by up to ``largest`` px, and drawn anew: new fine texture takes
    the place of the old one, so that fine structure correlates by about ``kept`` (0-1).
    """
    height, width = picture.shape[:2]
    field = drift_field((height, width), rng, largest)
    smooth = cv2.bilateralFilter(picture, 7, 30, 7)
    # By sizes, not by factors: OpenCV scales by the factor even where the size was rounded.
    size = (round(0.6 * width), round(0.6 * height))
    half = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
    back = bent(np.asarray(cv2.resize(half, (width, height)), np.uint8), field).astype(np.float32)
    fine = back - cv2.GaussianBlur(back, (0, 0), 1.5)
    strength = np.float32(np.sqrt(1 / max(kept, 0.05) ** 2 - 1)) * cv2.GaussianBlur(
        np.abs(fine).mean(axis=2), (0, 0), 6
    )
    new = cv2.GaussianBlur(rng.standard_normal((height, width)).astype(np.float32), (0, 0), 0.8)
    redrawn = back + (new / new.std() * strength)[..., None]
    return np.asarray(np.clip(np.rint(redrawn), 0, 255), np.uint8), field


EDITS: dict[str, Edit] = {"splice": splice, "recloth": recloth, "inpaint": inpaint, "clone": clone}
