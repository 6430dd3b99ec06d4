"""Kill a writer of an index with SIGKILL, at a step or at a moment, and see what is left.

Each trial copies an index, lets a child process add, erase, compact or merge, and kills it.  What
must hold then: nothing but what the next writer removes is out of order; what was acknowledged
before is there and found; the change is there whole or not at all, picture by picture; after the
next writer no byte is left of what is erased; and the same again completes it.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from wholecloth import atomic
from wholecloth.retrieval.index import Index, adding, upkeep
from wholecloth.retrieval.index.bulk import Taken
from wholecloth.retrieval.index.keys import KEY
from wholecloth.testing.postings import Drawn, finds, taken, traces

Act = Literal["add", "erase", "compact", "merge"]
ACTS: tuple[Act, ...] = ("add", "erase", "compact", "merge")
_PER_SEGMENT, _SEGMENTS = 6, 3
_LEFT = "left by a stopped writer"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where trials are made, all in one folder."""

    top: Path
    vault: Path | None

    @property
    def base(self) -> Path:
        """An index of three segments, from which two pictures were erased before."""
        return self.top / "base"

    @property
    def other(self) -> Path:
        """Another with the same secret, which shares a picture with it."""
        return self.top / "other"

    def open(self, folder: Path, *, writing: bool = False) -> Index:
        """One of the indexes."""
        return Index.open(folder, vault=self.vault, writing=writing)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one kill showed."""

    act: Act
    when: str
    killed: bool
    """False: the child was done before."""
    wrong: tuple[str, ...]
    """What does not hold, in words; nothing where all does."""


def names(kind: str, count: int) -> list[str]:
    """Paths of drawn pictures."""
    return [f"/drawn/pictures/{kind}-{i:03d}.jpg" for i in range(count)]


OLD = names("old", _PER_SEGMENT * _SEGMENTS)
NEW = names("new", 2 * _PER_SEGMENT)
GHOSTS = names("ghost", 2)
"""Erased before any trial."""
TARGETS = [OLD[1], OLD[8]]
"""Erased in trials; of two segments."""
THEIRS = [*names("their", _PER_SEGMENT), OLD[3]]


def prepare(top: Path, *, encrypted: bool = False) -> Ground:
    """Make the two indexes that trials begin with."""
    ground = Ground(top, top / "vault.key" if encrypted else None)
    facts = {"owner": "a test", "purpose": "testing", "vault": ground.vault}
    with Index.create(ground.base, **facts) as base:  # type: ignore[arg-type]
        for start in range(0, len(OLD), _PER_SEGMENT):
            put(base, OLD[start : start + _PER_SEGMENT])
        put(base, GHOSTS)
        upkeep.erase(base, GHOSTS)
        with Index.create(ground.other, like=base, **facts) as other:  # type: ignore[arg-type]
            put(other, THEIRS)
    return ground


def put(index: Index, paths: list[str]) -> adding.Added:
    """Add drawn pictures through ``add`` itself, in segments of a few."""
    listed = index.folder.with_name(f"{index.folder.name}.list")
    listed.write_text("\n".join(paths), "utf-8", "surrogateescape")
    before = adding._PICTURES  # noqa: SLF001 - so few that one run writes several segments
    adding._PICTURES = _PER_SEGMENT  # noqa: SLF001
    try:
        return adding.add(index, [], lists=[listed], executor=Drawn())
    finally:
        adding._PICTURES = before  # noqa: SLF001


def perform(ground: Ground, act: Act, folder: Path) -> None:
    """What the child does."""
    with ground.open(folder, writing=True) as index:
        if act == "add":
            put(index, [*NEW, *GHOSTS])
        elif act == "erase":
            upkeep.erase(index, TARGETS)
        elif act == "compact":
            upkeep.compact(index)
        else:
            with ground.open(ground.other) as other:
                upkeep.merge(index, other)


def steps(ground: Ground, act: Act) -> int:
    """How many steps of the disk a change takes when nothing goes wrong."""
    count = itertools.count()
    folder = _copy(ground, f"{act}-count")

    def counted(_step: str, _path: Path) -> None:
        next(count)

    before, atomic.before_step = atomic.before_step, counted
    try:
        perform(ground, act, folder)
    finally:
        atomic.before_step = before
    shutil.rmtree(folder)
    return next(count)


def duration(ground: Ground, act: Act) -> float:
    """Seconds that a change takes when nothing goes wrong."""
    folder = _copy(ground, f"{act}-duration")
    start = time.perf_counter()
    perform(ground, act, folder)
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return seconds


def at_step(ground: Ground, act: Act, step: int) -> Trial:
    """Kill before the ``step``-th step of the disk, counted from 1."""
    left = itertools.count(1)

    def hook(_step: str, _path: Path) -> None:
        if next(left) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return _trial(ground, act, f"step {step}", hook, None)


def after(ground: Ground, act: Act, seconds: float) -> Trial:
    """Kill after so long, wherever that is, within SQLite's own writing too."""
    return _trial(ground, act, f"{1000 * seconds:.1f} ms", atomic.before_step, seconds)


