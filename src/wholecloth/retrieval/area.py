"""The search once more, for one area of the published frame.

A piece of 5 % of the frame holds 5 % of its features, too few to be found beside the rest.  Taken
from the area alone, at the size they have there, they are enough.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from wholecloth.intake.decode import Progress
from wholecloth.model.media import RGB, Mask
from wholecloth.retrieval.features import DEEP, QUICK, Features, FeatureSettings, extract
from wholecloth.retrieval.linear import Lead, Shortlist, in_threads
from wholecloth.retrieval.reading import Read, Reader
from wholecloth.retrieval.verify import Verified, verify

MIN_EFFECTIVE = 6
"""Inliers in distinct cells from which a candidate is examined in the area."""
_DEEPER = 4
"""So many best are looked at again at the deep setting: each costs about a third of a second …"""
_STRONG = 12
"""… unless one has so many effective inliers already."""
_MARGIN = 0.02
"""Of the longer side: features on the rim of the area describe what lies just outside it."""


def features_in(published: RGB, area: Mask, settings: FeatureSettings) -> Features:
    """Features of the published picture that lie in ``area``, in full-size coordinates."""
    x0, y0, x1, y1 = box_of(area, round(_MARGIN * max(area.shape)))
    part = np.ascontiguousarray(published[y0:y1, x0:x1])
    found = extract(part, settings, where=area[y0:y1, x0:x1])
    return Features(
        found.points + np.array([x0, y0]), found.sift, float(area.shape[1]), found.scale
    )


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
    leave_out: Sequence[int] = (),
    shortlist: Shortlist | None = None,
) -> list[Lead]:
    """Candidates whose features agree with those of the area, most effective inliers first.

    Args:
        published: H×W×3 at full size.
        area: H×W, where to look.
        reader: the candidates; those read before cost only the matching.
        progress: called after each candidate; may raise to stop.
        near: candidates that the first search brought up; they are looked at closer before others.
        leave_out: candidates not to ask.
        shortlist: which candidates to ask; all without it.
    """
    query = features_in(published, area, QUICK)
    if len(query.points) < MIN_EFFECTIVE:
        return []
    if shortlist is None:
        asked = [i for i in range(len(reader.sources)) if i not in leave_out]
    else:
        likely = dict.fromkeys((*near, *(i for i, _ in shortlist.area(published, area))))
        asked = [i for i in likely if i not in leave_out]
    best = _matched(query, asked, QUICK, reader, progress)
    if not any(lead.verified.effective >= _STRONG for lead in best.values()):
        again = sorted(asked, key=lambda i: (-_effective(best, i), i not in near, i))[:_DEEPER]
        closer = features_in(published, area, DEEP)
        for i, lead in _matched(closer, again, DEEP, reader, progress).items():
            if lead.verified.effective > _effective(best, i):
                best[i] = lead
    enough = [k for k in best.values() if k.verified.effective >= MIN_EFFECTIVE]
    return sorted(enough, key=lambda k: (-k.verified.effective, k.index))


def _effective(leads: Mapping[int, Lead], index: int) -> int:
    lead = leads.get(index)
    return lead.verified.effective if lead else 0


def _matched(
    query: Features,
    indices: Sequence[int],
    settings: FeatureSettings,
    reader: Reader,
    progress: Progress,
) -> dict[int, Lead]:
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
    return {d.index: d for d in done if d}


def grown(area: Mask, pixels: int) -> Mask:
    """The area and everything within so many pixels of it."""
    if pixels < 1:
        return area
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.asarray(cv2.dilate(area.astype(np.uint8), kernel) > 0)
