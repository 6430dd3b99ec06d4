"""What hides the original of a published picture: most of the middle replaced, then a repost.

A photograph loses 15-60 % of its area to an irregular upright region around the middle, filled
from another photograph or from its own rim (no learning involved), and then goes through what
happens on the way: re-render, crop, mirror, filter, resize, text, frame, JPEG.  The chances are
those of the reference measurement, so that figures can be laid beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask
from wholecloth.testing.derivations import sized
from wholecloth.testing.edits import blob, rerender
from wholecloth.testing.fills import FILLS
from wholecloth.testing.frames import FRAMES
from wholecloth.testing.launder import Laundering, encode, moved
from wholecloth.testing.overlays import OVERLAYS
from wholecloth.testing.scenes import Rng

BUCKETS = {"15-30": (0.15, 0.30), "30-45": (0.30, 0.45), "45-60": (0.45, 0.60)}
"""Share of the original's area that is replaced."""
CROPS = (0.06, 0.12, 0.25)
"""Of a large photograph, one person's worth: share of the area that is published."""
CROP_EDITED = 0.35
"""Of such a crop, replaced."""
LONGEST = 1600
"""Longer side in pixels of the copy that is attacked: what a site hands out of a large photograph.
The file in the index stays as it is."""
LARGE = 1000
"""Longer side in pixels of photographs from which one person is cut."""
_ODDS = {"rerender": 0.35, "crop": 0.75, "mirror": 0.5, "text": 0.3}
_FRAMES = {"none": 0.4, "caption": 0.2, "border": 0.15, "screenshot": 0.25}
_COLOURS = {"none": 0.25, "mild": 0.4, "strong": 0.25, "gray": 0.1}
_STRENGTH = {"none": 0.0, "mild": 0.15, "strong": 0.4, "gray": 0.0}


@dataclass(frozen=True, slots=True)
class Attack:
    """What is done, in this order; all of it drawn before anything is."""

    bucket: str
    """One of ``BUCKETS``, or ``crop 6 %`` … of a crop from a large photograph."""
    edited: float
    """Share replaced: of the original's area, or of the crop where that comes first."""
    fill: str
    rerender: bool = False
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    """x0, y0, x1, y1 as shares of the frame."""
    mirror: bool = False
    colour: str = "none"
    scale: float = 1.0
    texts: int = 0
    """Captions laid on the picture."""
    frame: str = "none"
    quality: int = 88
    crop_first: bool = False
    """One person cut out: what is replaced is the middle of the crop, not of the photograph."""

    @property
    def kept(self) -> float:
        """Share of the area that the crop keeps."""
        x0, y0, x1, y1 = self.crop
        return (x1 - x0) * (y1 - y0)


@dataclass(frozen=True, slots=True, eq=False)
class Attacked:
    """What was published, and the truth."""

    data: bytes
    """JPEG file bytes."""
    attack: Attack
    seen: Mask
    """In the frame of the copy (``sized`` to ``LONGEST``): neither replaced nor cropped away.
    Text laid on top is not taken off."""
    original_to_published: Homography
    """From the frame of ``seen``."""
    long_side: int
    """Longer side in pixels of the photograph inside the published frame."""

    @property
    def left(self) -> float:
        """Share of the original's area that can still be seen, 0-1."""
        return float(self.seen.mean())


def draw_attack(rng: Rng, bucket: str) -> Attack:
    """One attack with the chances of the reference measurement."""
    low, high = BUCKETS[bucket]
    return Attack(
        bucket,
        edited=float(rng.uniform(low, high)),
        fill=str(rng.choice(list(FILLS))),
        rerender=bool(rng.random() < _ODDS["rerender"]),
        crop=_window(rng, float(rng.uniform(0.5, 1.0)) if rng.random() < _ODDS["crop"] else 1.0),
        mirror=bool(rng.random() < _ODDS["mirror"]),
        colour=str(rng.choice(list(_COLOURS), p=list(_COLOURS.values()))),
        scale=float(np.exp(rng.uniform(np.log(0.3), np.log(1.5)))),
        texts=int(rng.integers(1, 6)) if rng.random() < _ODDS["text"] else 0,
        frame=str(rng.choice(list(_FRAMES), p=list(_FRAMES.values()))),
        quality=int(rng.integers(30, 96)),
    )


