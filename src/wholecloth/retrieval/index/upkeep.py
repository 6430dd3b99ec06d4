"""Erase, compact, merge, verify, count."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wholecloth.errors import IndexRefused, OutputRefused
from wholecloth.intake.decode import Progress
from wholecloth.retrieval.index.folder import METHOD, Index
from wholecloth.retrieval.index.manifest import ImageRow
from wholecloth.retrieval.index.segment import MOST, TIERS
from wholecloth.retrieval.postings import Kept

_HEX = 64


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did."""

    pictures: int
    not_found: tuple[str, ...]
    """What was named and is not in the index; its content is denied all the same if it was named
    by SHA-256."""


def erase(index: Index, named: Sequence[str]) -> Erased:
    """Remove pictures so that no byte of them stays, and keep them from coming back.

    Args:
        index: opened for writing.
        named: paths as added (a folder means everything below it), or SHA-256 digests.

    Raises:
        OutputRefused: the index cannot be written, or a reader holds the manifest's log open, so
            that it is not certain that nothing stays; run it again then.
    """
    manifest = index.manifest
    with index.writing():
        rows: dict[int, ImageRow] = {}
        missing, digests = [], []
        for name in named:
            found = _named(index, name)
            rows |= {row.id: row for row in found}
            if _is_digest(name):
                digests.append(bytes.fromhex(name))
            if not found:
                missing.append(name)
        with manifest.change():
            index.postings.erase(sorted(rows))
            for row in rows.values():
                manifest.forget(row.id)
            for sha256 in {*digests, *(r.sha256 for r in rows.values())}:
                manifest.deny(sha256)
        index.segments.settle()
        _flushed(index)
    return Erased(len(rows), tuple(missing))


def withdraw(index: Index, first: int) -> int:
    """Remove every picture numbered from ``first`` on, without a denial; returns how many.

    After a doubt about age nothing that a run added stays, not even a digest that would keep it
    out.
    """
    manifest = index.manifest
    with index.writing():
        ids = [i for i in range(first, int(manifest.get("next"))) if manifest.image(i)]
        with manifest.change():
            index.postings.erase(ids)
            for image in ids:
                manifest.forget(image)
        index.segments.settle()
        _flushed(index)
    return len(ids)


def allow(index: Index, digests: Sequence[str]) -> None:
    """Take denials back.

    Raises:
        IndexRefused: something named is no SHA-256.
    """
    for name in digests:
        if not _is_digest(name):
            raise IndexRefused(name, "is no SHA-256", "give 64 hexadecimal digits")
    with index.writing(), index.manifest.change():
        for name in digests:
            index.manifest.allow(bytes.fromhex(name))


def compact(index: Index) -> int:
    """Join segments and give space back; returns how many were joined."""
    with index.writing():
        with index.manifest.change():
            joined = index.segments.join(everything=True)
        index.segments.settle()
        index.manifest.vacuum()
        _flushed(index)
    return joined


def merge(index: Index, other: Index, progress: Progress = lambda *_: None) -> int:
    """Add everything another index holds, without reading its photographs; returns how many.

    What this one has, or has erased, is left out.  The other is not changed.

    Raises:
        IndexRefused: they have different secrets, so that their words cannot be compared.
    """
    if index.keys.master != other.keys.master:
        reason = "has another secret: its words cannot be compared with this index's"
        remedy = "add its photographs again, or make shards with `index create --like`"
        raise IndexRefused(str(other.folder), reason, remedy)
    total, done = len(other), 0
    with index.writing():
        batch: list[Kept] = []
        for seen, kept in enumerate(other.segments.kept(), 1):
            batch.append(kept)
            if len(batch) >= MOST:
                done += _merged(index, other, batch)
                batch = []
                progress("merging", seen, total)
        done += _merged(index, other, batch)
        progress("merging", total, total)
        with index.manifest.change():
            index.segments.join()
        index.segments.settle()
        _flushed(index)
    return done


def _merged(index: Index, other: Index, batch: Sequence[Kept]) -> int:
    manifest = index.manifest
    new: list[tuple[Kept, ImageRow]] = []
    for kept in batch:
        row = other.manifest.image(kept.image)
        if row is None or manifest.denied(row.sha256):
            continue
        if manifest.by_sha256(row.sha256) is None:
            new.append((kept, row))
    if not new:
        return 0
    with manifest.change():
        ids = manifest.next_ids(len(new))
        renumbered = [Kept(i, k.first, k.detail, k.pdq) for i, (k, _) in zip(ids, new, strict=True)]
        number = index.postings.add(renumbered)
        for i, (_, row) in zip(ids, new, strict=True):
            manifest.put_image(ImageRow(i, row.sha256, number, row.width, row.height))
            for path in other.manifest.places_of(row.id):
                manifest.put_place(path, i, ())  # it is hashed again when it is added
    return len(new)


def damage(index: Index) -> Iterator[str]:
    """Everything that does not hold, in words; nothing where all does."""
    yield from index.manifest.damage()
    yield from index.segments.damage()


def stats(index: Index) -> dict[str, Any]:
    """Counts and sizes, as plain data."""
    counts = index.manifest.counts()
    rows = index.manifest.segments()
    pictures = counts["images"]
    tiers = {}
    for name in TIERS:
        parts = [p.segment.tier(name) for p in index.segments.parts()]
        postings = sum(len(p.rows) for p in parts)
        size = sum(getattr(p, a).nbytes for p in parts for a in p.__slots__)
        with_it = sum(int((p.features > 0).sum()) for p in parts)
        tiers[name] = {
            "pictures": with_it,
            "postings": postings,
            "bytes": size,
            "bytes_per_picture": round(size / with_it, 1) if with_it else 0,
        }
    size = sum(p.stat().st_size for p in index.folder.iterdir() if p.is_file())
    return {
        "about": asdict(index.about),
        "method": METHOD,
        "pictures": pictures,
        "places": counts["places"],
        "refused": counts["refused"],
        "denied": counts["denied"],
        "segments": len(rows),
        "tiers": tiers,
        "bytes": size,
        "manifest_bytes": size - sum(r.size for r in rows),
    }


def _named(index: Index, name: str) -> list[ImageRow]:
    manifest = index.manifest
    if _is_digest(name):
        row = manifest.by_sha256(bytes.fromhex(name))
        return [row] if row is not None else []
    path = os.path.abspath(name)
    place = manifest.place(path)
    ids = [place[0]] if place is not None else manifest.under(path)
    found = [manifest.image(i) for i in ids]
    return [row for row in found if row is not None]


def _is_digest(name: str) -> bool:
    return len(name) == _HEX and all(c in "0123456789abcdefABCDEF" for c in name)


def _flushed(index: Index) -> None:
    if not index.manifest.flush():
        reason = "another process holds the manifest's log open: bytes of it may stay there"
        remedy = "run the same again when no search is running"
        raise OutputRefused(str(index.folder), reason, remedy)


def is_index(path: Path) -> bool:
    """Whether a folder is an index of ours."""
    from wholecloth.retrieval.index.manifest import NAME  # noqa: PLC0415

    return (path / NAME).is_file()
