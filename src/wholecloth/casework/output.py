"""One output folder: prepared, written as a whole, or left as it was.

How a replacement survives a kill: all new files are written beside the old ones (``.new-NAME``),
then ``.new-commit`` says that they are complete, then each takes its place, the record last.
Before the commit the old result holds, after it the new one; ``recover`` finishes whichever it is
the next time the folder is used, and ``current`` reads it without touching anything.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from wholecloth import atomic
from wholecloth.casework.custody import LOG
from wholecloth.errors import OutputRefused

RECORD, REPORT, FIGURE = "record.json", "report.html", "figure-outline.png"
MAP = "figure-map.png"
MASK, COMPARABLE = "edit-mask.png", "comparable.png"
COPIES = "copies.json"
SUMMARY = "summary.json"
OURS = (MASK, COMPARABLE, FIGURE, MAP, REPORT, LOG, COPIES, RECORD)
"""Everything an output folder may hold; what makes it a result comes last."""
RESULTS = (RECORD, COPIES)
SUFFIX = ".wholecloth"
NEW = ".new-"
COMMIT = NEW + "commit"
_PROBE = ".probe"


def current(folder: Path) -> dict[str, Path]:
    """Name → file of the result that holds, even where a replacement was cut short."""
    names = {p.name: p for p in sorted(folder.iterdir()) if not _internal(p.name)}
    if not (folder / COMMIT).is_file():
        return names
    committed = _committed(folder)
    kept = {n: p for n, p in names.items() if n not in OURS}
    for name in committed:
        waiting = folder / (NEW + name)
        kept[name] = waiting if waiting.exists() else folder / name
    return kept


def recover(folder: Path) -> None:
    """Finish or undo what a killed run left.

    Raises:
        OutputRefused: not permitted.
    """
    if (folder / COMMIT).is_file():
        _swap(folder, _committed(folder))
    for path in list(folder.iterdir()):
        if _internal(path.name):
            atomic.remove(path)


def _internal(name: str) -> bool:
    return name.startswith((NEW, atomic.TEMPORARY)) or name == _PROBE


def _committed(folder: Path) -> list[str]:
    try:
        names = json.loads((folder / COMMIT).read_bytes())
        return [n for n in names if n in OURS]
    except (OSError, ValueError, TypeError, RecursionError) as error:
        reason = "an unfinished replacement in it cannot be read"
        raise OutputRefused(str(folder), reason, "give another place with --out") from error


def _swap(folder: Path, names: list[str]) -> None:
    for name in OURS:
        if name not in names:
            atomic.remove(folder / name)
        elif (folder / (NEW + name)).exists():
            atomic.move(folder / (NEW + name), folder / name)
    atomic.remove(folder / COMMIT)


class Output:
    """An output folder that one run holds."""

    def __init__(self, folder: Path, *, made: list[Path], replace: bool) -> None:
        self.folder = folder
        self._made = made
        self._replace = replace
        self._lock = contextlib.ExitStack()
        self._held = False

    @classmethod
    def prepare(cls, folder: Path, *, replace: bool) -> Output:
        """Make or check the folder before any work is done, and hold it.

        Raises:
            OutputRefused: not a folder, not writable, held by another run, or not empty (an
                earlier record is only overwritten with ``replace``).
        """
        output = cls(folder, made=[], replace=replace)
        try:
            if not folder.exists():
                atomic.make_folder(folder, output._made)
            elif not folder.is_dir():
                reason, remedy = "is not a folder", "give another place with --out"
                raise OutputRefused(str(folder), reason, remedy)
            output._lock.enter_context(atomic.locked(folder))
            output._held = True
            recover(folder)
            output._check()
            output._probe()
        except OSError as error:
            output.undo()
            reason = f"cannot be used as output folder ({error.strerror or error})"
            raise OutputRefused(str(folder), reason, "give another place with --out") from error
        except BaseException:
            output.undo()
            raise
        return output

    @property
    def earlier(self) -> dict[str, bytes]:
        """The result that will be replaced, by name; empty if there is none."""
        if not any((self.folder / name).exists() for name in RESULTS):
            return {}
        held = {n: p for n, p in current(self.folder).items() if n in (*RESULTS, LOG)}
        return {name: path.read_bytes() for name, path in held.items()}

    def _check(self) -> None:
        shown = str(self.folder)
        if any((self.folder / name).exists() for name in RESULTS):
            if not self._replace:
                remedy = "give another --out, or add --replace"
                raise OutputRefused(shown, "holds an earlier record", remedy)
        elif any(self.folder.iterdir()):
            raise OutputRefused(shown, "is not empty", "give a new or empty folder with --out")

    def _probe(self) -> None:
        probe = self.folder / _PROBE
        try:
            atomic.write(probe, b"")
            atomic.remove(probe)
        except OutputRefused as error:
            raise OutputRefused(str(self.folder), error.reason, error.remedy) from error

    def write(self, files: Mapping[str, bytes]) -> None:
        """Put a whole new result in place.

        Until all of it is on the disk an earlier result stays whole; afterwards the new one
        holds, whatever happens.

        Raises:
            OutputRefused: disk full, not writable, or another run finished in this folder.
        """
        for name, data in files.items():
            atomic.write(self.folder / (NEW + name), data)
        if not self._replace and any((self.folder / name).exists() for name in RESULTS):
            shown = str(self.folder)
            raise OutputRefused(shown, "another run finished there meanwhile", "give another --out")
        atomic.write(self.folder / COMMIT, json.dumps(list(files)).encode())
        _swap(self.folder, list(files))
        self._made = []
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._lock.close()

    def undo(self) -> None:
        """Leave the folder as it was before this run, or complete if the commit was reached."""
        with contextlib.suppress(OSError, OutputRefused):
            if self._held and self.folder.is_dir():
                recover(self.folder)
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        self.close()


def withdraw(folders: list[Path]) -> None:
    """Remove the results of this run again: age doubt on one item stops all of it."""
    for folder in folders:
        with contextlib.suppress(OSError, OutputRefused):
            for path in list(folder.iterdir()):
                if path.name in OURS or _internal(path.name):
                    atomic.remove(path)
            folder.rmdir()
