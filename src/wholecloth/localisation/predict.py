"""Predict the published picture from its original under benign change.

Three maps, each fitted on what most of the picture agrees on, so that an edit cannot bend them:
colour and tone with vignette, sharpness per plane, and the published file's own JPEG losses.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from wholecloth.localisation.robust import (
    F32,
    local_ncc,
    rgb_of,
    to_ycc,
    tukey_fit,
    weighted_median,
    ycc_of_255,
)
from wholecloth.model.media import RGB, JpegTables, Mask

_LUT = 33
_SAMPLES = 16_000
_PALETTE = 256
_PALETTE_ERROR_MAX = 30.0
_CLIPPED = (3.0, 252.0)
_LEVERAGE = 40.0
"""Colours the fit never saw get a wide prior: leverage variance times this (errors correlate)."""


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The original as it would look in the published frame had nobody edited it."""

    published: F32
    """H×W×3 YCrCb, 0-255."""
    predicted: F32
    """H×W×3 YCrCb, before JPEG."""
    recompressed: F32
    """H×W×3 YCrCb, through the published file's own losses: JPEG tables or palette, if any."""
    leverage: F32 | None
    """Extra variance of the colour map, on a quarter-size grid; None where none was applied."""
    strength: float
    """Median absolute change the colour map made, in levels; 0 where none was applied."""
    sharpened: float
    """Largest gain the sharpness map gave to a band of fine luma detail; 1 = as sharp as it was."""
    finest: float
    """Gain of the finest luma band alone; low where the copy was smoothed."""
    palette_error: float
    """What nearest-colour painting costs at the 95th percentile, in levels (at most 30); 0 unless
    the published picture has 256 colours or fewer."""


def predict(warped: RGB, published: RGB, valid: Mask, jpeg: JpegTables | None) -> Prediction:
    """Fit the three maps and apply them.

    Args:
        warped: the original in the published frame, H×W×3.
        published: H×W×3.
        valid: comparable pixels.
        jpeg: the published file's tables, None when it is no JPEG or was reduced.
    """
    toned, leverage, agreement = _colour_map(warped, published, valid)
    strength = (
        0.0 if leverage is None else float(np.median(np.abs(toned[::4, ::4] - warped[::4, ::4])))
    )
    # What lies beyond a frame's edge bleeds over it (sharpening, JPEG blocks), and is known.
    beyond = ~valid[..., None]
    np.copyto(toned, published, where=beyond)
    target = to_ycc(published)
    plane, sharpened, finest = _sharpness(ycc_of_255(toned), target, agreement)
    # Clipping happens in RGB: an over-bright prediction must saturate as the published file does.
    rgb = rgb_of(plane)
    np.clip(rgb, 0, 255, out=rgb)
    predicted = ycc_of_255(rgb)
    again = predicted
    eight_bit = np.array(cv2.convertScaleAbs(rgb), np.uint8)
    np.copyto(eight_bit, published, where=beyond)
    palette = few_colours(published)
    if palette is not None:
        again = to_ycc(repainted(eight_bit, palette))
    elif jpeg is not None:
        again = to_ycc(recompress(eight_bit, jpeg))
    error = 0.0
    if palette is not None:
        step = np.abs(predicted[::3, ::3] - again[::3, ::3]).max(axis=2)
        error = min(_PALETTE_ERROR_MAX, float(np.quantile(step, 0.95)))
    return Prediction(target, predicted, again, leverage, strength, sharpened, finest, error)


def recompress(rgb: RGB, tables: JpegTables) -> RGB:
    """Encode and decode with given quantisation tables and chroma subsampling."""
    buffer = io.BytesIO()
    subsampling = tables.subsampling if tables.subsampling in (0, 1, 2) else 2
    Image.fromarray(rgb).save(
        buffer,
        "JPEG",
        qtables=[list(t) for t in tables.quantization],
        subsampling=subsampling,
    )
    return np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB"))


