"""``Postings`` in a cluster.

Every shard holds all postings of its pictures, so that a picture's score is made in one place by
one statement, and the best of all shards are the best of the index.  A new picture goes to the
shard that its number gives (number modulo shards); everything else asks all shards, so a shard can
be added at any time without moving what is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wholecloth.errors import IndexDamaged, IndexRefused, VerificationFailed
from wholecloth.retrieval.clickhouse import schema
from wholecloth.retrieval.clickhouse import statements as sql
from wholecloth.retrieval.clickhouse.address import Address
from wholecloth.retrieval.clickhouse.client import Client, Connect, connect, told
from wholecloth.retrieval.postings import Kept, TierName
from wholecloth.retrieval.score import WEIGHTS, Asked

_TIERS: dict[TierName, int] = {"first": 0, "detail": 1}
_WEIGHTS = WEIGHTS[WEIGHTS > 0].tolist()
"""By distance; further away than there are weights counts nothing."""
_WAIT_SECONDS = 60.0
"""How long ``wait_erased`` waits.  Settings of the tables let replaced parts go after some five
seconds; a long query that still reads one holds it."""
_MOST_ERASED = 1000
"""Pictures in one mutation: its condition is kept in the part's list of mutations."""
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Shard:
    """One server and its client."""

    name: str
    client: Client
    claim: str
    """What ``about`` calls it."""

    def columns(self, text: str, **values: Any) -> Sequence[Sequence[Any]]:
        """Rows of a query, as columns."""
        with told(self.name):
            return self.client.query(text, parameters=values).result_columns


@dataclass(frozen=True, slots=True)
class Held:
    """What one shard holds."""

    shard: str
    pictures: int
    first: int
    """Postings of the first tier …"""
    detail: int
    """… and of the detail tier."""
    stated_first: int
    """Features of the first tier by its table of pictures: the same number, if all is well."""
    stated_detail: int
    bytes: int


