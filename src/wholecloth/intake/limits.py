"""What one file may cost.  One frozen value, recorded with every result."""

from __future__ import annotations

from dataclasses import dataclass

from wholecloth.errors import HostileMedia


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one decode; the defaults admit a 108-megapixel phone picture."""

    file_bytes: int = 400 * 2**20
    pixels: int = 120_000_000
    memory_bytes: int = 4 * 2**30
    """Address space of the decode worker."""
    cpu_seconds: int = 40
    wall_seconds: float = 60.0
    min_side: int = 32
    """A candidate with a shorter side cannot carry local features and is skipped by name."""
    text_chars: int = 1 << 20
    """Longer metadata texts are cut there, and the cut is noted."""


DEFAULT = Limits()


def out_of_memory(error: BaseException) -> bool:
    """Whether this is one of the shapes that lack of memory takes in our libraries."""
    if isinstance(error, MemoryError):
        return True
    return type(error).__module__.startswith("cv2") and "Insufficient memory" in str(error)


def memory_refused(item: str) -> HostileMedia:
    """The refusal for it."""
    remedy = "close other programs, raise the limit (ulimit -v), or reduce the picture"
    return HostileMedia(item, "needs more memory than there is", remedy)
