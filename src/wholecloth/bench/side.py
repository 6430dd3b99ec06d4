"""One pair, ours beside the others: overlap, ranking, false alarms, time and memory."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from wholecloth.bench import peers
from wholecloth.bench.baselines import (
    ABSDIFF,
    MAGICK,
    SSIM,
    Map,
    aligned,
    largest_difference,
    methods,
    resized,
    ssim_map,
)
from wholecloth.bench.cases import BENIGN, Row
from wholecloth.bench.pairs import Pair, matched, mirrors, overlap, prepared, registration_error
from wholecloth.bench.probe import EVIDENCE, peak_mib, probing, reset_peak
from wholecloth.errors import InputRefused
from wholecloth.intake.decode import WorkerPool
from wholecloth.localisation import localise as localiser
from wholecloth.localisation.robust import F32
from wholecloth.model.comparison import Alignment, EditMap
from wholecloth.model.media import Mask
from wholecloth.registration import refine
from wholecloth.registration.warp import scale_of
from wholecloth.weighing.verdict import judge

OURS, ALIGNED, RESIZED = "ours", "aligned", "resized"
BASELINES = tuple(f"{m} {how}" for how in (ALIGNED, RESIZED) for m in (SSIM, MAGICK, ABSDIFF))


@dataclass(slots=True)
class Scored:
    """One method on one pair; None where a figure does not apply."""

    iou: float | None = None
    f1: float | None = None
    auc: float | None = None
    """Of the continuous map, over all pixels of the frame."""
    flagged: float | None = None
    """Share of the area the method looked at that it flags."""


@dataclass(slots=True)
class SideResult:
    """Figures of one pair."""

    id: str
    kind: str
    origin: str
    """Where the mask comes from: given, recovered, or none."""
    photograph: str
    seed: int | None
    megapixels: float = 0.0
    """Of the published picture."""
    unedited: bool = False
    """Nothing was edited: every flagged pixel is false."""
    masked: bool = False
    """There is a true mask with something in it."""
    refused: str = ""
    registered: bool = False
    verdict: str = "none"
    error_px: float | None = None
    mirror_right: bool | None = None
    exact: bool = False
    scores: dict[str, Scored] = field(default_factory=dict)
    """By method: ours, ``ssim aligned`` … ``absdiff resized``, names of peers."""
    failed: dict[str, str] = field(default_factory=dict)
    """Methods that gave no map of this pair, with the reason."""
    cpu_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds: features, verify, the stages of ``probe``, and ssim on the aligned pair."""
    peak_mib: float | None = None
    """Largest resident size from features to localisation, and how much of it was there before."""
    before_mib: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def measure(
    row: Row, seeds: Sequence[int | None], others: Sequence[peers.Peer] = ()
) -> list[SideResult]:
    """Measure one case as it lies (seed None) or through one repost for each seed."""
    with threadpool_limits(limits=1), WorkerPool(1) as pool:
        cv2.setNumThreads(1)
        if SSIM in methods():  # imports are not what is timed
            ssim_map(*(np.zeros((2, 32, 32), np.uint8)))
        return [_measured(pool, row, seed, others) for seed in seeds]


def auc(score: NDArray[Any], truth: Mask, valid: Mask) -> float | None:
    """Probability that a changed pixel scores above an unchanged one; ties count half.

    Pixels outside ``valid``, of which the method says nothing, stand below all others.
    """
    inside, outside = truth & valid, int((truth & ~valid).sum())
    changed, same = score[inside], np.sort(score[valid & ~truth])
    rest = int((~truth).sum()) - len(same)
    total = float(truth.sum()) * float(len(same) + rest)
    if not total:
        return None
    changed = np.sort(changed)
    below = np.searchsorted(same, changed, "left").sum(dtype=np.float64)
    upto = np.searchsorted(same, changed, "right").sum(dtype=np.float64)
    won = (below + upto) / 2 + float(len(changed)) * rest + outside * rest / 2
    return float(won / total)


