"""Bytes that SQLite leaves behind although ``secure_delete`` is on.

When a page of a tree is split, rows move to another page, and their old copies stay in the page's
unallocated space, where a later deletion does not find them (SQLite 3.40: of 20 000 pictures added
a thousand at a time 16 left a copy of their SHA-256 or path, whole or in part; VACUUM removes all).
So after an erasure the unallocated space of every page is looked through for what was erased.

Page layout: https://www.sqlite.org/fileformat2.html#b_tree_pages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np

_HEADER = 100
"""Bytes before the first page's own header."""
_TREE = {2: 12, 5: 12, 10: 8, 13: 8}
"""Kinds of pages of a tree, and how long their headers are."""
_WINDOW = 8
"""Bytes in a row of a digest that are taken for a trace: shorter ones occur by chance."""
_NAME = 16
"""… and of a path."""
_AT_ONCE = 4096
"""Pages; 16 MiB of the usual ones."""


def found(path: Path, windows: Collection[bytes]) -> bool:
    """Whether one of these lies in the unallocated space of a database at rest.

    Args:
        path: the database; nothing may wait in its log.
        windows: from ``of_digest`` and ``of_path``.
    """
    return any(window in gap for gap in unallocated(path) for window in windows)


def of_digest(digest: bytes) -> set[bytes]:
    """Windows by which any 15 bytes in a row of a digest or key are found, and 8 at an end."""
    starts = {*range(0, len(digest) - _WINDOW, _WINDOW), max(0, len(digest) - _WINDOW)}
    return {digest[at : at + _WINDOW] for at in starts}


def of_path(path: bytes, neighbours: Iterable[bytes]) -> set[bytes]:
    """Windows by which a path is found, of which the end or the beginning may be lost.

    Args:
        path: the one that was erased.
        neighbours: the paths before and after it that stay; what it shares with them is no trace.
    """
    shared = max((_shared(path, other) for other in neighbours), default=0)
    first = min(shared + 1, len(path))
    return {path[max(0, first - _NAME) : first], path[-_NAME:]}


def unallocated(path: Path) -> Iterator[bytes]:
    """Unallocated space of each page of a tree, where it is not all zero."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(18)[16:18], "big")
        size = 65536 if size == 1 else size
        stream.seek(0)
        start = _HEADER
        while size and (body := stream.read(_AT_ONCE * size)):
            pages = np.frombuffer(body, np.uint8, len(body) // size * size).reshape(-1, size)
            trees = np.isin(pages[:, 0], list(_TREE))
            trees[:1] |= start > 0
            for row in np.flatnonzero(trees):
                gap = _gap(pages[row].tobytes(), start)
                start = 0
                if gap.strip(b"\0"):
                    yield gap


def _gap(page: bytes, start: int) -> bytes:
    """Between the list of cells and the cells."""
    header = _TREE.get(page[start])
    if header is None:
        return b""
    cells = int.from_bytes(page[start + 3 : start + 5], "big")
    content = int.from_bytes(page[start + 5 : start + 7], "big") or 65536
    return page[start + header + 2 * cells : content]


def _shared(one: bytes, other: bytes) -> int:
    """How many bytes they begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))
