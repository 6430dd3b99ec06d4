"""The seal beside the manifest: which bytes its file had when its last writer was done.

Rows are checked one by one; the seal speaks for the rest of the file (free pages, the tree between
the rows) and for its being the last one: an older copy put in its place, or a log that was taken
away, is an older generation than the seal's.  And since it is written last, what was erased before
it is gone from the file.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wholecloth import atomic

NAME = "manifest.seal"
_TRIES = 5
_NEW = 1
"""Generation of a manifest that was just made; a kill may come before it is sealed."""


@dataclass(frozen=True, slots=True)
class Seal:
    """Seal of one file."""

    path: Path
    """The manifest."""
    key: bytes = field(repr=False)

    def write(self, generation: int) -> None:
        """Seal the file as it lies; no log may be waiting."""
        body = json.dumps({"generation": generation, "sha256": _digest(self.path)})
        sealed = {"seal": body, "mac": self._mac(body)}
        atomic.write(self._beside, json.dumps(sealed).encode() + b"\n", mode=0o600)

    def generation(self) -> int:
        """Of the manifest when it was sealed last; 0 where the seal cannot be read."""
        try:
            return int(self._read()["generation"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def broken(self, generation: Callable[[], int]) -> Iterator[str]:
        """What does not hold, in words; ``generation`` tells that of the manifest now."""
        for _ in range(_TRIES):
            before = generation()
            line = self._line(before)
            # A writer may have been at work meanwhile; what held together is worth reporting.
            if line is None or before == generation():
                break
        if line is not None:
            yield line

    def _line(self, generation: int) -> str | None:
        log = self.path.with_name(self.path.name + "-wal")
        if generation == _NEW and not self._beside.exists():
            return None
        try:
            seal = self._read()
            if seal["generation"] > generation:
                return f"{self.path.name}: is older than its seal: changes were lost"
            # Written since, or stopped before it was sealed: the rows have spoken.
            still = seal["generation"] == generation and not (log.exists() and log.stat().st_size)
            if still and seal["sha256"] != _digest(self.path):
                return f"{self.path.name}: the file was changed since it was sealed"
        except (OSError, ValueError, KeyError, TypeError) as error:
            return f"{NAME}: cannot be read ({error})"
        return None

    def _read(self) -> dict[str, Any]:
        outer = json.loads(self._beside.read_bytes())
        body = str(outer["seal"])
        if not hmac.compare_digest(str(outer["mac"]).encode(), self._mac(body).encode()):
            raise ValueError("it was changed")
        found: dict[str, Any] = json.loads(body)
        return found

    @property
    def _beside(self) -> Path:
        return self.path.with_name(NAME)

    def _mac(self, body: str) -> str:
        return hmac.digest(self.key, body.encode("utf-8", "surrogatepass"), "sha256").hex()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