def draw_group_crop(rng: Rng, share: float) -> Attack:
    """One person cut out of a photograph of many: a small crop whose middle is replaced."""
    plain = Attack(
        f"crop {share:.0%}".replace("%", " %"), CROP_EDITED, str(rng.choice(list(FILLS)))
    )
    return replace(
        plain,
        crop=_window(rng, share, upright=True),
        scale=float(rng.uniform(0.7, 1.0)),
        quality=int(rng.integers(60, 96)),
        crop_first=True,
    )


def attacked(picture: RGB, donor: RGB, attack: Attack, seed: int) -> Attacked:
    """Carry an attack out.

    Args:
        picture: the original; larger ones are first brought to ``LONGEST``.
        donor: another photograph, which fills the region unless it is inpainted.
        attack: what to do.
        seed: of the region's form, the noise, and the texts.
    """
    rng = np.random.default_rng([seed, 8])
    copy = sized(picture, LONGEST)
    replaced = _region(copy.shape[:2], attack, rng)
    changed = FILLS[attack.fill](copy, donor, replaced, rng)
    if attack.rerender:
        changed = rerender(changed, rng)
    chain = Laundering(crop=attack.crop, scale=attack.scale, mirror=attack.mirror)
    shown, _, move = moved(changed, replaced, chain)
    shown = _coloured(shown, attack.colour, rng)
    for _ in range(attack.texts):
        shown = OVERLAYS["caption"](shown, rng)
    framed = FRAMES[attack.frame](shown, rng)
    x, y = framed.corner
    move = np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]) @ move
    seen = np.zeros(replaced.shape, bool)
    seen[_slices(replaced.shape, attack.crop)] = True
    return Attacked(
        encode(framed.pixels, "JPEG", attack.quality),
        attack,
        seen & ~replaced,
        move / move[2, 2],
        max(shown.shape[:2]),
    )


def _window(rng: Rng, share: float, *, upright: bool = False) -> tuple[float, float, float, float]:
    """A window of that share of the area anywhere in the frame, its sides drawn a little apart."""
    turn = rng.uniform(0.0, 0.35) if upright else rng.uniform(-0.25, 0.25)
    high = min(1.0, float(np.sqrt(share * np.exp(turn))))
    wide = min(1.0, share / high)
    high = min(1.0, share / wide)
    x, y = float(rng.uniform(0, 1 - wide)), float(rng.uniform(0, 1 - high))
    return x, y, x + wide, y + high


def _slices(shape: tuple[int, ...], crop: tuple[float, float, float, float]) -> tuple[slice, slice]:
    height, width = shape
    x0, y0, x1, y1 = crop
    return slice(round(y0 * height), round(y1 * height)), slice(
        round(x0 * width), round(x1 * width)
    )


def _region(shape: tuple[int, ...], attack: Attack, rng: Rng) -> Mask:
    """Where the picture is replaced; not within two pixels of its edge, which is never seen."""
    height, width = shape
    replaced = np.zeros((height, width), bool)
    rows, columns = _slices(shape, attack.crop) if attack.crop_first else (slice(None),) * 2
    inner = replaced[rows, columns].shape
    replaced[rows, columns] = blob((inner[0], inner[1]), attack.edited, rng)
    replaced[:2], replaced[-2:], replaced[:, :2], replaced[:, -2:] = False, False, False, False
    return replaced


def _coloured(picture: RGB, how: str, rng: Rng) -> RGB:
    """A filter: gamma, one gain a channel, contrast, brightness; or no colour at all."""
    if how == "gray":
        gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        return np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB), np.uint8)
    most = _STRENGTH[how]
    if not most:
        return picture
    x = (picture.astype(np.float32) / 255) ** np.float32(np.exp(rng.uniform(-most, most)))
    x = x * (1 + 0.6 * rng.uniform(-most, most, 3)).astype(np.float32)
    contrast, light = 1 + rng.uniform(-most, most), 0.5 + 0.3 * rng.uniform(-most, most)
    x = (x - np.float32(0.5)) * np.float32(contrast) + np.float32(light)
    return np.asarray(np.clip(x, 0, 1) * 255, np.float32).round().astype(np.uint8)
