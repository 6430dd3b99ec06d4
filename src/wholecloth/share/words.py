"""Sentences shared by terminal and report, and the one way to show text that others wrote."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from wholecloth.model.dated import Dated

HEADLINE: Mapping[str, str] = {
    "T0166.003": "AI-nudified imagery: asserted",
    "T0166.002": "Sexual deepfake impersonation: asserted",
    "T0161.004": "Manual edit introducing sexual material: asserted",
    "T0166": "AI-generated, sexual or unclothed; which kind is not decided",
    "edited_method_undetermined": "Edited; how it was made is not determined",
    "not_an_edit": "Not an edit of any candidate: it is a copy",
    "undetermined": "Cannot be determined",
}

_OPEN: Mapping[str, str] = {
    "no_original": "No original found; nothing asserted",
    "undetermined": "No original found so far; nothing asserted",
    "rerendered": "The same photograph, re-rendered or degraded as a whole; nothing asserted",
    "same_scene": "The same scene, not the same photograph; nothing asserted",
    "copy": "A copy of one candidate that differs from another; nothing asserted",
}

VERDICT: Mapping[str, str] = {
    "edit": "It is an edit of the original found.",
    "copy": "It is a copy of a candidate; no local change.",
    "rerendered": "Same photograph, no local change, but re-synthesised or degraded as a whole.",
    "partial": "Only a part of it comes from a candidate.",
    "same_scene": "A candidate shows the same scene; not the same photograph.",
    "no_original": "No original among the candidates.",
    "undetermined": "No original found, but the search could not look everywhere.",
}

STATE: Mapping[str, str] = {
    "supported": "supported",
    "weakly_supported": "weakly supported",
    "not_stated": "not stated",
    "contradicted": "contradicted",
    "undetermined": "undetermined",
}

ROLE: Mapping[str, str] = {
    "surroundings": "the surroundings",
    "donor": "a region put into the surroundings of S1",
    "version": "a region of another version of the same picture",
    "part": "a part beside the others",
}

PROPOSITION: Mapping[str, str] = {
    "P1": "an original of this picture exists",
    "P2": "it was made from that original by an edit",
    "P3": "AI made the edit",
    "P4a": "the reference picture shows the person clothed",
    "P4b": "the published one appears to show them unclothed",
    "P4c": "it is sexual, in a named cultural context",
    "P5": "it was presented as real",
}

ROUTES = (
    "Stop here.  Do not copy, forward or delete yours before the hotline or police advise you.",
    "Nothing of this item was kept or made by wholecloth.",
    "",
    "  Worldwide     INHOPE lists the hotline of each country      inhope.org",
    "  Under 18?     Take It Down (NCMEC) helps to stop the spread  takeitdown.ncmec.org",
    "  USA           CyberTipline (NCMEC)                           report.cybertip.org",
    "  UK            Report Remove / IWF                            iwf.org.uk",
    "  Police        the emergency number or your local police",
)
"""Shown on any doubt about age; text only, nothing is opened or sent."""

ROUTES_DATED = Dated(
    name="reporting routes",
    what="a hotline may have moved",
    checked="2026-11-24",
    source="names and addresses as the hotlines publish them; not opened from here",
)

BEFORE_DECODING = (
    "About to decode {count} published picture(s) in a separate process without network. "
    "Do not use this where the person may be under 18: stop with --age-doubt, or press a."
)

BEFORE_DECODING_QUEUE = (
    "About to decode the queue in separate processes without network. Do not use this where the "
    "person may be under 18: stop with --age-doubt, or press a."
)

MATCHED = ("edit", "copy", "rerendered", "partial")
"""Verdicts that say: this comes from that original."""

_KEEP = frozenset(" ")


def plain(text: str, limit: int = 400) -> str:
    """Foreign text made safe to show: control, bidi and zero-width characters as escapes."""
    out = []
    for char in text[:limit]:
        category = unicodedata.category(char)
        if category[0] == "C" or (category[0] == "Z" and char not in _KEEP):
            out.append(f"\\u{ord(char):04x}" if ord(char) > 0xFF else f"\\x{ord(char):02x}")
        else:
            out.append(char)
    return "".join(out) + ("…" if len(text) > limit else "")


def headline(record: Mapping[str, Any]) -> str:
    """The outcome in one line; where it is open, what stands in the way."""
    outcome = record["decision"]["outcome"]
    if outcome != "undetermined":
        return HEADLINE[outcome]
    states = {k: p["state"] for k, p in record["propositions"].items()}
    if states["P2"] == "supported" and states["P3"] == "supported":
        return "Edited, and AI is shown; what the edit shows has not been stated"
    if states["P2"] == "supported" and states["P3"] == "contradicted":
        return "Edited by hand; what the edit shows has not been stated"
    return _OPEN.get(record["verdict"], HEADLINE["undetermined"])


def percent(share: float) -> str:
    """A share as a percentage with a sensible number of digits."""
    value = 100 * share
    return f"{value:.1f} %" if value < 10 else f"{value:.0f} %"


def place(polygon: list[list[int]], width: int, height: int) -> str:
    """Where in the frame, in thirds, from the polygon's bounding box."""
    xs, ys = [p[0] for p in polygon], [p[1] for p in polygon]
    column = _thirds(min(xs), max(xs), width, ("left", "centre", "right"))
    row = _thirds(min(ys), max(ys), height, ("upper", "middle", "lower"))
    if len(column) == 3 and len(row) == 3:
        return "across the whole frame"
    across = "full width" if len(column) == 3 else "-".join(column)
    down = "full height" if len(row) == 3 else "-".join(row)
    return f"{down} {across}" if down != "middle" or across != "centre" else "centre"


