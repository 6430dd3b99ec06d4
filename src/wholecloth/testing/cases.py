"""Whole cases: an original, what was published of it, and the truth.

``python -m wholecloth.testing.cases DIR`` draws a folder to try the program on.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask
from wholecloth.testing.edits import EDITS, blob
from wholecloth.testing.launder import Laundering, encode, launder, random_chain
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import scene


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One pair with its truth."""

    original: bytes
    """JPEG file bytes."""
    published: bytes
    mask: Mask
    """Changed pixels, published frame."""
    original_to_published: Homography


def draw_case(
    seed: int,
    kind: str | None = "splice",
    chain: Laundering | str = "repost",
    *,
    size: tuple[int, int] = (1024, 768),
    picture: RGB | None = None,
) -> Case:
    """One pair.

    Args:
        seed: decides scene, edit and laundering.
        kind: one of ``edits.EDITS``, or None for a benign copy.
        chain: a ``Laundering``, or the strength of a random one.
        size: (width, height) of the scene.
        picture: use this instead of a drawn scene.
    """
    rng = np.random.default_rng(seed)
    before = scene(seed, size) if picture is None else picture
    original = encode(before, "JPEG", 94)
    # Edit what the file holds, not what was drawn: the original's own JPEG losses are in both.
    stored = np.asarray(Image.open(io.BytesIO(original)).convert("RGB"))
    pixels, mask = stored, np.zeros(stored.shape[:2], bool)
    if kind is not None:
        edited = EDITS[kind](stored, rng)
        pixels, mask = edited.pixels, edited.mask
    how = random_chain(rng, chain) if isinstance(chain, str) else chain
    done = launder(pixels, mask, how)
    return Case(original, done.data, done.mask, done.original_to_published)


@dataclass(frozen=True, slots=True, eq=False)
class PartialCase:
    """A cut-out of one picture in another."""

    donor: bytes
    host: bytes
    published: bytes
    share: float
    """Of the published frame that the donor explains."""


def draw_partial(seed: int, share: float = 0.2) -> PartialCase:
    """A region cut from one scene and placed, a little enlarged, into an unrelated one."""
    rng = np.random.default_rng(seed)
    donor, host = scene(seed), scene(seed + 100_001)
    height, width = host.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-6, 6)), 1.15)
    moved = cv2.warpAffine(donor, turn, (width, height), flags=cv2.INTER_CUBIC)
    mask = blob((height, width), share, rng)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.0)[..., None]
    mixed = np.clip(np.rint(host * (1 - soft) + moved * soft), 0, 255).astype(np.uint8)
    return PartialCase(
        encode(donor, "JPEG", 94), encode(host, "JPEG", 94), encode(mixed, "JPEG", 88),
        float(mask.mean()),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFolder:
    """A published picture and a folder of candidates on disk."""

    published: Path
    photos: Path
    original: Path
    mask: Mask


def draw_folder(
    folder: Path, seed: int = 7, candidates: int = 20, kind: str = "recloth"
) -> DrawnFolder:
    """Write ``published.jpg`` and ``photos/`` with the original among ``candidates`` files."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    case = draw_case(seed, kind)
    (folder / "published.jpg").write_bytes(case.published)
    rng = np.random.default_rng(seed)
    others = [encode(p.pixels, "JPEG", 90) for p in photographs()][: candidates // 2]
    while len(others) < candidates - 1:
        others.append(encode(scene(seed + 4000 + len(others)), "JPEG", 90))
    files = [*others[: candidates - 1]]
    place = int(rng.integers(len(files) + 1))
    files.insert(place, case.original)
    for number, data in enumerate(files):
        (photos / f"photo-{number:03d}.jpg").write_bytes(data)
    original = photos / f"photo-{place:03d}.jpg"
    return DrawnFolder(folder / "published.jpg", photos, original, case.mask)


def main() -> None:
    """Draw a folder from the command line."""
    parser = argparse.ArgumentParser(description="Draw an edited pair and candidates to try on.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--candidates", type=int, default=20)
    given = parser.parse_args()
    drawn = draw_folder(given.folder, given.seed, given.candidates)
    print(f"published  {drawn.published}\ncandidates {drawn.photos}\noriginal   {drawn.original}")  # noqa: T201


if __name__ == "__main__":
    main()
