"""What others search by: whole-picture hashes, compared by brute force over the same pictures.

PDQ is ours (``intake.pdq``, bit for bit); pHash and dHash are written from their descriptions and
give the bits of the ``imagehash`` package (Krawetz, *Looks Like It* and *Kind of Like That*,
hackerfactor.com, 2011 and 2013).  Each is asked in both mirror states, since half of the drawn
queries are mirrored and a search by them would do the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wholecloth.errors import InputRefused
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import Progress, WorkerPool
from wholecloth.intake.pdq import pdq
from wholecloth.model.media import RGB

Bits = NDArray[np.uint8]
THRESHOLDS = {"PDQ": 31, "pHash": 10, "dHash": 10}
"""Bits at which a match is called: ThreatExchange's for PDQ, imagededup's for the other two."""
_SIDE, _TERMS = 32, 8


def phash(pixels: RGB) -> Bits:
    """8 bytes: which of the 8 × 8 lowest cosine terms of a 32 × 32 luma lie above their median."""
    luma = np.asarray(_luma(pixels, (_SIDE, _SIDE)), np.float64)
    steps = np.pi * (2 * np.arange(_SIDE) + 1) / (2 * _SIDE)
    table = 2 * np.cos(np.arange(_TERMS)[:, None] * steps)
    terms = table @ luma @ table.T
    return np.packbits(terms > np.median(terms))


def dhash(pixels: RGB) -> Bits:
    """8 bytes: where a 9 × 8 luma rises from one pixel to the next."""
    luma = _luma(pixels, (9, 8)).astype(np.int16)
    return np.packbits(np.diff(luma, axis=1) > 0)


def _luma(pixels: RGB, size: tuple[int, int]) -> NDArray[np.uint8]:
    small = Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.LANCZOS)
    return np.asarray(small, np.uint8)


def of(pixels: RGB) -> dict[str, Bits]:
    """All three of one picture."""
    whole = np.frombuffer(pdq(pixels).bits, np.uint8)
    return {"PDQ": whole, "pHash": phash(pixels), "dHash": dhash(pixels)}


@dataclass(frozen=True, slots=True, eq=False)
class Hashes:
    """Of every photograph in an index."""

    sha256: tuple[str, ...]
    bits: dict[str, Bits]
    """By name, N × bytes."""

    def distances(self, pixels: RGB) -> dict[str, NDArray[np.int64]]:
        """By name, N: bits between a picture, in its nearer mirror state, and each photograph."""
        plain, mirrored = of(pixels), of(np.ascontiguousarray(pixels[:, ::-1]))
        return {
            name: np.minimum(_away(kept, plain[name]), _away(kept, mirrored[name]))
            for name, kept in self.bits.items()
        }

    def twins(self, sha256: str) -> set[str]:
        """Photographs that PDQ calls the same as this one, which is among them."""
        if sha256 not in self.sha256:
            return {sha256}
        kept = self.bits["PDQ"]
        near = _away(kept, kept[self.sha256.index(sha256)]) <= THRESHOLDS["PDQ"]
        return {self.sha256[i] for i in np.flatnonzero(near)} | {sha256}


def _away(kept: Bits, one: Bits) -> NDArray[np.int64]:
    return np.asarray(np.bitwise_count(kept ^ one).sum(axis=1), np.int64)


def table(photographs: Sequence[Path], progress: Progress = lambda *_: None) -> Hashes:
    """Hash photographs; those that cannot be read are left out, as they are of the index."""
    names, rows = [], []
    with WorkerPool(1) as pool:
        for done, path in enumerate(photographs):
            progress("hashing for the peers", done, len(photographs))
            try:
                pixels = pool.decode(file_source(path)).pixels
            except InputRefused:
                continue
            names.append(hashlib.sha256(path.read_bytes()).hexdigest())
            rows.append(of(pixels))
    bits = {n: np.stack([r[n] for r in rows]) if rows else _none(n) for n in THRESHOLDS}
    return Hashes(tuple(names), bits)


def _none(name: str) -> Bits:
    return np.zeros((0, 32 if name == "PDQ" else 8), np.uint8)
