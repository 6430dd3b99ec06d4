"""The manifest: which segments there are, and which picture is which.

SQLite, so that a change is there whole or not at all.  ``secure_delete`` writes zeros over what is
deleted, and ``flush`` empties the write-ahead log, so that nothing erased stays in either.  Every
row carries a keyed digest of itself: a byte changed in the file is found and named, which SQLite's
own check does not do.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wholecloth import atomic
from wholecloth.errors import IndexDamaged, IndexRefused, OutputRefused

NAME = "manifest.sqlite"
SEAL = "manifest.seal"
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
_WAIT_SECONDS = 10.0
_MAC = 8
"""Bytes of a row's keyed digest."""
_REMEDY = "run `wholecloth index verify`; restore the folder from a copy"


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

    def __init__(self, folder: Path, key: bytes, *, writing: bool) -> None:
        self.path = folder / NAME
        self._folder = folder
        self._key = key
        mode = "rw" if writing or os.access(folder, os.W_OK) else "ro"
        # A read-only folder cannot hold the shared memory that a write-ahead log needs.
        still = "&immutable=1" if mode == "ro" else ""
        try:
            self.database = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}{still}",
                uri=True,
                timeout=_WAIT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self.database.execute("PRAGMA secure_delete = ON")
            self.database.execute("PRAGMA synchronous = FULL")
            self.database.execute("SELECT COUNT(*) FROM about").fetchone()
        except sqlite3.DatabaseError as error:
            raise IndexDamaged(str(self.path), f"cannot be opened ({error})", _REMEDY) from error

    @classmethod
    def create(cls, folder: Path, key: bytes, about: dict[str, Any]) -> Manifest:
        """Make an empty one."""
        before = os.umask(0o077)
        try:
            database = sqlite3.connect(folder / NAME, isolation_level=None)
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript("BEGIN;" + _SCHEMA + "COMMIT;")
            database.close()
        except sqlite3.Error as error:
            reason = f"cannot be written ({error})"
            raise OutputRefused(str(folder), reason, "give another folder") from error
        finally:
            os.umask(before)
        manifest = cls(folder, key, writing=True)
        with manifest.change():
            for name, value in about.items():
                manifest.set(name, value)
            manifest.set("next", 1)
            manifest.set("generation", 0)
        return manifest

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
        except sqlite3.OperationalError as error:
            reason = f"cannot be written ({error})"
            remedy = "make room and permissions there; nothing acknowledged is lost"
            raise OutputRefused(str(self.path), reason, remedy) from error

    # -- facts about the index -----------------------------------------------------------

    def get(self, name: str) -> Any:
        """One fact; None where it was never set."""
        row = self.database.execute("SELECT value FROM about WHERE key = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def set(self, name: str, value: Any) -> None:
        """Keep one fact; inside ``change``."""
        text = json.dumps(value)
        self._put("about", name, text)

    # -- segments ------------------------------------------------------------------------

    def segments(self) -> list[SegmentRow]:
        """All, in the order of their numbers."""
        rows = self.database.execute(
            "SELECT number, pictures, bytes, sha256, key FROM segments ORDER BY number"
        )
        return [SegmentRow(*row) for row in rows]

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

    def image(self, id_: int) -> ImageRow | None:
        """By number."""
        return self._image("id = ?", id_)

    def by_sha256(self, sha256: bytes) -> ImageRow | None:
        """By content."""
        return self._image("sha256 = ?", sha256)

    def images_in(self, segment: int) -> list[ImageRow]:
        """Of one segment."""
        rows = self.database.execute(
            "SELECT id, sha256, segment, width, height FROM images WHERE segment = ?", (segment,)
        )
        return [ImageRow(*row) for row in rows.fetchall()]

    def pictures(self) -> int:
        """How many there are."""
        return int(self.database.execute("SELECT COUNT(*) FROM images").fetchone()[0])

    def _image(self, where: str, value: object) -> ImageRow | None:
        query = f"SELECT id, sha256, segment, width, height FROM images WHERE {where}"  # noqa: S608 - ours
        row = self.database.execute(query, (value,)).fetchone()
        return None if row is None else ImageRow(*row)

    # -- places --------------------------------------------------------------------------

    def put_place(self, path: str, image: int, stat: Sequence[int]) -> None:
        """Where a picture lies; inside ``change``."""
        self._put("places", os.fsencode(path), image, identity(stat))

    def place(self, path: str) -> tuple[int, bytes] | None:
        """Picture and file identity (see ``identity``) kept for a path."""
        row = self.database.execute(
            "SELECT image, stat FROM places WHERE path = ?", (os.fsencode(path),)
        ).fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))

    def places_of(self, image: int) -> list[str]:
        """Every path of a picture, in order."""
        rows = self.database.execute(
            "SELECT path FROM places WHERE image = ? ORDER BY path", (image,)
        )
        return [os.fsdecode(row[0]) for row in rows]

    def under(self, folder: str) -> list[int]:
        """Pictures with a place in a folder or below it."""
        start = os.fsencode(folder.rstrip(os.sep) + os.sep)
        rows = self.database.execute(
            "SELECT DISTINCT image FROM places WHERE substr(path, 1, ?) = ?", (len(start), start)
        )
        return [int(row[0]) for row in rows]

    def forget(self, image: int) -> None:
        """Remove a picture's row and places; inside ``change``."""
        self.database.execute("DELETE FROM places WHERE image = ?", (image,))
        self.database.execute("DELETE FROM images WHERE id = ?", (image,))

    # -- refusals and denials ------------------------------------------------------------

    def put_refused(self, path: str, stat: Sequence[int], reason: str, kind: str) -> None:
        """A file that could not be added; inside ``change``."""
        self._put("refused", os.fsencode(path), identity(stat), reason, kind)

    def refused(self, path: str) -> tuple[bytes, str, str] | None:
        """File identity, reason and kind."""
        row = self.database.execute(
            "SELECT stat, reason, kind FROM refused WHERE path = ?", (os.fsencode(path),)
        ).fetchone()
        return None if row is None else (bytes(row[0]), str(row[1]), str(row[2]))

    def drop_refused(self, path: str) -> None:
        """Inside ``change``."""
        self.database.execute("DELETE FROM refused WHERE path = ?", (os.fsencode(path),))

    def deny(self, sha256: bytes) -> None:
        """Keep this content out; only a keyed digest of it is kept.  Inside ``change``."""
        self._put("denied", self._denial(sha256))

    def denied(self, sha256: bytes) -> bool:
        """Whether this content was erased for good."""
        row = self.database.execute(
            "SELECT 1 FROM denied WHERE digest = ?", (self._denial(sha256),)
        ).fetchone()
        return row is not None

    def allow(self, sha256: bytes) -> None:
        """Take a denial back; inside ``change``."""
        self.database.execute("DELETE FROM denied WHERE digest = ?", (self._denial(sha256),))

    def counts(self) -> dict[str, int]:
        """Rows per table."""
        found = {}
        for table in TABLES:
            (count,) = self.database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()  # noqa: S608 - ours
            found[table] = int(count)
        return found

    # -- the file itself -----------------------------------------------------------------

    def flush(self) -> bool:
        """Empty the write-ahead log and seal the file; False while a reader holds the log open."""
        until = time.monotonic() + _WAIT_SECONDS
        while True:
            busy, *_ = self.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                break
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        seal = {"generation": self.get("generation"), "sha256": _digest(self.path)}
        atomic.write(self._folder / SEAL, json.dumps(seal).encode() + b"\n", mode=0o600)
        return True

    def vacuum(self) -> None:
        """Give free pages back."""
        try:
            self.database.execute("VACUUM")
        except sqlite3.OperationalError as error:
            reason = f"cannot be written ({error})"
            raise OutputRefused(str(self.path), reason, "make room there") from error

    def damage(self) -> Iterator[str]:
        """What does not hold, in words; nothing when all does."""
        try:
            for (line,) in self.database.execute("PRAGMA integrity_check"):
                if line != "ok":
                    yield f"{NAME}: {line}"
            for table in TABLES:
                for row in self.database.execute(f"SELECT * FROM {table}"):  # noqa: S608 - ours
                    *values, mac = row
                    if not hmac.compare_digest(mac or b"", self._mac(table, values)):
                        yield f"{NAME}: a row of {table} was changed"
            yield from self._seal_broken()
        except (sqlite3.DatabaseError, ValueError, TypeError, UnicodeDecodeError) as error:
            yield f"{NAME}: cannot be read ({error})"

    def _seal_broken(self) -> Iterator[str]:
        log = self.path.with_name(NAME + "-wal")
        try:
            seal = json.loads((self._folder / SEAL).read_bytes())
            # Written since, or stopped before it was sealed: the rows above have spoken.
            current = seal["generation"] == self.get("generation")
            still = current and not (log.exists() and log.stat().st_size)
            if still and seal["sha256"] != _digest(self.path):
                yield f"{NAME}: the file was changed since it was sealed"
        except (OSError, ValueError, KeyError, TypeError):
            yield f"{SEAL}: cannot be read"

    def close(self) -> None:
        """Let go."""
        self.database.close()

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


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise IndexRefused(str(path), f"cannot be read ({error.strerror or error})", "") from error