class ClickHouse:
    """Postings of one index in one or more servers; connected at the first use.

    Args:
        address: the shards.
        index: id of the index; a database that belongs to another one is refused.
        connect: makes the clients.
    """

    def __init__(self, address: Address, index: str, connect: Connect = connect) -> None:
        self.address = address
        self._index = index
        self._connect = connect
        self._shards: list[Shard] = []
        self._threads: ThreadPoolExecutor | None = None

    # -- opening -------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make and claim the tables of every shard that has none yet.

        Raises:
            IndexRefused: a shard belongs to another index or program, or cannot be used.
        """
        self.close()
        for host in self.address.hosts:
            client = self._connect(self.address, host)
            try:
                with told(host):
                    schema.claim(client, self._index, str(host))
            finally:
                client.close()

    def close(self) -> None:
        """Let go of the connections."""
        for shard in self._shards:
            shard.client.close()
        if self._threads is not None:
            self._threads.shutdown()
        self._shards, self._threads = [], None

    def shards(self) -> list[Shard]:
        """All, connected and checked.

        Raises:
            IndexRefused: one cannot be reached, is not this index's, or is there twice.
        """
        if self._shards:
            return self._shards
        try:
            for host in self.address.hosts:
                client = self._connect(self.address, host)
                self._shards.append(Shard(str(host), client, ""))
                self._shards[-1] = self._checked(self._shards[-1])
        except BaseException:
            self.close()
            raise
        self._threads = ThreadPoolExecutor(len(self._shards))
        return self._shards

    def _checked(self, shard: Shard) -> Shard:
        with told(shard.name):
            claim = schema.claimed(shard.client, shard.name)
        if claim is None or claim.index != self._index:
            reason = f"does not hold index {self._index}"
            remedy = "check the address; a server that is new is taken with `move`"
            raise IndexRefused(f"shard {shard.name}", reason, remedy)
        for other in self._shards:
            if other.claim == claim.shard:
                reason = f"is the same server as {other.name}"
                raise IndexRefused(f"shard {shard.name}", reason, "name each shard once")
        return replace(shard, claim=claim.shard)

    def _each(self, ask: Callable[[Shard], _Found]) -> list[_Found]:
        """All shards at the same time, answers in their order."""
        shards = self.shards()
        if self._threads is None or len(shards) == 1:
            return [ask(shard) for shard in shards]
        return list(self._threads.map(ask, shards))

    # -- asking --------------------------------------------------------------------------

    def pictures(self, tier: TierName) -> int:
        """How many have this tier."""
        return sum(
            int(found[0][0])
            for found in self._each(lambda s: s.columns(sql.PICTURES, tier=_TIERS[tier]))
        )

    def frequency(self, words: NDArray[np.uint16], tier: TierName) -> NDArray[np.int64]:
        """Postings per word."""
        distinct, back = np.unique(words, return_inverse=True)
        total = np.zeros(len(distinct), np.int64)
        if len(distinct):
            values = {"tier": _TIERS[tier], "words": distinct.tolist()}
            for found in self._each(lambda s: s.columns(sql.FREQUENCY, **values)):
                if found:
                    at = np.searchsorted(distinct, np.asarray(found[0], np.uint16))
                    total[at] += np.asarray(found[1], np.int64)
        return np.asarray(total[back], np.int64)

    def search(
        self, query: Asked, weight: NDArray[np.int64], tier: TierName, count: int
    ) -> list[tuple[int, float]]:
        """The best pictures over all shards."""
        useful = np.flatnonzero(weight > 0)
        if not len(useful):
            return []
        values = {
            "tier": _TIERS[tier],
            "words": query.words[useful].tolist(),
            "low": query.signatures[useful, 0].tolist(),
            "high": query.signatures[useful, 1].tolist(),
            "feature": query.feature[useful].tolist(),
            "weight": weight[useful].tolist(),
            "weights": _WEIGHTS,
            "count": count,
        }
        found: list[tuple[int, float]] = []
        for columns in self._each(lambda s: s.columns(sql.SEARCH, **values)):
            if columns:
                found += [(int(i), float(v)) for i, v in zip(*columns, strict=True)]
        return sorted(found, key=lambda kept: (-kept[1], kept[0]))[:count]

    def near(self, hashes: Sequence[bytes], within: int) -> list[tuple[int, int]]:
        """Pictures by PDQ."""
        if not hashes:
            return []
        wanted = np.frombuffer(b"".join(hashes), "<u8").reshape(-1, 4)
        values = {name: wanted[:, i].tolist() for i, name in enumerate("abcd")}
        found: list[tuple[int, int]] = []
        for columns in self._each(lambda s: s.columns(sql.NEAR, within=within, **values)):
            if columns:
                found += [(int(i), int(away)) for i, away in zip(*columns, strict=True)]
        return sorted(found, key=lambda kept: (kept[1], kept[0]))

    # -- changing ------------------------------------------------------------------------

    def add(self, kept: Sequence[Kept]) -> int:
        """Keep these; on the disks of their shards when it returns.  Always 0: no segment."""
        shards = self.shards()
        for at, shard in enumerate(shards):
            mine = [one for one in kept if one.image % len(shards) == at]
            if mine:
                self._refuse_known(shard, mine)
                with told(shard.name):
                    _insert(shard.client, mine)
        return 0

    def _refuse_known(self, shard: Shard, kept: Sequence[Kept]) -> None:
        images = [one.image for one in kept]
        there = shard.columns(sql.THERE, images=images)
        if there and there[0]:
            reason = f"already holds a picture of number {there[0][0]}, which was to be given anew"
            remedy = "the manifest is older than the shard: run `wholecloth index compact` first"
            raise IndexDamaged(f"shard {shard.name}", reason, remedy)

    def erase(self, images: Sequence[int]) -> None:
        """Write the parts that hold these anew; the old ones go within ``wait_erased``."""
        for start in range(0, len(images), _MOST_ERASED):
            some = [int(i) for i in images[start : start + _MOST_ERASED]]
            for statement in sql.ERASE:
                self._each(partial(_command, text=statement, images=some))

    def wait_erased(self, seconds: float = _WAIT_SECONDS) -> None:
        """Return when no replaced part of what was erased before lies on any shard's disk.

        What is replaced meanwhile by other writers' merges does not count.

        Raises:
            VerificationFailed: some still do after that time, or there are detached parts, which
                no erasure reaches.
        """
        for shard in self.shards():
            aside = _names(shard.columns(sql.DETACHED))
            if aside:
                remedy = "drop them with ALTER TABLE … DROP DETACHED PART, then erase again"
                reason = f"has detached parts that no erasure reaches: {min(aside)}"
                raise VerificationFailed(f"shard {shard.name}", reason, remedy)
        until = time.monotonic() + seconds
        waiting = {s.name: _names(s.columns(sql.INACTIVE)) for s in self.shards()}
        while any(waiting.values()):
            if time.monotonic() > until:
                name = next(n for n, parts in waiting.items() if parts)
                reason = f"still has {len(waiting[name])} replaced part(s) on its disk"
                remedy = "a query may still read them: run the same erasure again in a minute"
                raise VerificationFailed(f"shard {name}", reason, remedy)
            time.sleep(0.2)
            for shard in self.shards():
                waiting[shard.name] &= _names(shard.columns(sql.INACTIVE))

    # -- checking ------------------------------------------------------------------------

    def between(self, start: int, end: int) -> NDArray[np.int64]:
        """Numbers of the pictures held, start ≤ number < end, ascending; twice if held twice."""
        found = self._each(lambda s: s.columns(sql.BETWEEN, start=start, end=end))
        parts = [np.asarray(c[0], np.int64) for c in found if c]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

    def highest(self) -> int:
        """The highest number held; 0 where there is none."""
        return max(int(found[0][0]) for found in self._each(lambda s: s.columns(sql.HIGHEST)))

    def held(self) -> Iterator[Held]:
        """What every shard holds."""
        for shard in self.shards():
            row = [int(column[0]) for column in shard.columns(sql.COUNTS)]
            size = int(shard.columns(sql.BYTES)[0][0])
            yield Held(shard.name, row[0], row[1], row[2], row[3], row[4], size)


def _command(shard: Shard, text: str, **values: Any) -> None:
    with told(shard.name):
        shard.client.command(text, parameters=values)


def _names(columns: Sequence[Sequence[Any]]) -> set[str]:
    return set(columns[0]) if columns else set()


def _insert(client: Client, kept: Sequence[Kept]) -> None:
    """The table of pictures first: what is in neither manifest nor answer is found there."""
    pdq = np.frombuffer(b"".join(k.pdq for k in kept), "<u8").reshape(-1, 4)
    features = [[0 if c is None else len(c) for c in (k.first, k.detail)] for k in kept]
    images = np.array([k.image for k in kept], np.uint32)
    columns = [images, *np.array(features, np.uint16).T, *pdq.T.astype(np.uint64)]
    names = ["image", "first", "detail", "pdq_0", "pdq_1", "pdq_2", "pdq_3"]
    client.insert("pictures", columns, column_names=names, column_oriented=True)
    for tier, number in _TIERS.items():
        some = [
            (k.image, coded) for k in kept if (coded := k.tier(tier)) is not None and len(coded)
        ]
        if not some:
            continue
        words = np.concatenate([c.words for _, c in some])
        signatures = np.concatenate([c.signatures for _, c in some])
        owner = np.repeat(
            np.array([i for i, _ in some], np.uint32), np.array([len(c) for _, c in some])
        )
        low, high = np.ascontiguousarray(signatures.T)
        columns = [np.full(len(words), number, np.uint8), words, owner, low, high]
        names = ["tier", "word", "image", "low", "high"]
        client.insert("postings", columns, column_names=names, column_oriented=True)
