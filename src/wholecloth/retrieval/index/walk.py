"""Files to add, one after the other, without holding a list of a million of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from wholecloth.errors import InputRefused
from wholecloth.intake.collect import Skipped, walk


def files(tops: Iterable[Path], skipped: list[Skipped]) -> Iterator[str]:
    """Absolute paths of the files in folders (recursively) and of files, in a stable order."""
    for top in tops:
        if not os.path.lexists(top):
            raise InputRefused(str(top), "does not exist", "check the spelling")
        for path, _ in walk(top, skipped):
            yield os.path.abspath(path)


def listed(lists: Sequence[Path]) -> Iterator[str]:
    """Paths from lists: one a line, or JSON objects with ``path``; relative ones to the list."""
    for file in lists:
        try:
            with file.open(encoding="utf-8", errors="surrogateescape") as stream:
                for line in stream:
                    path = _path_of(line.rstrip("\r\n"), file)
                    if path:
                        yield os.path.abspath(os.path.join(file.parent, path))
        except OSError as error:
            reason = f"cannot be read ({error.strerror or error})"
            raise InputRefused(str(file), reason, "check the name given with --list") from error


def _path_of(line: str, file: Path) -> str:
    if not line.startswith("{"):
        return line
    try:
        return str(json.loads(line)["path"])
    except (ValueError, KeyError, TypeError) as error:
        reason = f"has a line that is no JSON object with a path: {line[:60]}"
        raise InputRefused(str(file), reason, "one path a line, or JSON lines") from error


def count(tops: Iterable[Path]) -> int:
    """How many files there are, quickly, for the progress bar."""
    total = 0
    for top in tops:
        total += sum(len(names) for _, _, names in os.walk(top)) if top.is_dir() else 1
    return total
