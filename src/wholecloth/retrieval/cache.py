"""Features on disk, so that what was read once is not read again.

Local features can be turned back into recognisable pictures (Weinzaepfel et al. 2011; Dosovitskiy
& Brox 2016), so the cache is treated like pictures: rows are encrypted with AES-256-GCM (NIST SP
800-38D) under a key that lies beside them with mode 0600 and that ``clear`` destroys; row names
are HMACs, so that not even the list of files can be read without it.  Rows unused for 30 days go.

The key protects what is left on a disk after ``clear``, in a backup or a snapshot without the key
file; it does not protect from somebody who can read this account.

A cache never stops a run: whatever goes wrong with it, the files are read instead.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from platformdirs import user_cache_path

from wholecloth import atomic
from wholecloth.errors import OutputRefused

VARIABLE = "WHOLECLOTH_CACHE"
"""Environment variable that moves the cache folder."""
DAYS_UNUSED = 30
_KEY, _DATABASE = "key", "features.sqlite"
_SCHEMA = "CREATE TABLE IF NOT EXISTS rows (id BLOB PRIMARY KEY, used INTEGER, body BLOB)"
_NONCE = 12
_COMMIT_EVERY = 64


def default_folder() -> Path:
    """The user's cache folder for this program, or what ``WHOLECLOTH_CACHE`` names."""
    named = os.environ.get(VARIABLE)
    return (
        Path(named).absolute()
        if named
        else user_cache_path("wholecloth", appauthor=False) / "features"
    )


@dataclass(frozen=True, slots=True)
class CacheState:
    """What lies there."""

    folder: str
    rows: int
    bytes: int
    oldest_use: str | None
    """ISO date; None when empty."""


class FeatureCache:
    """Encrypted rows by file identity; thread-safe."""

    def __init__(self, folder: Path, key: bytes, database: sqlite3.Connection) -> None:
        self.folder = folder
        self._key = key
        self._cipher = AESGCM(key)
        self._database: sqlite3.Connection | None = database
        self._lock = threading.Lock()
        self._made: set[bytes] = set()
        self._pending = 0

    @classmethod
    def open(cls, folder: Path | None = None) -> FeatureCache | None:
        """Open or make the cache; None where it cannot be used, and the run goes on without."""
        where = folder if folder is not None else default_folder()
        for _ in range(2):
            try:
                if not _ours(where):
                    return None  # somebody else's folder: nothing in it is touched
                atomic.make_folder(where, mode=0o700)
                key = _key_of(where)
                database = _connect(where / _DATABASE)
            except sqlite3.DatabaseError:
                with suppress(OutputRefused, OSError):
                    clear(where)  # damaged: what is in it can be read again from the pictures
                continue
            except (OSError, OutputRefused):
                return None
            cache = cls(where, key, database)
            cache._prune()
            return cache
        return None

    def get(self, identity: Sequence[object]) -> bytes | None:
        """The body kept under an identity; None if there is none or it cannot be opened."""
        row = self._id(identity)
        with self._lock:
            found = self._run("SELECT body, used FROM rows WHERE id = ?", row)
        if not found:
            return None
        body, used = found[0]
        try:
            opened = self._cipher.decrypt(body[:_NONCE], body[_NONCE:], row)
        except (InvalidTag, ValueError):
            self.forget(identity)
            return None
        if used != _today():
            with self._lock:
                self._run("UPDATE rows SET used = ? WHERE id = ?", _today(), row)
        return opened

    def put(self, identity: Sequence[object], body: bytes) -> None:
        """Keep a body under an identity."""
        row, nonce = self._id(identity), secrets.token_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, body, row)
        with self._lock:
            self._run("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", row, _today(), sealed)
            self._made.add(row)

    def derived(self, purpose: str) -> bytes:
        """32 bytes that only this cache's key gives."""
        return hmac.digest(self._key, b"derived " + purpose.encode(), "sha256")

    def forget(self, identity: Sequence[object]) -> None:
        """Drop what is kept under an identity."""
        with self._lock:
            self._run("DELETE FROM rows WHERE id = ?", self._id(identity))

    def withdraw(self) -> None:
        """Drop everything this run has added: after a doubt about age nothing of it stays."""
        with self._lock:
            for row in self._made:
                self._run("DELETE FROM rows WHERE id = ?", row)
            self._made.clear()
            self._commit()

    def close(self) -> None:
        """Commit and let go."""
        with self._lock:
            self._commit()
            if self._database is not None:
                self._database.close()
                self._database = None

    def _id(self, identity: Sequence[object]) -> bytes:
        text = json.dumps(list(identity)).encode()
        return hmac.digest(self._key, text, "sha256")

    def _run(self, statement: str, *values: object) -> list[tuple[bytes, int]]:
        """One statement; on any trouble (disk full, locked, damaged) the cache is given up."""
        if self._database is None:
            return []
        try:
            rows = self._database.execute(statement, values).fetchall()
            if not statement.startswith("SELECT"):
                self._pending += 1
                if self._pending >= _COMMIT_EVERY:
                    self._commit()
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None
            return []
        return rows

    def _commit(self) -> None:
        self._pending = 0
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.commit()

    def _prune(self) -> None:
        with self._lock:
            self._run("DELETE FROM rows WHERE used < ?", _today() - DAYS_UNUSED)
            self._commit()


