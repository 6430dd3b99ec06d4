"""The search once more, for one area of the published frame.

A piece of 5 % of the frame holds 5 % of its features, too few to be found beside the rest.  Taken
from the area alone, at the size they have there, they are enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from wholecloth.intake.decode import Progress
from wholecloth.model.media import RGB, Mask
from wholecloth.retrieval.features import DEEP, QUICK, Features, FeatureSettings, extract
from wholecloth.retrieval.linear import Lead, in_threads
from wholecloth.retrieval.reading import Read, Reader
from wholecloth.retrieval.verify import Verified, verify

MIN_EFFECTIVE = 6
"""Inliers in distinct cells from which a candidate is examined in the area."""
_WEAK = 4
"""With this many it is looked at again at the deep setting …"""
_DEEPER = 3
"""… if it is one of so many best: each costs about half a second."""
_STRONG = 12
_MARGIN = 0.02
"""Of the longer side: features on the rim of the area describe what lies just outside it."""


def features_in(published: RGB, area: Mask, settings: FeatureSettings) -> Features:
    """Features of the published picture that lie in ``area``, in full-size coordinates."""
    x0, y0, x1, y1 = box_of(area, round(_MARGIN * max(area.shape)))
    part = np.ascontiguousarray(published[y0:y1, x0:x1])
    found = extract(part, settings)
    points = found.points + (x0, y0)
    at = np.rint(points).astype(int)
    inside = area[at[:, 1].clip(0, area.shape[0] - 1), at[:, 0].clip(0, area.shape[1] - 1)]
    return Features(points[inside], found.sift[inside], float(area.shape[1]), found.scale)


def box_of(area: Mask, margin: int = 0) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 around an area, ends excluded, clipped to the frame."""
    rows, columns = np.flatnonzero(area.any(axis=1)), np.flatnonzero(area.any(axis=0))
    return (
        max(0, int(columns[0]) - margin),
        max(0, int(rows[0]) - margin),
        min(area.shape[1], int(columns[-1]) + 1 + margin),
        min(area.shape[0], int(rows[-1]) + 1 + margin),
    )


def look(
    published: RGB,
    area: Mask,
    reader: Reader,
    progress: Progress,
    *,
    near: Sequence[int] = (),
) -> list[Lead]:
    """Candidates whose features agree with those of the area, most effective inliers first.

    Args:
        published: H×W×3 at full size.
        area: H×W, where to look.
        reader: the candidates; those read before cost only the matching.
        progress: called after each candidate; may raise to stop.
        near: candidates that the first search brought up; they are looked at closer before others.
    """
    query = features_in(published, area, QUICK)
    if len(query.points) < MIN_EFFECTIVE:
        return []
    found = _matched(query, range(len(reader.sources)), QUICK, reader, progress)
    leads = {lead.index: lead for lead in found}
    if not any(lead.verified.effective >= _STRONG for lead in found):
        weak = [k.index for k in found if k.verified.effective >= _WEAK]
        again = list(dict.fromkeys([*[i for i in near if i in weak], *weak]))[:_DEEPER]
        if again:
            closer = features_in(published, area, DEEP)
            for lead in _matched(closer, again, DEEP, reader, progress):
                known = leads.get(lead.index)
                if known is None or lead.verified.effective > known.verified.effective:
                    leads[lead.index] = lead
    enough = [k for k in leads.values() if k.verified.effective >= MIN_EFFECTIVE]
    return sorted(enough, key=lambda k: (-k.verified.effective, k.index))


def _matched(
    query: Features,
    indices: Sequence[int],
    settings: FeatureSettings,
    reader: Reader,
    progress: Progress,
) -> list[Lead]:
    def one(index: int) -> Lead | None:
        read = reader.read(index, settings)
        if not isinstance(read, Read):
            return None
        verified: Verified | None = verify(read.features, query)
        if verified is None:
            return None
        return Lead(index, verified, read.sha256, "area")

    done = in_threads(
        one,
        indices,
        reader.pool.count,
        tick=lambda n: progress("looking for the rest", n, len(indices)),
        stop=reader.pool.close,
    )
    return sorted((d for d in done if d), key=lambda k: (-k.verified.effective, k.index))


def grown(area: Mask, pixels: int) -> Mask:
    """The area and everything within so many pixels of it."""
    if pixels < 1:
        return area
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(area.astype(np.uint8), kernel) > 0)
