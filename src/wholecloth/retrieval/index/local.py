"""The embedded store: segments in one folder, listed in the manifest.

Files are written whole, named in a transaction, and removed only after the transaction that no
longer names them.  Readers map what the manifest names at one moment; a file that is removed
meanwhile stays readable for whoever mapped it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wholecloth import atomic
from wholecloth.errors import IndexDamaged, OutputRefused, WholeclothError
from wholecloth.retrieval.index import segment as files
from wholecloth.retrieval.index.keys import Keys, seal, unseal
from wholecloth.retrieval.index.manifest import Manifest, SegmentRow
from wholecloth.retrieval.index.segment import MOST, Segment
from wholecloth.retrieval.postings import Kept, TierName
from wholecloth.retrieval.score import Asked, best

PREFIX, SUFFIX = "segment-", ".bin"
_NUMBER_BITS = 48
_MOST_BYTES = 256 * 2**20
"""Of one segment: what an erasure rewrites, and what an encrypted one holds in memory."""
_SMALL = 1000
_MANY_SMALL = 8
"""More segments than that of fewer pictures than ``_SMALL`` are joined after adding."""
_TRIES = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    row: SegmentRow
    segment: Segment


class LocalSegments:
    """Postings in segments; the manifest's transactions are the caller's (``Index``)."""

    def __init__(self, folder: Path, manifest: Manifest, keys: Keys) -> None:
        self.folder = folder
        self._manifest = manifest
        self._keys = keys
        self._open: dict[int, _Open] = {}
        self._version: object = None

    # -- asking --------------------------------------------------------------------------

    def pictures(self, tier: TierName) -> int:
        """How many have this tier."""
        return sum(
            int(np.count_nonzero(part.segment.tier(tier).features)) for part in self._current()
        )

    def frequency(self, words: NDArray[np.uint16], tier: TierName) -> NDArray[np.int64]:
        """Postings per word."""
        total = np.zeros(len(words), np.int64)
        for part in self._current():
            with _named(name_of(part.row.number)):
                total += part.segment.frequency(words, tier)
        return total

    def search(
        self, query: Asked, weight: NDArray[np.int64], tier: TierName, count: int
    ) -> list[tuple[int, float]]:
        """The best pictures over all segments."""
        found: list[tuple[int, float]] = []
        for part in self._current():
            with _named(name_of(part.row.number)):
                scores = part.segment.scores(query, weight, tier)
                found += best(scores, part.segment.images.astype(np.int64), count)
        return sorted(found, key=lambda kept: (-kept[1], kept[0]))[:count]

    def near(self, hashes: Sequence[bytes], within: int) -> list[tuple[int, int]]:
        """Pictures by PDQ."""
        found = [h for p in self._current() for h in files.near_in(p.segment, hashes, within)]
        return sorted(found, key=lambda kept: (kept[1], kept[0]))

    def parts(self) -> list[_Open]:
        """Segments with their manifest rows."""
        return self._current()

    def kept(self) -> Iterator[Kept]:
        """Everything, segment by segment."""
        for part in self._current():
            with _named(name_of(part.row.number)):
                kept = part.segment.kept()
            yield from kept

    # -- changing; inside a transaction of the manifest ----------------------------------

    def add(self, kept: Sequence[Kept]) -> int:
        """A new segment of these, at most ``MOST``; returns its number."""
        return self._written(files.build(kept))

    def erase(self, images: Sequence[int]) -> None:
        """Rewrite the segments that hold these; the old files go with ``settle``."""
        wanted = np.array(sorted(images), np.uint32)
        for part in self._current():
            mine = np.intersect1d(part.segment.images, wanted).tolist()
            if mine:
                with _named(name_of(part.row.number)):
                    smaller = files.without(part.segment, mine)
                self._replace([part], smaller, set(mine))

    def join(self, *, everything: bool = False) -> int:
        """Join small segments, or all that fit together; returns how many there were."""
        parts = self._current()
        if not everything:
            parts = [p for p in parts if p.row.pictures < _SMALL]
            if len(parts) <= _MANY_SMALL:
                return 0
        joined = 0
        for group in _groups(parts):
            if len(group) > 1:
                names = ", ".join(name_of(p.row.number) for p in group)
                with _named(names):
                    whole = files.joined([p.segment for p in group])
                self._replace(group, whole, set())
                joined += len(group)
        return joined

    def settle(self) -> None:
        """Remove what the last transaction no longer names."""
        self._version = None
        self.tidy()

    def tidy(self) -> list[str]:
        """Remove files that no manifest row names, left by a killed writer; only when writing."""
        left = self.left()
        for name in left:
            atomic.remove(self.folder / name)
        return left

    def forgotten(self) -> None:
        """A transaction was taken back: look at the manifest again."""
        self._version = None

    def left(self) -> list[str]:
        """Files of ours that no manifest row names."""
        named = {name_of(row.number) for row in self._manifest.segments()}
        found = [p.name for p in self.files() if p.name not in named]
        return found + sorted(p.name for p in self.folder.glob(atomic.TEMPORARY + "*"))

    # -- checking ------------------------------------------------------------------------

    def files(self) -> list[Path]:
        """Every segment file there is, named in the manifest or not."""
        return sorted(self.folder.glob(f"{PREFIX}*{SUFFIX}"))

    def damage(self) -> Iterator[str]:
        """What does not hold, in words."""
        try:
            rows = self._manifest.segments()
            for name in self._left_behind():
                yield f"{name}: left by a stopped writer; the next one removes it"
        except WholeclothError as error:
            yield f"{error.item}: {error.reason}"
            return
        for row in rows:
            try:
                line = self._line(row)
                if line is not None and row in self._manifest.segments():
                    yield f"{name_of(row.number)}: {line}"
            except WholeclothError as error:
                yield f"{name_of(row.number)}: {error.reason}"

    def _line(self, row: SegmentRow) -> str | None:
        """What does not hold of one segment; also where it was replaced meanwhile."""
        try:
            with (self.folder / name_of(row.number)).open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").digest()
            if digest != row.sha256:
                return "was changed: its digest does not fit"
            listed = {i.id for i in self._manifest.images_in(row.number)}
            held = {int(i) for i in self._read(row).images}
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        return None if listed == held else "its pictures are not those of the manifest"

    def _left_behind(self) -> list[str]:
        """What no row names, unless a writer is at work, whose next step is to name it."""
        if not self.left():
            return []
        try:
            with atomic.locked(self.folder):
                return self.left()
        except (OutputRefused, OSError):
            return []

    # -- inside --------------------------------------------------------------------------

    def _current(self) -> list[_Open]:
        """Segments as the manifest names them now."""
        version = self._manifest.version()
        if version != self._version or self._version is None:
            for _ in range(_TRIES - 1):
                try:
                    self._load()
                    break
                except FileNotFoundError:
                    continue  # joined or erased between the two steps: read the manifest again
            else:
                self._load_or_refuse()
            self._version = version
        return list(self._open.values())

    def _load(self) -> None:
        rows = self._manifest.segments()
        self._open = {
            row.number: self._open.get(row.number) or _Open(row, self._read(row)) for row in rows
        }

    def _load_or_refuse(self) -> None:
        try:
            self._load()
        except FileNotFoundError as error:
            raise IndexDamaged(str(error.filename), "is missing", _REMEDY) from error

    def _read(self, row: SegmentRow) -> Segment:
        """Raises ``FileNotFoundError`` where it was replaced since its row was read."""
        name = name_of(row.number)
        path = self.folder / name
        try:
            if path.stat().st_size != row.size:
                raise IndexDamaged(name, "is cut off or has bytes too many", _REMEDY)
            if row.key is None:
                return files.opened(np.memmap(path, np.uint8, "r"), name)
            body = path.read_bytes()
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise IndexDamaged(name, f"cannot be read ({error})", _REMEDY) from error
        plain = unseal(self._keys.segment_key(row.key), body, name.encode(), str(path))
        return files.opened(np.frombuffer(plain, np.uint8), name)

    def _written(self, segment: Segment) -> int:
        number = 1 + secrets.randbits(_NUMBER_BITS)
        name = name_of(number)
        body = files.encoded(segment)
        own = self._keys.new_segment_key()
        if own is not None:
            body = seal(own[0], body, name.encode())
        atomic.write(self.folder / name, body, mode=0o600)
        digest = hashlib.sha256(body).digest()
        wrapped = own[1] if own is not None else None
        self._manifest.add_segment(
            SegmentRow(number, len(segment.images), len(body), digest, wrapped)
        )
        self._version = None
        return number

    def _replace(self, old: Sequence[_Open], new: Segment, gone: set[int]) -> None:
        number = self._written(new) if len(new.images) else 0
        for part in old:
            self._manifest.move(part.row.number, number, gone)
            self._manifest.drop_segment(part.row.number)


def name_of(number: int) -> str:
    """A segment's file."""
    return f"{PREFIX}{number:012x}{SUFFIX}"


class _named:  # noqa: N801 - reads as a statement
    """Damage met while searching names its segment."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, IndexError | ValueError | MemoryError):
            raise IndexDamaged(self.name, "is damaged", _REMEDY) from error


def _groups(parts: Sequence[_Open]) -> Iterator[list[_Open]]:
    """Neighbours that fit into one segment."""
    group: list[_Open] = []
    pictures = size = 0
    for part in sorted(parts, key=lambda p: p.row.pictures):
        if group and (pictures + part.row.pictures > MOST or size + part.row.size > _MOST_BYTES):
            yield group
            group, pictures, size = [], 0, 0
        group.append(part)
        pictures += part.row.pictures
        size += part.row.size
    if group:
        yield group


_REMEDY = "run `wholecloth index verify`; restore the file from a copy"
