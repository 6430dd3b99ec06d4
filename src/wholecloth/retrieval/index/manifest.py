"""The manifest: which segments there are, and which picture is which.

SQLite, so that a change is there whole or not at all.  ``secure_delete`` writes zeros over what is
deleted, and ``flush`` empties the write-ahead log and looks for what SQLite leaves behind all the
same (see ``remnants``), so that nothing erased stays.  Every row carries a keyed digest of
itself, checked whenever it is read: a byte changed in the file is found and named, which SQLite's
own check does not do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wholecloth import atomic
from wholecloth.errors import IndexDamaged, IndexRefused, OutputRefused, WholeclothError
from wholecloth.retrieval.index import remnants
from wholecloth.retrieval.index.seal import Seal

NAME = "manifest.sqlite"
_MAKING = f"{atomic.TEMPORARY}manifest"
"""What a manifest is called until it is complete."""
_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL, mac BLOB NOT NULL);
CREATE TABLE segments (number INTEGER PRIMARY KEY, pictures INTEGER NOT NULL,
  bytes INTEGER NOT NULL, sha256 BLOB NOT NULL, key BLOB, mac BLOB NOT NULL);
CREATE TABLE images (id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE,
  segment INTEGER NOT NULL,  width INTEGER NOT NULL, height INTEGER NOT NULL, mac BLOB NOT NULL);
CREATE INDEX images_by_segment ON images (segment);
CREATE TABLE places (path BLOB PRIMARY KEY, image INTEGER NOT NULL, stat BLOB NOT NULL,
  mac BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX places_by_image ON places (image);
CREATE TABLE refused (path BLOB PRIMARY KEY, stat BLOB NOT NULL, reason TEXT NOT NULL,
  kind TEXT NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE denied (digest BLOB PRIMARY KEY, mac BLOB NOT NULL);
"""
TABLES = ("about", "segments", "images", "places", "refused", "denied")
WAIT_SECONDS = 10.0
"""For another process to let go: of the file, or of the log before it can be emptied."""
_MAC = 8
"""Bytes of a row's keyed digest."""
_REMEDY = "run `wholecloth index verify`; restore the folder from a copy"
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)
_ERASING = "erasing"
"""Generation of the last erasure; with a younger seal nothing of it is in the file any more."""
_MANY = 256
"""Windows to look for; with more the file is written anew at once, which is quicker."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment's file."""

    number: int
    """48 random bits; the file's name follows from it."""
    pictures: int
    size: int
    """Bytes of the file."""
    sha256: bytes
    """Of the file."""
    key: bytes | None
    """The segment's own key, wrapped; None where segments are not encrypted."""


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One picture."""

    id: int
    sha256: bytes
    segment: int
    """Number of its segment; 0 in a store that has none."""
    width: int
    height: int


class Manifest:
    """An open manifest.  One thread at a time."""

    def __init__(self, folder: Path, key: bytes, *, writing: bool, name: str = NAME) -> None:
        self.path = folder / name
        self._folder = folder
        self._key = key
        self._seal = Seal(self.path, hmac.digest(key, b"seal", "sha256"))
        if os.access(folder, os.W_OK):
            self.database = self._opened("mode=rw")
            return
        if writing:
            remedy = "open it where it can be written, or ask its owner"
            raise OutputRefused(str(folder), "is read-only", remedy)
        try:  # beside a writer of another account, whose log can be read
            self.database = self._opened("mode=ro")
        except WholeclothError as error:
            # A read-only folder cannot hold the shared memory that a write-ahead log needs.
            log = self.path.with_name(NAME + "-wal")
            if log.exists() and log.stat().st_size:
                reason = "was not closed by its last writer, and cannot be written"
                remedy = "run `wholecloth index verify` once where it can be written"
                raise IndexRefused(str(folder), reason, remedy) from error
            self.database = self._opened("mode=ro&immutable=1")

    def _opened(self, how: str) -> sqlite3.Connection:
        database = None
        try:
            database = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?{how}",
                uri=True,
                timeout=WAIT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("SELECT COUNT(*) FROM about").fetchone()
        except sqlite3.Error as error:
            if database is not None:
                database.close()
            raise _refusal(error, self.path) from error
        return database

    @classmethod
    def create(cls, folder: Path, key: bytes, about: dict[str, Any]) -> Manifest:
        """Make an empty one; it gets its name when it is complete."""
        making = folder / _MAKING
        for end in ("-wal", "-shm", ""):
            atomic.remove(making.with_name(_MAKING + end))
        before = os.umask(0o077)
        try:
            with closing(sqlite3.connect(making, isolation_level=None)) as database:
                database.execute("PRAGMA journal_mode = WAL")
                database.executescript("BEGIN;" + _SCHEMA + "COMMIT;")
            with closing(cls(folder, key, writing=True, name=_MAKING)) as manifest:
                with manifest.change():
                    for fact, value in (about | {"next": 1, "generation": 0}).items():
                        manifest.set(fact, value)
                manifest._emptied()  # noqa: SLF001 - ours
        except sqlite3.Error as error:
            reason = f"cannot be written ({error})"
            raise OutputRefused(str(folder), reason, "give another folder") from error
        finally:
            os.umask(before)
        atomic.move(making, folder / NAME)
        return cls(folder, key, writing=True)

    @contextmanager
    def change(self) -> Iterator[None]:
        """One transaction: all of it or nothing, on the disk when the block is left."""
        try:
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield
                generation = self.get("generation")
                if generation is not None:
                    self.set("generation", int(generation) + 1)
                atomic.before_step("commit", self.path)
                self.database.execute("COMMIT")
                atomic.before_step("committed", self.path)
            except BaseException:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OSError) as error:
            raise _refusal(error, self.path) from error

    def version(self) -> int:
        """Changes with every change that another connection made."""
        return int(self._asked("PRAGMA data_version")[0][0])

    # -- facts about the index -----------------------------------------------------------

    def get(self, name: str) -> Any:
        """One fact; None where it was never set."""
        rows = self._rows("about", "key = ?", name)
        return json.loads(rows[0][1]) if rows else None

    def set(self, name: str, value: Any) -> None:
        """Keep one fact; inside ``change``."""
        text = json.dumps(value)
        self._put("about", name, text)

    # -- segments ------------------------------------------------------------------------

    def segments(self) -> list[SegmentRow]:
        """All, in the order of their numbers."""
        return [SegmentRow(*row) for row in self._rows("segments", "TRUE ORDER BY number")]

    def add_segment(self, row: SegmentRow) -> None:
        """Inside ``change``."""
        self._put("segments", row.number, row.pictures, row.size, row.sha256, row.key)

    def drop_segment(self, number: int) -> None:
        """Inside ``change``; its pictures must have moved."""
        self.database.execute("DELETE FROM segments WHERE number = ?", (number,))

    # -- pictures ------------------------------------------------------------------------

    def next_ids(self, count: int) -> range:
        """Numbers that were never given before; inside ``change``."""
        start = int(self.get("next"))
        self.set("next", start + count)
        return range(start, start + count)

    def put_image(self, row: ImageRow) -> None:
        """Inside ``change``."""
        self._put("images", row.id, row.sha256, row.segment, row.width, row.height)

    def move(self, old: int, new: int, gone: Collection[int] = ()) -> None:
        """Pictures of one segment lie in another now, but for some; inside ``change``."""
        moved = []
        for row in self._rows("images", "segment = ?", old):
            if row[0] not in gone:
                moved.append((new, self._mac("images", [*row[:2], new, *row[3:]]), row[0]))
        self.database.executemany("UPDATE images SET segment = ?, mac = ? WHERE id = ?", moved)

    def image(self, id_: int) -> ImageRow | None:
        """By number."""
        rows = self._rows("images", "id = ?", id_)
        return ImageRow(*rows[0]) if rows else None

    def by_sha256(self, sha256: bytes) -> ImageRow | None:
        """By content."""
        rows = self._rows("images", "sha256 = ?", sha256)
        return ImageRow(*rows[0]) if rows else None

    def images_in(self, segment: int) -> list[ImageRow]:
        """Of one segment."""
        return [ImageRow(*row) for row in self._rows("images", "segment = ?", segment)]

    def ids(self, start: int, end: int) -> list[int]:
        """Numbers there are, start ≤ number < end, ascending."""
        rows = self.database.execute(
            "SELECT id FROM images WHERE id >= ? AND id < ? ORDER BY id", (start, end)
        )
        return [int(row[0]) for row in rows]

    def pictures(self) -> int:
        """How many there are."""
        return int(self._asked("SELECT COUNT(*) FROM images")[0][0])

    # -- places --------------------------------------------------------------------------

    def put_place(self, path: str, image: int, stat: Sequence[int]) -> None:
        """Where a picture lies; inside ``change``."""
        self._put("places", os.fsencode(path), image, identity(stat))

    def place(self, path: str) -> tuple[int, bytes] | None:
        """Picture and file identity (see ``identity``) kept for a path."""
        rows = self._rows("places", "path = ?", os.fsencode(path))
        return (int(rows[0][1]), bytes(rows[0][2])) if rows else None

    def places_of(self, image: int) -> list[str]:
        """Every path of a picture, in order."""
        rows = self._rows("places", "image = ? ORDER BY path", image)
        return [os.fsdecode(row[0]) for row in rows]

    def under(self, folder: str) -> list[int]:
        """Pictures with a place in a folder or below it."""
        return sorted({int(row[1]) for row in self._rows("places", *_below(folder))})

    def neighbours(self, path: str) -> list[bytes]:
        """The paths before and after one, in the order in which they are kept."""
        value = os.fsencode(path)
        found = []
        for table in ("places", "refused"):
            found += self._rows(table, "path < ? ORDER BY path DESC LIMIT 1", value)
            found += self._rows(table, "path > ? ORDER BY path LIMIT 1", value)
        return [bytes(row[0]) for row in found]

    def forget(self, image: int) -> None:
        """Remove a picture's row and places, and refusals of these; inside ``change``."""
        for path in self.places_of(image):
            self.drop_refused(path)
        self.database.execute("DELETE FROM places WHERE image = ?", (image,))
        self.database.execute("DELETE FROM images WHERE id = ?", (image,))

    # -- refusals and denials ------------------------------------------------------------

    def put_refused(self, path: str, stat: Sequence[int], reason: str, kind: str) -> None:
        """A file that could not be added; inside ``change``."""
        self._put("refused", os.fsencode(path), identity(stat), reason, kind)

    def refused(self, path: str) -> tuple[bytes, str, str] | None:
        """File identity, reason and kind."""
        rows = self._rows("refused", "path = ?", os.fsencode(path))
        return (bytes(rows[0][1]), str(rows[0][2]), str(rows[0][3])) if rows else None

    def refused_at(self, path: str) -> list[str]:
        """Refused files at a path or below it."""
        where, *values = _below(path)
        rows = self._rows("refused", f"path = ? OR {where}", os.fsencode(path), *values)
        return [os.fsdecode(row[0]) for row in rows]

    def drop_refused(self, path: str) -> None:
        """Inside ``change``."""
        self.database.execute("DELETE FROM refused WHERE path = ?", (os.fsencode(path),))

    def deny(self, sha256: bytes) -> None:
        """Keep this content out; only a keyed digest of it is kept.  Inside ``change``."""
        self._put("denied", self._denial(sha256))

    def denied(self, sha256: bytes) -> bool:
        """Whether this content was erased for good."""
        return bool(self._rows("denied", "digest = ?", self._denial(sha256)))

    def denials(self) -> list[bytes]:
        """Keyed digests of what was erased; an index with the same secret understands them."""
        return [bytes(row[0]) for row in self._rows("denied", "TRUE")]

    def deny_keyed(self, denials: Iterable[bytes]) -> None:
        """Take over ``denials`` of an index with the same secret; inside ``change``."""
        for denial in denials:
            self._put("denied", denial)

    def allow(self, sha256: bytes) -> None:
        """Take a denial back; inside ``change``."""
        self.database.execute("DELETE FROM denied WHERE digest = ?", (self._denial(sha256),))

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        found = {}
        for table in TABLES:
            found[table] = int(self._asked(f"SELECT COUNT(*) FROM {table}")[0][0])  # noqa: S608 - ours
        return found

    # -- the file itself -----------------------------------------------------------------

    def flush(self, windows: Collection[bytes] | None = None) -> bool:
        """Empty the write-ahead log, let nothing erased stay, and seal the file.

        False, and nothing is sealed, while a reader holds the log open.

        Args:
            windows: after an erasure, what must not be in the file any more (see ``remnants``);
                None where that is not known, since the erasure was stopped before it came here.
        """
        stopped = self.interrupted
        if not self._emptied():
            return False
        try:
            if stopped and (
                windows is None or len(windows) > _MANY or remnants.found(self.path, windows)
            ):
                self.vacuum()
                if not self._emptied():
                    return False
            self._seal.write(int(self.get("generation")))
        except OSError as error:
            raise _refusal(error, self.path) from error
        return True

    def erasing(self) -> None:
        """Say that something is being erased; inside ``change``.  Sealing the file ends it."""
        self.set(_ERASING, int(self.get("generation")) + 1)

    @property
    def interrupted(self) -> bool:
        """Whether the file was not sealed since something was erased."""
        return int(self.get(_ERASING) or 0) > self._seal.generation()

    def _emptied(self) -> bool:
        until = time.monotonic() + WAIT_SECONDS
        while self._asked("PRAGMA wal_checkpoint(TRUNCATE)", writing=True)[0][0]:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def vacuum(self) -> None:
        """Write the file anew: free pages go back, and nothing stays but the rows there are."""
        self._asked("VACUUM", writing=True)

    def damage(self) -> Iterator[str]:
        """What does not hold, in words; nothing when all does."""
        try:
            for (line,) in self.database.execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield f"{NAME}: {line}"
            for table in TABLES:
                for row in self.database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - ours
                    if not self._holds(table, row):
                        yield f"{NAME}: a row of {table} was changed"
            yield from self._seal.broken(lambda: int(self.get("generation")))
        except (sqlite3.Error, ValueError, TypeError, WholeclothError) as error:
            yield f"{NAME}: cannot be read ({error})"

    def close(self) -> None:
        """Let go."""
        self.database.close()

    def _asked(self, query: str, *values: object, writing: bool = False) -> list[Any]:
        try:
            return self.database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _refusal(error, self.path, writing=writing) from error

    def _rows(self, table: str, where: str, *values: object) -> list[Any]:
        """Whole rows without their digests, which were checked."""
        rows = self._asked(f"SELECT * FROM {table} WHERE {where}", *values)  # noqa: S608 - ours
        for row in rows:
            if not self._holds(table, row):
                reason = f"a row of {table} was changed, or the key is another index's"
                raise IndexDamaged(str(self.path), reason, _REMEDY)
        return [row[:-1] for row in rows]

    def _holds(self, table: str, row: Sequence[Any]) -> bool:
        *values, mac = row
        return isinstance(mac, bytes) and hmac.compare_digest(mac, self._mac(table, values))

    def _put(self, table: str, *values: object) -> None:
        marks = ", ".join("?" * (len(values) + 1))
        mac = self._mac(table, values)
        self.database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*values, mac))  # noqa: S608 - ours

    def _mac(self, table: str, values: Iterable[object]) -> bytes:
        plain = [v.hex() if isinstance(v, bytes) else v for v in values]
        return hmac.digest(self._key, json.dumps([table, *plain]).encode(), "sha256")[:_MAC]

    def _denial(self, sha256: bytes) -> bytes:
        return hmac.digest(self._key, b"denied" + sha256, "sha256")


def identity(stat: Sequence[int]) -> bytes:
    """Twelve bytes that stand for a file's identity; empty for none."""
    return hashlib.sha256(json.dumps(list(stat)).encode()).digest()[:12] if stat else b""


def _below(folder: str) -> tuple[str, int, bytes]:
    """Condition and values for paths below a folder."""
    start = os.fsencode(folder.rstrip(os.sep) + os.sep)
    return "substr(path, 1, ?) = ?", len(start), start


def _refusal(error: Exception, path: Path, *, writing: bool = True) -> WholeclothError:
    """What a failure of SQLite or of the disk means."""
    if isinstance(error, OSError):
        code: int | None = sqlite3.SQLITE_IOERR
    else:
        code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in _BUSY:
        remedy = "try again in a moment"
        return IndexRefused(str(path), f"is held by another process ({error})", remedy)
    if writing and primary in _UNWRITABLE:
        remedy = "make room and permissions there; nothing acknowledged is lost"
        return OutputRefused(str(path), f"cannot be written ({error})", remedy)
    return IndexDamaged(str(path), f"cannot be read ({error})", _REMEDY)
