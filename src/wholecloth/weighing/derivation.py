"""The published frame as a map of its originals: each explains what those before it do not.

Greedy: the nearest source has what it explains.  For what is left every candidate is asked again
with the features of that area alone; whoever answers is registered on it, compared inside it
densely, and keeps what comes out unchanged; the one that explains most comes first.  It ends when
nobody explains 1.5 % of the frame any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from wholecloth.localisation.drawn import is_drawn
from wholecloth.localisation.settings import Settings
from wholecloth.localisation.support import uniform_frame
from wholecloth.localisation.within import Explained, explained_within
from wholecloth.model.comparison import Alignment, Candidate, Comparison, EditMap, NotAligned
from wholecloth.model.derivation import Derivation, Outlines, Part, Role
from wholecloth.model.media import Mask, Picture
from wholecloth.registration.refine import register_within
from wholecloth.registration.warp import scale_of
from wholecloth.retrieval.area import grown
from wholecloth.retrieval.linear import Lead
from wholecloth.retrieval.verify import Verified

MIN_SHARE = 0.015
"""Of the frame: a smaller piece is not looked for and not named."""
MAX_ROUNDS = 4
MAX_EXAMINED = 5
"""Candidates registered and compared in one round, best first (each costs about a decode and a
quarter of a comparison)."""
_SLIVER = 0.006
"""Of the longer side: what is thinner is the uncertain rim of a mask, not an area."""
_GROW = 0.015
"""Of the longer side: the area asked about reaches a little over the rim of the mask."""
MIN_INLIERS = 8
MAX_RESIDUAL_PX = 1.0
"""In pixels of the coarser picture, as between two photographs of one scene."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What one candidate was found to explain of the unexplained area."""

    candidate: Candidate
    alignment: Alignment
    explained: Explained
    role: Role = "part"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The map, and the candidates that only it brought up."""

    derivation: Derivation | None
    further: tuple[Candidate, ...]
    """To stand behind the sources that the whole comparison believed."""


NOTHING = Answer(None, ())
Look = Callable[[Mask], Sequence[Lead]]
"""Which candidates' features agree with those of an area of the published frame."""
Get = Callable[[Lead], Candidate | None]
"""Decode a lead; its comparison is yet to be made."""


def explain(
    published: Picture,
    believed: Sequence[Candidate],
    look: Look,
    get: Get,
) -> Answer:
    """Work out which candidate explains which part of the frame.

    Args:
        published: the questioned picture.
        believed: sources of the whole comparison, nearest first.
        look: the search for one area.
        get: decodes what it finds.
    """
    if not believed:
        return NOTHING
    first = believed[0]
    aligned, edits = first.comparison.alignment, first.comparison.edits
    assert isinstance(aligned, Alignment)
    assert edits is not None
    partial = first.comparison.kind == "partial"
    own = _explained_by(published, first, edits, aligned)
    taken = [Piece(first, aligned, own, "part" if partial else "surroundings")]
    frame = ~uniform_frame(published.pixels)
    left = _areas(frame & ~own.mask)
    for _ in range(MAX_ROUNDS):
        if left.mean() < MIN_SHARE:
            break
        added = _greedy(_pieces(published, left, look, get), left)
        if not added:
            break
        for piece in added:
            mask = piece.explained.mask
            inside = not partial and _is_inside(mask, edits.comparable, own.mask)
            version = inside and _has(piece.candidate, own.mask)
            role: Role = "version" if version else "donor" if inside else "part"
            taken.append(replace(piece, role=role))
            left = left & ~grown(mask, _pixels(_SLIVER, mask.shape))
        left = _areas(left)
    return _answer(believed, taken, frame)


def _answer(believed: Sequence[Candidate], taken: Sequence[Piece], frame: Mask) -> Answer:
    """Labels for the pieces: those of the believed sources, then new ones in order."""
    indices = [c.comparison.candidate for c in believed]
    further: list[Candidate] = []
    parts = []
    rest = frame.copy()
    for piece in taken:
        index, alignment = piece.candidate.comparison.candidate, piece.alignment
        known = index in indices
        if not known:
            indices.append(index)
        mask = piece.explained.mask
        part = Part(
            source=f"S{indices.index(index) + 1}",
            role=piece.role,
            outlines=outlines(mask),
            share=float(mask.mean()),
            original_to_published=alignment.original_to_published,
            mirrored=alignment.mirrored,
            inliers=alignment.inliers,
            residual_px=alignment.residual_px,
            agreement=piece.explained.agreement,
        )
        if not known:
            further.append(_as_source(piece.candidate, part, mask))
        rest &= ~mask
        parts.append(part)
    rest = _areas(rest)
    derivation = Derivation(tuple(parts), outlines(rest), float(rest.mean()))
    return Answer(derivation, tuple(further))


