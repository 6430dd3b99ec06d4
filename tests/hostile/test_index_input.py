"""What an index is given to add: odd names, copies, loops, files that change, files that harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import bombs
import pytest

from wholecloth.intake import decode
from wholecloth.intake.limits import DEFAULT
from wholecloth.model.media import Source
from wholecloth.retrieval.index import Index, adding, bulk, upkeep
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

SMALL = (200, 150)
LIMITS = replace(DEFAULT, cpu_seconds=5, wall_seconds=10.0)


def picture(seed: int) -> bytes:
    return encode(scene(seed, SMALL))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.create(tmp_path / "index", owner="a test", purpose="testing") as made:
        yield made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


def test_names_of_every_kind_are_kept_and_erased(
    index: Index, photos: Path, tmp_path: Path
) -> None:
    names = [
        "new\nline.jpg", "\u202egpj.exe.jpg", "-rf.jpg", "a\tb.jpg", " .jpg", "{.jpg", "📷.jpg",
        "x" * 251 + ".jpg", "caf\udce9.jpg",
    ]  # fmt: skip
    for i, name in enumerate(names):
        (photos / name).write_bytes(picture(i))
    done = adding.add(index, [photos])
    assert (done.added, done.skipped) == (len(names), [])
    assert all(index.manifest.place(str(photos / name)) for name in names)
    other = Index.create(tmp_path / "other", owner="a test", purpose="testing")
    lines = tmp_path / "lines.txt"
    lines.write_bytes(
        b"photos/-rf.jpg\r\n\nphotos/caf\xe9.jpg\n"
        + json.dumps({"path": "photos/new\nline.jpg"}).encode()
        + b"\n"
        + json.dumps({"path": "photos/{.jpg"}).encode()
    )
    assert adding.add(other, [], lists=[lines]).added == 4
    other.close()
    for i, name in enumerate(names):
        assert upkeep.erase(index, [str(photos / name)]).pictures == 1
        assert len(index) == len(names) - i - 1
    body = b"".join(p.read_bytes() for p in index.folder.iterdir())
    assert os.fsencode(photos) not in body


def test_one_content_under_many_names_is_one_picture(index: Index, photos: Path) -> None:
    first = photos / "first.jpg"
    first.write_bytes(picture(1))
    (photos / "copy.jpg").write_bytes(first.read_bytes())
    os.link(first, photos / "hard link.jpg")
    (photos / "link.jpg").symlink_to(first)
    (photos / "itself.jpg").symlink_to("itself.jpg")
    (photos / "nowhere.jpg").symlink_to("not there")
    (photos / "deeper").mkdir()
    (photos / "deeper" / "first.jpg").write_bytes(picture(2))
    (photos / "deeper" / "loop").symlink_to(photos)
    done = adding.add(index, [photos, photos / "first.jpg"])
    assert (done.added, done.known) == (2, 4)
    assert {Path(s.name).name for s in done.skipped} == {"loop", "itself.jpg", "nowhere.jpg"}
    row = index.manifest.by_sha256(bytes.fromhex(decode.digest_of(_source(first))))
    assert row is not None
    assert len(index.manifest.places_of(row.id)) == 4
    again = adding.add(index, [photos])
    assert (again.added, again.known) == (0, 5)
    assert upkeep.erase(index, [str(first)]).pictures == 1
    assert adding.add(index, [photos]).denied == 4


def _source(path: Path) -> Source:
    return Source.of_bytes(path.read_bytes(), path.name)


CHANGES: dict[str, Callable[[Path], object]] = {
    "vanishes": Path.unlink,
    "shrinks": lambda path: os.truncate(path, 700),
    "empties": lambda path: os.truncate(path, 0),
    "becomes another picture": lambda path: path.write_bytes(picture(9)),
    "grows": lambda path: path.write_bytes(path.read_bytes() * 2),
    "becomes a folder": lambda path: (path.unlink(), path.mkdir()),
    "becomes a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The run goes on; the file is named, or what it became is kept and read again next time."""
    for i in range(3):
        (photos / f"{i}.jpg").write_bytes(picture(i))
    target = photos / "1.jpg"
    real = bulk.worth_decoding

    def then_changed(path: Path, name: str, skipped: list) -> Source | None:
        source = real(path, name, skipped)
        if path == target:
            CHANGES[change](target)
        return source

    monkeypatch.setattr(bulk, "worth_decoding", then_changed)
    done = adding.add(index, [photos], limits=LIMITS)
    monkeypatch.undo()
    assert done.added + len(done.skipped) == 3
    assert done.added >= 2
    assert [s.name for s in done.skipped] in ([], [str(target)])
    kept = index.manifest.place(str(target))
    assert kept is None or kept[1] == b"", "it is not taken for unchanged"
    if target.is_file():
        target.write_bytes(picture(5))
    elif target.is_dir():
        target.rmdir()
    again = adding.add(index, [photos], limits=LIMITS)
    assert again.added == int(target.is_file())
    assert again.known == 2
    assert list(upkeep.damage(index)) == []


