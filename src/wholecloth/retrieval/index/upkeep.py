"""Erase, compact, merge, verify, count."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wholecloth.errors import IndexRefused, OutputRefused
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import Progress, digest_of
from wholecloth.retrieval.clickhouse import ClickHouse
from wholecloth.retrieval.index import remnants, stores
from wholecloth.retrieval.index.folder import METHOD, Index
from wholecloth.retrieval.index.manifest import NAME, ImageRow, Manifest
from wholecloth.retrieval.index.segment import MOST, TIERS
from wholecloth.retrieval.postings import Kept

_HEX = 64
_POSTINGS = 6_000_000
"""Written at once when merging; some 120 MB held in memory."""


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
        VerificationFailed: a cluster still holds bytes of them after a minute; run it again then.
    """
    manifest = index.manifest
    with index.writing():
        rows: dict[int, ImageRow] = {}
        missing, digests, refused = [], [], []
        for name in named:
            found = _named(index, name)
            rows |= {row.id: row for row in found}
            if _is_digest(name):
                digests.append(bytes.fromhex(name))
                refusals = []
            else:
                refusals = manifest.refused_at(os.path.abspath(name))
            refused += refusals
            if not found and not refusals:
                missing.append(name)
        _remove(index, list(rows.values()), refused, {*digests, *(r.sha256 for r in rows.values())})
    return Erased(len(rows), tuple(missing))


def _remove(
    index: Index,
    rows: Sequence[ImageRow],
    refused: Sequence[str],
    deny: Iterable[bytes],
    also: Iterable[int] = (),
) -> None:
    """Take pictures and refusals out, until nothing of them is anywhere; inside ``writing``.

    ``also``: numbers of pictures that have no row, whose postings may be there all the same.
    """
    manifest = index.manifest
    stopped = manifest.interrupted
    paths = {*refused, *(path for row in rows for path in manifest.places_of(row.id))}
    before = {s.number: s.key for s in manifest.segments()}
    with manifest.change():
        manifest.erasing()
        index.postings.erase(sorted({*also, *(row.id for row in rows)}))
        for row in rows:
            manifest.forget(row.id)
        for path in refused:
            manifest.drop_refused(path)
        for sha256 in deny:
            manifest.deny(sha256)
        keys = [before[n] for n in before.keys() - {s.number for s in manifest.segments()}]
        windows = _windows(manifest, rows, paths, keys)
    index.segments.settle()
    _flushed(index, None if stopped else windows)
    if index.cluster is not None:
        index.cluster.wait_erased()


def _windows(
    manifest: Manifest, rows: Iterable[ImageRow], paths: Iterable[str], keys: Iterable[bytes | None]
) -> set[bytes]:
    """What to look for in the manifest's file, after its rows are gone."""
    found: set[bytes] = set()
    for row in rows:
        found |= remnants.of_digest(row.sha256)
    for path in paths:
        found |= remnants.of_path(os.fsencode(path), manifest.neighbours(path))
    for key in keys:
        found |= remnants.of_digest(key) if key is not None else set()
    return found


def withdraw(index: Index, first: int) -> int:
    """Remove every picture numbered from ``first`` on, without a denial; returns how many.

    After a doubt about age nothing that a run added stays, not even a digest that would keep it
    out.
    """
    manifest = index.manifest
    with index.writing():
        given = range(first, int(manifest.get("next")))
        rows = [row for i in given if (row := manifest.image(i)) is not None]
        # Also what no row names: a cluster may have it already.
        _remove(index, rows, (), (), also=given)
    return len(rows)


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
    """Join segments and give space back; returns how many were joined.

    In a cluster, joining is the servers' own business; what a killed writer left there is removed.
    """
    with index.writing():
        with index.manifest.change():
            joined = index.segments.join(everything=True)
        index.segments.settle()
        index.manifest.vacuum()
        _flushed(index, ())
        if index.cluster is not None:
            stores.sweep(index.cluster, index.manifest)
    return joined