def _thirds(low: int, high: int, size: int, names: tuple[str, ...]) -> list[str]:
    """The thirds of which the span covers more than a quarter."""
    third = size / 3
    out = []
    for i, name in enumerate(names):
        covered = min(high, (i + 1) * third) - max(low, i * third)
        if covered > 0.25 * third:
            out.append(name)
    return out or [names[min(2, int((low + high) / 2 / third))]]


_STRUCTURE_KEPT, _STRUCTURE_LOST = 0.85, 0.4
_MUCH_TEXTURE, _LITTLE_TEXTURE = 1.4, 0.7
_LEVELS_WORTH_SAYING = 4.0


def changed(region: Mapping[str, Any]) -> str:
    """What changed in a region and how rare it is in benign copies, from its numbers."""
    said = []
    structure = region.get("structure")
    if structure is not None and structure < _STRUCTURE_LOST:
        said.append("the structure is another")
    elif structure is not None and structure > _STRUCTURE_KEPT:
        said.append("the structure was kept")
    texture = region.get("texture")
    if texture is not None and texture > _MUCH_TEXTURE:
        said.append(f"{texture:.1f} times the fine detail")
    elif texture is not None and texture < _LITTLE_TEXTURE:
        said.append(f"fine detail down to {texture:.0%}")
    lighter = region.get("lighter") or 0.0
    if abs(lighter) > _LEVELS_WORTH_SAYING:
        said.append(f"{abs(lighter):.0f} levels {'lighter' if lighter > 0 else 'darker'}")
    colour = region.get("colour") or 0.0
    if colour > _LEVELS_WORTH_SAYING:
        said.append(f"colour moved by {colour:.0f} levels")
    copies = region.get("benign_copies")
    if copies:
        strong = region["benign_as_strong"]
        said.append(
            f"{strong or 'none'} of {copies} benign copies measured "
            f"show{'s' if strong == 1 else ''} a component this strong"
        )
    return "; ".join(said)


_DRIFT_WORTH_SAYING_PX = 0.5


def bent(registration: Mapping[str, Any]) -> str:
    """What a bend of the surroundings means; empty where there is none to speak of."""
    size = registration.get("drift_px") or 0.0
    if size <= _DRIFT_WORTH_SAYING_PX:
        return ""
    return (
        f"the surroundings are bent by up to {size:.1f} px, smoothly and as a whole: re-rendering "
        "does that, a paste does not"
    )


def laid(original: Mapping[str, Any]) -> str:
    """What was laid on top of the picture, in one sentence; empty where nothing was."""
    areas = len(original.get("overlays") or ())
    if not areas:
        return ""
    hidden = original["hidden_share"] or 0.0
    said = (
        f"{areas} area{' was' if areas == 1 else 's were'} laid on top (captions, logos, bars, "
        f"blurred boxes), {percent(original['overlay_share'])} of the frame: not counted as edits"
    )
    if not hidden:
        return said
    return f"{said}; under the opaque ones, {percent(hidden)}, nothing can be compared"


def parts(record: Mapping[str, Any]) -> list[str]:
    """A line for each part of the frame and its source; empty where one source is all there is."""
    derivation = record.get("derivation")
    if derivation is None or len(derivation["parts"]) < 2:
        return []
    return [
        f"{part['source']} explains {percent(part['share'])} of the frame: {ROLE[part['role']]}"
        + (", mirrored" if part["mirrored"] else "")
        for part in derivation["parts"]
    ] + [f"no source explains {percent(derivation['unexplained_share'])} of the frame"]


def rests_on(record: Mapping[str, Any]) -> str:
    """The kinds of evidence an outcome rests on, in one phrase."""
    basis = record["decision"]["basis"]
    if basis is None:
        return "nothing that reaches an outcome"
    parts = []
    if basis in ("pixels", "both"):
        parts.append("the comparison of pixels")
    marks = [f["signal"] for f in record["findings"] if f.get("supports")]
    if marks:
        parts.append(f"marks in the file ({', '.join(marks)})")
    said = [s for s in record["statements"] if s["direction"] != "neutral"]
    if said:
        parts.append(f"{len(said)} finding{'' if len(said) == 1 else 's'} of people or platforms")
    return ", ".join(parts)


def weakest(record: Mapping[str, Any]) -> str:
    """The condition that keeps the outcome from being stronger, in one sentence."""
    conditions = record["decision"]["conditions"]
    for state in ("contradicted", "missing"):
        for condition in conditions:
            if condition["state"] == state:
                return f"{state}: {condition['text']}"
    unverified = [c for c in conditions if any("nothing verified it" in b for b in c["because"])]
    if unverified:
        return f"rests on an unverified declaration: {unverified[0]['text']}"
    ungraded = [c for c in conditions if any("not graded" in b for b in c["because"])]
    if ungraded:
        return f"rests on an ungraded finding: {ungraded[0]['text']}"
    return "every condition is met; see each for what it rests on"