def test_pictures_that_harm_are_named_and_not_tried_again(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harm = {
        "scans.jpg": bombs.many_scans(2000),
        "empty.png": bombs.empty_png(30_000, 30_000),
        "loop.tiff": bombs.tiff_loop(),
        "huffman.webp": bombs.webp_huffman(),
        "nested.heic": bombs.nested_heif(200),
        "cut.jpg": picture(7)[:900],
        "empty.jpg": b"",
    }
    for name, body in harm.items():
        (photos / name).write_bytes(body)
    for i in range(4):
        (photos / f"good-{i}.jpg").write_bytes(picture(i))
    done = adding.add(index, [photos], limits=LIMITS)
    good = {p.name for p in photos.iterdir() if index.manifest.place(str(p))}
    named = {Path(s.name).name: s.reason for s in done.skipped}
    assert {f"good-{i}.jpg" for i in range(4)} <= good
    assert set(named) | good == set(harm) | {f"good-{i}.jpg" for i in range(4)}
    assert {"empty.png", "huffman.webp", "nested.heic", "empty.jpg"} <= set(named)
    assert all(named.values())
    read: list[str] = []
    real = bulk.take

    def seen(paths: list[str], how: bulk.How) -> list[bulk.Taken | bulk.Left]:
        read.extend(Path(p).name for p in paths)
        return real(paths, how)

    monkeypatch.setattr(bulk, "take", seen)
    again = adding.add(index, [photos], limits=LIMITS)
    assert read == []
    assert {Path(s.name).name: s.reason for s in again.skipped} == named
    adding.add(index, [photos], limits=LIMITS, retry=True)
    assert set(read) == set(named)
    read.clear()
    (photos / "cut.jpg").write_bytes(picture(7))
    assert adding.add(index, [photos], limits=LIMITS).added == 1
    assert read == ["cut.jpg"]


def test_the_run_goes_on_when_the_decoder_dies(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(6):
        (photos / f"{i}.jpg").write_bytes(picture(i))
    real = decode.Worker.decode

    def deadly(self: decode.Worker, source: Source, **how: object) -> object:
        if source.name.endswith(("1.jpg", "4.jpg")):
            child = self._start()
            child.kill()
            child.wait()
        return real(self, source, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(decode.Worker, "decode", deadly)
    done = adding.add(index, [photos], limits=LIMITS)
    assert done.added + len(done.skipped) == 6
    assert {Path(s.name).name for s in done.skipped} <= {"1.jpg", "4.jpg"}
    monkeypatch.undo()
    assert adding.add(index, [photos], limits=LIMITS, retry=True).added == len(done.skipped)
    assert len(index) == 6


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_the_run_goes_on_when_a_process_of_the_pool_is_killed(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(60):
        (photos / f"{i:02d}.jpg").write_bytes(encode(scene(i, (96, 96))))
    killed: list[int] = []
    real = bulk.processes

    def pool(count: int) -> Executor:
        made = real(count)
        submit = made.submit

        def then_killed(*args: object, **kwargs: object) -> object:
            future = submit(*args, **kwargs)  # type: ignore[arg-type]
            if not killed:
                killed.append(next(iter(made._processes)))  # type: ignore[attr-defined]
                os.kill(killed[0], signal.SIGKILL)
            return future

        monkeypatch.setattr(made, "submit", then_killed)
        return made

    monkeypatch.setattr(bulk, "processes", pool)
    done = adding.add(index, [photos], jobs=2, limits=LIMITS)
    assert killed
    assert (done.added, done.skipped) == (60, [])
    assert list(upkeep.damage(index)) == []


_ADD = """
import sys
from pathlib import Path
from wholecloth.retrieval.index import Index, adding
if __name__ == "__main__":
    with Index.open(Path(sys.argv[1]), writing=True) as index:
        adding.add(index, [Path(sys.argv[2])], jobs=2)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_no_process_outlives_a_killed_run(index: Index, photos: Path, tmp_path: Path) -> None:
    for i in range(200):
        (photos / f"{i:03d}.jpg").write_bytes(encode(scene(i, (96, 96))))
    script = tmp_path / "add.py"
    script.write_text(_ADD)
    run = subprocess.Popen([sys.executable, str(script), str(index.folder), str(photos)])
    try:
        until = time.monotonic() + 60
        while len(family := _below(run.pid)) < 4 and time.monotonic() < until:
            time.sleep(0.05)
            assert run.poll() is None, "it was done before it could be killed"
    finally:
        run.kill()
        run.wait()
    assert len(family) >= 4, "two processes, each with its decoder"
    until = time.monotonic() + 20
    while (left := [p for p in family if _alive(p)]) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
    assert adding.add(index, [photos / "000.jpg"]).added + len(index) >= 1
    assert list(upkeep.damage(index)) == []


def _below(top: int) -> list[int]:
    """Processes that descend from one."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
    found, new = [], [top]
    while new:
        new = [pid for pid, parent in parents.items() if parent in new]
        found += new
    return found


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_large_folder_costs_little_memory(index: Index, photos: Path) -> None:
    """20 000 files; a million are walked by bench/index_faults.py."""
    count = 20_000
    for i in range(count):
        os.close(os.open(photos / f"{i:05d}.jpg", os.O_CREAT | os.O_WRONLY))
    tracemalloc.start()
    try:
        first = adding.add(index, [photos])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(first.skipped) == count
    assert most < 1500 * count, f"{most / count:.0f} bytes a file"
    again = adding.add(index, [photos])
    assert [s.name for s in again.skipped] == [s.name for s in first.skipped]
    assert list(upkeep.damage(index)) == []
