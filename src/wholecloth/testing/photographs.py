"""Real photographs from scikit-image's wheel, none with a person in it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from wholecloth.model.media import RGB

_FILES = {
    "chelsea.png": "CC0, Stefan van der Walt",
    "coffee.png": "CC0, Rachel Michetti",
    "rocket.jpg": "public domain, SpaceX",
    "hubble_deep_field.jpg": "public domain, NASA",
    "brick.png": "CC0, CC0Textures",
    "grass.png": "CC0, linolafett",
    "gravel.png": "CC0, CC0Textures",
    "ihc.png": "no known copyright restrictions (microscopy)",
}
"""As the package's own documentation states them."""


@dataclass(frozen=True, slots=True, eq=False)
class Photograph:
    """A photograph and what may be done with it."""

    name: str
    pixels: RGB
    """H×W×3."""
    licence: str


def photographs() -> tuple[Photograph, ...]:
    """Those that lie in the installed wheel; empty where scikit-image is not installed."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        return ()
    folder = Path(spec.origin).parent / "data"
    found = []
    for name, licence in _FILES.items():
        raw = cv2.imread(str(folder / name), cv2.IMREAD_COLOR)
        if raw is not None:
            rgb = np.asarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGB), np.uint8)
            found.append(Photograph(name, rgb, licence))
    return tuple(found)
