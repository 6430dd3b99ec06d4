"""The photographs a search is measured over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wholecloth import atomic
from wholecloth.errors import InputRefused
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import Progress, WorkerPool
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import Rng, scene

_SMALLEST = 64
"""Pixels; a photograph with a shorter side is in the index and not attacked."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photograph that can be read."""

    path: Path
    sha256: str
    sides: tuple[int, int]
    """Shorter, longer; pixels."""


def read(paths: Sequence[Path], progress: Progress) -> list[Photo]:
    """Different pictures among the files, in the order of their names."""
    found: dict[str, Photo] = {}
    with WorkerPool(1) as pool:
        for done, path in enumerate(sorted(set(paths))):
            progress("reading photographs", done, len(paths))
            try:
                decoded = pool.decode(file_source(path), max_side=_SMALLEST)
            except InputRefused:
                continue
            sides = sorted((decoded.facts.width, decoded.facts.height))
            name = decoded.digests.sha256
            found.setdefault(name, Photo(path, name, (sides[0], sides[1])))
    return list(found.values())


def drawn_donors(place: Path, seed: int) -> list[Path]:
    """Scenes to fill from where every photograph is in the index."""
    atomic.make_folder(place)
    paths = [place / f"donor-{i}.jpg" for i in range(8)]
    for i, path in enumerate(paths):
        atomic.write(path, encode(scene(seed * 100 + i), "JPEG", 93))
    return paths


def cycled(photos: Sequence[Photo], count: int, rng: Rng) -> Iterator[tuple[int, Photo]]:
    """``count`` of them with their numbers; each once before any comes twice."""
    order: list[int] = []
    for i in range(count if photos else 0):
        if not order:
            order = rng.permutation(len(photos)).tolist()
        yield i, photos[order.pop()]


def attackable(photos: Sequence[Photo], longer: int = 0) -> list[Photo]:
    """Those large enough to be attacked, with a longer side of at least ``longer`` pixels."""
    return [p for p in photos if p.sides[0] >= _SMALLEST and p.sides[1] >= longer]
