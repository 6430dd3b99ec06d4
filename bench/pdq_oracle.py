"""Compare wholecloth's PDQ with the ``pdqhash`` package, the reference's code behind a binding.

Run where ``pdqhash`` (which needs a compiler), numpy and Pillow are installed::

    PYTHONPATH=src python bench/pdq_oracle.py --drawn 500 [FOLDER]

Each picture is hashed three ways, plain and in eight orientations, bits and quality:

* *same luma*: both take the binding's luma (float64, rounded once);
* *grey*: both take the green channel alone, where the two lumas are the same number;
* *colour*: both take the picture itself, each with its own luma: ours is the reference's own,
  float32 throughout, a unit in the last place from the binding's.

Exit 1 on any difference in the first two, or in the third for a picture whose first differs.
A difference in the third alone is the binding's luma: it is counted and shown, and makes the
exit 1 only with ``--strict``.  It needs cosine terms tied with their median but for rounding:
usual in pictures of a few flat blocks or exactly 8 pixels wide or high, whose terms are zero by
the dozen, and otherwise a rare two bits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pdqhash  # type: ignore[import-not-found,import-untyped,unused-ignore]
from numpy.typing import NDArray
from PIL import Image

from wholecloth.intake.pdq import PdqHash, _faces, _hash, dihedral, distance, pdq

Pixels = NDArray[np.uint8]
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass
class Tally:
    """One way of comparing: pictures compared, equal, and the most bits two hashes differed in."""

    name: str
    compared: int = 0
    equal: int = 0
    most: int = 0

    def take(self, ours: tuple[PdqHash, ...], theirs: tuple[PdqHash, ...]) -> bool:
        """Record one picture; true when every hash and quality agrees."""
        same = ours == theirs
        pairs = zip(ours, theirs, strict=True)
        self.compared += 1
        self.equal += same
        self.most = max(self.most, *(distance(a.bits, b.bits) for a, b in pairs))
        return same


def drawn(count: int, seed: int) -> Iterator[tuple[str, Pixels]]:
    """Yield ``count`` pictures of assorted sizes: noise, blends, blends with grain, flat blocks."""
    rng = np.random.default_rng(seed)
    spans = ((1, 12), (5, 200), (5, 200), (64, 65), (100, 1300), (100, 1300))
    for index in range(count):
        low, high = spans[index % len(spans)]
        height, width = (int(side) for side in rng.integers(low, high, 2))
        kind = int(rng.integers(4))
        if kind == 0:
            picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        else:
            cells = rng.integers(0, 256, (*rng.integers(2, 12, 2), 3), dtype=np.uint8)
            how = Image.Resampling.NEAREST if kind == 3 else Image.Resampling.BICUBIC
            picture = np.asarray(Image.fromarray(cells).resize((width, height), how))
            if kind == 2:
                grain = rng.normal(0, 12, picture.shape)
                picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
        yield f"drawn {index} ({height} x {width}, kind {kind})", np.ascontiguousarray(picture)


def stored(folder: Path) -> Iterator[tuple[str, Pixels]]:
    """Yield the pictures below ``folder``, each as RGB; those Pillow cannot read are named."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        try:
            with Image.open(path) as image:
                picture = np.asarray(image.convert("RGB"))
        except (OSError, ValueError) as error:
            print(f"not read: {path}: {error}")
            continue
        yield str(path), np.ascontiguousarray(picture)


def theirs(rgb: Pixels) -> tuple[PdqHash, ...]:
    """The binding's plain hash and its eight."""
    vector, quality = pdqhash.compute(rgb)
    vectors, shared = pdqhash.compute_dihedral(rgb)
    packed = [np.packbits(np.asarray(v, np.uint8)).tobytes() for v in (vector, *vectors)]
    return (PdqHash(packed[0], quality), *(PdqHash(bits, shared) for bits in packed[1:]))


def main() -> int:
    """Compare, print the tallies and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="also every picture below here")
    parser.add_argument("--drawn", type=int, default=500, metavar="N", help="pictures to draw")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn pictures")
    parser.add_argument("--strict", action="store_true", help="the binding's luma counts as well")
    args = parser.parse_args()
    if args.folder is not None and not args.folder.is_dir():
        parser.error(f"{args.folder} is not a folder")

    sources = {"drawn": drawn(args.drawn, args.seed)}
    if args.folder is not None:
        sources["stored"] = stored(args.folder)
    failed = False
    for source, pictures in sources.items():
        luma, grey, colour = (Tally(f"{source}, {way}") for way in ("same luma", "grey", "colour"))
        for name, rgb in pictures:
            green = rgb[:, :, 1]
            known = theirs(rgb)
            plane = (rgb[:, :, 0] * 0.299 + rgb[:, :, 1] * 0.587 + rgb[:, :, 2] * 0.114).astype(
                np.float32
            )
            good = luma.take((_hash(plane), *_faces(plane)), known)
            known_grey = theirs(np.ascontiguousarray(np.stack([green] * 3, axis=2)))
            good &= grey.take((pdq(green), *dihedral(green)), known_grey)
            close = colour.take((pdq(rgb), *dihedral(rgb)), known)
            if not good:
                print(f"differs: {name}")
            elif not close:
                print(f"differs by the binding's luma only: {name}")
            failed |= not good or (args.strict and not close)
        for tally in (luma, grey, colour):
            print(
                f"{tally.name}: {tally.compared} compared, {tally.equal} equal, "
                f"largest difference {tally.most} of 256 bits"
            )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
