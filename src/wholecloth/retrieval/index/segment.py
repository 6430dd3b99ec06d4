"""One segment: the postings of some thousand pictures in one immutable file.

Layout, version 1, little-endian::

    magic (16 bytes) · length of the header (uint32) · header, JSON · arrays, each at 64·n

The header lists every array with its type, length and offset.  Per picture: its number, how many
features each tier has, its PDQ.  Per tier: the distinct words in order, where each word's postings
start, and for each posting the picture (its row in this segment) and two halves of the signature.
No place in a picture, no name, no time.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wholecloth.errors import IndexDamaged
from wholecloth.retrieval.postings import Kept, TierName
from wholecloth.retrieval.score import WEIGHTS, Asked, normalised
from wholecloth.retrieval.vocabulary import Coded

FORMAT = 1
MAGIC = b"wholecloth-seg\x00\x01"
MOST = 16384
"""Pictures in one segment at most: rows are 16-bit numbers, and an erasure rewrites the segment."""
TIERS: tuple[TierName, ...] = ("first", "detail")
_ALIGN = 64
_AT_ONCE = 1 << 20
"""Postings scored at a time: bounds the memory of a search to some 60 MiB."""
_TYPES = {"images": "<u4", "pdq": "u1"} | {
    f"{tier}_{name}": kind
    for tier in TIERS
    for name, kind in (
        ("features", "<u2"),
        ("words", "<u2"),
        ("starts", "<u4"),
        ("rows", "<u2"),
        ("low", "<u8"),
        ("high", "<u8"),
    )
}


@dataclass(frozen=True, slots=True, eq=False)
class TierArrays:
    """Postings of one tier, by word."""

    features: NDArray[np.uint16]
    """M, how many each picture has; 0 where it has no such tier."""
    words: NDArray[np.uint16]
    """W distinct words, ascending."""
    starts: NDArray[np.uint32]
    """W + 1."""
    rows: NDArray[np.uint16]
    """N, the picture of each posting."""
    low: NDArray[np.uint64]
    high: NDArray[np.uint64]
    """N, the signatures."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Arrays of one segment, from a file or in memory."""

    images: NDArray[np.uint32]
    """M, numbers of the pictures, ascending."""
    pdq: NDArray[np.uint8]
    """M×32."""
    first: TierArrays
    detail: TierArrays

    def tier(self, name: TierName) -> TierArrays:
        """One of the two."""
        return self.first if name == "first" else self.detail

    def frequency(self, words: NDArray[np.uint16], tier: TierName) -> NDArray[np.int64]:
        """Postings per word."""
        start, end = _bounds(self.tier(tier), words)
        return end - start

    def scores(
        self, query: Asked, weight: NDArray[np.int64], tier: TierName
    ) -> NDArray[np.float64]:
        """M scores of one mirror state; see ``wholecloth.retrieval.score``."""
        part = self.tier(tier)
        start, end = _bounds(part, query.words)
        useful = np.flatnonzero((end > start) & (weight > 0))
        pictures = len(self.images)
        keys, votes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for some in _batches(useful, (end - start)[useful]):
            count = (end - start)[some]
            asked = np.repeat(some, count)
            ahead = np.repeat(start[some] - np.cumsum(count) + count, count)
            at = ahead + np.arange(len(asked))
            # Both halves at once would cost another pass over memory.
            distance = np.bitwise_count(part.low[at] ^ query.signatures[asked, 0])
            distance = distance + np.bitwise_count(part.high[at] ^ query.signatures[asked, 1])
            vote = WEIGHTS[distance]
            near = np.flatnonzero(vote)
            asked = asked[near]
            keys.append(query.feature[asked] * pictures + part.rows[at[near]])
            votes.append(vote[near] * weight[asked])
        return normalised(
            _summed(np.concatenate(keys), np.concatenate(votes), pictures),
            part.features.astype(np.int64),
        )

    def kept(self) -> list[Kept]:
        """Everything it holds, picture by picture."""
        parts = {name: _by_picture(self.tier(name), len(self.images)) for name in TIERS}
        return [
            Kept(
                int(image),
                parts["first"][row],
                parts["detail"][row] if self.detail.features[row] else None,
                self.pdq[row].tobytes(),
            )
            for row, image in enumerate(self.images)
        ]


