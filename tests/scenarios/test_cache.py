"""The feature cache keeps its promises: same answers, nothing readable, nothing left."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wholecloth import examine
from wholecloth.intake.collect import collect
from wholecloth.intake.decode import WorkerPool
from wholecloth.retrieval import cache as module
from wholecloth.retrieval.cache import FeatureCache, clear, state
from wholecloth.retrieval.features import QUICK
from wholecloth.retrieval.reading import Read, Reader
from wholecloth.testing.cases import DrawnFolder
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    top.mkdir()
    for i in range(4):
        (top / f"secret-name-{i}.png").write_bytes(encode(scene(700 + i, (300, 220)), "PNG"))
    (top / "broken.png").write_bytes(encode(scene(1, (300, 220)), "PNG")[:3000])
    settle(top)
    return top


def settle(top: Path) -> None:
    """Files drawn this instant are not kept: their time stamps could not tell a change yet."""
    import time

    newest = max(p.stat().st_ctime_ns for p in top.iterdir())
    while time.time_ns() - newest < 60_000_000:
        time.sleep(0.01)


def opened(folder: Path) -> FeatureCache:
    cache = FeatureCache.open(folder)
    assert cache is not None
    return cache


def read_all(photos: Path, cache: FeatureCache | None, *, paranoid: bool = False) -> Reader:
    with WorkerPool(1) as pool:
        reader = Reader(collect([photos]).sources, pool, None, cache, paranoid=paranoid)
        reader.results = [reader.read(i, QUICK) for i in range(len(reader.sources))]  # type: ignore[attr-defined]
    return reader


def test_a_cached_run_gives_the_same_record(drawn: DrawnFolder, folder: Path) -> None:
    plain = examine(drawn.published, [drawn.photos]).record
    for expected in (0, 20):
        cache = opened(folder)
        record = examine(drawn.published, [drawn.photos], cache=cache).record
        cache.close()
        assert record["record_digest"] == plain["record_digest"]
        assert record["run"]["read_from_cache"] >= expected


def test_nothing_in_it_can_be_read(photos: Path, folder: Path) -> None:
    cache = opened(folder)
    reader = read_all(photos, cache)
    cache.close()
    held = b"".join(p.read_bytes() for p in folder.iterdir())
    assert len(held) > 4 * 144 * 100
    for known in reader.results:  # type: ignore[attr-defined]
        if not isinstance(known, Read):
            continue
        assert known.sha256.encode() not in held
        assert bytes.fromhex(known.sha256) not in held
        sift = known.features.sift
        for row in sift[:: max(1, len(sift) // 50)]:
            assert row.tobytes()[:16] not in held
        assert known.features.points[0].tobytes() not in held
    assert b"secret-name" not in held
    assert b"photos" not in held
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in folder.iterdir())


def test_what_was_read_once_is_not_read_again(
    photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened(folder)
    first = read_all(photos, cache)
    monkeypatch.setattr(WorkerPool, "decode", lambda *_, **__: pytest.fail("a file was read again"))
    again = read_all(photos, cache)
    cache.close()
    assert again.from_cache == 5  # the one that cannot be read is remembered as well
    for one, two in zip(first.results, again.results, strict=True):  # type: ignore[attr-defined]
        assert type(one) is type(two)
        if isinstance(one, Read):
            np.testing.assert_array_equal(one.features.sift, two.features.sift)
            np.testing.assert_array_equal(one.features.points, two.features.points)
            assert (one.sha256, one.pixels) == (two.sha256, two.pixels)


def test_a_changed_file_is_read_again(photos: Path, folder: Path) -> None:
    cache = opened(folder)
    read_all(photos, cache)
    path = photos / "secret-name-0.png"
    before = path.stat()
    data = encode(scene(799, (300, 220)), "PNG")
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # ctime still tells
    settle(photos)
    again = read_all(photos, cache)
    cache.close()
    assert again.from_cache == 4


def stale(photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A cache whose entry for the original is of another file with the same identity."""
    from wholecloth.intake import collect as collecting

    def forged(info: os.stat_result) -> tuple[int, int, int, int, int]:
        return info.st_dev, info.st_ino, 1, 1, 1

    monkeypatch.setattr(collecting, "_identity", forged)
    original = photos / "secret-name-1.png"
    published = photos.parent / "published.jpg"
    published.write_bytes(encode(scene(701, (300, 220)), quality=70))
    cache = opened(folder)
    read_all(photos, cache)
    cache.close()
    return original, published


