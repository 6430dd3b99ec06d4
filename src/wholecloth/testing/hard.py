"""Drawn pictures that are hard to register: little to hold on to, or two ways to lie."""

from __future__ import annotations

import cv2
import numpy as np

from wholecloth.model.media import RGB
from wholecloth.testing.scenes import noise_field, scene, surface


def studio(seed: int) -> RGB:
    """A small subject before an almost uniform backdrop."""
    rng = np.random.default_rng(seed)
    w, h = 1000, 1200
    backdrop = np.full((h, w, 3), rng.uniform(180, 235), np.float32)
    backdrop += 6 * noise_field(rng, w, h, 3.0)[..., None] + rng.normal(0, 1.5, (h, w, 1))
    subject = scene(seed + 70_000, (w, h)).astype(np.float32)
    y, x = np.mgrid[:h, :w]
    inside = (((x - w / 2) / (0.13 * w)) ** 2 + ((y - 0.55 * h) / (0.3 * h)) ** 2) < 1
    soft = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 1.2)[..., None]
    mixed = backdrop * (1 - soft) + subject * soft
    return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def facade(seed: int) -> RGB:
    """A front whose two halves are each other's mirror image, but for the light and the street."""
    rng = np.random.default_rng(seed)
    half = scene(4 * seed + 1, (520, 800))  # every fourth scene from one on is a street
    whole = np.concatenate([half, half[:, ::-1]], axis=1).astype(np.float32)
    whole *= 1 + 0.12 * noise_field(rng, 1040, 800, 2.0)[..., None]
    for _ in range(int(rng.integers(2, 5))):
        x, w, h = (
            int(v) for v in (rng.uniform(0, 900), rng.uniform(60, 130), rng.uniform(60, 120))
        )
        colour = rng.uniform(40, 215, 3).astype(np.float32)
        whole[800 - h : 800, x : x + w] = surface(rng, w, h, colour)[:, : 1040 - x]
    whole += rng.normal(0, 1.5, whole.shape)
    return np.clip(np.rint(whole), 0, 255).astype(np.uint8)


def two_frames(seed: int, parallax: float = 5.0) -> tuple[RGB, RGB]:
    """One scene photographed twice from places a little apart: two pictures, no derivation.

    Things stand at different distances, the ground runs from far to near; the nearest moves by
    ``parallax`` px against the farthest, and each photograph has its own noise.
    """
    rng = np.random.default_rng(seed)
    w, h = 1000, 760
    far = scene(seed, (w + 40, h + 40)).astype(np.float32)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    ground = np.clip((y / h - 0.55) / 0.45, 0, 1) * parallax
    things = []
    for k in range(9):
        size = int(rng.uniform(90, 230))
        look = scene(int(rng.integers(1 << 30)), (size, int(1.4 * size))).astype(np.float32)
        place = (rng.uniform(0, w - size), rng.uniform(0.1 * h, h - 0.9 * size))
        things.append((look, place, parallax * (k + 1) / 9))
    frames = []
    for side in (0.0, 1.0):
        shifted = (x + 20 + side * ground, y + 20 + 0 * x)
        canvas = cv2.remap(far, *shifted, cv2.INTER_CUBIC)
        for look, (px, py), depth in things:
            to = np.array([[1.0, 0, px + side * depth], [0, 1, py]])
            moved = cv2.warpAffine(look, to, (w, h), flags=cv2.INTER_LINEAR)
            on = cv2.warpAffine(np.ones(look.shape[:2], np.float32), to, (w, h))[..., None]
            canvas = canvas * (1 - on) + moved * on
        canvas = canvas + rng.normal(0, 2.0, canvas.shape)
        frames.append(np.asarray(np.clip(np.rint(canvas), 0, 255), np.uint8))
    return frames[0], frames[1]
