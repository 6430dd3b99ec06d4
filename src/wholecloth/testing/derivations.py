"""Pictures put together from several originals, with the true share of each.

A piece of one picture in another, collages, a replaced background, two donors; then laundered.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wholecloth.model.media import RGB
from wholecloth.testing.edits import blob
from wholecloth.testing.launder import encode, launder, random_chain
from wholecloth.testing.overlays import overlaid
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import Rng, scene

Labels = NDArray[np.uint8]
"""H×W: which original a pixel comes from, counted from 1 in the order of the names; 0 = none."""


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """A published picture, its originals, and what each of them explains."""

    kind: str
    originals: dict[str, bytes]
    """File bytes by name, in the order of ``labels``."""
    published: bytes
    labels: Labels
    """In the published frame."""

    @property
    def shares(self) -> dict[str, float]:
        """Share of the published frame that comes from each original, 0-1."""
        return {n: float((self.labels == i).mean()) for i, n in enumerate(self.originals, 1)}


@dataclass(frozen=True, slots=True, eq=False)
class _Composed:
    pixels: RGB
    labels: Labels


def _structured(rng: Rng, picture: RGB) -> NDArray[np.float64]:
    """A point (x, y) near the middle with something around it: heads and things have structure.

    The best of six by gradient; a piece of blue sky has no original that could be shown.
    """
    h, w = picture.shape[:2]
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    slope = np.abs(cv2.Sobel(cv2.GaussianBlur(gray, (0, 0), 1.5), cv2.CV_32F, 1, 1))
    around = cv2.blur(slope, (min(h, w) // 4, min(h, w) // 4))
    tried = [(int(w * rng.uniform(0.3, 0.7)), int(h * rng.uniform(0.3, 0.7))) for _ in range(6)]
    return np.array(max(tried, key=lambda p: around[p[1], p[0]]), np.float64)


def _turned(rng: Rng, centre: NDArray[np.float64], at: tuple[float, float]) -> NDArray[np.float64]:
    """A random similarity, perhaps mirrored, that takes ``centre`` to ``at`` = (x, y)."""
    scale, angle = float(rng.uniform(0.6, 1.5)), float(np.deg2rad(rng.uniform(-10, 10)))
    flip = -1.0 if rng.random() < 0.4 else 1.0
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[c * flip, -s], [s * flip, c]])
    return np.column_stack([turn, np.array(at) - turn @ centre])


def _piece(rng: Rng, base: _Composed, donor: RGB, share: float, label: int) -> _Composed:
    """A round or irregular piece of ``donor`` put into ``base``, feathered, colours matched."""
    h, w = base.pixels.shape[:2]
    shape = blob((h, w), share, rng)
    shift = (int(rng.uniform(-0.22, 0.22) * w), int(rng.uniform(-0.22, 0.22) * h))
    away = np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]])
    shape = np.asarray(cv2.warpAffine(shape.astype(np.uint8), away, (w, h)) > 0)
    at = (w / 2 + shift[0], h / 2 + shift[1])
    move = _turned(rng, _structured(rng, donor), at)
    moved = cv2.warpAffine(donor, move, (w, h), flags=cv2.INTER_CUBIC)
    inside = cv2.warpAffine(np.full(donor.shape[:2], 255, np.uint8), move, (w, h)) > 250
    shape &= inside
    lit = np.clip(moved * rng.uniform(0.92, 1.08, 3), 0, 255)
    soft = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), float(rng.uniform(0.8, 2.0)))
    mixed = base.pixels * (1 - soft[..., None]) + lit * soft[..., None]
    labels = np.where(shape, np.uint8(label), base.labels)
    return _Composed(np.clip(np.rint(mixed), 0, 255).astype(np.uint8), labels)


def _whole(picture: RGB) -> _Composed:
    return _Composed(picture, np.ones(picture.shape[:2], np.uint8))


def _head(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    return _piece(rng, _whole(pictures[0]), pictures[1], float(rng.uniform(0.04, 0.1)), 2)


def _object(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    return _piece(rng, _whole(pictures[0]), pictures[1], float(rng.uniform(0.08, 0.22)), 2)


def _background(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    """The subject stays, everything around it comes from elsewhere."""
    return _piece(rng, _whole(pictures[0]), pictures[1], float(rng.uniform(0.25, 0.45)), 2)


def _two_donors(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    one = _piece(rng, _whole(pictures[0]), pictures[1], float(rng.uniform(0.06, 0.14)), 2)
    return _piece(rng, one, pictures[2], float(rng.uniform(0.06, 0.14)), 3)


def _cells(rng: Rng, pictures: Sequence[RGB], rows: int, columns: int) -> _Composed:
    """A collage: each cell filled from a crop of its own picture, with or without gaps."""
    side, gap = 420, int(rng.choice([0, 0, 6, 14]))
    h, w = rows * side + (rows + 1) * gap, columns * side + (columns + 1) * gap
    pixels = np.full((h, w, 3), 255, np.uint8)
    labels = np.zeros((h, w), np.uint8)
    for i in range(rows * columns):
        y, x = gap + i // columns * (side + gap), gap + i % columns * (side + gap)
        cell = _crop(rng, pictures[i], side)
        pixels[y : y + side, x : x + side] = cell
        labels[y : y + side, x : x + side] = i + 1
    if rng.random() < 0.5:
        captioned = overlaid(pixels, "caption", rng)
        pixels, labels = captioned.pixels, np.where(captioned.mask, np.uint8(0), labels)
    return _Composed(pixels, labels)


def _crop(rng: Rng, picture: RGB, side: int) -> RGB:
    h, w = picture.shape[:2]
    edge = int(min(h, w) * rng.uniform(0.7, 1.0))
    y, x = int(rng.integers(h - edge + 1)), int(rng.integers(w - edge + 1))
    crop = picture[y : y + edge, x : x + edge]
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def _collage2(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    return _cells(rng, pictures, 1, 2)


def _collage3(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    return _cells(rng, pictures, 3, 1)


def _collage4(rng: Rng, pictures: Sequence[RGB]) -> _Composed:
    return _cells(rng, pictures, 2, 2)


KINDS: dict[str, tuple[int, Callable[[Rng, Sequence[RGB]], _Composed]]] = {
    "head": (2, _head),
    "object": (2, _object),
    "background": (2, _background),
    "two donors": (3, _two_donors),
    "collage of 2": (2, _collage2),
    "collage of 3": (3, _collage3),
    "collage of 4": (4, _collage4),
}
"""Kind → how many originals it takes, and how it is put together."""


def pool(seed: int, count: int, pictures: Sequence[RGB] | None = None) -> list[RGB]:
    """``count`` different pictures: half photographs of the package, half drawn scenes.

    ``pictures``: draw on these instead.
    """
    rng = np.random.default_rng([seed, 77])
    if pictures is None:
        real = [sized(p.pixels) for p in photographs()]
        chosen = [real[i] for i in rng.permutation(len(real))[: count // 2]]
        drawn = [scene(int(rng.integers(1 << 30))) for _ in range(count - len(chosen))]
        mixed = [*chosen, *drawn]
        return [mixed[i] for i in rng.permutation(len(mixed))]
    return [sized(pictures[i]) for i in rng.permutation(len(pictures))[:count]]


def sized(picture: RGB, longer: int = 1024) -> RGB:
    """At most ``longer`` pixels on the longer side."""
    factor = longer / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def draw_derivation(
    seed: int, kind: str, strength: str = "mild", pictures: Sequence[RGB] | None = None
) -> Derivation:
    """One derivation.

    Args:
        seed: decides everything.
        kind: one of ``KINDS``.
        strength: of the laundering: mild or repost.
        pictures: originals to draw on; photographs of the package and drawn scenes by default.
    """
    count, compose = KINDS[kind]
    rng = np.random.default_rng([seed, 5, *kind.encode()])
    own = int(rng.integers(1 << 30))
    files = [encode(p, "JPEG", 93) for p in pool(own, count, pictures)]
    composed = compose(rng, [stored(f) for f in files])
    chain = random_chain(rng, strength)
    done = launder(composed.pixels, np.zeros(composed.labels.shape, bool), chain)
    shape = stored(done.data).shape
    h, w = composed.labels.shape
    rows = slice(round(chain.crop[1] * h), round(chain.crop[3] * h))
    columns = slice(round(chain.crop[0] * w), round(chain.crop[2] * w))
    kept = np.zeros_like(composed.labels)
    kept[rows, columns] = composed.labels[rows, columns]
    labels = cv2.warpPerspective(
        kept,
        done.original_to_published,
        (shape[1], shape[0]),
        flags=cv2.INTER_NEAREST,
    )
    names = {f"original-{i}.jpg": f for i, f in enumerate(files, 1)}
    return Derivation(kind, names, done.data, np.asarray(labels, np.uint8))


def stored(data: bytes) -> RGB:
    """The pixels that a file holds."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