def _batches(useful: NDArray[np.intp], counts: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Cut the query so that each part reads about ``_AT_ONCE`` postings."""
    cuts = np.flatnonzero(np.diff(np.cumsum(counts) // _AT_ONCE)) + 1
    return [part for part in np.split(useful, cuts) if len(part)]


def _bounds(
    part: TierArrays, words: NDArray[np.uint16]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the postings of each word start and end; equal where there are none."""
    if not len(part.words):
        none = np.zeros(len(words), np.int64)
        return none, none
    at = np.searchsorted(part.words, words).clip(0, len(part.words) - 1)
    there = part.words[at] == words
    start = part.starts[at].astype(np.int64)
    end = np.where(there, part.starts[at + 1].astype(np.int64), start)
    if (end < start).any() or (end > len(part.rows)).any():
        raise ValueError("postings of a word start or end where there are none")
    return start, end


def _summed(keys: NDArray[np.int64], votes: NDArray[np.int64], pictures: int) -> NDArray[np.int64]:
    """Per picture, the sum over features of each feature's best vote."""
    if not len(keys):
        return np.zeros(pictures, np.int64)
    order = np.argsort(keys, kind="stable")
    keys, votes = keys[order], votes[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    best = np.maximum.reduceat(votes, first)
    total = np.zeros(pictures, np.int64)
    np.add.at(total, keys[first] % pictures, best)
    return total


def _each_word(part: TierArrays) -> NDArray[np.uint16]:
    """N, the word of each posting."""
    count = part.starts[1:].astype(np.int64) - part.starts[:-1]
    return np.repeat(part.words, count)


def _by_picture(part: TierArrays, pictures: int) -> list[Coded]:
    words = _each_word(part)
    order = np.argsort(part.rows, kind="stable")
    cuts = np.cumsum(np.bincount(part.rows, minlength=pictures))[:-1]
    signatures = np.stack([part.low[order], part.high[order]], axis=1)
    return [
        Coded(w, s)
        for w, s in zip(np.split(words[order], cuts), np.split(signatures, cuts), strict=True)
    ]


def near_in(segment: Segment, hashes: Sequence[bytes], within: int) -> list[tuple[int, int]]:
    """Pictures of one segment and their Hamming distances."""
    kept = np.ascontiguousarray(segment.pdq).view(np.uint64)
    away = np.full(len(kept), 8 * segment.pdq.shape[1], np.int64)
    for one in np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 4):
        away = np.minimum(away, np.bitwise_count(kept ^ one).sum(axis=1, dtype=np.int64))
    return [(int(segment.images[r]), int(away[r])) for r in np.flatnonzero(away <= within)]


def build(kept: Sequence[Kept]) -> Segment:
    """A segment in memory of these pictures."""
    kept = sorted(kept, key=lambda k: k.image)
    images = np.array([k.image for k in kept], np.uint32)
    pdq = np.frombuffer(b"".join(k.pdq for k in kept), np.uint8).reshape(-1, 32)
    return Segment(images, pdq, _arrays(kept, "first"), _arrays(kept, "detail"))


def _arrays(kept: Sequence[Kept], name: TierName) -> TierArrays:
    coded = [k.tier(name) for k in kept]
    counts = np.array([0 if c is None else len(c) for c in coded], np.int64)
    some = [c for c in coded if c is not None and len(c)]
    if not some:
        none = np.zeros(0, np.uint16)
        return _laid(counts, none, none, np.zeros((0, 2), np.uint64))
    rows = np.repeat(np.arange(len(kept), dtype=np.uint16), counts)
    words = np.concatenate([c.words for c in some])
    return _laid(counts, words, rows, np.concatenate([c.signatures for c in some]))


def _laid(
    counts: NDArray[np.int64],
    words: NDArray[np.uint16],
    rows: NDArray[np.uint16],
    signatures: NDArray[np.uint64],
) -> TierArrays:
    """Sort postings by word, then picture: the same pictures give the same file."""
    # A stable sort takes one pass where they lie so already, as after leaving a picture out.
    order = np.argsort(words.astype(np.uint32) << 16 | rows, kind="stable")
    words = words[order]
    starts = np.flatnonzero(np.diff(words.astype(np.int32), prepend=-1))
    return TierArrays(
        counts.astype(np.uint16),
        words[starts],
        np.append(starts, len(words)).astype(np.uint32),
        rows[order],
        np.ascontiguousarray(signatures[order, 0]),
        np.ascontiguousarray(signatures[order, 1]),
    )


def joined(segments: Sequence[Segment]) -> Segment:
    """One segment of several; their pictures must be different ones."""
    images = np.concatenate([s.images for s in segments])
    rank = np.empty(len(images), np.uint16)
    order = np.argsort(images, kind="stable")
    rank[order] = np.arange(len(images), dtype=np.uint16)
    starts = np.cumsum([0, *(len(s.images) for s in segments)])
    tiers = []
    for name in TIERS:
        parts = [s.tier(name) for s in segments]
        words = [_each_word(p) for p in parts]
        rows = [rank[p.rows.astype(np.intp) + at] for p, at in zip(parts, starts[:-1], strict=True)]
        signatures = np.stack(
            [np.concatenate([p.low for p in parts]), np.concatenate([p.high for p in parts])],
            axis=1,
        )
        features = np.concatenate([p.features for p in parts])[order].astype(np.int64)
        tiers.append(_laid(features, np.concatenate(words), np.concatenate(rows), signatures))
    return Segment(images[order], np.concatenate([s.pdq for s in segments])[order], *tiers)


def without(segment: Segment, images: Sequence[int]) -> Segment:
    """The segment as if these pictures had never been in it."""
    stay = ~np.isin(segment.images, np.array(images, np.uint32))
    row = (np.cumsum(stay) - 1).astype(np.uint16)
    tiers = []
    for name in TIERS:
        part = segment.tier(name)
        posting = stay[part.rows]
        words = _each_word(part)[posting]
        signatures = np.stack([part.low[posting], part.high[posting]], axis=1)
        features = part.features[stay].astype(np.int64)
        tiers.append(_laid(features, words, row[part.rows[posting]], signatures))
    return Segment(segment.images[stay], segment.pdq[stay], *tiers)


def encoded(segment: Segment) -> bytes:
    """The file."""
    arrays: dict[str, NDArray[Any]] = {"images": segment.images, "pdq": segment.pdq}
    for name in TIERS:
        part = segment.tier(name)
        arrays |= {f"{name}_{k}": getattr(part, k) for k in TierArrays.__slots__}
    bodies = []
    for key, kind in _TYPES.items():
        body = np.ascontiguousarray(arrays[key], np.dtype(kind)).tobytes()
        bodies.append(body + bytes(-len(body) % _ALIGN))
    listed = _listed({key: array.size for key, array in arrays.items()})
    size = sum(map(len, bodies))
    header = json.dumps({"format": FORMAT, "arrays": listed, "bytes": size}).encode()
    start = len(MAGIC) + 4 + len(header)
    header += b" " * (-start % _ALIGN)
    return MAGIC + struct.pack("<I", len(header)) + header + b"".join(bodies)


def _listed(counts: dict[str, int]) -> dict[str, list[int]]:
    """Offset and length of every array, as they lie one after the other."""
    listed, offset = {}, 0
    for key, kind in _TYPES.items():
        listed[key] = [offset, counts[key]]
        size = counts[key] * np.dtype(kind).itemsize
        offset += size + -size % _ALIGN
    return listed


def _fits(counts: dict[str, int]) -> bool:
    """Whether arrays of these lengths can belong together."""
    pictures = counts["images"]
    return counts["pdq"] == 32 * pictures and all(
        counts[f"{tier}_features"] == pictures
        and counts[f"{tier}_starts"] == counts[f"{tier}_words"] + 1
        and counts[f"{tier}_rows"] == counts[f"{tier}_low"] == counts[f"{tier}_high"]
        for tier in TIERS
    )


def opened(buffer: NDArray[np.uint8], name: str) -> Segment:
    """Arrays over a file's bytes, mapped or in memory; nothing is copied.

    That arrays fit together is checked; what is in them is not read, which would cost every
    opening a pass over the file: digests are ``damage``'s business.

    Raises:
        IndexDamaged: not a segment, cut off, or of another format.
    """
    try:
        head = buffer[: len(MAGIC) + 4].tobytes()
        if head[: len(MAGIC) - 1] != MAGIC[:-1]:
            raise IndexDamaged(name, "is no segment of an index", _REMEDY)
        (length,) = struct.unpack("<I", head[len(MAGIC) :])
        start = len(MAGIC) + 4 + length
        header = json.loads(buffer[len(MAGIC) + 4 : start].tobytes())
        if header["format"] != FORMAT:
            newer = f"is of format {header['format']}; this version reads {FORMAT}"
            raise IndexDamaged(name, newer, "use the version of wholecloth that wrote it")
        body = buffer[start:]
        if len(body) != header["bytes"]:
            raise IndexDamaged(name, "is cut off or has bytes too many", _REMEDY)
        counts = {key: count for key, (_, count) in header["arrays"].items()}
        if header["arrays"] != _listed(counts) or not _fits(counts):
            raise IndexDamaged(name, "has a header that does not fit itself", _REMEDY)
        arrays = {}
        for key, (offset, count) in header["arrays"].items():
            kind = np.dtype(_TYPES[key])
            arrays[key] = body[offset : offset + count * kind.itemsize].view(kind)
        tiers = [TierArrays(*(arrays[f"{t}_{k}"] for k in TierArrays.__slots__)) for t in TIERS]
        return Segment(arrays["images"], arrays["pdq"].reshape(-1, 32), *tiers)
    except (ValueError, KeyError, TypeError, struct.error, IndexError) as error:
        raise IndexDamaged(name, "cannot be read", _REMEDY) from error


_REMEDY = "run `wholecloth index verify`; restore the file from a copy, or erase and add again"
