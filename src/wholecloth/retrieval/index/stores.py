"""An index whose postings lie in a cluster: owner, purpose, numbers and paths stay in its folder.

Postings are put into the cluster before the manifest names their pictures, and erased there before
it forgets them.  So a kill at any instant leaves at most postings that no manifest row names; they
never appear in an answer, ``verify`` counts them and ``compact`` removes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wholecloth.errors import IndexRefused
from wholecloth.retrieval.clickhouse import Address, ClickHouse
from wholecloth.retrieval.index.manifest import Manifest

_Numbers = NDArray[np.int64]
_WINDOW = 1_000_000
"""Numbers compared at a time: 8 MB on either side."""


def cluster_of(manifest: Manifest) -> ClickHouse | None:
    """The cluster an index keeps its postings in; None where they lie in its folder."""
    text = manifest.get("postings")
    return ClickHouse(Address.parse(text), manifest.get("id")) if text else None


def prepare(postings: str, index: str, *, encrypted: bool = False) -> None:
    """Make and claim the tables of every shard.

    Raises:
        IndexRefused: the address cannot be used, or a vault key is given.
    """
    if encrypted:
        reason = (
            "a vault key encrypts segments in a folder; postings in a cluster stay readable there"
        )
        raise IndexRefused(postings, reason, "leave --vault out and encrypt the servers' disks")
    cluster = ClickHouse(Address.parse(postings), index)
    cluster.prepare()


def move(cluster: ClickHouse, manifest: Manifest, postings: str, *, lost: bool = False) -> None:
    """Keep an index's postings at another address: a shard more, or servers that moved.

    Shards that were claimed stay as they are, new ones are claimed.  The manifest keeps the address
    only when every shard answers.

    Raises:
        IndexRefused: a shard cannot be used, or one that holds pictures is left out.
    """
    before = {} if lost else {shard.name: shard.claim for shard in cluster.shards()}
    moved = ClickHouse(Address.parse(postings), manifest.get("id"))
    moved.prepare()
    try:
        after = {shard.claim for shard in moved.shards()}
        for held in cluster.held() if before else ():
            if before[held.shard] not in after and held.pictures:
                reason = f"leaves out shard {held.shard}, which holds {held.pictures} pictures"
                raise IndexRefused(postings, reason, "name every shard that holds pictures")
    finally:
        moved.close()
    with manifest.change():
        manifest.set("postings", postings)
    manifest.flush()


def stranded(cluster: ClickHouse, manifest: Manifest) -> Iterator[tuple[_Numbers, _Numbers]]:
    """Numbers that only the cluster holds, and that only the manifest names, window by window."""
    end = max(int(manifest.get("next")), cluster.highest() + 1)
    for start in range(0, end, _WINDOW):
        held = cluster.between(start, start + _WINDOW)
        named = np.asarray(manifest.ids(start, start + _WINDOW), np.int64)
        yield np.setdiff1d(held, named), np.setdiff1d(named, held)


def sweep(cluster: ClickHouse, manifest: Manifest) -> int:
    """Erase what no manifest row names; returns how many pictures that were."""
    swept = 0
    for orphans, _ in stranded(cluster, manifest):
        cluster.erase(orphans.tolist())
        swept += len(orphans)
    if swept:
        cluster.wait_erased()
    return swept


def forget_missing(cluster: ClickHouse, manifest: Manifest) -> int:
    """Forget pictures whose postings are lost with a shard, so that ``add`` takes them again.

    They are not denied.  Returns how many.
    """
    lost = 0
    for _, missing in stranded(cluster, manifest):
        with manifest.change():
            for number in missing.tolist():
                manifest.forget(number)
        lost += len(missing)
    manifest.flush()
    return lost


def damage(cluster: ClickHouse, manifest: Manifest) -> Iterator[str]:
    """What does not hold, in words."""
    for held in cluster.held():
        for tier, there, stated in (
            ("first", held.first, held.stated_first),
            ("detail", held.detail, held.stated_detail),
        ):
            if there != stated:
                yield (
                    f"shard {held.shard}: {there} postings of the {tier} tier where its pictures "
                    f"have {stated}: restore it, or add its photographs again"
                )
    orphans = lost = 0
    for held_only, named_only in stranded(cluster, manifest):
        orphans += len(held_only)
        lost += len(named_only)
    if orphans:
        yield f"cluster: {orphans} picture(s) left by a stopped writer: run `index compact`"
    if lost:
        yield f"cluster: {lost} picture(s) of the manifest have no postings: restore their shard"


def stats(cluster: ClickHouse) -> dict[str, Any]:
    """Counts and sizes; bytes are shared between the tiers by their numbers of postings."""
    shards = list(cluster.held())
    size = sum(s.bytes for s in shards)
    counts = {"first": sum(s.first for s in shards), "detail": sum(s.detail for s in shards)}
    tiers = {}
    for name in ("first", "detail"):
        pictures = cluster.pictures(name)
        mine = round(size * counts[name] / max(sum(counts.values()), 1))
        tiers[name] = {
            "pictures": pictures,
            "postings": counts[name],
            "bytes": mine,
            "bytes_per_picture": round(mine / pictures, 1) if pictures else 0,
        }
    return {"tiers": tiers, "shards": [asdict(s) for s in shards]}
