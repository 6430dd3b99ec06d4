"""Shares and how far they can be trusted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

_Z = 1.959964
"""Of the normal distribution at 97.5 %."""


def wilson(hits: int, of: int) -> tuple[float, float] | None:
    """95 % interval of a share (Wilson 1927); None where nothing was counted.

    It takes the counts as independent; queries drawn from one photograph are not quite.
    """
    if not of:
        return None
    share, z2 = hits / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


def share(flags: Iterable[bool]) -> dict[str, Any]:
    """How many, of how many, and the interval."""
    flags = list(flags)
    between = wilson(sum(flags), len(flags))
    return {
        "hits": sum(flags),
        "of": len(flags),
        "share": round(sum(flags) / len(flags), 4) if flags else None,
        "low": round(between[0], 4) if between else None,
        "high": round(between[1], 4) if between else None,
    }