def _is_inside(mask: Mask, covered: Mask, surroundings: Mask) -> bool:
    """Whether a region lies in the picture that surrounds it, and not beside it as in a collage.

    The source of the surroundings must cover most of it and lie along most of its rim; the edge of
    the frame is nobody's.
    """
    if covered[mask].mean() <= 0.5:
        return False
    reach = 3 * _pixels(_SLIVER, mask.shape)
    padded = np.pad(mask, reach)
    rim = grown(padded, reach) & ~grown(padded, reach - 1)
    return bool(np.pad(surroundings, reach)[rim].mean() > 0.5)


def _has(candidate: Candidate, surroundings: Mask) -> bool:
    """Whether a candidate, compared as a whole, explains most of the surroundings too."""
    edits = candidate.comparison.edits
    if edits is None or candidate.comparison.kind in ("none", "same_scene"):
        return False
    both = edits.comparable & ~edits.mask & surroundings
    return bool(both.sum() > 0.5 * surroundings.sum())


def _explained_by(
    published: Picture, source: Candidate, edits: EditMap, alignment: Alignment
) -> Explained:
    """What the nearest source explains, as the whole comparison found it.

    Where its surroundings do not come along, most of the frame is none of it, and flat ground that
    agrees by chance is left out.
    """
    plain = Explained(edits.comparable & ~edits.mask, edits.agreement, 0)
    if source.comparison.kind != "partial":
        return plain
    original, jpeg = source.picture.pixels, published.facts.jpeg
    return explained_within(original, published.pixels, alignment, jpeg, edits.comparable) or plain


def _pieces(published: Picture, left: Mask, look: Look, get: Get) -> list[Piece]:
    area = grown(left, _pixels(_GROW, left.shape))
    out: list[Piece] = []
    for lead in look(area)[:MAX_EXAMINED]:
        candidate = get(lead)
        piece = None
        if candidate is not None:
            piece = examine_piece(published, candidate, lead.verified, area, left)
        if piece is not None:
            out.append(piece)
    return out


def examine_piece(
    published: Picture, candidate: Candidate, start: Verified, area: Mask, left: Mask
) -> Piece | None:
    """Register a candidate on an area and measure what it explains of it."""
    original = candidate.picture
    if start.inliers < MIN_INLIERS:
        return None
    alignment = register_within(original.pixels, published.pixels, start, area)
    if isinstance(alignment, NotAligned):
        return None
    scale = scale_of(alignment.original_to_published, original.shape)
    if alignment.residual_px / max(1.0, scale) > MAX_RESIDUAL_PX:
        return None
    found = explained_within(
        original.pixels, published.pixels, alignment, published.facts.jpeg, left
    )
    if found is None or found.mask.mean() < MIN_SHARE:
        return None
    if is_drawn(published.pixels, found.mask):
        return None  # the same sticker or bars on both
    return Piece(candidate, alignment, found)


def _as_source(candidate: Candidate, part: Part, mask: Mask) -> Candidate:
    """A candidate that only this brought up, with what it explains as all there is to compare."""
    edits = EditMap(
        mask=np.zeros_like(mask),
        comparable=mask,
        regions=(),
        exact=False,
        share=0.0,
        agreement=part.agreement,
        ring_unchanged=1.0,
        unexplained_db=None,
        noise_correlation_drop=None,
        unexplained_log=None,
        settings=Settings().name,
    )
    alignment = Alignment(
        part.original_to_published,
        part.mirrored,
        part.inliers,
        part.inliers,
        part.residual_px,
        "part",
    )
    reason = f"it explains {part.share:.1%} of the frame, which S1 does not"
    comparison = Comparison(candidate.comparison.candidate, alignment, edits, "partial", reason)
    return Candidate(candidate.name, candidate.picture, comparison)


def _greedy(pieces: Sequence[Piece], left: Mask) -> list[Piece]:
    """The piece that explains most of what is left, again and again."""
    out: list[Piece] = []
    waiting = list(pieces)
    rest = left.copy()
    while waiting:
        gains = [float((p.explained.mask & rest).mean()) for p in waiting]
        best = int(np.argmax(gains))
        if gains[best] < MIN_SHARE:
            break
        piece = waiting.pop(best)
        mask = np.asarray(piece.explained.mask & rest)
        out.append(replace(piece, explained=replace(piece.explained, mask=mask)))
        rest &= ~mask
    return out


def _areas(mask: Mask) -> Mask:
    """The mask without slivers."""
    side = 2 * _pixels(_SLIVER, mask.shape) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel) > 0)


def _pixels(share: float, shape: tuple[int, ...]) -> int:
    return max(1, round(share * max(shape[:2])))


def outlines(mask: Mask) -> Outlines:
    """Contours and holes of a mask, simplified to 2 px (Douglas-Peucker); largest first."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    kept = [c for c in found if cv2.contourArea(c) >= _SPECK_PX]
    kept.sort(key=cv2.contourArea, reverse=True)
    simple = [cv2.approxPolyDP(c, 2.0, True).reshape(-1, 2) for c in kept[:_MAX_OUTLINES]]
    return tuple(tuple((int(x), int(y)) for x, y in p) for p in simple if len(p) > 2)


_SPECK_PX, _MAX_OUTLINES = 64, 60
