"""What reposts lay on top of a picture: captions, logos, stickers, bars, blur boxes, buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wholecloth.model.media import RGB, Mask
from wholecloth.testing.scenes import Rng

Canvas = ImageDraw.ImageDraw


@dataclass(frozen=True, slots=True, eq=False)
class Overlaid:
    """A picture with something on top."""

    pixels: RGB
    mask: Mask
    """Pixels that differ from what was there before."""


def _drawn(pixels: RGB, draw: Callable[[Canvas, int, int], None], alpha: float = 1.0) -> RGB:
    """Draw on a transparent layer and composite it with an opacity."""
    layer = Image.new("RGBA", (pixels.shape[1], pixels.shape[0]), (0, 0, 0, 0))
    draw(ImageDraw.Draw(layer), pixels.shape[1], pixels.shape[0])
    if alpha < 1:
        layer.putalpha(layer.getchannel("A").point(lambda v: round(v * alpha)))
    base = Image.fromarray(pixels).convert("RGBA")
    return np.asarray(Image.alpha_composite(base, layer).convert("RGB"))


def _colour(rng: Rng) -> tuple[int, int, int]:
    plain = (
        (255, 255, 255),
        (0, 0, 0),
        (255, 221, 0),
        (230, 30, 40),
        (20, 120, 240),
        (30, 200, 90),
    )
    return plain[int(rng.integers(len(plain)))]


_WORDS = ("SUMMER DEAL", "look at this", "Nr. 42", "12:07", "follow me", "BREAKING", "ok then")


def caption(pixels: RGB, rng: Rng) -> RGB:
    """A line of text, with or without an outline."""
    h, w = pixels.shape[:2]
    size = int(h * rng.uniform(0.05, 0.11))
    text, fill = str(rng.choice(_WORDS)), _colour(rng)
    x, y = int(w * rng.uniform(0.03, 0.4)), int(h * rng.uniform(0.05, 0.85))
    edge = tuple(255 - c for c in fill) if rng.random() < 0.6 else None

    def draw(d: Canvas, _w: int, _h: int) -> None:
        font = ImageFont.load_default(size)
        width = max(1, size // 16) if edge else 0
        d.text((x, y), text, fill=fill, font=font, stroke_width=width, stroke_fill=edge)

    return _drawn(pixels, draw)


def watermark(pixels: RGB, rng: Rng) -> RGB:
    """Large text, half transparent."""
    h = pixels.shape[0]
    size = int(h * rng.uniform(0.12, 0.2))
    y = int(h * rng.uniform(0.2, 0.7))

    def draw(d: Canvas, w: int, _h: int) -> None:
        d.text(
            (int(w * 0.06), y), "SAMPLE", fill=(255, 255, 255), font=ImageFont.load_default(size)
        )

    return _drawn(pixels, draw, float(rng.uniform(0.45, 0.7)))


def logo(pixels: RGB, rng: Rng) -> RGB:
    """A disc with a letter, in a corner."""
    h, w = pixels.shape[:2]
    r = int(h * rng.uniform(0.05, 0.1))
    x = r + 8 if rng.random() < 0.5 else w - r - 8
    y = r + 8 if rng.random() < 0.5 else h - r - 8
    fill = _colour(rng)

    def draw(d: Canvas, _w: int, _h: int) -> None:
        d.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        ink = (255, 255, 255) if sum(fill) < 500 else (0, 0, 0)
        d.text((x, y), "W", fill=ink, font=ImageFont.load_default(int(r * 1.2)), anchor="mm")

    return _drawn(pixels, draw)


def sticker(pixels: RGB, rng: Rng) -> RGB:
    """A drawn face of flat colours, with a rim."""
    h, w = pixels.shape[:2]
    r = int(h * rng.uniform(0.08, 0.16))
    x, y = int(rng.uniform(r, w - r)), int(rng.uniform(r, h - r))

    def draw(d: Canvas, _w: int, _h: int) -> None:
        d.ellipse(
            (x - r, y - r, x + r, y + r), fill=(255, 204, 51), outline=(255, 255, 255), width=4
        )
        for side in (-1, 1):
            ex = x + side * r * 0.38
            d.ellipse((ex - r * 0.13, y - r * 0.4, ex + r * 0.13, y - r * 0.05), fill=(80, 50, 20))
        d.chord((x - r * 0.5, y - r * 0.2, x + r * 0.5, y + r * 0.6), 0, 180, fill=(180, 40, 40))

    return _drawn(pixels, draw)


def bar(pixels: RGB, rng: Rng) -> RGB:
    """An opaque bar, perhaps turned."""
    h, w = pixels.shape[:2]
    long, high = w * rng.uniform(0.15, 0.4), h * rng.uniform(0.05, 0.14)
    centre = (float(rng.uniform(0.25, 0.75) * w), float(rng.uniform(0.2, 0.8) * h))
    box = cv2.boxPoints((centre, (float(long), float(high)), float(rng.choice([0, 0, 8, -15]))))
    fill = (0, 0, 0) if rng.random() < 0.6 else _colour(rng)

    def draw(d: Canvas, _w: int, _h: int) -> None:
        d.polygon([tuple(map(float, p)) for p in box], fill=fill)

    return _drawn(pixels, draw)


def blur_box(pixels: RGB, rng: Rng) -> RGB:
    """A rectangle or ellipse blurred or made into large pixels."""
    h, w = pixels.shape[:2]
    a, b = int(w * rng.uniform(0.08, 0.18)), int(h * rng.uniform(0.08, 0.18))
    x, y = int(rng.uniform(a, w - a)), int(rng.uniform(b, h - b))
    if rng.random() < 0.5:
        hidden = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(8, 16)))
    else:
        n = int(rng.integers(12, 26))
        small = cv2.resize(pixels, (max(1, w // n), max(1, h // n)), interpolation=cv2.INTER_AREA)
        hidden = cv2.resize(small, (w, h), interpolation=cv2.INTER_NEAREST)
    where = np.zeros((h, w), np.uint8)
    if rng.random() < 0.5:
        cv2.rectangle(where, (x - a, y - b), (x + a, y + b), 1, -1)
    else:
        cv2.ellipse(where, (x, y), (a, b), 0, 0, 360, 1, -1)
    return np.where(where[..., None] > 0, np.asarray(hidden, np.uint8), pixels)


def controls(pixels: RGB, rng: Rng) -> RGB:
    """A player's bar with buttons, a time, and perhaps a cursor."""
    h, w = pixels.shape[:2]
    high = int(h * rng.uniform(0.06, 0.1))
    shade = (24, 24, 28) if rng.random() < 0.7 else (250, 250, 250)
    ink = tuple(255 - c for c in shade)

    def draw(d: Canvas, _w: int, _h: int) -> None:
        d.rectangle((0, h - high, w, h), fill=shade)
        m = high / 2
        d.polygon([(m, h - 1.5 * m), (m, h - 0.5 * m), (2 * m, h - m)], fill=ink)
        d.line((3 * m, h - m, w - 6 * m, h - m), fill=(200, 30, 30), width=4)
        font = ImageFont.load_default(int(high * 0.45))
        d.text((w - 5 * m, h - m), "0:42", fill=ink, font=font, anchor="lm")
        if rng.random() < 0.5:
            x, y = w * 0.4, h * 0.35
            points = [(x, y), (x, y + 34), (x + 9, y + 26), (x + 23, y + 25)]
            d.polygon(points, fill=(255, 255, 255), outline=(0, 0, 0))

    return _drawn(pixels, draw)


OVERLAYS: dict[str, Callable[[RGB, Rng], RGB]] = {
    "caption": caption,
    "watermark": watermark,
    "logo": logo,
    "sticker": sticker,
    "bar": bar,
    "blur box": blur_box,
    "controls": controls,
}


def overlaid(pixels: RGB, kind: str, rng: Rng) -> Overlaid:
    """Lay one of ``OVERLAYS`` on a picture."""
    done = OVERLAYS[kind](pixels, rng)
    return Overlaid(done, np.asarray((done != pixels).any(axis=2)))