def few_colours(rgb: RGB) -> NDArray[np.uint8] | None:
    """The N×3 colours of a picture that has at most 256 of them (GIF, palette PNG), else None."""
    pack = np.array([65536, 256, 1], np.uint32)
    flat = rgb.reshape(-1, 3)
    some = flat[:: max(1, len(flat) // 20_000)]
    if len(np.unique(some.astype(np.uint32) @ pack)) > _PALETTE:
        return None
    packed = flat.astype(np.uint32) @ pack
    colours = np.unique(packed)
    if len(colours) > _PALETTE:
        return None
    return np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)


def repainted(rgb: RGB, palette: NDArray[np.uint8]) -> RGB:
    """Each pixel as the nearest palette colour, without dithering."""
    holder = Image.new("P", (1, 1))
    padded = np.concatenate([palette, np.repeat(palette[:1], _PALETTE - len(palette), axis=0)])
    holder.putpalette(padded.tobytes())
    painted = Image.fromarray(rgb).quantize(palette=holder, dither=Image.Dither.NONE)
    return np.asarray(painted.convert("RGB"))


def _colour_terms(rgb: F32) -> F32:
    """16 terms on 0-1 RGB: polynomial to the third order plus square roots for gamma curves."""
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    one = np.ones_like(r)
    terms = [one, r, g, b, r * r, g * g, b * b, r * g, r * b, g * b]
    terms += [r**3, g**3, b**3, np.sqrt(r), np.sqrt(g), np.sqrt(b)]
    return np.stack(terms, axis=-1)


def _place_terms(shape: tuple[int, int]) -> F32:
    """Five vignette terms on a −1…1 grid."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j].astype(np.float32)
    return np.stack([x, y, x * x, y * y, x * y], axis=-1)


def _colour_map(warped: RGB, published: RGB, valid: Mask) -> tuple[F32, F32 | None, F32]:
    """Returns toned original (0-255), leverage grid or None, structural agreement (0-1, grid)."""
    h, w = published.shape[:2]
    size = (max(8, w // 4), max(8, h // 4))
    grid = (size[1], size[0])
    small = _shrunk(warped, size)
    wanted = _shrunk(published, size)
    on = cv2.resize(valid.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    ncc, _, _ = local_ncc(small.mean(axis=2) * 255, wanted.mean(axis=2) * 255, 7)
    agreement = np.asarray(on * np.clip((ncc - 0.4) / 0.4, 0, 1), np.float32)
    weight = (on * (np.clip((ncc - 0.5) / 0.4, 0, 1) + 0.01)).ravel().astype(np.float32)

    order = np.random.default_rng(0).permutation(len(weight))
    chosen = order[weight[order] > 0][:_SAMPLES]
    colours = small.reshape(-1, 3)[chosen]
    targets = wanted.reshape(-1, 3)[chosen] * 255
    base = weight[chosen]
    balanced = _rare_colours_count(colours, base)
    place = _place_terms(grid)
    place_here = place.reshape(-1, 5)[chosen]
    terms = _colour_terms(colours)
    colour = np.zeros((16, 3), np.float32)
    vignette = np.zeros((5, 3), np.float32)
    residuals = []
    for c in range(3):
        design = np.concatenate([terms, place_here * colours[:, c : c + 1]], axis=1)
        # A clipped value says only "at least" (or "at most"): the polynomial may run on past it.
        clipped = (targets[:, c] >= _CLIPPED[1]).astype(np.int8) - (targets[:, c] <= _CLIPPED[0])
        fit, left = tukey_fit(
            design, targets[:, c], balanced, rounds=8, k=4.5, floor=1.5, censored=clipped
        )
        colour[:, c], vignette[:, c] = fit[:16], fit[16:]
        residuals.append(left)
    left = np.max(residuals, axis=0)
    spread = max(weighted_median(left, base), 0.3)
    untouched = weighted_median(np.abs(targets - colours * 255).max(axis=1), base)
    if spread >= 0.92 * untouched - 0.1:  # nothing gained: leave the pixels alone
        return warped.astype(np.float32), None, agreement

    toned = _applied(warped, colour, vignette, place)
    mean = colours.mean(axis=1, keepdims=True)
    fitted = left < 5 * spread + 2
    design = np.concatenate([terms, place_here * mean], axis=1)[fitted]
    normal = (design * base[fitted, None]).T @ design + np.eye(21, dtype=np.float32) * 1e-3
    everywhere = np.concatenate(
        [_colour_terms(small.reshape(-1, 3)), place.reshape(-1, 5) * small.mean(2).reshape(-1, 1)],
        axis=1,
    )
    leverage = ((everywhere @ np.linalg.inv(normal)) * everywhere).sum(axis=1)
    # Rounding can take the quadratic form below zero where the fit is near singular.
    variance = (np.maximum(leverage, 0) * spread**2 * _LEVERAGE).reshape(grid)
    return toned, np.asarray(variance, np.float32), agreement


def _rare_colours_count(colours: F32, weight: F32) -> F32:
    """Weight by inverse root density of colour, or a beach outvotes the swimsuit on it."""
    cell = (np.minimum((colours * 10).astype(int), 9) * [100, 10, 1]).sum(axis=1)
    density = np.bincount(cell, weight, 1000)[cell]
    return np.asarray(weight / np.sqrt(density + 2), np.float32)


def _applied(warped: RGB, colour: F32, vignette: F32, place: F32) -> F32:
    steps = np.linspace(0, 1, _LUT, dtype=np.float32)
    lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1)
    table = np.clip(_colour_terms(lattice) @ colour, 0, 255) / 255
    values: NDArray[np.float64] = table.transpose(2, 1, 0, 3).reshape(-1).astype(np.float64)
    lut = ImageFilter.Color3DLUT(_LUT, values.tolist())
    toned = np.asarray(Image.fromarray(warped).filter(lut)).astype(np.float32)
    shading = place @ vignette
    if np.abs(shading).max() > 1.5:
        h, w = warped.shape[:2]
        toned += cv2.resize(shading, (w, h)) * warped * np.float32(1 / 255)
        np.clip(toned, 0, 255, out=toned)
    return toned


def _sharpness(plane: F32, target: F32, agreement: F32) -> tuple[F32, float, float]:
    """Match the transfer function per plane on a basis of Gaussian bands and two derivatives."""
    h, w = target.shape[:2]
    weights = np.asarray(cv2.resize(agreement, (w, h)), np.float32)
    step = max(1, int(np.sqrt(h * w / 30_000)))
    planes = list(cv2.split(plane))
    sharpened = finest = 1.0
    for c in range(3):
        q = planes[c]
        fine = cv2.GaussianBlur(q, (0, 0), 0.7 if c == 0 else 1.0)
        coarse = cv2.GaussianBlur(q, (0, 0), 1.5)
        some = [b[::step, ::step].ravel() for b in (q, fine, coarse)]
        columns = [some[0] - some[1], some[1] - some[2], some[2]]
        slopes = []
        if c == 0:  # the derivatives absorb what is left of a sub-pixel shift
            slopes = [cv2.Sobel(q, -1, *d, scale=0.125) for d in ((1, 0), (0, 1))]
            columns += [b[::step, ::step].ravel() for b in slopes]
        design = np.stack(columns, axis=1, dtype=np.float32)
        wanted = target[::step, ::step, c].ravel()
        weight = weights[::step, ::step].ravel() + np.float32(1e-3)
        gain, _ = tukey_fit(design, wanted, weight, rounds=5, k=2.5, floor=0.7)
        gain[:2] = np.clip(gain[:2], -0.5, 5)
        if c == 0:
            sharpened, finest = float(gain[:2].max()), float(gain[0])
        if abs(gain[2] - 1) > 0.03:  # the coarse band is the colour map's business
            gain[2] = 1
        g = [float(v) for v in gain]
        planes[c] = cv2.addWeighted(q, g[0], fine, g[1] - g[0], 0)
        planes[c] = cv2.scaleAdd(coarse, g[2] - g[1], planes[c])
        for slope, by in zip(slopes, g[3:], strict=True):
            planes[c] = cv2.scaleAdd(slope, by, planes[c])
    return np.asarray(cv2.merge(planes), np.float32), sharpened, finest


def _shrunk(rgb: RGB, size: tuple[int, int]) -> F32:
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(
        255
    )