def _measured(
    pool: WorkerPool, row: Row, seed: int | None, others: Sequence[peers.Peer]
) -> SideResult:
    origin = row.mask_source.split(maxsplit=1)[0].strip(",:") if row.mask is not None else "none"
    done = SideResult(row.id, row.kind, origin, row.photograph, seed)
    done.unedited = row.kind == BENIGN or row.empty
    try:
        pair = prepared(pool, row, seed)
    except InputRefused as error:
        done.refused = error.reason
        return done
    done.megapixels = pair.published.pixels.size / 3e6
    done.masked = pair.truth is not None
    reset = reset_peak()
    done.before_mib = peak_mib() if reset else None
    alignment, edits, score = _ours(pair, done)
    done.peak_mib = peak_mib() if reset else None
    for name, found, valid in _maps(pair, alignment, edits, score, others, done):
        done.scores[name] = _scored(found, valid, pair.truth)
    return done


def _ours(pair: Pair, done: SideResult) -> tuple[Alignment | None, EditMap | None, F32 | None]:
    original, published = pair.original, pair.published
    match = matched(original, published, done.cpu_s)
    if match is None:
        return None, None, None
    with probing() as probe:
        alignment = refine.register(original.pixels, published.pixels, match)
        if not isinstance(alignment, Alignment):
            return None, None, None
        edits = localiser.localise(
            original.pixels, published.pixels, alignment, published.facts.jpeg
        )
    done.cpu_s |= probe.own_s
    done.registered = True
    homography = alignment.original_to_published
    done.verdict = judge(alignment, edits, scale_of(homography, original.shape))[0]
    if pair.homography is not None:
        error = registration_error(homography, pair.homography, original.shape, published.shape)
        done.error_px = None if np.isnan(error) else error
        done.mirror_right = mirrors(pair.homography) == alignment.mirrored
    if edits is None:
        return alignment, None, None
    done.exact = edits.exact
    if edits.exact:
        return alignment, edits, None
    blocks = probe.last[EVIDENCE].score
    return alignment, edits, np.asarray(cv2.resize(blocks, published.shape[::-1]), np.float32)


def _maps(
    pair: Pair,
    alignment: Alignment | None,
    edits: EditMap | None,
    score: F32 | None,
    others: Sequence[peers.Peer],
    done: SideResult,
) -> Iterator[tuple[str, Map, Mask]]:
    """Every method's map of the pair, one at a time: a large picture's maps take room."""
    published, shape = pair.published.pixels, pair.published.shape
    everywhere = np.ones(shape, bool)
    if alignment is not None and edits is not None:
        laid = aligned(pair.original.pixels, alignment.original_to_published, shape)
        # In exact mode the mask is a plain difference, and so is the map behind it.
        ours = largest_difference(laid, published) if score is None else score
        yield OURS, Map(ours, edits.mask), edits.comparable
        del ours, score
        for name, method in methods().items():
            try:
                found = method(laid, published, edits.comparable)
            except (OSError, subprocess.SubprocessError) as error:
                done.failed[f"{name} {ALIGNED}"] = str(error)
                continue
            if name == SSIM:
                done.cpu_s[SSIM] = found.cpu_s
            yield f"{name} {ALIGNED}", found, edits.comparable
        del laid
    plain = resized(pair.original.pixels, shape)
    for name, method in methods().items():
        try:
            yield f"{name} {RESIZED}", method(plain, published, everywhere), everywhere
        except (OSError, subprocess.SubprocessError) as error:
            done.failed[f"{name} {RESIZED}"] = str(error)
    published_file = (pair.data, pair.published.facts.format)
    original_file = (pair.original_data, pair.original.facts.format)
    for peer in others:
        started = time.perf_counter()
        try:
            found = peers.run(peer, published_file, original_file, shape)
        except peers.PeerFailed as error:
            done.failed[peer.name] = str(error)
            continue
        done.cpu_s[f"peer {peer.name} (wall)"] = time.perf_counter() - started
        yield peer.name, found, everywhere


def _scored(found: Map, valid: Mask, truth: Mask | None) -> Scored:
    area = float(valid.sum())
    flagged = float(found.mask.sum()) / area if area else 0.0
    if truth is None:
        return Scored(flagged=flagged)
    iou, f1 = overlap(found.mask, truth)
    ranked = None if found.score is None else auc(found.score, truth, valid)
    return Scored(iou, f1, ranked, flagged)