def test_the_named_original_is_always_hashed_again(
    photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, published = stale(photos, folder, monkeypatch)
    original.write_bytes(encode(scene(790, (300, 220)), "PNG"))
    cache = opened(folder)
    record = examine(published, [photos], cache=cache).record
    cache.close()
    assert record["original"] is None
    lost = {Path(s["path"]).name: s["reason"] for s in record["candidates"]["skipped"]}
    assert "exchanged" in lost[original.name]
    assert record["verdict"] == "undetermined"


def test_an_identical_file_is_hashed_again_too(
    photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, _ = stale(photos, folder, monkeypatch)
    published = photos.parent / "same.png"
    published.write_bytes(original.read_bytes())
    original.write_bytes(encode(scene(790, (300, 220)), "PNG"))
    cache = opened(folder)
    record = examine(published, [photos], cache=cache).record
    cache.close()
    assert record["copies"] == []
    assert record["original"] is None


def test_paranoid_hashes_all(photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, published = stale(photos, folder, monkeypatch)
    other = photos / "secret-name-2.png"
    other.write_bytes(original.read_bytes())  # the cache knows it as another picture
    original.unlink()
    results = {}
    for paranoid in (False, True):
        cache = opened(folder)
        results[paranoid] = examine(published, [photos], cache=cache, paranoid=paranoid).record
        cache.close()
    assert results[False]["original"] is None
    assert results[True]["original"]["path"].endswith(other.name)


def test_clear_leaves_nothing(photos: Path, folder: Path) -> None:
    cache = opened(folder)
    read_all(photos, cache)
    cache.close()
    key = (folder / "key").read_bytes()
    removed = []
    real = Path.unlink

    def spy(path: Path, **how: bool) -> None:
        if path.name == "key":
            removed.append(path.read_bytes())
        real(path, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", spy)
        assert clear(folder) > 0
    assert removed
    assert removed[0] != key, "the key must be written over before its file goes"
    assert not folder.exists()
    assert state(folder).rows == 0
    assert clear(folder) == 0


def test_unused_rows_go_after_thirty_days(
    photos: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = opened(folder)
    read_all(photos, cache)
    cache.close()
    today = module._today()
    monkeypatch.setattr(module, "_today", lambda: today + 30)
    opened(folder).close()
    assert state(folder).rows == 5
    monkeypatch.setattr(module, "_today", lambda: today + 31)
    opened(folder).close()
    assert state(folder).rows == 0


@pytest.mark.parametrize("harm", ["database", "key", "other key", "row", "folder"])
def test_a_damaged_cache_is_made_anew(photos: Path, folder: Path, harm: str) -> None:
    cache = opened(folder)
    read_all(photos, cache)
    cache.close()
    if harm == "database":
        (folder / "features.sqlite").write_bytes(b"not a database" * 999)
    elif harm == "key":
        (folder / "key").unlink()
    elif harm == "other key":
        (folder / "key").write_bytes(b"x" * 32)
    elif harm == "row":
        database = sqlite3.connect(folder / "features.sqlite")
        database.execute("UPDATE rows SET body = zeroblob(500)")
        database.commit()
        database.close()
    else:
        shutil.rmtree(folder)
    cache = opened(folder)
    assert read_all(photos, cache).from_cache == 0
    cache.close()
    cache = opened(folder)
    assert read_all(photos, cache).from_cache == 5
    cache.close()


def test_a_cache_that_cannot_be_made_stops_nothing(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert FeatureCache.open(tmp_path / "file" / "cache") is None


def test_doubt_about_age_withdraws_what_the_run_kept(photos: Path, folder: Path) -> None:
    cache = opened(folder)
    (photos / "secret-name-3.png").rename(photos.parent / "later.png")
    read_all(photos, cache)
    cache.close()
    kept = state(folder).rows
    (photos.parent / "later.png").rename(photos / "secret-name-3.png")
    settle(photos)
    cache = opened(folder)
    read_all(photos, cache)
    assert state(folder).rows in (kept, kept + 1)  # perhaps not yet on the disk
    cache.withdraw()
    cache.close()
    assert state(folder).rows == kept


def test_limits_are_part_of_the_identity(photos: Path, folder: Path) -> None:
    cache = opened(folder)
    read_all(photos, cache)
    with WorkerPool(1) as pool:
        pool.limits = replace(pool.limits, min_side=250)
        reader = Reader(collect([photos]).sources, pool, None, cache)
        assert not isinstance(reader.read(1, QUICK), Read)
    cache.close()


def test_the_command(photos: Path, tmp_path: Path) -> None:
    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wholecloth", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, check=True)

    published = tmp_path / "p.jpg"
    published.write_bytes(encode(scene(702, (300, 220)), quality=70))
    run("examine", published, "--among", photos, "--out", tmp_path / "o1", "--no-cache")
    assert state().rows == 0
    run("examine", published, "--among", photos, "--out", tmp_path / "o2")
    assert state().rows >= 5
    assert str(Path(os.environ["WHOLECLOTH_CACHE"])) in run("cache", "list").stdout
    assert "key is destroyed" in run("cache", "clear").stdout
    assert not Path(os.environ["WHOLECLOTH_CACHE"]).exists()
