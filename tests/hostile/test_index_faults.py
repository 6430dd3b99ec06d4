"""An index when things go wrong: kills, erasure, full disks, changed bytes, rivals."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from wholecloth import atomic
from wholecloth.errors import (
    IndexDamaged,
    IndexRefused,
    NotInstalled,
    OutputRefused,
    WholeclothError,
)
from wholecloth.retrieval.index import Index, adding, formats, manifest, remnants, seal, upkeep
from wholecloth.retrieval.index.keys import KEY
from wholecloth.retrieval.index.manifest import ImageRow
from wholecloth.retrieval.index.segment import TIERS
from wholecloth.retrieval.postings import rank
from wholecloth.testing import kills
from wholecloth.testing.kills import GHOSTS, OLD, TARGETS, Ground, names, put, scan
from wholecloth.testing.postings import finds, query, taken

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are tried on POSIX")
MODES = pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "vault"])


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return kills.prepare(tmp_path)


def fact(index: Path, name: str, value: object) -> None:
    """Set a fact of a manifest with its digest, as another version would."""
    with Index.open(index, writing=True) as opened, opened.manifest.change():
        opened.manifest.set(name, value)


# -- kills ---------------------------------------------------------------------------------


@pytest.mark.parametrize("act", kills.ACTS)
def test_a_kill_at_every_step_loses_nothing(ground: Ground, act: kills.Act) -> None:
    total = kills.steps(ground, act)
    trials = [kills.at_step(ground, act, step) for step in range(1, total + 1)]
    assert [t for t in trials if t.wrong] == []
    assert all(t.killed for t in trials)
    assert total > 10
    beyond = kills.at_step(ground, act, total + 1)
    assert not beyond.killed


@pytest.mark.parametrize("act", kills.ACTS)
def test_a_kill_at_any_moment_loses_nothing(tmp_path: Path, act: kills.Act) -> None:
    ground = kills.prepare(tmp_path, encrypted=True)
    span = kills.duration(ground, act)
    rng = random.Random(act)
    trials = [kills.after(ground, act, rng.uniform(0, span)) for _ in range(6)]
    assert [t for t in trials if t.wrong] == []
    assert any(t.killed for t in trials)


def test_the_trial_sees_what_is_lost(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a writer that removes segments before the change is on the disk."""
    from wholecloth.retrieval.index.local import LocalSegments

    drop = manifest.Manifest.drop_segment

    def early(self: manifest.Manifest, number: int) -> None:
        drop(self, number)
        (self.path.parent / f"segment-{number:012x}.bin").unlink()

    monkeypatch.setattr(manifest.Manifest, "drop_segment", early)
    trials = [kills.at_step(ground, "compact", s) for s in range(1, kills.steps(ground, "compact"))]
    assert any(t.wrong for t in trials)
    monkeypatch.undo()
    monkeypatch.setattr(LocalSegments, "tidy", lambda _self: [])
    monkeypatch.setattr(LocalSegments, "settle", lambda _self: None)
    trials = [kills.at_step(ground, "erase", s) for s in (1, kills.steps(ground, "erase"))]
    assert all(any("traces" in line for line in t.wrong) for t in trials)


