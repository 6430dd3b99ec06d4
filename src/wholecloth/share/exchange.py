"""Values of the stages as JSON and back, exactly: what one plumbing step hands to the next.

Numbers survive (JSON carries doubles in full), NaN becomes null, masks travel as one-bit PNG in
base64.  Pixels do not travel: each step reads the files again and checks their digests.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from wholecloth.intake.collect import Skipped
from wholecloth.model.comparison import (
    Alignment,
    Candidate,
    Comparison,
    EditMap,
    NotAligned,
    Region,
)
from wholecloth.model.derivation import Derivation, Outlines, Part
from wholecloth.model.evidence import Failed, Finding, Inapplicable, Observed, SignalInfo
from wholecloth.model.media import Mask, Picture
from wholecloth.retrieval.linear import Found, Lead
from wholecloth.retrieval.verify import Verified
from wholecloth.weighing.derivation import Answer

Json = dict[str, Any]


def picture_to(picture: Picture, path: str) -> Json:
    """Digests and container facts; no pixels."""
    facts = asdict(picture.facts)
    facts["xmp"] = picture.facts.xmp.decode("latin-1")
    height, width = picture.shape
    return {
        "path": path,
        **asdict(picture.digests),
        "pixels_sha256": picture.pixels_sha256,
        "width": width,
        "height": height,
        "facts": facts,
    }


def facts_equal(picture: Picture, given: Mapping[str, Any]) -> bool:
    """Whether a picture decoded again is the one a document speaks of."""
    again = picture_to(picture, "")
    return all(again[k] == given.get(k) for k in ("sha256", "pixels_sha256", "width", "height"))


def alignment_to(alignment: Alignment | NotAligned) -> Json:
    """An alignment, or the reason why there is none."""
    if isinstance(alignment, NotAligned):
        return {"aligned": False, **asdict(alignment)}
    return {
        "aligned": True,
        "original_to_published": alignment.original_to_published.tolist(),
        "mirrored": alignment.mirrored,
        "inliers": alignment.inliers,
        "putative": alignment.putative,
        "residual_px": _finite(alignment.residual_px),
        "model": alignment.model,
        "drift_px": alignment.drift_px,
        "field": None if alignment.field is None else alignment.field.tolist(),
    }


def alignment_from(raw: Mapping[str, Any]) -> Alignment | NotAligned:
    """The value again.  Raises ``KeyError`` or ``ValueError`` on anything else."""
    if not raw["aligned"]:
        return NotAligned(raw["reason"], raw["inliers"], raw["putative"])
    residual, field = raw["residual_px"], raw.get("field")
    return Alignment(
        _matrix(raw["original_to_published"]),
        bool(raw["mirrored"]),
        int(raw["inliers"]),
        int(raw["putative"]),
        math.nan if residual is None else float(residual),
        str(raw["model"]),
        float(raw.get("drift_px", 0.0)),
        None if field is None else np.array(field, np.float32).reshape(len(field), -1, 2),
    )


def edits_to(edits: EditMap | None) -> Json | None:
    """An edit map with its masks."""
    if edits is None:
        return None
    numbers = {k: getattr(edits, k) for k in _NUMBERS}
    return {
        **numbers,
        "mask": _mask_to(edits.mask),
        "comparable": _mask_to(edits.comparable),
        "overlay": None if edits.overlay is None else _mask_to(edits.overlay),
        "regions": [asdict(r) for r in edits.regions],
        "overlays": [asdict(r) for r in edits.overlays],
    }


def edits_from(raw: Mapping[str, Any] | None) -> EditMap | None:
    """The value again."""
    if raw is None:
        return None
    laid = raw["overlay"]
    return EditMap(
        mask=_mask_from(raw["mask"]),
        comparable=_mask_from(raw["comparable"]),
        regions=_regions(raw["regions"]),
        overlay=None if laid is None else _mask_from(laid),
        overlays=_regions(raw["overlays"]),
        **{k: raw[k] for k in _NUMBERS},
    )


def _regions(rows: Sequence[Mapping[str, Any]]) -> tuple[Region, ...]:
    return tuple(
        Region(
            **{
                **r,
                "polygon": tuple((int(x), int(y)) for x, y in r["polygon"]),
                "benign": None if r["benign"] is None else tuple(r["benign"]),
            }
        )
        for r in rows
    )


def answer_to(answer: Answer) -> Json:
    """The map of the frame, with the sources that only it brought up."""
    derivation = answer.derivation
    known: Json | None = None
    if derivation is not None:
        parts = [
            asdict(p) | {"original_to_published": p.original_to_published.tolist()}
            for p in derivation.parts
        ]
        known = asdict(derivation) | {"parts": parts}
    return {
        "derivation": known,
        "further": [
            {
                "index": c.comparison.candidate,
                "path": c.name,
                "sha256": c.picture.digests.sha256,
                "alignment": alignment_to(c.comparison.alignment),
                "edits": edits_to(c.comparison.edits),
                "because": c.comparison.reason,
            }
            for c in answer.further
        ],
    }


def answer_from(raw: Mapping[str, Any], original: Callable[[Json], Picture]) -> Answer:
    """The value again; ``original`` reads a source's file."""
    further = []
    for row in raw["further"]:
        alignment, edits = alignment_from(row["alignment"]), edits_from(row["edits"])
        compared = Comparison(row["index"], alignment, edits, "partial", row["because"])
        further.append(Candidate(row["path"], original(row), compared))
    known = raw["derivation"]
    if known is None:
        return Answer(None, tuple(further))
    parts = []
    for part in known["parts"]:
        fields = dict(part)
        matrix = _matrix(fields.pop("original_to_published"))
        outlines = _outlines(fields.pop("outlines"))
        parts.append(Part(original_to_published=matrix, outlines=outlines, **fields))
    rest = _outlines(known["unexplained"])
    derivation = Derivation(tuple(parts), rest, float(known["unexplained_share"]))
    return Answer(derivation, tuple(further))