def state(folder: Path | None = None) -> CacheState:
    """What the cache holds, without changing it."""
    where = folder if folder is not None else default_folder()
    size = sum(p.stat().st_size for p in _files(where))
    rows, oldest = 0, None
    if (where / _DATABASE).exists():
        with suppress(sqlite3.Error):
            database = sqlite3.connect(f"{(where / _DATABASE).as_uri()}?mode=ro", uri=True)
            rows, oldest = database.execute("SELECT COUNT(*), MIN(used) FROM rows").fetchone()
            database.close()
    day = time.strftime("%Y-%m-%d", time.gmtime(oldest * 86400)) if oldest else None
    return CacheState(str(where), rows, size, day)


def clear(folder: Path | None = None) -> int:
    """Destroy the key, then remove every file of the cache; returns the bytes removed.

    Other files in the folder are left alone, and then the folder is too.

    Raises:
        OutputRefused: the folder is not a cache of ours, or something cannot be removed.
    """
    where = folder if folder is not None else default_folder()
    if not where.exists():
        return 0
    if not _ours(where):
        remedy = f"name the cache's own folder with {VARIABLE}, or none"
        raise OutputRefused(str(where), "is no cache of wholecloth: nothing was removed", remedy)
    size = 0
    key = where / _KEY
    if key.exists():
        # Written over in place: the blocks that hold the key are the ones to lose.
        with suppress(OSError), key.open("r+b") as stream:
            stream.write(secrets.token_bytes(32))
            stream.flush()
            os.fsync(stream.fileno())
    for path in _files(where):
        size += path.stat().st_size
        atomic.remove(path)
    with suppress(OSError):
        where.rmdir()
    return size


def _files(folder: Path) -> list[Path]:
    """The cache's own files, the key first."""
    names = [_KEY, *(_DATABASE + end for end in ("", "-wal", "-shm", "-journal"))]
    return [folder / n for n in names if (folder / n).is_file()]


def _ours(folder: Path) -> bool:
    """Whether a folder is a cache, or may become one: it has our key, is empty, or is not there."""
    try:
        if not folder.exists():
            return True
        if not folder.is_dir() or folder.is_symlink():
            return False
        key = folder / _KEY
        if key.is_file() and key.stat().st_size == 32:
            return True
        return not any(p for p in folder.iterdir() if not p.name.startswith(_DATABASE))
    except OSError:
        return False


def _key_of(folder: Path) -> bytes:
    path = folder / _KEY
    for _ in range(2):
        if path.exists():
            key = path.read_bytes()
            if len(key) == 32:
                return key
        if (folder / _DATABASE).exists():  # without its key it is noise
            atomic.remove(folder / _DATABASE)
        atomic.write_new(path, secrets.token_bytes(32), mode=0o600)
    raise OutputRefused(str(path), "is no key", "run `wholecloth cache clear`")


def _connect(path: Path) -> sqlite3.Connection:
    before = os.umask(0o077)
    try:
        database = sqlite3.connect(path, timeout=2.0, check_same_thread=False)
        database.execute("PRAGMA secure_delete = ON")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(_SCHEMA)
        database.commit()
    finally:
        os.umask(before)
    return database


def _today() -> int:
    """Days since 1970."""
    return int(time.time() // 86400)


def fingerprint(text: str) -> str:
    """A short digest that stands for settings in an identity."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
