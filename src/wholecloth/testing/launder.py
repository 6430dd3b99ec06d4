"""What happens to a picture on its way to being published, with the exact homography."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask
from wholecloth.testing.scenes import Rng

_KERNELS = {
    "area": cv2.INTER_AREA,
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}


@dataclass(frozen=True, slots=True)
class Laundering:
    """A chain, in this order: crop, resize, mirror, tone, sharpen, frame, encode."""

    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """x0, y0, x1, y1 as shares of the frame."""
    scale: float = 1.0
    mirror: bool = False
    gain: float = 1.0
    gamma: float = 1.0
    saturation: float = 1.0
    sharpen: float = 0.0
    blur: float = 0.0
    frame: int = 0
    """Border of one colour in pixels, all round."""
    frame_colour: tuple[int, int, int] = (255, 255, 255)
    qualities: tuple[int, ...] = (88,)
    """JPEG qualities, one after the other; the last is the published file's."""
    subsampling: int = 2
    format: str = "JPEG"
    vignette: float = 0.0
    """Darkening towards the corners, as a share."""
    curve: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """A tone curve of its own for each of R, G, B, as photograph apps' "looks" have: the height of
    a sine over the range, as a share of full scale."""
    denoise: int = 0
    """Side of a median filter in pixels, odd; 0 = none."""
    grain: float = 0.0
    """Standard deviation of added noise, in levels."""
    seed: int = 1
    """Of the grain."""
    kernel: str = "area"
    """How it is resized: area, nearest, linear, cubic, lanczos."""


@dataclass(frozen=True, slots=True, eq=False)
class Laundered:
    """What was published."""

    data: bytes
    mask: Mask
    """The input mask in the published frame; False in added borders."""
    original_to_published: Homography


def encode(pixels: RGB, format_: str = "JPEG", quality: int = 90, **text: str) -> bytes:
    """File bytes; ``text`` becomes PNG text chunks (a generator's mark on a drawn picture)."""
    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if format_ == "PNG":
        info = PngImagePlugin.PngInfo()
        for key, value in text.items():
            info.add_text(key, value)
        image.save(buffer, "PNG", pnginfo=info)
    else:
        image.save(buffer, format_, quality=quality)
    return buffer.getvalue()


def random_chain(rng: Rng, strength: str = "repost") -> Laundering:
    """A plausible chain: ``mild`` re-encodes and resizes, ``repost`` does what reposts do."""
    chain = Laundering(scale=float(rng.uniform(0.7, 1.0)), qualities=(int(rng.integers(75, 95)),))
    if strength == "mild":
        return chain
    left, top = rng.uniform(0, 0.12, 2)
    right, bottom = 1 - rng.uniform(0, 0.12, 2)
    return replace(
        chain,
        crop=(float(left), float(top), float(right), float(bottom)),
        scale=float(rng.uniform(0.5, 1.2)),
        mirror=bool(rng.random() < 0.3),
        gain=float(rng.uniform(0.85, 1.15)),
        gamma=float(rng.uniform(0.85, 1.2)),
        saturation=float(rng.uniform(0.8, 1.3)),
        sharpen=float(rng.choice([0, 0, 0.4])),
        frame=int(rng.choice([0, 0, 24])),
        qualities=tuple(int(q) for q in rng.integers(65, 95, int(rng.integers(1, 3)))),
        subsampling=int(rng.choice([0, 2])),
    )


def launder(pixels: RGB, mask: Mask, chain: Laundering) -> Laundered:
    """Apply a chain to a picture and its truth."""
    picture, truth, move = moved(pixels, mask, chain)
    picture = _toned(picture, chain)
    if chain.frame:
        f = chain.frame
        border = cv2.copyMakeBorder(
            picture, f, f, f, f, cv2.BORDER_CONSTANT, value=[float(v) for v in chain.frame_colour]
        )
        picture, truth = np.asarray(border, np.uint8), np.pad(truth, f)
        move = np.array([[1.0, 0, f], [0, 1, f], [0, 0, 1]]) @ move
    return Laundered(_encoded(picture, chain), truth, move / move[2, 2])


def moved(pixels: RGB, mask: Mask, chain: Laundering) -> tuple[RGB, Mask, Homography]:
    """The first steps of a chain: crop, resize, mirror."""
    height, width = pixels.shape[:2]
    x0, y0 = round(chain.crop[0] * width), round(chain.crop[1] * height)
    x1, y1 = round(chain.crop[2] * width), round(chain.crop[3] * height)
    picture, truth = pixels[y0:y1, x0:x1], mask[y0:y1, x0:x1].astype(np.float32)
    move = np.array([[1.0, 0, -x0], [0, 1, -y0], [0, 0, 1]])
    size = (round((x1 - x0) * chain.scale), round((y1 - y0) * chain.scale))
    if size != (x1 - x0, y1 - y0):
        sx, sy = size[0] / (x1 - x0), size[1] / (y1 - y0)
        how = _KERNELS[chain.kernel]
        if chain.kernel == "area" and chain.scale > 1:
            how = cv2.INTER_CUBIC
        picture = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
        truth = np.asarray(cv2.resize(truth, size, interpolation=cv2.INTER_AREA), np.float32)
        move = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]]) @ move
    if chain.mirror:
        picture, truth = picture[:, ::-1], truth[:, ::-1]
        move = np.array([[-1.0, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]]) @ move
    return picture, np.asarray(truth >= 0.5), move


def _toned(picture: RGB, chain: Laundering) -> RGB:
    x = picture.astype(np.float32) / 255
    gray = x @ np.array([0.299, 0.587, 0.114], np.float32)
    x = np.asarray(gray[..., None] + chain.saturation * (x - gray[..., None]), np.float32)
    x = np.asarray(np.clip(chain.gain * x, 0, 1) ** chain.gamma, np.float32)
    if any(chain.curve):
        x = x + np.array(chain.curve, np.float32) * np.sin(np.pi * x).astype(np.float32)
    if chain.vignette:
        down, across = np.mgrid[-1 : 1 : x.shape[0] * 1j, -1 : 1 : x.shape[1] * 1j]
        fall = 1 - chain.vignette * (down**2 + across**2) / 2
        x = np.asarray(x * fall[..., None], np.float32)
    x = np.asarray(np.clip(x, 0, 1) * 255, np.float32)
    if chain.denoise:
        eight = np.clip(np.rint(x), 0, 255).astype(np.uint8)
        x = np.asarray(cv2.medianBlur(eight, chain.denoise), np.float32)
    if chain.blur:
        x = np.asarray(cv2.GaussianBlur(x, (0, 0), chain.blur), np.float32)
    if chain.sharpen:
        x = x + chain.sharpen * (x - cv2.GaussianBlur(x, (0, 0), 1.2))
    if chain.grain:
        noise = np.random.default_rng(chain.seed).normal(0, chain.grain, x.shape[:2])
        x = x + noise[..., None].astype(np.float32)
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


def _encoded(picture: RGB, chain: Laundering) -> bytes:
    if chain.format != "JPEG":
        return encode(picture, chain.format)
    data = b""
    for quality in chain.qualities:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(
            buffer, "JPEG", quality=quality, subsampling=chain.subsampling
        )
        data = buffer.getvalue()
        picture = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return data
