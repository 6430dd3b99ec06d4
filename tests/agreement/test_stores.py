"""The plain twin, segments in a folder and ClickHouse give the same best pictures, to the last
place: as added, after an erasure, after compacting, after a merge."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wholecloth.retrieval import score
from wholecloth.retrieval.clickhouse.address import PASSWORD
from wholecloth.retrieval.index import Index, upkeep
from wholecloth.retrieval.index.manifest import ImageRow
from wholecloth.retrieval.postings import Kept, Postings, TierName, rank
from wholecloth.retrieval.score import Asked
from wholecloth.retrieval.vocabulary import Coded
from wholecloth.testing.clickhouse import DATABASE, USER, Server

pytest.importorskip("chdb", reason="chdb-core is not installed")

WORDS = 400
"""Few, so that many pictures share them."""
TIERS: tuple[TierName, ...] = ("first", "detail")


@pytest.fixture(scope="module")
def cluster(loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two shards."""
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, "for the tests")
        with (
            Server(folder / "a", "for the tests") as a,
            Server(folder / "b", "for the tests") as b,
        ):
            yield f"clickhouse://{USER}@{a.host},{b.host}/{DATABASE}"


class Drawn:
    """Postings like those of real pictures: parts of one another, blurred by some bits."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.base = {"first": self.coded(60), "detail": self.coded(150)}

    def coded(self, count: int) -> Coded:
        words = self.rng.integers(0, WORDS, count).astype(np.uint16)
        return Coded(words, self.rng.integers(0, 2**64, (count, 2), dtype=np.uint64))

    def near(self, coded: Coded, bits: int) -> Coded:
        """Signatures with up to so many bits turned."""
        turned = coded.signatures.copy()
        rows = np.arange(len(turned))
        for _ in range(bits):
            half = self.rng.integers(0, 2, len(turned))
            turned[rows, half] ^= np.uint64(1) << self.rng.integers(0, 64, len(turned)).astype(
                np.uint64
            )
        return Coded(coded.words, turned)

    def part(self, tier: str) -> Coded:
        """Some of the base's features and some others."""
        base = self.base[tier]
        count = int(self.rng.integers(0, len(base)))
        some = self.near(
            Coded(base.words[:count], base.signatures[:count]), int(self.rng.integers(0, 40))
        )
        others = self.coded(int(self.rng.integers(0, 40)))
        return Coded(
            np.concatenate([some.words, others.words]),
            np.concatenate([some.signatures, others.signatures]),
        )

    def pictures(self, count: int) -> list[Kept]:
        kept = []
        for number in range(count):
            detail = self.part("detail") if number % 3 == 0 else None
            kept.append(Kept(0, self.part("first"), detail, self.rng.bytes(32)))
        kept[7] = replace(kept[7], first=Coded(np.zeros(0, np.uint16), np.zeros((0, 2), np.uint64)))
        for twin in (11, 12, 13):  # equal scores, in the order of their numbers
            kept[twin] = kept[10]
        return kept

    def asked(self, tier: str) -> Asked:
        """Three words a feature: its own, one that others have, one that nobody has."""
        near = self.near(self.base[tier], 6)
        words = np.stack([near.words, (near.words + 1) % WORDS, near.words + 1000], axis=1)
        return score.asked(Coded(words, np.stack([near.signatures] * 3, axis=1)))