def _trial(
    ground: Ground, act: Act, when: str, hook: Callable[[str, Path], None], seconds: float | None
) -> Trial:
    folder = _copy(ground, f"{act}-{when.replace(' ', '-')}")
    child = os.fork()
    if child == 0:  # pragma: no cover - it does not come back
        try:
            atomic.before_step = hook
            perform(ground, act, folder)
        except BaseException:  # noqa: BLE001 - whatever it is, the parent must see it
            os._exit(1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    wrong = [] if code in (0, -signal.SIGKILL) else [f"the child failed ({code})"]
    try:
        wrong += _after_kill(ground, act, folder)
    except Exception as error:  # noqa: BLE001 - it is the finding
        wrong.append(f"{type(error).__name__}: {error}")
    shutil.rmtree(folder)
    return Trial(act, when, code == -signal.SIGKILL, tuple(wrong))


def _after_kill(ground: Ground, act: Act, folder: Path) -> Iterator[str]:
    erased = list(GHOSTS)
    with ground.open(folder) as index:
        for line in upkeep.damage(index):
            if _LEFT not in line:
                yield f"damage: {line}"
        yield from _present(index, [p for p in OLD if act != "erase" or p not in TARGETS])
        yield from _whole_or_not(index, [*NEW, *THEIRS, *TARGETS])
        yield from _gone(index, erased)
        if act == "erase":
            there = [t for t in TARGETS if index.manifest.place(t) is not None]
            if there not in ([], TARGETS):
                yield f"erased by half: {there} are there"
            erased += [] if there else TARGETS
    # Another writer in between: what was decided is carried out by it, whatever it came for.
    with ground.open(folder, writing=True) as index:
        put(index, ["/drawn/pictures/between.jpg"])
        yield from upkeep.damage(index)
    yield from _bytes_left(folder, erased)
    perform(ground, act, folder)
    if act == "erase":
        erased = [*GHOSTS, *TARGETS]
    with ground.open(folder) as index:
        yield from upkeep.damage(index)
        more = {"add": NEW, "merge": THEIRS}.get(act, [])
        yield from _present(index, [p for p in (*OLD, *more) if p not in erased])
        yield from _gone(index, erased)
    yield from _bytes_left(folder, erased)
    with ground.open(folder, writing=True) as index:
        put(index, erased)
        yield from _gone(index, erased)


def _present(index: Index, paths: list[str]) -> Iterator[str]:
    for path in paths:
        picture = taken(path)
        row = index.manifest.by_sha256(picture.sha256)
        if row is None:
            yield f"lost: {path}"
        elif path not in index.manifest.places_of(row.id):
            yield f"its place is lost: {path}"
        elif not finds(index, picture):
            yield f"not found: {path}"


def _whole_or_not(index: Index, paths: list[str]) -> Iterator[str]:
    for path in paths:
        if index.manifest.place(path) is not None:
            yield from _present(index, [path])
        elif index.postings.near([taken(path).pdq], 0) and path != OLD[3]:
            yield f"by half: {path}"


def _gone(index: Index, paths: list[str]) -> Iterator[str]:
    for path in paths:
        picture = taken(path)
        if index.manifest.by_sha256(picture.sha256) or index.manifest.place(path):
            yield f"came back: {path}"
        if index.postings.near([picture.pdq], 0):
            yield f"its hash came back: {path}"
        if not index.manifest.denied(picture.sha256):
            yield f"its denial is lost: {path}"


def _bytes_left(folder: Path, paths: list[str]) -> Iterator[str]:
    found = scan(folder, [taken(path) for path in paths])
    yield from (f"{count} traces of what is erased in {name}" for name, count in found.items())


def scan(folder: Path, pictures: Sequence[Taken]) -> dict[str, int]:
    """Files of an index that hold traces of pictures, and how many different ones."""
    wanted = {trace for picture in pictures for trace in traces(picture)}
    ends = np.unique(np.array([int.from_bytes(t[-8:], "little") for t in wanted], np.uint64))
    found: dict[str, int] = {}
    for file in sorted(folder.iterdir()):
        if file.name == KEY:
            continue
        body = file.read_bytes()
        seen: set[int] = set()
        for shift in range(8):  # all places, eight bytes at a time
            view = np.frombuffer(body, "<u8", max(0, len(body) - shift) // 8, min(shift, len(body)))
            seen |= set(view[np.isin(view, ends)].tolist())
        count = sum(int.from_bytes(t[-8:], "little") in seen and t in body for t in wanted)
        found |= {file.name: count} if count else {}
    return found


def _copy(ground: Ground, name: str) -> Path:
    folder = ground.top / name
    with closing(ground.open(ground.base)):
        pass  # whatever its last reader left in the log is in the file now
    shutil.copytree(ground.base, folder)
    return folder
