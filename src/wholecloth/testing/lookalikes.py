"""Pairs that look alike and are no derivation of each other.

Two frames of a burst, the same things elsewhere, the same material, the same facade, the same
caption or application around other pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from wholecloth.model.media import RGB
from wholecloth.testing.derivations import pool, stored
from wholecloth.testing.edits import blob
from wholecloth.testing.launder import encode, launder, random_chain
from wholecloth.testing.overlays import OVERLAYS
from wholecloth.testing.scenes import Rng, noise_field, scene, surface


@dataclass(frozen=True, slots=True, eq=False)
class LookAlike:
    """Two files; neither was made from the other."""

    kind: str
    candidate: bytes
    published: bytes


Pair = tuple[RGB, RGB]


def photographed_again(picture: RGB, rng: Rng, bend: float = 1.2, noise: float = 2.5) -> RGB:
    """The same view through another exposure: bent by ``bend`` px, other noise, other light.

    ``noise``: standard deviation in levels.
    """
    h, w = picture.shape[:2]
    field = [noise_field(rng, w, h, 2.0) * np.float32(bend) for _ in range(2)]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    bent = cv2.remap(
        picture, x + field[0], y + field[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    lit = bent.astype(np.float32) * np.float32(rng.uniform(0.93, 1.07))
    grain = rng.normal(0, noise, lit.shape)
    return np.clip(np.rint(lit + grain), 0, 255).astype(np.uint8)


def _moved(picture: RGB, rng: Rng, share: float) -> RGB:
    """Zoomed and shifted by up to ``share`` of the frame, as another standpoint shows a plane."""
    h, w = picture.shape[:2]
    zoom = 1 + float(rng.uniform(0, share))
    shift = rng.uniform(-share, share, 2) * (w, h)
    centre = np.array([w / 2, h / 2])
    move = np.column_stack([np.eye(2) * zoom, centre + shift - zoom * centre])
    return np.asarray(
        cv2.warpAffine(picture, move, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT),
        np.uint8,
    )


def _over(back: RGB, front: RGB, where: RGB) -> RGB:
    soft = cv2.GaussianBlur(where.astype(np.float32), (0, 0), 0.8)[..., None]
    mixed = back * (1 - soft) + front * soft
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _burst(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    """Two depths that move differently by 1-5 % of the frame, and a thing that walked."""
    back, front = pictures[0], _fitted(pictures[1], pictures[0])
    h, w = back.shape[:2]
    near = blob((h, w), float(rng.uniform(0.15, 0.4)), rng).astype(np.uint8)
    first = _over(back, front, near)
    step = float(rng.uniform(0.01, 0.05))
    angle = float(rng.uniform(0, 2 * np.pi))
    shift = np.array([np.cos(angle), np.sin(angle)]) * step * w
    zoom = 1 + float(rng.uniform(-0.03, 0.03))
    move = np.column_stack([np.eye(2) * zoom, shift + (1 - zoom) * np.array([w / 2, h / 2])])
    size = (w, h)
    far = _moved(back, rng, 0.01)
    front2 = cv2.warpAffine(front, move, size, flags=cv2.INTER_CUBIC)
    near2 = cv2.warpAffine(near, move, size, flags=cv2.INTER_NEAREST)
    second = _over(far, np.asarray(front2, np.uint8), np.asarray(near2, np.uint8))
    if rng.random() < 0.5:
        walker = np.roll(blob((h, w), 0.02, rng), int(rng.uniform(-0.3, 0.3) * w), axis=1)
        second = _over(second, scene(int(rng.integers(1 << 30)), size), walker.astype(np.uint8))
    bend = float(rng.uniform(0.3, 1.5))
    return photographed_again(first, rng, 0.3), photographed_again(second, rng, bend)


def _things(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    """The same things on another ground: turned, nearer or farther, bent by their own relief."""
    out = []
    size = (1024, 768)
    seeds = rng.integers(1 << 30, size=4)
    for n in range(2):
        ground = _sized_to(pictures[n], size)
        for place, seed in enumerate(seeds):
            thing_rng = np.random.default_rng(int(seed))
            cloth = surface(thing_rng, 220, 220, thing_rng.uniform(40, 215, 3).astype(np.float32))
            thing = photographed_again(np.clip(cloth, 0, 255).astype(np.uint8), rng, 4.0)
            turn = cv2.getRotationMatrix2D(
                (110, 110), float(rng.uniform(-25, 25)), float(rng.uniform(0.75, 1.2))
            )
            turn[:, 2] += np.array([20.0 + 230 * place, rng.uniform(90, 450)])
            turn[:, :2] @= np.diag(rng.uniform(0.85, 1.15, 2))
            disc = np.zeros((220, 220), np.uint8)
            cv2.circle(disc, (110, 110), 95, 1, -1)
            laid = cv2.warpAffine(thing, turn, size, flags=cv2.INTER_CUBIC)
            where = cv2.warpAffine(disc, turn, size, flags=cv2.INTER_NEAREST)
            ground = _over(ground, np.asarray(laid, np.uint8), np.asarray(where, np.uint8))
        out.append(ground)
    return out[0], out[1]


def _material(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    """The same material from another place: the two halves of one brick wall, cloth, gravel."""
    del pictures
    wall = surface(rng, 2048, 768, rng.uniform(60, 200, 3).astype(np.float32), 24)
    flat = np.clip(wall, 0, 255).astype(np.uint8)
    return photographed_again(flat[:, :1024], rng), photographed_again(flat[:, 1024:], rng)


def _facade(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    """Two facades of the same windows in the same grid; what is in each window differs."""
    del pictures
    across, down = int(rng.integers(5, 9)), int(rng.integers(4, 7))
    w, h = 1008 // across, 756 // down
    wall = rng.uniform(90, 210, 3).astype(np.float32)
    frame = rng.uniform(30, 240, 3).astype(np.float32)
    out = []
    for _ in range(2):
        canvas = surface(rng, 1024, 768, wall, 10)
        for r in range(down):
            for c in range(across):
                x, y = 8 + c * w + w // 5, 6 + r * h + h // 6
                ww, hh = int(w * 0.6), int(h * 0.68)
                canvas[y : y + hh, x : x + ww] = frame
                shade = rng.uniform(20, 200, 3).astype(np.float32)
                pane = surface(rng, ww - 12, hh - 12, shade, 24)
                canvas[y + 6 : y + hh - 6, x + 6 : x + ww - 6] = pane
        flat = np.clip(canvas, 0, 255).astype(np.uint8)
        out.append(photographed_again(flat, rng, 1.0))
    return out[0], out[1]


def _same_overlay(kind: str) -> Callable[[Rng, Sequence[RGB]], Pair]:
    def lay(rng: Rng, pictures: Sequence[RGB]) -> Pair:
        seed = int(rng.integers(1 << 30))
        size = (1024, 768)
        first, second = (
            OVERLAYS[kind](_sized_to(p, size), np.random.default_rng(seed)) for p in pictures[:2]
        )
        return first, second

    return lay


def _application(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    """Two screenshots of one application: the same bars and words around other pictures."""
    w, h = 720, 1280
    dark = rng.random() < 0.5
    ground = np.full((h, w, 3), 22 if dark else 250, np.uint8)
    ink = 235 if dark else 30
    seed = int(rng.integers(1 << 30))
    bars = np.random.default_rng(seed)
    cv2.rectangle(ground, (0, 0), (w, 110), (40, 90, 200) if not dark else (38, 38, 44), -1)
    for i in range(5):
        x = 60 + 145 * i
        cv2.circle(ground, (x, 1215), 30, tuple(int(v) for v in bars.integers(0, 255, 3)), 4)
        cv2.line(ground, (x - 12, 1215), (x + 14, 1205 + 3 * i), (ink,) * 3, 4)
    for i, text in enumerate(("Timeline", "17 replies   204 shares", "written by somebody")):
        where = (30, (70, 1010, 1060)[i])
        cv2.putText(ground, text, where, cv2.FONT_HERSHEY_SIMPLEX, 1.1, (ink,) * 3, 2)
    cv2.circle(ground, (640, 55), 34, (250, 200, 40), -1)
    out = []
    for picture in pictures[:2]:
        screen = ground.copy()
        screen[140:960, 20:700] = _sized_to(picture, (680, 820))
        out.append(screen)
    return out[0], out[1]


def _ornament(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    """The same drawn frame around two pictures."""
    size = (1024, 768)
    colour, line = (tuple(int(v) for v in rng.integers(20, 240, 3)) for _ in range(2))
    step = int(rng.integers(34, 60))
    out = []
    for picture in pictures[:2]:
        framed = _sized_to(picture, size).copy()
        edge = np.zeros(framed.shape[:2], bool)
        edge[:70], edge[-70:], edge[:, :70], edge[:, -70:] = True, True, True, True
        drawn = np.full_like(framed, colour)
        for x in range(step // 2, size[0], step):
            for y in (35, size[1] - 35):
                cv2.circle(drawn, (x, y), 14, line, 3)
        for y in range(step // 2, size[1], step):
            for x in (35, size[0] - 35):
                cv2.rectangle(drawn, (x - 10, y - 10), (x + 10, y + 10), line, 2)
        framed[edge] = drawn[edge]
        out.append(framed)
    return out[0], out[1]


def _unrelated(rng: Rng, pictures: Sequence[RGB]) -> Pair:
    del rng
    return pictures[0], pictures[1]


def _fitted(picture: RGB, other: RGB) -> RGB:
    return _sized_to(picture, (other.shape[1], other.shape[0]))


def _sized_to(picture: RGB, size: tuple[int, int]) -> RGB:
    """Cut to the aspect of ``size`` = (width, height), then resized."""
    h, w = picture.shape[:2]
    factor = min(w / size[0], h / size[1])
    cw, ch = int(size[0] * factor), int(size[1] * factor)
    crop = picture[(h - ch) // 2 : (h - ch) // 2 + ch, (w - cw) // 2 : (w - cw) // 2 + cw]
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


KINDS: dict[str, Callable[[Rng, Sequence[RGB]], Pair]] = {
    "burst": _burst,
    "same things elsewhere": _things,
    "same material": _material,
    "same facade": _facade,
    "same caption": _same_overlay("caption"),
    "same sticker": _same_overlay("sticker"),
    "same logo": _same_overlay("logo"),
    "same controls": _same_overlay("controls"),
    "same application": _application,
    "same drawn frame": _ornament,
    "unrelated": _unrelated,
}


def draw_lookalike(
    seed: int, kind: str, strength: str = "mild", pictures: Sequence[RGB] | None = None
) -> LookAlike:
    """One pair of ``KINDS``; the second is laundered as a published picture would be."""
    rng = np.random.default_rng([seed, 6, *kind.encode()])
    first, second = KINDS[kind](rng, pool(int(rng.integers(1 << 30)), 2, pictures))
    kept = stored(encode(second, "JPEG", 93))
    done = launder(kept, np.zeros(kept.shape[:2], bool), random_chain(rng, strength))
    return LookAlike(kind, encode(first, "JPEG", 93), done.data)
