"""The one way to write, move and remove files: complete, or not at all.

Nothing else in wholecloth opens a file for writing, but the database of the feature cache, which
holds nothing that cannot be read again, and the manifest of an index, which has transactions.
``before_step`` is called before every step that touches the disk; tests put failures and kills
there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from wholecloth.errors import OutputRefused

TEMPORARY = ".writing-"
"""Prefix of a file that is being filled, where the system has no nameless files."""

_LINES = 2
"""So many line ends hold at least one whole line between them."""
_REMEDY = "give another place with --out, or make room and permissions there"
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT, errno.ENOTSUP)


def _nothing(_step: str, _path: Path) -> None:
    """Stand in for a fault."""


before_step: Callable[[str, Path], None] = _nothing
"""Called with open, fill, sync, link, rename, remove or folder, and the path concerned."""


def write(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the whole new one.

    On Linux the new file has no name until all of it is on the disk, so that even a kill leaves
    no part of a file; elsewhere a temporary file beside it is filled, flushed and renamed.

    Args:
        path: the file.
        data: all of it.
        mode: permissions before the umask.

    Raises:
        OutputRefused: the folder cannot be written, or the disk is full; ``path`` is untouched.
    """
    try:
        waiting = _nameless(path, data, mode)
        if waiting is None:
            waiting = _named(path, data, mode)
        try:
            before_step("rename", path)
            waiting.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                waiting.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise OutputRefused(str(path), reason, _REMEDY) from error


def write_new(path: Path, data: bytes, *, mode: int = 0o666) -> bool:
    """As ``write``, but never over a file that is there; returns whether this call made it.

    Raises:
        OutputRefused: the folder cannot be written.
    """
    waiting = path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
    write(waiting, data, mode=mode)
    try:
        os.link(waiting, path)
    except FileExistsError:
        return False
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise OutputRefused(str(path), reason, _REMEDY) from error
    finally:
        with contextlib.suppress(OSError):
            waiting.unlink()
    return True


def append(path: Path, line: Callable[[bytes], bytes]) -> None:
    """Add one line to a log, after all others and on the disk when it returns.

    A last line that a stopped run left unfinished is cut off first.  Two processes wait for one
    another.

    Args:
        path: the log; made with mode 0600 where there is none.
        line: from the last whole line, without its newline (empty for none), to the new one.

    Raises:
        OutputRefused: it cannot be written.
    """
    try:
        before_step("open", path)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(handle, "r+b") as stream, _alone(stream.fileno()):
            last, end = _last_line(stream)
            stream.seek(end)
            stream.truncate()
            before_step("fill", path)
            stream.write(line(last))
            stream.flush()
            before_step("sync", path)
            os.fsync(stream.fileno())
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise OutputRefused(str(path), reason, "make room and permissions there") from error


def _last_line(stream: BinaryIO) -> tuple[bytes, int]:
    """The last whole line and where it ends."""
    size = stream.seek(0, os.SEEK_END)
    tail, start = b"", size
    while start and tail.count(b"\n") < _LINES:
        step = min(start, 1 << 16)
        start -= step
        stream.seek(start)
        tail = stream.read(step) + tail
    end = tail.rfind(b"\n") + 1
    whole = tail[:end].splitlines()
    return (whole[-1] if whole else b""), start + end


@contextlib.contextmanager
def _alone(handle: int) -> Iterator[None]:
    """Wait until no other process holds the file; nothing where the system has no such lock."""
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ImportError:
        yield
        return
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX)
    yield


def move(old: Path, new: Path) -> None:
    """Rename within one folder, replacing what is there.

    Raises:
        OutputRefused: not permitted; both are as they were.
    """
    try:
        before_step("rename", new)
        old.replace(new)
        _sync_folder(new.parent)
    except OSError as error:
        reason = f"cannot be put in place ({error.strerror or error})"
        raise OutputRefused(str(new), reason, _REMEDY) from error


def remove(path: Path) -> None:
    """Remove a file or an empty folder; one that is not there is no error.

    Raises:
        OutputRefused: not permitted.
    """
    try:
        before_step("remove", path)
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        reason = f"cannot be removed ({error.strerror or error})"
        raise OutputRefused(str(path), reason, "remove it by hand") from error


def make_folder(path: Path, made: list[Path] | None = None, *, mode: int = 0o777) -> None:
    """Make a folder and those above it.

    Args:
        path: the folder; one that is there is no error.
        made: receives each folder as it is made, the innermost first, so that a caller that is
            stopped in the middle knows what to remove.
        mode: permissions before the umask.

    Raises:
        OutputRefused: a file is in the way, or it is not permitted; nothing made stays.
    """
    made = [] if made is None else made
    missing = [path, *path.parents]
    missing = missing[: next((i for i, p in enumerate(missing) if p.exists()), len(missing))]
    try:
        for folder in reversed(missing):
            before_step("folder", folder)
            made.insert(0, folder)
            folder.mkdir(mode=mode, exist_ok=True)
    except OSError as error:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        reason = f"cannot be used as output folder ({error.strerror or error})"
        raise OutputRefused(str(path), reason, "give another place with --out") from error


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for one run; the lock ends with the process, however that ends.

    Where the system has no such lock (Windows, some network disks) nothing is held.

    Raises:
        OutputRefused: another run holds it.
    """
    try:
        import fcntl  # noqa: PLC0415 - POSIX only
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            remedy = "wait until it is done, or give another --out"
            raise OutputRefused(str(folder), "another run is writing there", remedy) from error
        except OSError:
            pass  # no locks on this file system: the check before the last step still holds
        yield
    finally:
        os.close(handle)


def _nameless(path: Path, data: bytes, mode: int) -> Path | None:
    """Fill a file without a name, then link it beside ``path``; None where that cannot be done."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag:
        return None
    before_step("open", path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        try:
            handle = os.open(path.parent, flag | os.O_WRONLY, mode)
        except OSError as error:
            if error.errno in _UNSUPPORTED and path.parent.is_dir():
                return None
            raise
        with os.fdopen(handle, "wb") as stream:
            _fill(stream.fileno(), path, data)
            before_step("link", path)
            waiting = _beside(path)
            # A folder handle makes Python call linkat(2), which alone can follow /proc/self/fd.
            os.link(f"/proc/self/fd/{stream.fileno()}", waiting, src_dir_fd=folder)
        return waiting
    finally:
        os.close(folder)


def _named(path: Path, data: bytes, mode: int) -> Path:
    before_step("open", path)
    waiting = _beside(path)
    handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            _fill(stream.fileno(), path, data)
    except BaseException:
        with contextlib.suppress(OSError):
            waiting.unlink()
        raise
    return waiting


def _beside(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")


def _fill(handle: int, path: Path, data: bytes) -> None:
    before_step("fill", path)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    before_step("sync", path)
    os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    """The rename itself must survive a power cut; not every system can open a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
