"""A folder of 200 and more candidates is searched by visual words first: unseen, and said."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from wholecloth import examine, workflow
from wholecloth.cli.main import program
from wholecloth.intake.collect import collect
from wholecloth.intake.decode import Decoded, WorkerPool
from wholecloth.model.media import Source
from wholecloth.retrieval import coding
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.coding import FROM, Coding
from wholecloth.retrieval.reading import Reader
from wholecloth.testing.cases import draw_case, draw_partial
from wholecloth.testing.launder import Laundering, encode
from wholecloth.testing.scenes import scene

SMALL = (160, 120)
FEW = 12


@dataclass(frozen=True)
class Folder:
    """A published edit and the candidates."""

    published: Path
    photos: Path

    @property
    def original(self) -> Path:
        return self.photos / "original.jpg"

    @property
    def broken(self) -> Path:
        return self.photos / "broken.jpg"


def filled(photos: Path, count: int) -> None:
    photos.mkdir()
    for i in range(count):
        (photos / f"other-{i:03}.jpg").write_bytes(encode(scene(10_000 + i, SMALL)))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """As many candidates as it takes, one of them the original, one cut off."""
    top = tmp_path_factory.mktemp("many")
    filled(top / "photos", FROM - 2)
    chain = Laundering(crop=(0.05, 0.05, 0.95, 0.9), mirror=True, scale=0.9, qualities=(80,))
    case = draw_case(41, "splice", chain, size=(320, 240))
    folder = Folder(top / "published.jpg", top / "photos")
    folder.published.write_bytes(case.published)
    folder.original.write_bytes(case.original)
    folder.broken.write_bytes(encode(scene(5, SMALL))[:2500])
    return folder


@pytest.fixture
def few(many: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The same with so few that it is quick, searched by words all the same."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in (many.original, many.broken, *sorted(many.photos.glob("other-*"))[: FEW - 2]):
        shutil.copy2(path, photos)
    monkeypatch.setattr(workflow, "FROM", FEW)
    time.sleep(0.06)  # files written this instant are not kept in a cache
    return Folder(many.published, photos)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[FeatureCache]:
    opened = FeatureCache.open(tmp_path / "cache")
    assert opened is not None
    yield opened
    opened.close()


def not_looked_at(record: dict[str, Any]) -> int:
    """How many, as the record says it; 0 where it does not."""
    said = [s for s in record["not_examined"] if "were not looked at" in s]
    assert all("--exhaustive" in s for s in said)
    return int(said[0].split()[0]) if said else 0


def unreadable(record: dict[str, Any]) -> set[str]:
    return {Path(s["path"]).name for s in record["candidates"]["skipped"] if s["kind"] == "unread"}


def test_it_finds_what_looking_at_all_finds_and_reads_nothing_twice(
    many: Folder, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = examine(many.published, [many.photos], exhaustive=True).record
    assert Path(every["original"]["path"]).name == many.original.name
    assert not_looked_at(every) == 0
    decoded: list[str] = []
    real = WorkerPool.decode

    def counted(pool: WorkerPool, source: Source, **how: Any) -> Decoded:
        decoded.append(Path(source.name).name)
        return real(pool, source, **how)

    monkeypatch.setattr(WorkerPool, "decode", counted)
    first = examine(many.published, [many.photos], cache=cache).record
    assert set(decoded) == {p.name for p in (many.published, *many.photos.iterdir())}
    decoded.clear()
    again = examine(many.published, [many.photos], cache=cache).record
    # The published picture, and the original at full size; both are read anew in every run.
    assert sorted(decoded) == [many.original.name, many.published.name]
    assert again["run"]["read_from_cache"] >= FROM
    assert again["record_digest"] == first["record_digest"]
    for record in (first, again):
        assert record["verdict"] == every["verdict"] == "edit"
        assert record["original"] == every["original"]
        assert record["edit"] == every["edit"]
        assert not_looked_at(record) > FROM // 2
        assert unreadable(record) == unreadable(every) == {many.broken.name}


def test_one_candidate_fewer_and_all_are_looked_at(
    few: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_words = examine(few.published, [few.photos]).record
    assert not_looked_at(by_words) > 0
    monkeypatch.setattr(workflow, "FROM", FEW + 1)
    record = examine(few.published, [few.photos]).record
    assert not_looked_at(record) == 0
    assert record["original"] == by_words["original"]


def test_the_command_looks_at_all_where_it_is_told_to(few: Folder, tmp_path: Path) -> None:
    told = {}
    for option in ("--no-cache", "--exhaustive", "--paranoid"):
        args = ["examine", few.published, "--among", few.photos, "--json", option]
        args += ["--out", tmp_path / f"out{option}"]
        done = CliRunner().invoke(program, [str(a) for a in args], catch_exceptions=False)
        record = json.loads(done.stdout)
        assert record["verdict"] == "edit"
        assert unreadable(record) == {few.broken.name}
        told[option] = not_looked_at(record)
    assert told["--no-cache"] > 0
    assert told["--exhaustive"] == told["--paranoid"] == 0


def test_nothing_of_it_is_in_clear_in_the_cache(few: Folder, cache: FeatureCache) -> None:
    with WorkerPool(1) as pool:
        made = Coding(Reader(collect([few.photos]).sources, pool), cache, lambda *_: None)
        rows = made._all("first")
        examine(few.published, [few.photos], cache=cache)
    assert len(rows) == FEW - 1
    cache.close()
    held = b"".join(p.read_bytes() for p in cache.folder.iterdir())
    plain = b"".join(coding._closed(row) for row in rows.values())
    assert len(held) > len(plain)
    for row in rows.values():
        assert len(row.coded) > 50
        for part in (
            row.sha256.encode(),
            row.pdq,
            row.coded.words[:8].astype("<u2").tobytes(),
            row.coded.signatures[:2].astype("<u8").tobytes(),
        ):
            assert part in plain
            assert part not in held
        assert bytes.fromhex(row.sha256) not in held
    assert b"other-0" not in held
    assert b"photos" not in held
    assert few.broken.name.encode() not in held


def test_another_cache_numbers_the_words_otherwise(few: Folder, tmp_path: Path) -> None:
    """What two caches hold of one folder cannot be compared, not even opened."""
    rows = []
    for name in ("one", "two"):
        with WorkerPool(1) as pool:
            opened = FeatureCache.open(tmp_path / name)
            made = Coding(Reader(collect([few.photos]).sources, pool), opened, lambda *_: None)
            rows.append(made._all("first"))
            assert opened is not None
            opened.close()
    one, two = rows
    assert one.keys() == two.keys()
    for index in one:
        assert not np.array_equal(one[index].coded.words, two[index].coded.words)
        assert not np.array_equal(one[index].coded.signatures, two[index].coded.signatures)


def test_both_sources_of_a_composite_are_found(
    few: Folder, tmp_path: Path, cache: FeatureCache
) -> None:
    """The second one by what lies in the area that the first does not explain."""
    part = draw_partial(33, 0.35)
    published = tmp_path / "composite.jpg"
    published.write_bytes(part.published)
    (few.photos / "donor.jpg").write_bytes(part.donor)
    (few.photos / "host.jpg").write_bytes(part.host)
    by_words = examine(published, [few.photos], cache=cache).record
    every = examine(published, [few.photos], exhaustive=True).record
    assert not_looked_at(by_words) > 0
    named = [{Path(s["path"]).name for s in r["sources"]} for r in (by_words, every)]
    assert named == [{"donor.jpg", "host.jpg"}] * 2


@pytest.mark.parametrize("large", [2, 1])
def test_one_thing_cut_out_of_a_large_candidate_is_found_by_its_detail(
    few: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    # Signatures are drawn anew for each run; with some of them a word in common by chance lists
    # the frame in the first tier. Here they are held.
    monkeypatch.setattr(coding, "secrets", SimpleNamespace(token_bytes=lambda n: bytes(range(n))))
    for seed in (3000, 6000)[:large]:
        things = [[scene(seed + 10 * y + x, (300, 300)) for x in range(6)] for y in range(4)]
        frame = np.vstack([np.hstack(row) for row in things])
        (few.photos / f"group-{seed}.jpg").write_bytes(encode(frame, quality=92))
    thing = scene(3000 + 10 + 2, (300, 300)).copy()
    thing[100:200, 110:190] = scene(9999, (80, 100))
    published = tmp_path / "cut.jpg"
    published.write_bytes(encode(np.ascontiguousarray(thing[:, ::-1]), quality=80))
    by_words = examine(published, [few.photos]).record
    assert by_words["original"] is not None
    assert Path(by_words["original"]["path"]).name == "group-3000.jpg"
