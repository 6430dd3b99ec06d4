"""Disk full, read-only, and kills at every step of writing; workers killed at random."""

from __future__ import annotations

import errno
import itertools
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wholecloth import atomic
from wholecloth.casework.output import LOG, MASK, RECORD, REPORT, Output, current
from wholecloth.casework.verify import verify
from wholecloth.errors import HostileMedia, OutputRefused
from wholecloth.intake.decode import Worker, WorkerPool
from wholecloth.model.media import Source
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

OLD = {MASK: b"old mask" * 99, REPORT: b"old report" * 99, LOG: b"old log", RECORD: b"old record"}
NEW = {REPORT: b"new report" * 99, LOG: b"new log", RECORD: b"new record"}
FAULTS = {"disk full": errno.ENOSPC, "read-only": errno.EROFS, "denied": errno.EACCES}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in current(folder).items()}


def steps(folder: Path, earlier: dict[str, bytes] | None, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many steps a write takes when nothing goes wrong."""
    count = itertools.count()
    if earlier:
        Output.prepare(folder, replace=False).write(earlier)
    monkeypatch.setattr(atomic, "before_step", lambda *_: next(count))
    Output.prepare(folder, replace=True).write(NEW)
    monkeypatch.undo()
    return next(count)


def at(step: int, act: Callable[[], None]) -> Callable[[str, Path], None]:
    left = itertools.count(1)

    def hook(_step: str, _path: Path) -> None:
        if next(left) == step:
            act()

    return hook


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_disk_at_every_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    def fail() -> None:
        raise OSError(FAULTS[fault], os.strerror(FAULTS[fault]))

    for earlier in (None, OLD):
        total = steps(tmp_path / f"count-{earlier is None}", earlier, monkeypatch)
        for step in range(1, total + 1):
            folder = tmp_path / f"{earlier is None}-{step}"
            if earlier:
                Output.prepare(folder, replace=False).write(earlier)
            monkeypatch.setattr(atomic, "before_step", at(step, fail))
            output = None
            try:
                output = Output.prepare(folder, replace=True)
                output.write(NEW)
                done = True
            except OutputRefused as error:
                done = False
                assert str(folder) in error.item
                assert error.remedy
                if output is not None:
                    output.undo()
            monkeypatch.undo()
            if not folder.exists():
                assert earlier is None
                assert not done
                continue
            assert contents(folder) in ([NEW] if done else [NEW, earlier or {}])
            Output.prepare(folder, replace=True).write(NEW)  # and the folder is usable again
            assert {p.name: p.read_bytes() for p in folder.iterdir()} == NEW


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills are tried on POSIX")
def test_a_kill_at_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGKILL the old result or the new one holds, and no file is cut."""
    injections = 0
    for earlier in (None, OLD):
        total = steps(tmp_path / f"count-{earlier is None}", earlier, monkeypatch)
        for step in range(1, total + 1):
            folder = tmp_path / f"{earlier is None}-{step}"
            if earlier:
                Output.prepare(folder, replace=False).write(earlier)
            child = os.fork()
            if child == 0:  # pragma: no cover - it does not come back
                atomic.before_step = at(step, lambda: os.kill(os.getpid(), signal.SIGKILL))
                Output.prepare(folder, replace=True).write(NEW)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            injections += 1
            if not folder.exists():
                continue
            for path in folder.iterdir():
                assert path.read_bytes() in {
                    *NEW.values(),
                    *OLD.values(),
                    b"",
                    b'["report.html", "custody.jsonl", "record.json"]',
                }, f"{path.name} is half a file"
            assert contents(folder) in (NEW, earlier or {})
            Output.prepare(folder, replace=True).write(NEW)
            assert {p.name: p.read_bytes() for p in folder.iterdir()} == NEW
    assert injections > 60


@pytest.mark.skipif(sys.platform != "linux", reason="nameless files are Linux")
def test_without_nameless_files_it_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE")
    Output.prepare(tmp_path, replace=False).write(OLD)
    output = Output.prepare(tmp_path, replace=True)

    def fail(step: str, path: Path) -> None:
        if step == "sync" and RECORD in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic, "before_step", fail)
    with pytest.raises(OutputRefused, match="No space left"):
        output.write(NEW)
    output.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == OLD


class Killed(Worker):
    """A worker that dies now and then, before or after it was asked."""

    rng = random.Random(3)
    deaths = 0

    def decode(self, source: Source, **how: object):  # type: ignore[no-untyped-def,override]
        if self.rng.random() < 0.5:
            Killed.deaths += 1
            child = self._start()
            if self.rng.random() < 0.5:
                child.kill()  # it may die while it decodes …
            else:
                child.kill()
                child.wait()  # … or be dead when it is asked
        return super().decode(source, **how)  # type: ignore[arg-type]


def test_two_hundred_random_kills_of_the_worker_lose_nothing(tmp_path: Path) -> None:
    files = []
    for i in range(12):
        (tmp_path / f"{i}.jpg").write_bytes(encode(scene(300 + i, (160, 120))))
        files.append(Source.of_bytes((tmp_path / f"{i}.jpg").read_bytes(), f"{i}.jpg"))
    with WorkerPool(1) as calm:
        right = [calm.decode(f).pixels.tobytes() for f in files]
    worker = Killed()
    wrong, refused, read = [], 0, 0
    while Killed.deaths < 200:
        for i, source in enumerate(files):
            try:
                got = worker.decode(source).pixels.tobytes()
            except HostileMedia as error:
                refused += 1
                assert error.item == source.name
                assert error.remedy
                continue
            read += 1
            if got != right[i]:
                wrong.append(source.name)
    worker.close()
    assert wrong == []
    assert read > 100
    assert refused > 0


def test_examine_goes_on_when_the_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Candidates lost to a dying worker are named; what is written verifies."""
    from wholecloth import examine
    from wholecloth.intake import decode

    photos = tmp_path / "photos"
    photos.mkdir()
    for i in range(10):
        (photos / f"{i}.jpg").write_bytes(encode(scene(300 + i, (200, 150))))
    (tmp_path / "q.jpg").write_bytes(encode(scene(304, (200, 150)), quality=60))
    monkeypatch.setattr(decode, "Worker", Killed)
    done = 0
    for run in range(6):
        out = tmp_path / f"out-{run}"
        try:
            record = examine(tmp_path / "q.jpg", [photos], out=out).record
        except HostileMedia as error:  # the published file itself met a dying worker
            assert error.item.endswith("q.jpg")
            assert not out.exists()
            continue
        done += 1
        lost = [s for s in record["candidates"]["skipped"] if s["kind"] == "unread"]
        assert record["candidates"]["read"] + len([s for s in lost if "died" in s["reason"]]) >= 10
        if record["verdict"] == "no_original":
            assert not lost
        verify(out)
        shutil.rmtree(out)
    assert done
