"""Re-drawn frames with an edit on top: what the smooth field does for the edit's mask.

    python bench/drift.py [SEED]

Drawn scenes and package photographs are re-drawn, bent by up to 0, 1, 3 and 6 px, with fine
structure kept at .7 and .4, edited, and stored as JPEG of quality 85.  A row is a mean over
pictures: fields believed, field error away from the edit (px, median) and inside it, IoU and false
area without and with the field.
"""

from __future__ import annotations

import io
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from PIL import Image

from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment
from wholecloth.model.media import RGB
from wholecloth.registration.field import read_from
from wholecloth.registration.refine import register
from wholecloth.registration.track import refined
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.verify import verify
from wholecloth.testing.edits import drift, recloth, splice
from wholecloth.testing.launder import encode
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import scene

NOTHING = np.zeros((4, 4, 2), np.float32)


def stored(pixels: RGB, quality: int) -> RGB:
    return np.asarray(Image.open(io.BytesIO(encode(pixels, "JPEG", quality))).convert("RGB"))


def one(name: str, pixels: RGB, largest: float, kept: float, seed: int) -> list[float] | None:
    rng = np.random.default_rng([seed, int(largest), int(10 * kept), *name.encode()])
    original = stored(pixels, 94)
    redrawn, (fx, fy) = drift(original, rng, largest, kept)
    edited = (recloth if rng.random() < 0.5 else splice)(redrawn, rng)
    published = stored(edited.pixels, 85)
    match = verify(extract(original, QUICK), extract(published, QUICK))
    found = None if match is None else register(original, published, match)
    if match is None or not isinstance(found, Alignment):
        return None
    tracked = refined(original, published, match.original_to_published)
    assert tracked is not None
    alone = Alignment(
        tracked.homography, False, found.inliers, found.putative, found.residual_px, found.model
    )
    h, w = original.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    field = NOTHING if found.field is None else found.field
    there = read_from(found.original_to_published, (h, w), field)
    error = np.hypot(there[..., 0] - x - fx, there[..., 1] - y - fy)
    away = cv2.dilate(edited.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    row = [float(found.drift_px > 0), float(np.median(error[away]))]
    row.append(float(np.median(error[edited.mask])))
    for alignment in (alone, found):
        edits = localise(original, published, alignment, None)
        assert edits is not None
        both, either = (edits.mask & edited.mask).sum(), (edits.mask | edited.mask).sum()
        row += [float(both / max(either, 1)), float((edits.mask & away).sum() / away.sum())]
    return row


def main() -> None:
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    cv2.setNumThreads(1)
    pictures = [(p.name, p.pixels) for p in photographs()[:4]]
    pictures += [(f"scene {i}", scene(i)) for i in range(400 + 4 * seed, 404 + 4 * seed)]
    for largest in (0.0, 1.0, 3.0, 6.0):
        for kept in (0.7, 0.4):
            rows = [one(n, p, largest, kept, seed) for n, p in pictures]
            good = np.array([r for r in rows if r is not None])
            mean = good.mean(axis=0)
            print(
                f"bent by {largest:.0f} px, {kept} kept: {len(good)} of {len(rows)} registered, "
                f"{int(good[:, 0].sum())} fields; error {mean[1]:.2f} away, {mean[2]:.2f} inside; "
                f"IoU {mean[3]:.3f} -> {mean[5]:.3f}, false area {mean[4]:.2%} -> {mean[6]:.2%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
