"""Values that say how two pictures relate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wholecloth.model.media import Mask, Picture

Homography = NDArray[np.float64]
"""3×3, for homogeneous column vectors (x, y, 1): x right, y down, (0, 0) the centre of the
top-left pixel, after EXIF orientation; H[2, 2] = 1."""

Field = NDArray[np.float32]
"""gh×gw×2 control points (x, y) of a uniform cubic B-spline over the published frame, pixel centre
to pixel centre, with one control point beyond each edge: gh − 3 spans down, gw − 3 across.  At a
published pixel p it gives d(p) in published pixels, and p shows what the homography puts at
p + d(p)."""

Relation = Literal["whole", "partial"]
Verdict = Literal[
    "edit", "copy", "rerendered", "partial", "same_scene", "no_original", "undetermined"
]
RegionKind = Literal["edit", "overlay"]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How an original lies in the published frame."""

    original_to_published: Homography
    mirrored: bool
    inliers: int
    putative: int
    residual_px: float
    """Median residual of the refinement's tracked points, in published pixels."""
    model: str
    """integer | axis | similarity | affine | homography: the simplest that explained the points."""
    drift_px: float = 0.0
    """By how much the surroundings are bent on top of that model, smoothly and as a whole: 95th
    percentile in published pixels; 0.0 where no such field was needed or none was believed."""
    field: Field | None = None
    """The bend itself.  ``residual_px`` is what the homography alone leaves."""


@dataclass(frozen=True, slots=True)
class NotAligned:
    """Registration could not be trusted; a result, not an error."""

    reason: str
    inliers: int = 0
    putative: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """One connected changed area in the published frame."""

    polygon: tuple[tuple[int, int], ...]
    """Outer contour, (x, y) pixel centres."""
    share: float
    """Of the comparable area, 0-1; of an overlay: of the frame."""
    kind: RegionKind
    evidence: float
    """Mean evidence per block, a log-likelihood-ratio *score*; not a calibrated ratio."""
    peak: float | None = None
    """Largest evidence of a block; None in exact mode."""
    benign: tuple[int, int] | None = None
    """How many of how many benign copies showed a component as strong (mean evidence times share)
    or stronger; None in exact mode and with settings it was not measured for."""
    texture: float | None = None
    """Fine detail here over what the original predicts, as a ratio of standard deviations."""
    lighter: float | None = None
    """Mean luma against the prediction, in levels."""
    colour: float | None = None
    """Mean chroma moved by, in levels."""
    structure: float | None = None
    """Correlation of luma with the prediction, −1 to 1: near 1 where the structure was kept."""


@dataclass(frozen=True, slots=True, eq=False)
class EditMap:
    """Where the published picture departs from what its original predicts."""

    mask: Mask
    """Changed pixels, published frame."""
    comparable: Mask
    """Pixels where the comparison can speak: covered by the original, not a uniform frame."""
    regions: tuple[Region, ...]
    exact: bool
    """True where most comparable pixels are bit-identical, so the mask is a plain difference."""
    share: float
    """mask / comparable, 0-1; 0.0 for a copy."""
    agreement: float
    """Share of textured comparable blocks whose structure survives (NCC > 0.8), 0-1."""
    ring_unchanged: float
    """Share of the comparable area's outer ring that is unchanged, 0-1: low = surroundings gone."""
    unexplained_db: float | None
    """Energy outside the edit over what JPEG alone explains, in dB; None in exact mode."""
    noise_correlation_drop: float | None
    """S2: correlation of fine residuals outside the edit, minus what JPEG alone leaves; ≤ 0."""
    unexplained_log: float | None
    """S3: ln of mean unexplained energy outside the edit over the simulated JPEG energy."""
    settings: str
    """Name of the fitted settings used (see ``localisation.settings``)."""
    overlay: Mask | None = None
    """Pixels of overlays (captions, logos, bars, blurred boxes): laid on top, no edit of what the
    picture shows.  Opaque ones are not in ``comparable``."""
    overlays: tuple[Region, ...] = ()
    """The same as areas, largest first; the letters of a word are one, shares are of the frame."""
    beside: float = 0.0
    """Share of the frame that shows something the original does not cover, 0-1."""
    colours: int | None = None
    """How many colours the published picture has, where they are so few (16) that an edit may not
    show; else None."""

    @property
    def overlay_share(self) -> float:
        """Share of the frame that overlays take, 0-1."""
        return 0.0 if self.overlay is None else float(self.overlay.mean())

    @property
    def hidden_share(self) -> float:
        """Share of the frame under opaque overlays, 0-1: nothing can be said about it."""
        return 0.0 if self.overlay is None else float((self.overlay & ~self.comparable).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One candidate examined against the published picture."""

    candidate: int
    """Index into the candidates that were read."""
    alignment: Alignment | NotAligned
    edits: EditMap | None
    kind: Literal["copy", "edit", "rerendered", "partial", "same_scene", "none"]
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A candidate that was compared in full."""

    name: str
    """As the person gave it; the record and the terminal show it, the report does not."""
    picture: Picture
    comparison: Comparison
