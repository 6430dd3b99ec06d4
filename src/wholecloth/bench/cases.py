"""Read a folder of cases."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth.errors import InputRefused
from wholecloth.model.comparison import Homography
from wholecloth.model.media import Mask

BENIGN, DISTRACTORS = "D", "E"
_KNOWN = ("given", "recovered")


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One case."""

    id: str
    kind: str
    """The class: A, B, C, D, E, S, or any other name."""
    original: Path
    published: Path | None
    """None for a distractor."""
    mask: Path | None
    """Only where its source is known; 255 = changed, published frame."""
    mask_source: str
    homography: Homography | None
    """Original → published, where given."""

    @property
    def photograph(self) -> str:
        """Digest of the original: what means are counted and resampled by."""
        return sha256(self.original)

    def truth(self, shape: tuple[int, int]) -> Mask | None:
        """The mask if there is one of this shape with anything in it."""
        read = self._read()
        if read is None or read.shape != shape or not (read > 127).any():
            return None
        return np.asarray(read > 127)

    @property
    def empty(self) -> bool:
        """Whether the mask says that nothing was edited."""
        read = self._read()
        return read is not None and not (read > 127).any()

    def _read(self) -> NDArray[np.uint8] | None:
        if self.mask is None:
            return None
        read = cv2.imread(str(self.mask), cv2.IMREAD_GRAYSCALE)
        return None if read is None else np.asarray(read, np.uint8)


def load(folder: Path) -> list[Row]:
    """All rows that have an original.

    Raises:
        InputRefused: no ``cases.jsonl``, a line that is no object, or a file that is missing; the
            line is named.
    """
    index = folder / "cases.jsonl"
    try:
        lines = index.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        remedy = "give a folder with cases.jsonl, or draw one with `wholecloth bench draw`"
        raise InputRefused(str(index), "cannot be read", remedy) from error
    rows = [row for number, line in enumerate(lines, 1) for row in _row(folder, number, line)]
    if not rows:
        raise InputRefused(str(index), "holds no case with an original", "see the form in --help")
    return rows


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _row(folder: Path, number: int, line: str) -> Iterator[Row]:
    item = f"{folder / 'cases.jsonl'} line {number}"
    try:
        raw: dict[str, Any] = json.loads(line)
        if "original" not in raw:
            return  # a file without a pair, as those with real metadata
        original = folder / raw["original"]
        published = folder / raw["published"] if raw.get("published") else None
        source = str(raw.get("mask_source") or "")
        mask = folder / raw["mask"] if raw.get("mask") and source.startswith(_KNOWN) else None
        given = raw.get("H_original_to_published")
        homography = None if given is None else np.array(given, np.float64).reshape(3, 3)
        row = Row(raw["id"], raw["class"], original, published, mask, source, homography)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"is no case ({type(error).__name__}: {error})"
        raise InputRefused(item, reason, "see the form in `wholecloth bench --help`") from error
    for path in (original, published, mask):
        if path is not None and not path.is_file():
            raise InputRefused(
                item, f"names {path.name}, which is not there", "complete the folder"
            )
    yield row