def merge(index: Index, other: Index, progress: Progress = lambda *_: None) -> int:
    """Add everything another index holds, without reading its photographs; returns how many.

    What this one has, or either has erased, is left out, and what the other has erased is denied
    here from now on; what this one holds of that stays.  The other is not changed.

    Raises:
        IndexRefused: they have different secrets, so that their words cannot be compared, or the
            other one's postings lie in a cluster.
    """
    if other.cluster is not None:
        reason = "keeps its postings in a cluster, where they cannot be read picture by picture"
        remedy = "merge this one into it, or add its photographs again"
        raise IndexRefused(str(other.folder), reason, remedy)
    if index.keys.master != other.keys.master:
        reason = "has another secret: its words cannot be compared with this index's"
        remedy = "add its photographs again, or make shards with `index create --like`"
        raise IndexRefused(str(other.folder), reason, remedy)
    total, done = len(other), 0
    with index.writing():
        with index.manifest.change():
            index.manifest.deny_keyed(other.manifest.denials())
        batch: list[Kept] = []
        postings = 0
        for seen, kept in enumerate(other.segments.kept(), 1):
            batch.append(kept)
            postings += len(kept.first) + (len(kept.detail) if kept.detail else 0)
            if len(batch) >= MOST or postings >= _POSTINGS:
                done += _merged(index, other, batch)
                batch, postings = [], 0
                progress("merging", seen, total)
        done += _merged(index, other, batch)
        progress("merging", total, total)
        with index.manifest.change():
            index.segments.join()
        index.segments.settle()
        index.manifest.flush()
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
    with manifest.change():  # given away before they are used, as in adding
        ids = manifest.next_ids(len(new))
    with manifest.change():
        renumbered = [Kept(i, k.first, k.detail, k.pdq) for i, (k, _) in zip(ids, new, strict=True)]
        number = index.postings.add(renumbered)
        for i, (_, row) in zip(ids, new, strict=True):
            manifest.put_image(ImageRow(i, row.sha256, number, row.width, row.height))
            for path in other.manifest.places_of(row.id):
                manifest.put_place(path, i, ())  # it is hashed again when it is added
    return len(new)


def move(index: Index, postings: str, *, lost: bool = False) -> None:
    """Say that an index's postings lie at another address: a shard more, or servers that moved.

    The index must be opened anew afterwards.

    Args:
        index: opened for writing.
        postings: the new address.
        lost: a shard is gone for good: the old address is not asked what it holds.

    Raises:
        IndexRefused: they lie in its folder, a shard cannot be used, or one that holds pictures is
            left out.
    """
    with index.writing():
        stores.move(_cluster(index), index.manifest, postings, lost=lost)


def forget_missing(index: Index) -> int:
    """Forget pictures whose postings were lost with a shard, so that ``add`` takes them again.

    Returns how many.
    """
    with index.writing():
        return stores.forget_missing(_cluster(index), index.manifest)


def _cluster(index: Index) -> ClickHouse:
    if index.cluster is None:
        reason = "keeps its postings in its folder"
        remedy = "make an index with --postings and merge this one into it"
        raise IndexRefused(str(index.folder), reason, remedy)
    return index.cluster


def damage(index: Index) -> Iterator[str]:
    """Everything that does not hold, in words; nothing where all does."""
    yield from index.manifest.damage()
    yield from index.segments.damage()
    if index.cluster is not None:
        yield from stores.damage(index.cluster, index.manifest)


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
    held = stores.stats(index.cluster) if index.cluster is not None else None
    return {
        "about": asdict(index.about),
        "method": METHOD,
        "pictures": pictures,
        "places": counts["places"],
        "refused": counts["refused"],
        "denied": counts["denied"],
        "segments": len(rows),
        "tiers": tiers if held is None else held["tiers"],
        "shards": [] if held is None else held["shards"],
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
    if not ids and os.path.isfile(path):  # the same file by another name
        found = [manifest.by_sha256(bytes.fromhex(digest_of(file_source(Path(path)))))]
    return [row for row in found if row is not None]


def _is_digest(name: str) -> bool:
    return len(name) == _HEX and all(c in "0123456789abcdefABCDEF" for c in name)


def _flushed(index: Index, windows: Collection[bytes] | None) -> None:
    if not index.manifest.flush(windows):
        reason = "another process holds the manifest's log open: bytes of it may stay there"
        remedy = "run the same again when no search is running"
        raise OutputRefused(str(index.folder), reason, remedy)


def is_index(path: Path) -> bool:
    """Whether a folder is an index of ours."""
    return (path / NAME).is_file()
