"""How the ranking holds, and what it costs, as the index grows beyond the photographs there are.

Pictures beyond those are made of what real ones left in the index: each takes as many postings as
a real one has, drawn from all of them, keeps their words and flips about ten of the 128 bits of
their signatures.  So words are as frequent as in photographs and distances as near as between
views of one thing.  They are no photographs, and where there are few real ones they are harder
than photographs would be: each then holds many near-copies of one original's postings.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wholecloth.bench.intervals import share
from wholecloth.bench.outcome import rank_of
from wholecloth.intake.decode import Progress, WorkerPool
from wholecloth.model.media import Source
from wholecloth.retrieval.index import Index
from wholecloth.retrieval.index.manifest import ImageRow
from wholecloth.retrieval.postings import Kept
from wholecloth.retrieval.vocabulary import BITS, Coded

FLIPPED = 10
"""About so many of 128 bits; the reference measurement's figure, so that the two compare."""
_AT_ONCE = 1000
"""Pictures a segment, as ``add`` writes them."""
_DEPTHS = (1, 10, 100)


def measure(
    place: Path,
    asked: Sequence[tuple[bytes, set[str]]],
    sizes: Sequence[int],
    seed: int,
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Recall by words alone and CPU time a query, at each size.

    Args:
        place: the index; it grows.
        asked: published files, each with the SHA-256 of what is right.
        sizes: pictures in the index; those below what it holds are measured as it is.
        seed: of what is re-drawn.
        progress: called with (stage, done, of).
    """
    rng = np.random.default_rng([seed, 35])
    rows = []
    with Index.open(place, writing=True) as index, WorkerPool(1) as pool:
        real = len(index)
        postings = _postings(index)
        for size in sorted({max(size, real) for size in (0, *sizes)}):
            _grow(index, postings, size, rng, progress)
            ranks, seconds = [], []
            for done, (data, right) in enumerate(asked):
                progress(f"asking {size} pictures", done, len(asked))
                pixels = pool.decode(Source.of_bytes(data)).pixels
                started = time.process_time()
                ranked = index.rank(pixels, _DEPTHS[-1])
                seconds.append(time.process_time() - started)
                ranks.append(rank_of([index.sha256_of(r.image) for r in ranked], right))
            row: dict[str, Any] = {"pictures": size, "redrawn": size - real}
            for depth in _DEPTHS:
                row[f"recall_{depth}"] = share(r is not None and r <= depth for r in ranks)
            row["ms_median"] = round(1000 * float(np.median(seconds)), 1)
            row["bytes"] = sum(p.stat().st_size for p in place.rglob("*") if p.is_file())
            rows.append(row)
    how = (
        f"{len(asked)} of the drawn queries, ranked by words alone in the first tier; CPU time, "
        f"extraction included. {real} pictures are photographs and look-alikes; those beyond are "
        f"re-drawn from their postings: words kept, about {FLIPPED} of {BITS} signature bits "
        "flipped."
    )
    return {"how": how, "queries": len(asked), "sizes": rows}


Pool = tuple[NDArray[np.uint16], NDArray[np.uint64], NDArray[np.int64]]


def _postings(index: Index) -> Pool:
    """Words and signatures of everything in the first tier, and postings a picture."""
    kept = [k.first for k in index.segments.kept() if len(k.first)]
    words = np.concatenate([k.words for k in kept])
    signatures = np.concatenate([k.signatures for k in kept])
    return words, signatures, np.array([len(k) for k in kept], np.int64)


def redrawn(pool: Pool, count: int, rng: np.random.Generator) -> Coded:
    """Postings of one picture that never was."""
    words, signatures, _ = pool
    at = rng.integers(len(words), size=count)
    # A bit is set in both of n fair ones with 2⁻ⁿ: 1/16 or, of the rest, 1/64 make 9.9 of 128.
    fair = rng.integers(0, 1 << 64, (10, count, BITS // 64), np.uint64, endpoint=False)
    often, rarely = (np.bitwise_and.reduce(part) for part in (fair[:4], fair[4:]))
    return Coded(words[at], signatures[at] ^ (often | rarely))


def _grow(
    index: Index, pool: Pool, size: int, rng: np.random.Generator, progress: Progress
) -> None:
    while (there := len(index)) < size:
        progress("growing the index", there, size)
        with index.writing(), index.manifest.change():
            ids = index.manifest.next_ids(min(_AT_ONCE, size - there))
            number = index.postings.add(list(_made(ids, pool, rng)))
            for image in ids:
                name = hashlib.sha256(f"re-drawn {image}".encode()).digest()
                index.manifest.put_image(ImageRow(image, name, number, 0, 0))
    with index.writing():
        with index.manifest.change():
            index.segments.join(everything=True)
        index.segments.settle()


def _made(ids: Sequence[int], pool: Pool, rng: np.random.Generator) -> Iterator[Kept]:
    counts = rng.choice(pool[2], len(ids))
    for image, count in zip(ids, counts, strict=True):
        yield Kept(int(image), redrawn(pool, int(count), rng), None, rng.bytes(32))
