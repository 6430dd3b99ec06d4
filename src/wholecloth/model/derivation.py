"""Values that say which originals explain which part of a published picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wholecloth.model.comparison import Homography

Role = Literal["surroundings", "donor", "version", "part"]
"""``surroundings``: what the nearest source explains of an edit or copy.  ``donor``: a region that
the source of the surroundings covers but does not explain, and another one does.  ``version``: the
same, where that other one has the surroundings too, so that it is another version of the same
picture.  ``part``: one of several put side by side, or a piece without its surroundings."""

Outlines = tuple[tuple[tuple[int, int], ...], ...]
"""Closed polygons of pixel centres (x, y), outer contours and holes alike: fill by the even-odd
rule."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One region of the published frame and the original that explains it."""

    source: str
    """Label of the source, S1 the nearest."""
    role: Role
    outlines: Outlines
    share: float
    """Of the published frame, 0-1."""
    original_to_published: Homography
    mirrored: bool
    inliers: int
    """Features inside this region that agree on the transformation."""
    residual_px: float
    """Of the points tracked inside this region, in published pixels."""
    agreement: float
    """Share of the region's textured blocks whose structure is the original's (NCC > 0.8)."""


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """The published frame as a map of its originals."""

    parts: tuple[Part, ...]
    """No two overlap; the nearest source's first."""
    unexplained: Outlines
    unexplained_share: float
    """Of the published frame, 0-1: shown by no candidate; flat margins do not count."""

    @property
    def donors(self) -> tuple[Part, ...]:
        """Regions put into the surroundings of another source."""
        return tuple(p for p in self.parts if p.role == "donor")