def fill(index: Index, kept: list[Kept], seed: int) -> dict[int, Kept]:
    """Put drawn pictures in as ``add`` would; returns them by number."""
    out = {}
    for some in (kept[: len(kept) // 3], kept[len(kept) // 3 :]):
        with index.writing(), index.manifest.change():
            ids = index.manifest.next_ids(len(some))
            numbered = [replace(k, image=i) for i, k in zip(ids, some, strict=True)]
            segment = index.postings.add(numbered)
            for one in numbered:
                index.manifest.put_image(ImageRow(one.image, sha(seed, one.image), segment, 9, 9))
        out |= {one.image: one for one in numbered}
    return out


def sha(seed: int, image: int) -> bytes:
    return hashlib.sha256(f"{seed} {image}".encode()).digest()


def plain(kept: dict[int, Kept], queries: list[Asked], tier: TierName) -> list[tuple[int, float]]:
    """The best hundred as one would write it down."""
    coded = {i: c for i, k in kept.items() if (c := k.tier(tier)) is not None}
    there = sum(len(c) > 0 for c in coded.values())
    found = [
        sorted(score.scores_plain(q, coded, there).items(), key=lambda one: (-one[1], one[0]))
        for q in queries
    ]
    return score.best_of_both(found[0], found[1], 100)


def agree(kept: dict[int, Kept], drawn: Drawn, stores: list[Postings]) -> None:
    for tier in TIERS:
        queries = [drawn.asked(tier), drawn.asked(tier)]
        expected = plain(kept, queries, tier)
        assert len(expected) == 100
        for store in stores:
            assert rank(store, *queries, tier, 100) == expected
    hashes = [next(iter(kept.values())).pdq, drawn.rng.bytes(32)]
    nearest = [store.near(hashes, 110) for store in stores]
    assert nearest[0] == nearest[1]
    assert nearest[0][0] == (min(kept), 0)
    assert len(nearest[0]) > 1


def test_three_stores_agree(loopback: None, cluster: str, tmp_path: Path) -> None:
    drawn = Drawn(5)
    about = {"owner": "tests", "purpose": "agreement"}
    local = Index.create(tmp_path / "local", **about)
    remote = Index.create(tmp_path / "remote", **about, like=local, postings=cluster)
    stores = [local.postings, remote.postings]
    pictures = drawn.pictures(400)
    kept = fill(local, pictures, 1)
    assert fill(remote, pictures, 1).keys() == kept.keys()
    agree(kept, drawn, stores)

    gone = [11, 150, 151, 400]
    names = [sha(1, i).hex() for i in gone]
    assert upkeep.erase(local, names).pictures == upkeep.erase(remote, names).pictures == 4
    for image in gone:
        del kept[image]
    agree(kept, drawn, stores)

    assert upkeep.compact(local) == 2
    assert upkeep.compact(remote) == 0
    agree(kept, drawn, stores)

    third = Index.create(tmp_path / "third", **about, like=local)
    more = fill(third, drawn.pictures(60), 2)
    assert upkeep.compact(third) == 2  # or its segments are merged in the order of their names
    assert upkeep.merge(local, third) == upkeep.merge(remote, third) == 60
    kept |= {400 + i: replace(k, image=400 + i) for i, k in more.items()}
    agree(kept, drawn, stores)
    for index in (local, remote):
        assert list(upkeep.damage(index)) == []
        assert upkeep.stats(index)["pictures"] == len(kept)
    tiers = [upkeep.stats(index)["tiers"] for index in (local, remote)]
    for tier in TIERS:
        for count in ("pictures", "postings"):
            assert tiers[0][tier][count] == tiers[1][tier][count] > 0


def test_a_question_with_no_words_or_only_common_ones(
    loopback: None, cluster: str, tmp_path: Path
) -> None:
    """Nothing, not everything."""
    drawn = Drawn(6)
    about = {"owner": "tests", "purpose": "agreement"}
    local = Index.create(tmp_path / "local", **about)
    remote = Index.create(
        tmp_path / "remote", **about, like=local, postings=cluster.replace(DATABASE, "common")
    )
    common = Coded(np.full(3, 9, np.uint16), drawn.coded(3).signatures)
    for index in (local, remote):
        fill(index, [Kept(0, common, None, bytes(32)) for _ in range(30)], 3)
    none = score.asked(Coded(np.zeros((0, 3), np.uint16), np.zeros((0, 3, 2), np.uint64)))
    stop = score.asked(Coded(common.words[:, None], common.signatures[:, None]))
    for query in (none, stop):
        for store in (local.postings, remote.postings):
            assert rank(store, query, query, "first", 100) == []