def test_a_stopped_create_can_be_repeated(tmp_path: Path) -> None:
    def create(folder: Path) -> None:
        Index.create(folder, owner="a test", purpose="testing").close()

    step = 0
    while True:
        step += 1
        folder = tmp_path / str(step)
        child = os.fork()
        if child == 0:  # pragma: no cover - it does not come back
            left = iter(range(1, step))

            def hook(_step: str, _path: Path, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            atomic.before_step = hook
            create(folder)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            break
        if not (folder / manifest.NAME).exists():
            create(folder)
        with Index.open(folder, writing=True) as index:
            assert [d for d in upkeep.damage(index) if "left by a stopped writer" not in d] == []
            put(index, OLD[:2])
            assert list(upkeep.damage(index)) == []
            assert finds(index, taken(OLD[0]))
    assert step > 8


# -- erasure -------------------------------------------------------------------------------


@MODES
def test_nothing_stays_of_what_is_erased(tmp_path: Path, encrypted: bool) -> None:
    ground = kills.prepare(tmp_path, encrypted=encrypted)
    target = taken(OLD[1])
    before = scan(ground.base, [target])
    assert manifest.NAME in before
    assert encrypted or len(before) == 2
    with ground.open(ground.base) as reader, ground.open(ground.base, writing=True) as index:
        assert finds(reader, target)
        row = index.manifest.by_sha256(target.sha256)
        assert row is not None
        (key,) = (s.key for s in index.manifest.segments() if s.number == row.segment)
        assert (key is not None) == encrypted
        done = upkeep.erase(index, [OLD[1]])
        assert (done.pictures, done.not_found) == (1, ())
        assert scan(ground.base, [target]) == {}
        if key is not None:
            assert not any(key[:12] in p.read_bytes() for p in ground.base.iterdir())
        assert not reader.postings.near([target.pdq], 0)
        assert finds(reader, taken(OLD[0]))
        assert list(upkeep.damage(reader)) == []
        again = put(index, [OLD[1]])
        assert (again.denied, again.added) == (1, 0)
        assert scan(ground.base, [target]) == {}


@MODES
def test_an_unfinished_reader_is_told_of_and_then_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypted: bool
) -> None:
    monkeypatch.setattr(manifest, "WAIT_SECONDS", 0.2)
    ground = kills.prepare(tmp_path, encrypted=encrypted)
    target = taken(OLD[1])
    reader = sqlite3.connect(ground.base / manifest.NAME, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM places").fetchone()
    with ground.open(ground.base, writing=True) as index:
        with pytest.raises(OutputRefused, match="log open") as refused:
            upkeep.erase(index, [OLD[1]])
        assert refused.value.remedy
        assert not index.postings.near([target.pdq], 0)
        assert index.manifest.denied(target.sha256)
        reader.close()
        assert scan(ground.base, [target])
        upkeep.erase(index, [OLD[1]])
        assert scan(ground.base, [target]) == {}
        assert not index.manifest.interrupted


def test_by_path_folder_and_digest(ground: Ground) -> None:
    stranger = taken("/drawn/elsewhere/stranger.jpg")
    with ground.open(ground.base, writing=True) as index:
        put(index, ["/drawn/folder/a.jpg", "/drawn/folder/deeper/b.jpg", "/drawn/folder-2/c.jpg"])
        assert upkeep.erase(index, [stranger.sha256.hex()]).not_found == (stranger.sha256.hex(),)
        assert put(index, [stranger.path]).denied == 1
        assert upkeep.erase(index, ["/drawn/folder"]).pictures == 2
        assert index.manifest.place("/drawn/folder-2/c.jpg") is not None
        assert put(index, ["/drawn/folder/a.jpg"]).denied == 1
        assert upkeep.erase(index, [taken(OLD[3]).sha256.hex().upper()]).pictures == 1
        assert upkeep.erase(index, ["/nowhere"]).not_found == ("/nowhere",)
        gone = [taken(p) for p in (OLD[3], "/drawn/folder/a.jpg", "/drawn/folder/deeper/b.jpg")]
        assert scan(ground.base, gone) == {}
        assert list(upkeep.damage(index)) == []


@MODES
def test_what_is_withdrawn_leaves_nothing_and_no_denial(tmp_path: Path, encrypted: bool) -> None:
    ground = kills.prepare(tmp_path, encrypted=encrypted)
    new = [taken(p) for p in names("new", 3)]
    with ground.open(ground.base, writing=True) as index:
        first = int(index.manifest.get("next"))
        put(index, [p.path for p in new])
        assert upkeep.withdraw(index, first) == 3
        assert scan(ground.base, new) == {}
        assert len(index) == len(OLD)
        assert list(upkeep.damage(index)) == []
        assert not any(index.manifest.denied(p.sha256) for p in new)


def test_names_of_files_that_were_refused_go_too(tmp_path: Path, ground: Ground) -> None:
    """Also where a picture's file became unreadable after it was added."""
    bad = tmp_path / "photos" / "no-picture.jpg"
    bad.parent.mkdir()
    bad.write_bytes(b"\xff\xd8\xff\xe0 and no more")
    changed = tmp_path / "changed.jpg"
    changed.write_bytes(bad.read_bytes())
    with ground.open(ground.base, writing=True) as index:
        put(index, [str(changed)])
        adding.add(index, [bad.parent, changed])
        assert index.manifest.refused(str(bad))
        assert index.manifest.refused(str(changed))
        digest = taken(str(changed)).sha256.hex()
        done = upkeep.erase(index, [str(bad.parent), digest])
        assert (done.pictures, done.not_found) == (1, ())
    for file in ground.base.iterdir():
        assert b"no-picture" not in file.read_bytes()
        assert b"changed.jpg" not in file.read_bytes()


def test_copies_that_sqlite_leaves_in_its_pages_are_found(tmp_path: Path) -> None:
    """Deleting is not enough: rows moved when a page was split leave copies behind."""
    index = Index.create(tmp_path / "index", owner="a test", purpose="testing")
    path = index.manifest.path
    digests = [np.random.default_rng(i).bytes(32) for i in range(COUNT)]
    for start in range(0, COUNT, 500):
        with index.manifest.change():
            for i in range(start, start + 500):
                index.manifest.put_image(ImageRow(i, digests[i], 0, 10, 10))
        index.manifest.flush()
    body = path.read_bytes()
    copied = [i for i in range(COUNT) if any(body.count(w) > 2 for w in _ends(digests[i]))]
    assert copied, "this SQLite leaves none: the look for them may go"
    for i in copied:
        with index.manifest.change():
            index.manifest.forget(i)
    index.manifest.flush()
    body = path.read_bytes()
    left = [i for i in copied if any(w in body for w in _ends(digests[i]))]
    found = [i for i in copied if remnants.found(path, remnants.of_digest(digests[i]))]
    assert left == found
    assert left
    with index.manifest.change():
        index.manifest.erasing()
    assert index.manifest.flush(remnants.of_digest(digests[left[0]]))
    body = path.read_bytes()
    assert not any(w in body for i in copied for w in _ends(digests[i]))
    assert list(upkeep.damage(index)) == []
    index.close()


COUNT = 4000
"""Enough for some pages to be split twice."""


def _ends(digest: bytes) -> tuple[bytes, bytes]:
    return digest[:8], digest[-8:]


# -- disks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("act", kills.ACTS)
def test_a_failing_disk_at_every_step(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, act: kills.Act
) -> None:
    """In one process that goes on: a refusal in words, nothing lost, and the same again works."""
    for step in range(1, kills.steps(ground, act) + 1):
        left = iter(range(1, step))

        def fail(_step: str, _path: Path, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        folder = ground.top / f"{act}-{step}"
        shutil.copytree(ground.base, folder)
        monkeypatch.setattr(atomic, "before_step", fail)
        with pytest.raises(OutputRefused) as refused:
            kills.perform(ground, act, folder)
        monkeypatch.undo()
        assert refused.value.remedy
        with ground.open(folder, writing=True) as index:
            assert [d for d in upkeep.damage(index) if "left by a stopped" not in d] == []
            there = [p for p in OLD if index.manifest.place(p)]
            assert there == OLD or act == "erase"
            assert all(finds(index, taken(p)) for p in there)
        kills.perform(ground, act, folder)
        with ground.open(folder) as index:
            assert list(upkeep.damage(index)) == []
        shutil.rmtree(folder)


def test_a_change_taken_back_costs_no_segment(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same open index goes on after an erasure that failed at the last moment."""
    with ground.open(ground.base, writing=True) as index:

        def fail(step: str, _path: Path) -> None:
            if step == "commit":
                raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(atomic, "before_step", fail)
        with pytest.raises(WholeclothError):
            upkeep.erase(index, TARGETS)
        monkeypatch.undo()
        put(index, names("new", 3))
        assert list(upkeep.damage(index)) == []
        assert all(finds(index, taken(p)) for p in OLD)


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """No file may grow beyond this: what a full disk does to SQLite's own writing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("act", kills.ACTS)
def test_no_room_for_the_log(ground: Ground, act: kills.Act) -> None:
    refused = 0
    for size in (1000, 8_000, 20_000, 40_000, 80_000, 200_000):
        folder = ground.top / f"{act}-{size}"
        shutil.copytree(ground.base, folder)
        try:
            with at_most(size):
                kills.perform(ground, act, folder)
        except OutputRefused as error:
            refused += 1
            assert error.remedy
        with ground.open(folder) as index:
            assert [d for d in upkeep.damage(index) if "left by a stopped" not in d] == []
        kills.perform(ground, act, folder)
        with ground.open(folder) as index:
            assert list(upkeep.damage(index)) == []
            assert all(finds(index, taken(p)) for p in OLD if act != "erase" or p not in TARGETS)
    assert refused


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """Run as somebody who may read the folder and not write it."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if before == 0:
            os.seteuid(before)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


@pytest.fixture
def shared() -> Iterator[Ground]:
    """In a folder that other accounts can reach."""
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        yield kills.prepare(Path(top))


def test_in_a_read_only_folder_one_can_ask(shared: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    # access(2) goes by the real user, who is the test's.
    monkeypatch.setattr(os, "access", lambda p, mode: real(p, mode, effective_ids=True))
    with as_nobody(shared.base):
        with shared.open(shared.base) as index:
            assert finds(index, taken(OLD[4]))
            assert list(upkeep.damage(index)) == []
            writes: list[Callable[[], object]] = [
                lambda: adding.add(index, []),
                lambda: upkeep.erase(index, TARGETS),
                lambda: upkeep.compact(index),
            ]
            for write in writes:
                with pytest.raises(OutputRefused, match="read-only") as refused:
                    write()
                assert refused.value.remedy
        with pytest.raises(OutputRefused, match="read-only"):
            shared.open(shared.base, writing=True)
    with shared.open(shared.base) as index:
        assert list(upkeep.damage(index)) == []


def test_a_read_only_copy_with_a_log_is_refused_in_words(
    shared: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its log it would be an older index than it is: what was erased could come back."""
    with shared.open(shared.base, writing=True) as index:
        with index.manifest.change():
            index.manifest.set("purpose", "changed")
        copy = shared.top / "copy"
        shutil.copytree(shared.base, copy)
    (copy / f"{manifest.NAME}-shm").unlink()
    real = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: real(p, mode, effective_ids=True))
    with as_nobody(copy), pytest.raises(IndexRefused, match="not closed") as refused:
        shared.open(copy)
    assert refused.value.remedy


# -- changed bytes -------------------------------------------------------------------------


def regions(body: bytes) -> Iterator[tuple[str, int]]:
    """A byte of every part of a segment."""
    length = int.from_bytes(body[16:20], "little")
    header = json.loads(body[20 : 20 + length])
    yield from (("magic", 3), ("version", 15), ("length", 16), ("length, high", 19))
    yield from (("header", 20 + i) for i in range(0, len(json.dumps(header)), 7))
    yield ("padding", 19 + length)
    for name, (offset, count) in header["arrays"].items():
        for at in (0, count // 2, count - 1):
            yield (name, 20 + length + offset + at)


def every_question(index: Index) -> None:
    """Everything a search does, for every picture."""
    for path in OLD:
        picture = taken(path)
        plain = query(picture)
        for tier in TIERS:
            for image, score in rank(index.postings, plain, plain, tier, 5):
                assert score > 0
                index.sha256_of(image)
                index.manifest.places_of(image)
        index.postings.near([picture.pdq], 31)
    list(index.segments.kept())


def test_a_changed_byte_of_a_segment_is_named(ground: Ground) -> None:
    segment = max(ground.base.glob("segment-*.bin"))
    body = segment.read_bytes()
    tried = 0
    for name, at in regions(body):
        for bits in (0x01, 0x80, 0xFF):
            segment.write_bytes(body[:at] + bytes([body[at] ^ bits]) + body[at + 1 :])
            with ground.open(ground.base) as index:
                assert any(segment.name in line for line in upkeep.damage(index)), (name, at)
                try:
                    every_question(index)
                except IndexDamaged as error:
                    assert segment.name in error.item
                    assert error.remedy
            tried += 1
    assert tried > 200
    segment.write_bytes(body)
    with ground.open(ground.base) as index:
        assert list(upkeep.damage(index)) == []


def test_a_changed_byte_of_an_encrypted_segment_is_refused(tmp_path: Path) -> None:
    ground = kills.prepare(tmp_path, encrypted=True)
    segment = max(ground.base.glob("segment-*.bin"))
    body = segment.read_bytes()
    for at in (0, 11, 12, len(body) // 2, len(body) - 1):
        segment.write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        with ground.open(ground.base) as index:
            assert any(segment.name in line for line in upkeep.damage(index))
            with pytest.raises(WholeclothError, match=segment.name):
                every_question(index)


@pytest.mark.parametrize("keep", [0, 1, 19, 64, 4096, -1])
def test_a_segment_cut_off_is_named(ground: Ground, keep: int) -> None:
    segment = max(ground.base.glob("segment-*.bin"))
    segment.write_bytes(segment.read_bytes()[:keep])
    with ground.open(ground.base) as index:
        assert any(segment.name in line for line in upkeep.damage(index))
        with pytest.raises(IndexDamaged, match=segment.name):
            every_question(index)


def test_missing_foreign_and_newer_segments(ground: Ground) -> None:
    segment = max(ground.base.glob("segment-*.bin"))
    body = segment.read_bytes()
    newer = body.replace(b'"format": 1', b'"format": 2')
    foreign = b"PK\x03\x04" + bytes(len(body) - 4)
    for changed, reason in ((newer, "format 2"), (foreign, "no segment"), (None, "missing")):
        segment.unlink()
        if changed is not None:
            segment.write_bytes(changed)
        with ground.open(ground.base) as index:
            assert any(segment.name in line for line in upkeep.damage(index))
            with pytest.raises(IndexDamaged, match=reason):
                every_question(index)
        segment.write_bytes(body)
    stranger = ground.base / "segment-00000000abcd.bin"
    stranger.write_bytes(foreign)
    (ground.base / "notes.txt").write_text("not ours")
    with ground.open(ground.base, writing=True) as index:
        every_question(index)
        assert [line for line in upkeep.damage(index) if stranger.name in line]
        put(index, names("new", 1))
        assert not stranger.exists()
        assert (ground.base / "notes.txt").read_text() == "not ours"
        assert list(upkeep.damage(index)) == []


def test_a_changed_byte_of_the_manifest_is_named(ground: Ground) -> None:
    path = ground.base / manifest.NAME
    body = path.read_bytes()
    page = 4096
    tops = [0, 16, 18, 24, 28, 40, 56, 92, 96, 100, 103, 105]
    within = [0, 3, 5, 7, 8, 9, 200, 2000, page - 300, page - 40, page - 1]
    places = [*tops, *(p * page + w for p in range(len(body) // page) for w in within)]
    rng = random.Random(3)
    places += [rng.randrange(len(body)) for _ in range(150)]
    named = crashed = 0
    for at in places:
        path.write_bytes(
            body[:at] + bytes([body[at] ^ rng.choice((1, 0x40, 0xFF))]) + body[at + 1 :]
        )
        for beside in ("-wal", "-shm"):
            path.with_name(path.name + beside).unlink(missing_ok=True)
        try:
            with ground.open(ground.base) as index:
                lines = list(upkeep.damage(index))
                assert any(line.startswith(manifest.NAME) for line in lines), at
                named += 1
                every_question(index)
        except WholeclothError as error:
            crashed += 1
            assert isinstance(error, IndexDamaged | IndexRefused), at
            assert error.remedy
    assert named > 100
    assert crashed > 10


def test_a_changed_byte_of_the_seal_is_named(ground: Ground) -> None:
    path = ground.base / seal.NAME
    body = path.read_bytes()
    for at in range(len(body) - 1):  # the last is the line's end
        path.write_bytes(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :])
        with ground.open(ground.base) as index:
            assert any(line.startswith(seal.NAME) for line in upkeep.damage(index)), at
    path.unlink()
    with ground.open(ground.base) as index:
        assert any(line.startswith(seal.NAME) for line in upkeep.damage(index))
        put(index, [])
        assert list(upkeep.damage(index)) == []


def test_an_older_manifest_in_its_place_is_named(ground: Ground) -> None:
    path = ground.base / manifest.NAME
    older = path.read_bytes()
    with ground.open(ground.base, writing=True) as index:
        upkeep.erase(index, TARGETS)
    path.write_bytes(older)
    with ground.open(ground.base) as index:
        assert any("older than its seal" in line for line in upkeep.damage(index))


# -- keys, formats, rivals -----------------------------------------------------------------


def test_keys_that_are_missing_or_others(tmp_path: Path) -> None:
    plain = kills.prepare(_made(tmp_path / "plain"))
    sealed = kills.prepare(_made(tmp_path / "sealed"), encrypted=True)
    with pytest.raises(IndexRefused, match="encrypted") as refused:
        Index.open(sealed.base)
    assert "--vault" in refused.value.remedy
    other = tmp_path / "other.key"
    other.write_bytes(bytes(32))
    for vault in (other, tmp_path / "nowhere", plain.base / manifest.NAME):
        with pytest.raises(IndexRefused) as refused:
            Index.open(sealed.base, vault=vault)
        assert refused.value.remedy
    key = plain.base / KEY
    body = key.read_bytes()
    key.write_bytes(bytes(32))
    with pytest.raises(IndexDamaged, match="key"):
        Index.open(plain.base)
    key.write_bytes(body[:-1])
    with pytest.raises(IndexRefused, match="no key"):
        Index.open(plain.base)
    key.unlink()
    with pytest.raises(IndexRefused, match="cannot be read"):
        Index.open(plain.base)
    with pytest.raises(IndexRefused, match="not empty"):
        Index.create(plain.base, owner="a test", purpose="testing")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_foreign_and_newer_manifests(ground: Ground, tmp_path: Path) -> None:
    fact(ground.other, "format", formats.FORMAT + 1)
    with pytest.raises(IndexRefused, match="reads up to") as refused:
        Index.open(ground.other)
    assert "version" in refused.value.remedy
    fact_of_other = [("method", "another"), ("owner", "")]
    for name, value in fact_of_other:
        folder = tmp_path / name
        shutil.copytree(ground.base, folder)
        fact(folder, name, value)
        with pytest.raises(IndexRefused):
            Index.open(folder)
    (ground.base / manifest.NAME).write_bytes(b"SQLite format 3\0" + bytes(4080))
    with pytest.raises(IndexDamaged):
        Index.open(ground.base)
    (ground.base / manifest.NAME).write_bytes(b"not a database" * 400)
    with pytest.raises(IndexDamaged, match=manifest.NAME):
        Index.open(ground.base)
    (ground.base / manifest.NAME).unlink()
    with closing(sqlite3.connect(ground.base / manifest.NAME)) as database:
        database.execute("CREATE TABLE about (something)")
    with pytest.raises(IndexDamaged):
        Index.open(ground.base)


def test_a_second_writer_is_refused(ground: Ground) -> None:
    with ground.open(ground.base, writing=True) as one, ground.open(ground.base) as two:
        with one.writing():
            writes: list[Callable[[], object]] = [
                lambda: put(two, names("new", 1)),
                lambda: upkeep.erase(two, TARGETS),
                lambda: upkeep.compact(two),
                lambda: upkeep.merge(two, one),
            ]
            for write in writes:
                with pytest.raises(OutputRefused, match="another process is writing") as refused:
                    write()
                assert "--out" not in refused.value.remedy
            assert finds(two, taken(OLD[0]))
        put(two, names("new", 1))
        assert finds(one, taken(names("new", 1)[0]))


def test_readers_never_fail_beside_a_writer(ground: Ground) -> None:
    """A child erases, adds, joins and merges in a loop; what stays is found all the time."""
    stay = OLD[12:]
    child = os.fork()
    if child == 0:  # pragma: no cover - it does not come back
        code = 1
        try:
            with ground.open(ground.base, writing=True) as index:
                until = time.monotonic() + 6
                for i in range(10_000):
                    put(index, [f"/drawn/loop/{i}-{j}.jpg" for j in range(8)])
                    upkeep.erase(index, [f"/drawn/loop/{i}-{j}.jpg" for j in range(4)])
                    upkeep.compact(index)
                    upkeep.erase(index, ["/drawn/loop"])
                    if time.monotonic() > until:
                        break
            code = 0
        finally:
            os._exit(code)
    asked = 0
    with ground.open(ground.base) as index:
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            assert all(finds(index, taken(path)) for path in stay)
            if asked % 5 == 0:
                assert list(upkeep.damage(index)) == []
                with ground.open(ground.base) as fresh:
                    assert len(fresh) >= len(OLD)
            asked += 1
    assert asked > 10


def test_an_older_format_is_brought_up_to_date(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pretended format 3, to which two steps lead."""
    done = []

    def first(opened: manifest.Manifest) -> None:
        opened.database.execute("ALTER TABLE images ADD COLUMN pretended INTEGER")
        done.append(1)

    def second(opened: manifest.Manifest) -> None:
        opened.set("second", done == [1])
        done.append(2)
        if len(done) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(formats, "FORMAT", 3)
    with pytest.raises(IndexRefused, match="cannot bring up to date"):
        ground.open(ground.other, writing=True)
    monkeypatch.setattr(formats, "STEPS", {1: first, 2: second})
    with pytest.raises(IndexRefused, match="of format 1; this version reads 3") as refused:
        ground.open(ground.other)
    assert "compact" in refused.value.remedy
    with pytest.raises(OutputRefused, match="No space"):
        ground.open(ground.other, writing=True)
    with closing(sqlite3.connect(ground.other / manifest.NAME)) as database:
        assert "pretended" not in str(database.execute("SELECT sql FROM sqlite_master").fetchall())
    done.clear()
    done.append(0)
    with ground.open(ground.other, writing=True) as index:
        assert done == [0, 1, 2]
        assert index.manifest.get("format") == 3
    with ground.open(ground.other) as index:
        assert index.manifest.get("format") == 3


def test_merging_carries_denials_and_refuses_another_secret(ground: Ground) -> None:
    theirs = kills.THEIRS[0]
    stranger = Index.create(ground.top / "stranger", owner="a test", purpose="testing")
    with ground.open(ground.other, writing=True) as other:
        upkeep.erase(other, [theirs, OLD[3]])
        with ground.open(ground.base, writing=True) as index:
            assert upkeep.merge(index, other) == len(kills.THEIRS) - 2
            assert put(index, [theirs, *GHOSTS]).denied == 1 + len(GHOSTS)
            assert upkeep.merge(index, other) == 0
            with pytest.raises(IndexRefused, match="another secret"):
                upkeep.merge(index, stranger)
            assert list(upkeep.damage(index)) == []
    stranger.close()


def test_a_vault_is_needed_for_every_segment(tmp_path: Path) -> None:
    ground = kills.prepare(tmp_path, encrypted=True)
    with ground.open(ground.base) as index:
        without = type(index.keys)(index.keys.master)
        with pytest.raises(NotInstalled, match="vault"):
            without.segment_key(index.manifest.segments()[0].key or b"")
