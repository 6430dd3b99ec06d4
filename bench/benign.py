"""How often benign copies show a false region: the false-positive figure of ``docs/measured.md``.

    python bench/benign.py [PICTURES] [FIRST_SEED]

Drawn scenes and package photographs go through eight kinds of benign chain; the pair is given, so
this measures registration and localisation, not the search.  Seeds from 1000 on were not used for
fitting anything.
"""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image, JpegImagePlugin

from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment
from wholecloth.model.media import RGB, JpegTables
from wholecloth.registration.refine import register
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.verify import verify
from wholecloth.testing.launder import Laundering, encode, launder, random_chain
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import Rng, scene


def chain(kind: str, rng: Rng) -> Laundering:
    pick = rng.choice
    match kind:
        case "mild" | "repost":
            return random_chain(rng, kind)
        case "sharpened":
            return Laundering(sharpen=float(pick([0.5, 1.0, 2.0])), qualities=(85,))
        case "blurred":
            return Laundering(blur=float(pick([0.6, 1.0, 1.5])), qualities=(85,))
        case "recompressed":
            return Laundering(
                scale=float(pick([0.8, 1.0])), qualities=(int(rng.integers(30, 60)), 85)
            )
        case "filtered":
            return Laundering(
                gain=float(pick([0.7, 1.3, 1.5])),
                saturation=float(pick([0.0, 1.6, 2.2])),
                gamma=float(pick([0.7, 1.3])),
            )
        case "framed":
            return replace(random_chain(rng, "mild"), frame=int(pick([10, 40])), mirror=True)
    return Laundering(scale=float(pick([0.25, 0.4, 1.6])))


KINDS = "mild repost sharpened blurred recompressed filtered framed resized".split()


def decoded(data: bytes) -> tuple[RGB, JpegTables | None]:
    image = Image.open(io.BytesIO(data))
    tables = None
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        quantization = tuple(tuple(t) for _, t in sorted(image.quantization.items()))
        tables = JpegTables(quantization, JpegImagePlugin.get_sampling(image))
    return np.asarray(image.convert("RGB")), tables


def one(job: tuple[str, int]) -> tuple[str, float | None]:
    kind, seed = job
    rng = np.random.default_rng(seed * 97 + KINDS.index(kind))
    real = photographs()
    picture = real[seed // 3 % len(real)].pixels if real and seed % 3 == 0 else scene(seed)
    original, _ = decoded(encode(picture, "JPEG", 94))
    nothing = np.zeros(original.shape[:2], bool)
    published, tables = decoded(launder(original, nothing, chain(kind, rng)).data)
    match = verify(extract(original, QUICK), extract(published, QUICK))
    if match is None:
        return kind, None
    alignment = register(original, published, match)
    if not isinstance(alignment, Alignment):
        return kind, None
    edits = localise(original, published, alignment, tables)
    return kind, None if edits is None else edits.share


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    jobs = [(kind, seed) for kind in KINDS for seed in range(first, first + count)]
    with ProcessPoolExecutor() as pool:
        results = list(pool.map(one, jobs, chunksize=4))
    for name in (*KINDS, "all"):
        shares = [s for kind, s in results if name in (kind, "all")]
        known = np.array([s for s in shares if s is not None])
        print(
            f"{name:<13} {len(shares):4d} copies, {len(shares) - len(known)} not registered, "
            f"{int((known > 0).sum())} with a false region, {int((known > 0.005).sum())} above "
            f"0.5 %, mean false area {known.mean():.4%}"
        )


if __name__ == "__main__":
    main()
