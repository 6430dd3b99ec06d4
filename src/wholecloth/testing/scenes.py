"""Drawn scenes with the statistics a camera would give: texture, shading, blur, sensor noise."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.model.media import RGB

F32 = NDArray[np.float32]
Rng = np.random.Generator


def scene(seed: int, size: tuple[int, int] = (1024, 768)) -> RGB:
    """One scene of ``size`` = (width, height); the seed chooses its kind and everything in it.

    Returns:
        H×W×3 uint8, to be read as sRGB.
    """
    rng = np.random.default_rng(seed)
    kinds: tuple[Callable[[Rng, int, int], F32], ...] = (_room, _street, _landscape, _still_life)
    width, height = size
    canvas = kinds[seed % len(kinds)](rng, width, height)
    return _photographed(canvas, rng)


def noise_field(rng: Rng, width: int, height: int, slope: float = 1.0) -> F32:
    """Fractal noise in about −1…1: octaves of smoothly enlarged white noise, amplitude 2^−slope."""
    out = np.zeros((height, width), np.float32)
    cells, weight = 3, 1.0
    while cells < max(width, height):
        shape = (max(2, cells * height // max(width, height)), max(2, cells))
        grid = rng.standard_normal(shape).astype(np.float32)
        out += weight * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * 2.0**-slope
    return out / np.float32(out.std() * 2 + 1e-6)


def surface(rng: Rng, width: int, height: int, colour: F32, strength: float = 26.0) -> F32:
    """A textured surface of one base colour: noise, grain along one direction, stains."""
    kind = rng.integers(4)
    field = noise_field(rng, width, height, rng.uniform(0.4, 1.0))
    if kind == 0:  # wood or cloth: stretched along one axis
        thin = noise_field(rng, max(8, width // 12), height, 0.3)
        field = 0.4 * field + cv2.resize(thin, (width, height))
    elif kind == 1:  # bricks or tiles
        field = 0.6 * field + _tiles(rng, width, height)
    elif kind == 2:  # speckle
        field = 0.5 * field + 0.8 * (noise_field(rng, width, height, 0.1) > 0.7)
    tint = 1 + 0.25 * rng.standard_normal(3).astype(np.float32)
    return colour + strength * field[..., None] * tint


def _tiles(rng: Rng, width: int, height: int) -> F32:
    w, h = int(rng.integers(18, 70)), int(rng.integers(12, 50))
    rows, cols = height // h + 2, width // w + 3
    shade = rng.uniform(-0.8, 0.8, (rows, cols)).astype(np.float32)
    y, x = np.mgrid[:height, :width]
    row = y // h
    shifted = x + (row % 2) * (w // 2)
    field = shade[row, shifted // w]
    joint = (y % h < 2) | (shifted % w < 2)
    return np.where(joint, np.float32(-1.4), field).astype(np.float32)


def _colour(rng: Rng, low: float = 40, high: float = 215) -> F32:
    return rng.uniform(low, high, 3).astype(np.float32)


def _paste(canvas: F32, box: tuple[int, int, int, int], patch: F32) -> None:
    x, y, w, h = box
    view = canvas[max(y, 0) : y + h, max(x, 0) : x + w]
    view[:] = patch[: view.shape[0], : view.shape[1]]


def _polygon(canvas: F32, points: NDArray[np.int32], patch: F32) -> None:
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, [points], 255, lineType=cv2.LINE_AA)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32)[..., None] / 255
    canvas[:] = canvas * (1 - soft) + patch * soft


def _framed(rng: Rng, canvas: F32, box: tuple[int, int, int, int]) -> None:
    """A window, shelf or picture frame: border, panes, something textured in them."""
    x, y, w, h = box
    if w < 12 or h < 12:
        return
    _paste(canvas, box, surface(rng, w, h, _colour(rng), 14))
    rows, cols = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    gap = max(3, min(w, h) // 14)
    for r in range(rows):
        for c in range(cols):
            pw, ph = (w - gap * (cols + 1)) // cols, (h - gap * (rows + 1)) // rows
            if pw < 4 or ph < 4:
                continue
            pane = (x + gap + c * (pw + gap), y + gap + r * (ph + gap), pw, ph)
            _paste(canvas, pane, surface(rng, pw, ph, _colour(rng, 20, 240), 32))


def _objects(rng: Rng, canvas: F32, count: int, low: int) -> None:
    """Boxes, jars and balls standing below line ``low``."""
    height, width = canvas.shape[:2]
    for _ in range(count):
        w, h = (int(rng.uniform(0.05, 0.16) * width) for _ in range(2))
        x, y = int(rng.uniform(-0.02, 0.95) * width), int(rng.uniform(low, height - h // 2))
        if rng.random() < 0.5:
            turn = np.deg2rad(rng.uniform(-15, 15))
            corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float64) - (w / 2, h / 2)
            c, s = np.cos(turn), np.sin(turn)
            outline = corners @ np.array([[c, s], [-s, c]]) + (x + w / 2, y + h / 2)
        else:
            angle = np.linspace(0, 2 * np.pi, 40)
            outline = np.stack([x + w / 2 * np.cos(angle), y + h / 2 * np.sin(angle)], axis=1)
        _shape(rng, canvas, outline.astype(np.int32))


def _shape(rng: Rng, canvas: F32, outline: NDArray[np.int32]) -> None:
    """A textured shape; its texture is made for its own box only, which is what costs time."""
    height, width = canvas.shape[:2]
    low = np.maximum(outline.min(axis=0) - 3, 0)
    high = np.minimum(outline.max(axis=0) + 4, (width, height))
    w, h = (int(v) for v in high - low)
    if w < 8 or h < 8:
        return
    view = canvas[low[1] : high[1], low[0] : high[0]]
    _polygon(view, outline - low.astype(np.int32), surface(rng, w, h, _colour(rng), 22))


def _room(rng: Rng, width: int, height: int) -> F32:
    horizon = int(rng.uniform(0.55, 0.75) * height)
    canvas = surface(rng, width, height, _colour(rng, 120, 220), 12)
    canvas[horizon:] = surface(rng, width, height, _colour(rng, 60, 170), 26)[horizon:]
    for _ in range(int(rng.integers(3, 7))):
        w, h = (int(rng.uniform(0.1, 0.3) * s) for s in (width, height))
        box = (int(rng.uniform(0, width - w)), int(rng.uniform(0, max(1, horizon - h))), w, h)
        _framed(rng, canvas, box)
    _objects(rng, canvas, int(rng.integers(8, 15)), horizon - height // 8)
    return canvas


def _street(rng: Rng, width: int, height: int) -> F32:
    canvas = surface(rng, width, height, _colour(rng, 150, 230), 8)
    ground = int(rng.uniform(0.7, 0.82) * height)
    x = 0
    while x < width:
        w = int(rng.uniform(0.12, 0.26) * width)
        top = int(rng.uniform(0.08, 0.4) * height)
        house = surface(rng, w, ground - top, _colour(rng, 70, 210), 18)
        _paste(canvas, (x, top, w, ground - top), house)
        step_x, step_y = max(24, w // 4), max(30, (ground - top) // 5)
        for wy in range(top + 10, ground - step_y, step_y):
            for wx in range(x + 8, x + w - step_x // 2, step_x):
                _framed(rng, canvas, (wx, wy, int(step_x * 0.6), int(step_y * 0.7)))
        x += w
    canvas[ground:] = surface(rng, width, height, _colour(rng, 70, 140), 22)[ground:]
    _objects(rng, canvas, int(rng.integers(5, 10)), ground - height // 12)
    return canvas


def _landscape(rng: Rng, width: int, height: int) -> F32:
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    canvas = _colour(rng, 140, 230) * (1 - y) + _colour(rng, 170, 245) * y
    canvas = canvas + 20 * np.maximum(noise_field(rng, width, height, 0.9), 0)[..., None]
    for layer in range(4):
        base = (0.3 + 0.17 * layer) * height
        ridge = noise_field(rng, width, 8, 0.9)[4] * height * 0.07 + base
        xs = np.arange(width)
        points = np.concatenate(
            [np.stack([xs, ridge], axis=1), [[width, height], [0, height]]]
        ).astype(np.int32)
        _polygon(canvas, points, surface(rng, width, height, _colour(rng, 30, 160), 30))
    _objects(rng, canvas, int(rng.integers(6, 12)), int(0.6 * height))
    return np.asarray(canvas, np.float32)


def _still_life(rng: Rng, width: int, height: int) -> F32:
    canvas = surface(rng, width, height, _colour(rng, 60, 200), 30)
    _objects(rng, canvas, int(rng.integers(14, 24)), 0)
    return np.asarray(canvas, np.float32)


def _photographed(canvas: F32, rng: Rng) -> RGB:
    """Uneven light, lens blur and vignette, then shot and read noise."""
    height, width = canvas.shape[:2]
    light = 1 + 0.18 * noise_field(rng, width, height, 1.6)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    falloff = 1 - rng.uniform(0.05, 0.2) * (x * x + y * y) / 2
    lit = np.clip(canvas * (light * falloff)[..., None], 0, 255)
    blurred = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.6, 0.9))
    noise = rng.standard_normal(blurred.shape).astype(np.float32)
    grain = noise * np.sqrt(1.2 + 0.02 * blurred)
    return np.asarray(np.clip(np.rint(blurred + grain), 0, 255), np.uint8)
