"""What one comparison amounts to, how several sort, and the verdict in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wholecloth.model.comparison import Alignment, Candidate, EditMap, NotAligned, Verdict
from wholecloth.model.dated import Dated
from wholecloth.weighing.lookalike import HARDLY, MOVED, Likeness

Kind = Literal["copy", "edit", "rerendered", "partial", "same_scene", "none"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where one kind ends and the next begins; fitted on the development cases only."""

    partial_ring: float = 0.25
    """A derivation is partial if less of the outer ring than this is unchanged …"""
    partial_share: float = 0.5
    """… and more of the comparable area than this is changed."""
    chance_agreement: float = 0.2
    chance_inliers: int = 12
    """Fewer textured blocks in agreement *and* fewer inliers than these: a chance alignment.
    The 24 leads between unrelated photographs among the development cases had at most .117 and 8;
    true pairs had at least 13 inliers, and .227 where they had fewer than 20."""
    scene_residual_px: float = 1.0
    scene_ring: float = 0.6
    """The tracked surroundings keep moving by more than this, in pixels of the coarser picture,
    and less of the outer ring than this is unchanged, or hardly any of the textured area agrees,
    or few features do: the same scene, another photograph."""
    perspective: float = 0.004
    perspective_px: float = 1.0
    """More than both, with the fine detail lost and no area that differs: photographed from a print
    or a screen, or another photograph of a flat thing.  The pixels do not tell which: photographs
    of one wall among the development cases had .0041-.0120, 1.3-18 px and a residue S3 of .7-4.8,
    reposted or not; 100 drawn photographs of screens .0043-.041, 2-53 px and up to 3.6, both with
    all of their texture in agreement.  A copy of 128 px: .0041, but .7 px."""
    perspective_edit: float = 0.006
    perspective_agreement: float = 0.36
    """Where an area differs, it is another standpoint from more than the one, and less than the
    other of the textured area in agreement.  Two photographs of one scene: .0072-.0185 and
    .23-.35; an AI edit with few features, reposted: up to .0164 and .40-.45."""
    residue_s2: float = -0.05
    residue_s3: float = 1.2
    """Both beyond these: the surroundings carry energy that benign change does not explain."""
    residue_from_scale: float = 0.5
    """A picture reduced to less than half its size cannot be judged so: the unknown resampling
    kernel alone leaves as much (reductions to .08-.32: S2 to -.083, S3 to 1.57)."""


BOUNDS = Bounds()
_SEEN_ANEW = (
    "it is seen in perspective and without the candidate's fine detail: photographed from a print "
    "or screen of it, or, if it shows something flat, another photograph of the same thing; the "
    "pixels do not tell which"
)
_WORTH_SAYING = 0.05
"""Share of uncovered content that a sentence names."""

DATED = Dated(
    name="bounds between the verdicts",
    what="they rest on few pairs of each kind; see docs/limitations.md",
    checked="2026-11-24",
    source="development cases; see weighing/verdict.py",
)


def judge(
    alignment: Alignment | NotAligned,
    edits: EditMap | None,
    scale: float = 1.0,
    *,
    codec_modelled: bool = True,
    likeness: Likeness = Likeness(),  # noqa: B008 - frozen
) -> tuple[Kind, str]:
    """Name the relation of one candidate to the published picture, with the reason.

    ``scale``: published pixels per original pixel; a residual in an enlarged picture is divided
    by it.  ``codec_modelled``: the published file's own losses are in the prediction (JPEG, or
    lossless); where they are not, energy in the whole frame says nothing.  ``likeness``: what
    beside the edit map speaks against a derivation.
    """
    if isinstance(alignment, NotAligned):
        return "none", alignment.reason
    if edits is None:
        return "none", "no comparable area is left in the published frame"
    residual = alignment.residual_px / max(1.0, scale)
    if edits.agreement < BOUNDS.chance_agreement and alignment.inliers < BOUNDS.chance_inliers:
        return "none", (
            f"a chance alignment: {alignment.inliers} features, {edits.agreement:.0%} of the "
            f"textured area in agreement, residual {residual:.1f} px"
        )
    if likeness.drawn:
        return "none", (
            "what it shares with the published picture is drawn, not photographed (words, bars, "
            f"a frame); {edits.share:.0%} of the area differs"
        )
    another = _another_standpoint(edits, likeness)
    if another:
        return "same_scene", another
    if likeness.unwitnessed:
        return "none", (
            "what agrees with the published picture lies in one small place, as a caption or a "
            f"sticker does; {1 - edits.agreement:.0%} of the textured area does not agree"
        )
    if edits.share > BOUNDS.partial_share and edits.ring_unchanged < BOUNDS.partial_ring:
        return "partial", "only a part of the frame comes from it; its surroundings do not"
    if likeness.lettered:
        return "none", (
            f"what agrees with the published picture are words or a logo; "
            f"{1 - edits.agreement:.0%} of the textured area does not"
        )
    apart = edits.ring_unchanged < BOUNDS.scene_ring
    apart |= edits.agreement < HARDLY or alignment.inliers < BOUNDS.chance_inliers
    if residual > BOUNDS.scene_residual_px and apart:
        return "same_scene", (
            f"features fit, but the surroundings keep moving by {residual:.1f} px and "
            f"{1 - edits.ring_unchanged:.0%} of the outer ring differs, "
            f"{1 - edits.agreement:.0%} of the textured area"
        )
    if edits.regions:
        return "edit", "the surroundings are carried over and an area is not explained by them"
    if seen_anew(likeness):
        return "rerendered", _SEEN_ANEW
    judged = codec_modelled and scale >= BOUNDS.residue_from_scale
    if judged and _unexplained(edits):
        return "rerendered", (
            "no local change, but the whole frame carries energy that recompression does not "
            "explain: re-synthesis or degradation"
        )
    return "copy", "every comparable area is what the candidate predicts"


