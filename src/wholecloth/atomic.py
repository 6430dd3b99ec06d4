"""The one way to write a file: complete, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from wholecloth.errors import OutputRefused

_REMEDY = "give another place with --out, or make room and permissions there"


def write(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader sees the old file or the whole new one.

    A temporary file in the same folder is filled, flushed to the disk and renamed; on any failure
    it is removed and ``path`` is untouched.

    Raises:
        OutputRefused: the folder cannot be written, or the disk is full.
    """
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        reason = f"cannot be written ({error.strerror or error})"
        raise OutputRefused(str(path), reason, _REMEDY) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """The rename itself must survive a power cut; not every system can open a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
