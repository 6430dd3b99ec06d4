"""What is put around a picture when it is passed on: a caption bar, a border, an app's screen.

There are only a few applications, each with its own bars, colours and buttons: pictures that have
nothing else in common share them, as they do where they are posted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wholecloth.model.media import RGB
from wholecloth.testing.scenes import Rng

APPLICATIONS = 4
_LINES = (
    "17 replies   204 shares",
    "written by somebody",
    "see the other 12",
    "4 h ago in Gardens",
    "add a comment ...",
    "not mine, found it",
    "more of this   save   report",
    "Timeline",
)


@dataclass(frozen=True, slots=True, eq=False)
class Framed:
    """A picture inside something else."""

    pixels: RGB
    corner: tuple[int, int]
    """(x, y) of the picture's top-left pixel."""


def bare(picture: RGB, rng: Rng) -> Framed:
    """Nothing around it."""
    del rng
    return Framed(picture, (0, 0))


def caption(picture: RGB, rng: Rng) -> Framed:
    """A bar with a line or two of text above or below, 8-25 % of the picture's height."""
    height, width = picture.shape[:2]
    bar = max(8, int(height * rng.uniform(0.08, 0.25)))
    ground = int(rng.choice([0, 255, 30]))
    lines = int(rng.integers(1, 3))
    strip = np.full((bar, width, 3), ground, np.uint8)
    texts = [
        (int(width * rng.uniform(0.02, 0.3)), bar * i // lines, _said(rng)) for i in range(lines)
    ]
    strip = _written(strip, texts, max(6, int(bar * 0.6 / lines)), 255 - ground)
    if rng.random() < 0.5:
        return Framed(np.vstack([strip, picture]), (0, bar))
    return Framed(np.vstack([picture, strip]), (0, 0))


def border(picture: RGB, rng: Rng) -> Framed:
    """One colour all round, 2-12 % of the longer side wide."""
    wide = max(2, int(max(picture.shape[:2]) * rng.uniform(0.02, 0.12)))
    colour = tuple(float(v) for v in rng.integers(0, 256, 3))
    around = cv2.copyMakeBorder(
        picture, wide, wide, wide, wide, cv2.BORDER_CONSTANT, value=list(colour)
    )
    return Framed(np.asarray(around, np.uint8), (wide, wide))


def screenshot(picture: RGB, rng: Rng) -> Framed:
    """The picture in the screen of one of ``APPLICATIONS``: status line, bar, words, buttons.

    The screen is 1-1.15 times as wide as the picture and 1.5-2.1 times as high as it is wide.
    """
    height, width = picture.shape[:2]
    across = int(width * rng.uniform(1.0, 1.15))
    down = int(max(height * 1.15, across * rng.uniform(1.5, 2.1)))
    number = int(rng.integers(APPLICATIONS))
    own = np.random.default_rng([19, number])  # the application's look, not this picture's
    ground, colours = int((0, 255, 18, 245)[number]), own.integers(30, 226, (6, 3))
    screen = np.full((down, across, 3), ground, np.uint8)
    top, left = int((down - height) * rng.uniform(0.2, 0.7)), (across - width) // 2
    unit = max(6, across // 24)
    cv2.rectangle(screen, (0, unit), (across, 3 * unit), _plain(colours[0]), -1)
    for i in range(5):
        x, y = (2 * i + 1) * across // 10, down - 2 * unit
        cv2.circle(screen, (x, y), unit, _plain(colours[1 + i]), max(1, unit // 6))
        cv2.line(
            screen,
            (x - unit // 2, y),
            (x + unit // 2, y - unit // 2 + i * unit // 4),
            _plain(colours[1 + i]),
            max(1, unit // 5),
        )
    cv2.circle(screen, (across - 2 * unit, 2 * unit), unit // 2 + 1, _plain(colours[5]), -1)
    texts = [(unit // 2, 0, "12:07     5G"), (unit, 3 * unit // 2, _LINES[number])]
    for y in range(4 * unit, down - 4 * unit, 2 * unit):
        if (y + 2 * unit < top or y > top + height) and rng.random() < 0.7:
            texts.append((int(across * rng.uniform(0.02, 0.5)), y, _said(rng)))
    screen = _written(screen, texts, max(6, int(0.9 * unit)), 255 - ground)
    screen[top : top + height, left : left + width] = picture
    return Framed(screen, (left, top))


def _said(rng: Rng) -> str:
    return f"{_LINES[int(rng.integers(len(_LINES)))]} {int(rng.integers(1_000_000))}"


def _plain(colour: object) -> tuple[int, int, int]:
    red, green, blue = np.asarray(colour).tolist()
    return int(red), int(green), int(blue)


def _written(canvas: RGB, texts: list[tuple[int, int, str]], size: int, ink: int) -> RGB:
    """Lines of text, each at its (x, y) of the top-left corner, ``size`` px high."""
    image = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for x, y, text in texts:
        draw.text((x, y), text, fill=(ink,) * 3, font=font)
    return np.array(image, np.uint8)


FRAMES: dict[str, Callable[[RGB, Rng], Framed]] = {
    "none": bare,
    "caption": caption,
    "border": border,
    "screenshot": screenshot,
}
