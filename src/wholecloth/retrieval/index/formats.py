"""Which format of an index this version writes, and how older ones become it.

A new format adds one to ``FORMAT`` and one step to ``STEPS``.  All steps of an index run in one
transaction, by its one writer: a stopped migration leaves the older format as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from wholecloth import atomic
from wholecloth.errors import IndexDamaged, IndexRefused
from wholecloth.retrieval.index.manifest import Manifest

FORMAT = 1
STEPS: Mapping[int, Callable[[Manifest], None]] = {}
"""From format n, the key, to n + 1; called inside ``Manifest.change``."""


def current(manifest: Manifest, folder: Path, *, writing: bool) -> None:
    """Bring an index to the format of this version, when it is opened for writing.

    Raises:
        IndexDamaged: it states no format.
        IndexRefused: its format is newer, or older and it is not to be written, or so old that no
            step leads from it.
        OutputRefused: another process writes to it, or the disk is full.
    """
    if _found(manifest, folder) == FORMAT:
        return
    if not writing:
        reason = f"is of format {manifest.get('format')}; this version reads {FORMAT}"
        remedy = "run `wholecloth index compact` on it, which brings it up to date"
        raise IndexRefused(str(folder), reason, remedy)
    with atomic.locked(folder), manifest.change():
        for number in range(_found(manifest, folder), FORMAT):
            STEPS[number](manifest)
            manifest.set("format", number + 1)


def _found(manifest: Manifest, folder: Path) -> int:
    """The format it states, from which steps lead to ours."""
    number = manifest.get("format")
    if not isinstance(number, int):
        raise IndexDamaged(str(folder), "its manifest states no format", "restore it from a copy")
    if number > FORMAT:
        reason = f"is of format {number}; this version reads up to {FORMAT}"
        raise IndexRefused(str(folder), reason, "use the version of wholecloth that wrote it")
    if any(step not in STEPS for step in range(number, FORMAT)):
        reason = f"is of format {number}, which this version cannot bring up to date"
        raise IndexRefused(str(folder), reason, "make a new index and add the photographs again")
    return number
