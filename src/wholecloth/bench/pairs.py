"""One pair, given: registration, localisation, and what each stage cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from wholecloth.bench.cases import Row
from wholecloth.errors import InputRefused
from wholecloth.intake.decode import WorkerPool, picture
from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment, Homography
from wholecloth.model.media import Mask, Picture, Source
from wholecloth.registration.refine import register
from wholecloth.registration.warp import apply, scale_of
from wholecloth.retrieval.features import DEEP, QUICK, extract
from wholecloth.retrieval.verify import Verified, verify
from wholecloth.testing.launder import launder, random_chain
from wholecloth.weighing.verdict import judge

STAGES = ("decode", "features", "verify", "register", "localise")


@dataclass(slots=True)
class PairResult:
    """Figures of one pair; None where a figure does not apply."""

    id: str
    kind: str
    photograph: str
    seed: int | None
    megapixels: float
    """Of the published picture."""
    registered: bool = False
    verdict: str = "none"
    error_px: float | None = None
    """Median over a grid of points, against the homography given."""
    mirror_right: bool | None = None
    iou: float | None = None
    f1: float | None = None
    flagged: float | None = None
    """Share of the comparable area that is flagged."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds of this process per stage (decode: wall seconds, it runs elsewhere)."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A pair as it is measured: as it lies, or after a repost with its truth moved along."""

    original: Picture
    published: Picture
    original_data: bytes
    data: bytes
    """The two files; the published one as it came out of the repost."""
    truth: Mask | None
    homography: Homography | None


def measure(row: Row, seed: int | None = None) -> PairResult:
    """Measure one pair, laundered with ``seed`` if one is given."""
    times: dict[str, float] = {}
    with threadpool_limits(limits=1), WorkerPool(1) as pool:
        try:
            pair = prepared(pool, row, seed, times)
        except InputRefused as error:
            refused = f"refused: {error.reason}"
            return PairResult(row.id, row.kind, row.photograph, seed, 0.0, verdict=refused)
    original, published, homography = pair.original, pair.published, pair.homography
    done = PairResult(
        row.id, row.kind, row.photograph, seed, published.pixels.size / 3e6, cpu_s=times
    )
    with threadpool_limits(limits=1):
        match = matched(original, published, times)
        if match is None:
            return done
        with timed(times, "register"):
            alignment = register(original.pixels, published.pixels, match)
        if not isinstance(alignment, Alignment):
            return done
        done.registered = True
        with timed(times, "localise"):
            edits = localise(original.pixels, published.pixels, alignment, published.facts.jpeg)
        found = alignment.original_to_published
        done.verdict = judge(alignment, edits, scale_of(found, original.shape))[0]
        if homography is not None:
            done.error_px = registration_error(found, homography, original.shape, published.shape)
            done.mirror_right = mirrors(homography) == alignment.mirrored
        if edits is not None:
            done.flagged = edits.share
            if pair.truth is not None:
                done.iou, done.f1 = overlap(edits.mask, pair.truth)
    return done


def prepared(
    pool: WorkerPool, row: Row, seed: int | None = None, times: dict[str, float] | None = None
) -> Pair:
    """Decode a case, and send its published picture through the repost of ``seed`` if given.

    Raises:
        InputRefused: one of the two files is not read.
    """
    assert row.published is not None
    original_data, data = row.original.read_bytes(), row.published.read_bytes()
    started = time.perf_counter()
    original = _picture(pool, original_data, row.id)
    published = _picture(pool, data, row.id)
    if times is not None:
        times["decode"] = time.perf_counter() - started
    truth, homography = row.truth(published.shape), row.homography
    if seed is not None:
        rng = np.random.default_rng([seed, int(row.photograph[:8], 16)])
        mask = np.zeros(published.shape, bool) if truth is None else truth
        done = launder(published.pixels, mask, random_chain(rng, "repost"))
        if homography is not None:
            homography = done.original_to_published @ homography
            homography = homography / homography[2, 2]
        truth = None if truth is None or not done.mask.any() else done.mask
        data = done.data
        published = _picture(pool, data, row.id)
    return Pair(original, published, original_data, data, truth, homography)


def mirrors(homography: Homography) -> bool:
    """Whether a transformation turns left and right round."""
    return float(np.linalg.det(homography[:2, :2])) < 0


def overlap(found: Mask, truth: Mask) -> tuple[float, float]:
    """Intersection over union, and F1, of two masks of one shape."""
    both, either = float((found & truth).sum()), float((found | truth).sum())
    total = float(found.sum() + truth.sum())
    return (both / either if either else 1.0), (2 * both / total if total else 1.0)


def registration_error(
    found: Homography, given: Homography, original: tuple[int, int], published: tuple[int, int]
) -> float:
    """Median distance in published pixels, over a grid of points that lie in both frames."""
    ys, xs = np.mgrid[0 : original[0] : 24j, 0 : original[1] : 24j]
    points = np.column_stack([xs.ravel(), ys.ravel()])
    there = apply(given, points)
    inside = (there >= 0).all(axis=1) & (there < (published[1], published[0])).all(axis=1)
    if not inside.any():
        return float("nan")
    moved = apply(found, points[inside]) - there[inside]
    return float(np.median(np.linalg.norm(moved, axis=1)))


def _picture(pool: WorkerPool, data: bytes, name: str) -> Picture:
    return picture(pool.decode(Source.of_bytes(data, name)))


def matched(original: Picture, published: Picture, times: dict[str, float]) -> Verified | None:
    """As the search would: the quick setting, and the deep one where that finds nothing."""
    best = None
    for settings in (QUICK, DEEP):
        with timed(times, "features"):
            ours, theirs = (extract(p.pixels, settings) for p in (original, published))
        with timed(times, "verify"):
            best = verify(ours, theirs)
        if best is not None:
            break
    return best


@contextmanager
def timed(times: dict[str, float], stage: str) -> Iterator[None]:
    """Add the CPU seconds of this process to ``times``, with OpenCV on one thread."""
    cv2.setNumThreads(1)
    started = time.process_time()
    yield
    times[stage] = times.get(stage, 0.0) + time.process_time() - started