def _another_standpoint(edits: EditMap, likeness: Likeness) -> str:
    """Why the two are photographs of one scene rather than one photograph; empty if not."""
    if likeness.moved >= MOVED:
        return (
            f"{likeness.moved:.0%} of the area that differs shows what the candidate shows, "
            "displaced as a whole, and the fine detail of the rest is not carried over: near "
            "things moved against far ones, as between two photographs of one scene"
        )
    elsewhere = likeness.perspective > BOUNDS.perspective_edit
    elsewhere &= edits.agreement < BOUNDS.perspective_agreement
    if edits.regions and likeness.detail_lost and elsewhere:
        return (
            "it is seen in another perspective, without the fine detail of the candidate, and "
            f"{1 - edits.agreement:.0%} of the textured area differs: another photograph of the "
            "same thing"
        )
    return ""


def seen_anew(likeness: Likeness) -> bool:
    """Whether the whole was seen in perspective through another lens."""
    seen = likeness.perspective > BOUNDS.perspective
    return seen and likeness.perspective_px > BOUNDS.perspective_px and likeness.detail_lost


def _unexplained(edits: EditMap) -> bool:
    s2, s3 = edits.noise_correlation_drop, edits.unexplained_log
    if s2 is None or s3 is None:
        return False
    return s2 < BOUNDS.residue_s2 and s3 > BOUNDS.residue_s3


def _numbers(candidate: Candidate) -> str:
    """What the sentence rests on."""
    alignment, edits = candidate.comparison.alignment, candidate.comparison.edits
    if isinstance(alignment, NotAligned) or edits is None or not alignment.putative:
        return ""
    parts = [
        f"{alignment.inliers} of {alignment.putative} matched features agree on one transformation"
    ]
    if np.isfinite(alignment.residual_px):
        parts.append(f"residual {alignment.residual_px:.2f} px")
    if candidate.comparison.kind == "partial":
        explained = float((edits.comparable & ~edits.mask).mean())
        parts.append(f"it explains {explained:.1%} of the frame")
    elif edits.regions:
        count = len(edits.regions)
        parts.append(
            f"{edits.share:.1%} of the comparable area, in {count} "
            f"region{'' if count == 1 else 's'}, is not what it predicts"
        )
    if edits.overlays:
        areas = len(edits.overlays)
        parts.append(
            f"{areas} area{'' if areas == 1 else 's'} laid on top, {edits.overlay_share:.1%} of "
            "the frame, not counted as edited"
        )
    if edits.beside > _WORTH_SAYING:
        parts.append(f"{edits.beside:.0%} of the frame shows something it does not cover")
    return " (" + "; ".join(parts) + ")"


def verdict_of(
    believed: Sequence[Candidate],
    compared: Sequence[Candidate],
    identical: Sequence[str],
    unread: int,
    *,
    featureless: bool = False,
) -> tuple[Verdict, str]:
    """The verdict and the sentence that carries it (items by label, never by name)."""
    if believed:
        kind = believed[0].comparison.kind
        if kind == "copy" and identical and len(believed) == 1:
            return "copy", "the published file is byte for byte one of the candidates"
        sentence = {
            "edit": "the published picture is an edit of S1",
            "copy": "the published picture is a benign copy of S1",
            "rerendered": (
                "the published picture is the same photograph as S1 without a local change, but "
                "re-synthesised or degraded as a whole"
            ),
            "partial": "a part of the published picture comes from S1, its surroundings do not",
        }[kind]
        edits = believed[0].comparison.edits
        if kind == "copy" and edits is not None and edits.overlays:
            sentence += " with something laid on top"
        sentence += _numbers(believed[0])
        if believed[0].comparison.reason == _SEEN_ANEW:
            sentence += "; " + _SEEN_ANEW
        return kind, sentence  # type: ignore[return-value]
    scene = [c for c in compared if c.comparison.kind == "same_scene"]
    if scene:
        return "same_scene", (
            "a candidate shows the same scene, but not the same photograph as far as can be told"
        )
    if featureless:
        return "undetermined", (
            "no original was found, but the published picture is too small or too plain for the "
            "search to hold on to"
        )
    if unread:
        return "undetermined", (
            f"no original was found, and {unread} candidate(s) could not be examined"
        )
    return "no_original", "no original was found among the candidates"
