"""How often benign copies show a false region: the false-positive figures of ``docs/measured.md``.

    python bench/benign.py [PICTURES] [SEED] [JSON] [TABLE]

PICTURES is a folder of pictures (JPEG, PNG); without it, drawn scenes and package photographs are
used.  Every picture goes once through each of the benign chains below; the pair is given, so this
measures registration and localisation, not the search.  JSON receives one row a copy; TABLE the
strongest component of each copy that shows one, as ``localisation/benign.json`` holds it.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image, JpegImagePlugin

from wholecloth.localisation.localise import localise
from wholecloth.localisation.settings import Settings
from wholecloth.model.comparison import Alignment
from wholecloth.model.media import RGB, JpegTables
from wholecloth.registration.refine import register
from wholecloth.registration.warp import scale_of
from wholecloth.retrieval.features import DEEP, QUICK, extract
from wholecloth.retrieval.verify import verify
from wholecloth.testing.launder import Laundering, encode, launder, random_chain
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import Rng, scene
from wholecloth.weighing.verdict import judge

LONGER_SIDE = 1400


def q(rng: Rng, low: int = 70, high: int = 95) -> int:
    return int(rng.integers(low, high))


CHAINS: dict[str, Callable[[Rng], Laundering]] = {
    "mild": lambda r: random_chain(r, "mild"),
    "repost": lambda r: random_chain(r, "repost"),
    "sharpened a little": lambda r: Laundering(sharpen=0.5, qualities=(q(r),)),
    "sharpened": lambda r: Laundering(sharpen=1.0, qualities=(q(r),)),
    "sharpened a lot": lambda r: Laundering(sharpen=2.0, qualities=(q(r),)),
    "blurred": lambda r: Laundering(blur=float(r.uniform(0.5, 1.6)), qualities=(q(r),)),
    "recompressed hard": lambda r: Laundering(qualities=(q(r, 25, 55), 90)),
    "twice, 4:4:4": lambda r: Laundering(qualities=(q(r), q(r)), subsampling=0),
    "contrast and colour": lambda r: Laundering(
        gain=float(r.uniform(0.7, 1.5)),
        saturation=float(r.uniform(0.2, 2.0)),
        gamma=float(r.uniform(0.7, 1.4)),
        qualities=(q(r),),
    ),
    "a look": lambda r: Laundering(
        curve=tuple(float(v) for v in r.uniform(-0.15, 0.15, 3)),  # type: ignore[arg-type]
        vignette=float(r.uniform(0, 0.4)),
        qualities=(q(r),),
    ),
    "grayscale": lambda r: Laundering(saturation=0.0, qualities=(q(r),)),
    "noise reduced": lambda r: Laundering(denoise=int(r.choice([3, 5])), qualities=(q(r),)),
    "grain": lambda r: Laundering(grain=float(r.uniform(3, 10)), qualities=(q(r),)),
    "enlarged": lambda r: Laundering(
        scale=float(r.uniform(1.3, 2.0)), kernel=str(r.choice(["cubic", "lanczos", "linear"]))
    ),
    "reduced": lambda r: Laundering(
        scale=float(r.uniform(0.25, 0.6)),
        kernel=str(r.choice(["area", "cubic", "lanczos", "linear"])),
        qualities=(q(r),),
    ),
    "screenshot": lambda r: Laundering(
        scale=float(r.uniform(0.5, 0.9)), kernel="linear", gamma=1.03, frame=30, format="PNG"
    ),
    "framed and mirrored": lambda r: replace(random_chain(r, "mild"), frame=24, mirror=True),
}


def decoded(data: bytes) -> tuple[RGB, JpegTables | None]:
    image = Image.open(io.BytesIO(data))
    tables = None
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        quantization = tuple(tuple(t) for _, t in sorted(image.quantization.items()))
        tables = JpegTables(quantization, JpegImagePlugin.get_sampling(image))
    return np.asarray(image.convert("RGB")), tables


def pictures(folder: Path | None, seed: int) -> dict[str, bytes]:
    """Name → JPEG bytes of the original."""
    if folder is None:
        drawn = {f"scene {seed + i}": scene(seed + i) for i in range(16)}
        real = {p.name: p.pixels for p in photographs()}
        return {n: encode(p, "JPEG", 94) for n, p in (drawn | real).items()}
    out = {}
    for path in sorted(folder.iterdir()):
        image = Image.open(path).convert("RGB")
        image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
        out[path.name] = encode(np.asarray(image), "JPEG", 94)
    return out


def one(job: tuple[str, bytes, str, int]) -> dict[str, object]:
    name, data, kind, seed = job
    rng = np.random.default_rng([seed, *name.encode(), list(CHAINS).index(kind)])
    original, _ = decoded(data)
    nothing = np.zeros(original.shape[:2], bool)
    done = launder(original, nothing, CHAINS[kind](rng))
    published, tables = decoded(done.data)
    row: dict[str, object] = {"picture": name, "chain": kind, "share": None, "verdict": "none"}
    for settings in (QUICK, DEEP):
        match = verify(extract(original, settings), extract(published, settings))
        if match is not None:
            break
    if match is None:
        return row
    alignment = register(original, published, match)
    if not isinstance(alignment, Alignment):
        return row
    edits = localise(original, published, alignment, tables)
    scale = scale_of(alignment.original_to_published, original.shape[:2])
    row["verdict"] = judge(alignment, edits, scale)[0]
    row["share"] = None if edits is None else edits.share
    row["weight"] = (
        max((r.evidence * r.share for r in edits.regions), default=0.0) if edits else 0.0
    )
    return row


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    jobs = [(n, d, k, seed) for n, d in pictures(folder, seed).items() for k in CHAINS]
    with ProcessPoolExecutor() as pool:
        rows = list(pool.map(one, jobs, chunksize=4))
    for kind in (*CHAINS, "all"):
        mine = [r for r in rows if kind in (r["chain"], "all")]
        known = np.array([r["share"] for r in mine if r["share"] is not None], float)
        edits = sum(r["verdict"] not in ("copy", "rerendered", "none") for r in mine)
        print(
            f"{kind:<20} {len(mine):4d} copies, {len(mine) - len(known)} not registered, "
            f"{int((known > 0).sum())} with a false region, {int((known > 0.005).sum())} above "
            f"0.5 %, mean false area {known.mean():.4%}, {edits} called an edit"
        )
    if len(sys.argv) > 3:
        Path(sys.argv[3]).write_text(json.dumps(rows, indent=1))
    if len(sys.argv) > 4:
        measured = [r for r in rows if r["share"] is not None]
        weights = sorted((float(str(r["weight"])) for r in measured), reverse=True)
        table = {
            "settings": Settings().name,
            "copies": len(measured),
            "photographs": len({r["picture"] for r in measured}),
            "weights": [round(w, 6) for w in weights if w > 0],
            "how": f"bench/benign.py, {len(CHAINS)} chains a photograph, seed {seed}",
        }
        Path(sys.argv[4]).write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