def _outlines(raw: Sequence[Sequence[Sequence[int]]]) -> Outlines:
    return tuple(tuple((int(x), int(y)) for x, y in outline) for outline in raw)


def found_to(found: Found, paths: Sequence[str]) -> Json:
    """What a search gave, with the path of every lead."""
    return {
        "leads": [
            {
                "index": lead.index,
                "path": paths[lead.index],
                "sha256": lead.sha256,
                "depth": lead.depth,
                "verified": _verified_to(lead.verified),
            }
            for lead in found.leads
        ],
        "identical": [{"index": i, "path": paths[i]} for i in found.identical],
        "read": found.read,
        "deep": found.deep,
        "features": found.features,
        "skipped": [asdict(s) for s in found.skipped],
    }


def found_from(raw: Mapping[str, Any]) -> Found:
    """The value again."""
    leads = []
    for lead in raw["leads"]:
        verified = _verified_from(lead["verified"])
        leads.append(Lead(int(lead["index"]), verified, lead["sha256"], lead["depth"]))
    return Found(
        tuple(leads),
        tuple(int(i["index"]) for i in raw["identical"]),
        int(raw["read"]),
        skipped_from(raw["skipped"]),
        int(raw["deep"]),
        features=int(raw["features"]),
    )


def _verified_to(verified: Verified) -> Json:
    rival = verified.rival
    return asdict(verified) | {
        "original_to_published": verified.original_to_published.tolist(),
        "rival": None if rival is None else _verified_to(rival),
    }


def _verified_from(raw: Mapping[str, Any]) -> Verified:
    fields = dict(raw)
    matrix = _matrix(fields.pop("original_to_published"))
    rival = fields.pop("rival", None)
    other = None if rival is None else _verified_from(rival)
    return Verified(original_to_published=matrix, rival=other, **fields)


def skipped_from(rows: Sequence[Mapping[str, Any]]) -> tuple[Skipped, ...]:
    """What was left out."""
    return tuple(Skipped(r["name"], r["reason"], r["kind"]) for r in rows)


def finding_to(finding: Finding) -> Json:
    """A signal's card and its answer."""
    kind = type(finding.outcome).__name__.lower()
    return {"signal": asdict(finding.signal), "state": kind, "outcome": asdict(finding.outcome)}


def finding_from(raw: Mapping[str, Any]) -> Finding:
    """The value again."""
    card: Json = {k: tuple(v) if isinstance(v, list) else v for k, v in raw["signal"].items()}
    kinds = {"observed": Observed, "inapplicable": Inapplicable, "failed": Failed}
    answer = {k: tuple(v) if isinstance(v, list) else v for k, v in raw["outcome"].items()}
    outcome: Any = kinds[raw["state"]](**answer)
    return Finding(SignalInfo(**card), outcome)


_AREAS = ("mask", "comparable", "regions", "overlay", "overlays")
_NUMBERS = tuple(f for f in EditMap.__dataclass_fields__ if f not in _AREAS)


def _mask_to(mask: Mask) -> str:
    stream = io.BytesIO()
    Image.fromarray(mask).save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


def _mask_from(text: str) -> Mask:
    image = Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",))
    return np.asarray(image.convert("1"), bool)


def _matrix(rows: Sequence[Sequence[float]]) -> np.ndarray[Any, Any]:
    matrix = np.array(rows, np.float64)
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise ValueError("not a 3×3 matrix of numbers")
    return matrix


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
