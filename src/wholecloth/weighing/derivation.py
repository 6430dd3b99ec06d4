"""The published frame as a map of its originals: each explains what those before it do not.

Greedy: the nearest source has what it explains.  For what is left every candidate is asked again
with the features of that area alone; whoever answers is registered on it, compared inside it
densely, and keeps what comes out unchanged; the one that explains most comes first.  It ends when
nobody explains 1.5 % of the frame any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from wholecloth.localisation.graphic import is_drawn
from wholecloth.localisation.support import uniform_frame
from wholecloth.localisation.within import Explained, explained_within
from wholecloth.model.comparison import Alignment, Candidate, Comparison, NotAligned
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
    explained: Explained


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
    own = _explained_by(published, first)
    frame = ~uniform_frame(published.pixels)
    left = _areas(frame & ~own.mask)
    taken: list[tuple[Candidate, Alignment, Explained, Role]] = []
    aligned = first.comparison.alignment
    assert isinstance(aligned, Alignment)
    partial = first.comparison.kind == "partial"
    taken.append((first, aligned, own, "part" if partial else "surroundings"))
    edits = first.comparison.edits
    covered = edits.comparable if edits is not None else own.mask
    for _ in range(MAX_ROUNDS):
        if left.mean() < MIN_SHARE:
            break
        pieces = _pieces(published, left, look, get, first)
        added = _greedy(pieces, left)
        if not added:
            break
        for piece in added:
            mask = piece.explained.mask
            inside = not partial and float(covered[mask].mean()) > 0.5
            alignment = piece.candidate.comparison.alignment
            assert isinstance(alignment, Alignment)
            role: Role = "donor" if inside else "part"
            taken.append((piece.candidate, alignment, piece.explained, role))
            left = left & ~grown(mask, _pixels(_SLIVER, mask.shape))
        left = _areas(left)
    return _answer(believed, taken, frame)


def _answer(
    believed: Sequence[Candidate],
    taken: Sequence[tuple[Candidate, Alignment, Explained, Role]],
    frame: Mask,
) -> Answer:
    names = [c.comparison.candidate for c in believed]
    further: list[Candidate] = []
    parts = []
    rest = frame.copy()
    for candidate, alignment, explained, role in taken:
        index = candidate.comparison.candidate
        if index not in names:
            names.append(index)
            further.append(candidate)
        rest &= ~explained.mask
        parts.append(
            Part(
                f"S{names.index(index) + 1}",
                role,
                outlines(explained.mask),
                float(explained.mask.mean()),
                alignment.original_to_published,
                alignment.mirrored,
                alignment.inliers,
                alignment.residual_px,
                explained.agreement,
            )
        )
    rest = _areas(rest)
    return Answer(
        Derivation(tuple(parts), outlines(rest), float(rest.mean())), tuple(further)
    )


def _explained_by(published: Picture, source: Candidate) -> Explained:
    """What the nearest source explains, as the whole comparison found it.

    Where its surroundings do not come along, most of the frame is none of it, and flat ground that
    agrees by chance is left out.
    """
    edits, alignment = source.comparison.edits, source.comparison.alignment
    assert edits is not None
    plain = Explained(edits.comparable & ~edits.mask, edits.agreement, 0)
    if source.comparison.kind != "partial" or not isinstance(alignment, Alignment):
        return plain
    found = explained_within(
        source.picture.pixels,
        published.pixels,
        alignment,
        published.facts.jpeg,
        edits.comparable,
    )
    return found or plain


def _pieces(
    published: Picture, left: Mask, look: Look, get: Get, first: Candidate
) -> list[Piece]:
    area = grown(left, _pixels(_GROW, left.shape))
    out: list[Piece] = []
    for lead in look(area)[:MAX_EXAMINED]:
        if lead.index == first.comparison.candidate:
            continue
        candidate = get(lead)
        if candidate is None:
            continue
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
    reason = f"it explains {found.mask.mean():.1%} of the frame that S1 does not"
    index = candidate.comparison.candidate
    comparison = Comparison(index, alignment, None, "partial", reason)
    return Piece(Candidate(candidate.name, original, comparison), found)


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
        explained = Explained(mask, piece.explained.agreement, piece.explained.blocks)
        out.append(Piece(piece.candidate, explained))
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
