"""How often a benign copy shows a component as strong as one that was found.

A measured frequency, not a likelihood: benign copies of photographs that were not used to set the
localiser were compared with their originals, and the strongest component of each was kept
(``bench/benign.py --table``).  It is a statement about those chains and those photographs.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table() -> dict[str, Any]:
    """``settings``, ``copies``, ``photographs``, ``weights`` (largest first) and ``how``."""
    text = files("wholecloth.localisation").joinpath("benign.json").read_text("utf-8")
    return dict(json.loads(text))


def as_strong(weight: float, settings: str) -> tuple[int, int] | None:
    """How many of how many benign copies showed a component of this weight or more.

    Args:
        weight: mean evidence times share of the comparable area.
        settings: name of the settings the component was found with.

    Returns:
        None where the table was measured with other settings.
    """
    known = table()
    if known["settings"] != settings:
        return None
    return sum(w >= weight for w in known["weights"]), int(known["copies"])
