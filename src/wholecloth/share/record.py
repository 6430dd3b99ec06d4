"""The record: canonical JSON of everything needed to check or repeat an examination.

Format of record version 1; the JSON Schema is ``model/record-1.schema.json``.  Canonicalisation
is RFC 8785; ``record_digest`` covers everything but ``run``.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import rfc8785

from wholecloth import __version__
from wholecloth.casework.output import COMPARABLE, MASK
from wholecloth.casework.verify import record_digest
from wholecloth.intake.collect import Skipped
from wholecloth.intake.limits import DEFAULT, Limits
from wholecloth.localisation.settings import Settings
from wholecloth.model.comparison import (
    Alignment,
    Candidate,
    EditMap,
    Homography,
    NotAligned,
    Region,
)
from wholecloth.model.derivation import Derivation
from wholecloth.model.evidence import Failed, Finding, Inapplicable, Observed, Statement
from wholecloth.pipeline import Examination
from wholecloth.registration.warp import apply, corners
from wholecloth.retrieval import linear
from wholecloth.retrieval.features import DEEP, QUICK

SCHEMA_VERSION = "1.2"


def record_of(
    examination: Examination,
    skipped: Sequence[Skipped],
    among: Sequence[str],
    limits: Limits,
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the record.

    Args:
        examination: what was found.
        skipped: candidates left out before decoding.
        among: the paths as given, to show candidates relative to them.
        limits: of decoding.
        run: everything that may differ between two runs on the same bytes.
    """
    published = examination.published
    original = examination.original
    edits = original.comparison.edits if original else None
    reasons = {}
    if original is None:
        for field in ("original", "registration", "edit", "derivation"):
            reasons[field] = examination.sentence
    height, width = published.shape
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "published": {
            "label": "Q1",
            "sha256": published.digests.sha256,
            "md5": published.digests.md5,
            "pdq": published.digests.pdq,
            "pdq_quality": published.digests.pdq_quality,
            "width": width,
            "height": height,
            "media": published.media,
            "format": published.facts.format,
            "frames": published.facts.frames,
            "notes": list(published.facts.notes),
            "extras": [asdict(e) for e in published.facts.extras],
            "pixels_sha256": published.pixels_sha256,
        },
        "verdict": examination.verdict,
        "sentence": examination.sentence,
        "sources": [_source(c, n, among) for n, c in enumerate(examination.sources, 1)],
        "original": None,
        "registration": None,
        "edit": None,
        "derivation": _derivation(examination.derivation),
        "copies": [relative(name, among) for name in examination.copies],
        "findings": [_finding(f) for f in examination.findings],
        "statements": [_statement(s) for s in examination.statements],
        "propositions": {
            name: {"state": r.state, "because": list(r.because), "basis": r.basis}
            for name, r in examination.propositions.items()
        },
        "decision": _decision(examination),
        "not_examined": list(examination.not_examined),
        "candidates": {
            "read": examination.found.read,
            "deep": examination.found.deep,
            "skipped": [
                {"path": relative(s.name, among), "reason": s.reason, "kind": s.kind}
                for s in (*skipped, *examination.found.skipped)
            ],
        },
        "settings": settings_of(limits),
        "versions": versions(),
        "reasons": reasons,
        "run": dict(run),
    }
    if record["sources"]:
        record["original"] = record["sources"][0]
        record["registration"] = record["sources"][0]["registration"]
    if edits is not None:
        record["edit"] = _edit(edits)
    record = text_only(record)
    record["record_digest"] = record_digest(record)
    return record


def text_only(value: Any) -> Any:
    """File names that are no UTF-8 become escapes: canonical JSON is text."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {k: text_only(v) for k, v in value.items()}
    if isinstance(value, list):
        return [text_only(v) for v in value]
    return value


def encode(record: Mapping[str, Any]) -> bytes:
    """The canonical bytes of the whole record, newline-terminated."""
    return rfc8785.dumps(dict(record)) + b"\n"


def relative(name: str, among: Sequence[str]) -> str:
    """A candidate's path as given; under an absolute folder, from that folder's own name on."""
    if not os.path.isabs(name):
        return name
    for top in among:
        folder = top.rstrip("/\\")
        if name == folder:
            return os.path.basename(name)
        if name.startswith(folder + os.sep):
            return os.path.join(os.path.basename(folder), os.path.relpath(name, folder))
    return os.path.basename(name)


def masks(edits: EditMap) -> dict[str, bytes]:
    """The two PNGs the record points to; 255 = yes, published frame."""
    return {MASK: png(edits.mask), COMPARABLE: png(edits.comparable)}


def png(mask: np.ndarray[Any, Any]) -> bytes:
    """A mask or an 8-bit picture (RGB) as PNG bytes."""
    array = mask.astype(np.uint8) * 255 if mask.dtype == bool else mask
    if array.ndim == 3:
        array = cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    ok, data = cv2.imencode(".png", array)
    if not ok:
        raise RuntimeError("PNG encoding failed")
    return bytes(data)


def versions() -> dict[str, str]:
    """What computed the record."""
    names = ("numpy", "scipy", "opencv-python-headless", "pillow", "pi-heif", "c2pa-python")
    found = {"wholecloth": __version__}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _source(candidate: Candidate, place: int, among: Sequence[str]) -> dict[str, Any]:
    comparison = candidate.comparison
    edits = comparison.edits
    picture = candidate.picture
    frame = edits.mask.shape if edits is not None else picture.shape
    explained = edits.comparable & ~edits.mask if edits is not None else np.ones(frame, bool)
    partial = comparison.kind == "partial"
    return {
        "label": f"S{place}",
        "sha256": picture.digests.sha256,
        "path": relative(candidate.name, among),
        "width": picture.shape[1],
        "height": picture.shape[0],
        "share": number(float(explained.mean())),
        "region": _outline(explained) if partial else _frame(comparison.alignment, picture, frame),
        "relation": "partial" if partial else "whole",
        "kind": comparison.kind,
        "changed_share": number(edits.share) if edits is not None else None,
        "overlays": [_laid(r) for r in edits.overlays] if edits is not None else [],
        "overlay_share": number(edits.overlay_share) if edits is not None else None,
        "hidden_share": number(edits.hidden_share) if edits is not None else None,
        "because": comparison.reason,
        "registration": _registration(comparison.alignment),
        "media": picture.media,
    }


def _frame(
    alignment: Alignment | NotAligned, picture: Any, frame: tuple[int, ...]
) -> list[list[int]]:
    """The original's own outline in the published frame, clipped to it."""
    if isinstance(alignment, NotAligned):
        return []
    outline = apply(alignment.original_to_published, corners(picture.shape))
    outline[:, 0] = outline[:, 0].clip(0, frame[1] - 1)
    outline[:, 1] = outline[:, 1].clip(0, frame[0] - 1)
    return [[round(float(x)), round(float(y))] for x, y in outline]


def _outline(mask: np.ndarray[Any, Any]) -> list[list[int]]:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return []
    outline = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 2.0, True).reshape(-1, 2)
    return [[int(x), int(y)] for x, y in outline]


def _registration(alignment: Alignment | NotAligned) -> dict[str, Any] | None:
    if isinstance(alignment, NotAligned):
        return None
    return {
        "original_to_published": _rows(alignment.original_to_published),
        "mirrored": alignment.mirrored,
        "inliers": alignment.inliers,
        "putative": alignment.putative,
        "residual_px": number(alignment.residual_px),
        "model": alignment.model,
        "drift_px": number(alignment.drift_px),
    }


def _rows(homography: Homography) -> list[list[float | None]]:
    return [[number(float(v), 12) for v in row] for row in homography]


def _edit(edits: EditMap) -> dict[str, Any]:
    return {
        "share": number(edits.share),
        "mask": MASK,
        "comparable": COMPARABLE,
        "comparable_share": number(float(edits.comparable.mean())),
        "exact": edits.exact,
        "regions": [
            {
                "polygon": [list(p) for p in r.polygon],
                "share": number(r.share),
                "kind": r.kind,
                "evidence": number(r.evidence),
                "peak": number(r.peak),
                "benign_as_strong": None if r.benign is None else r.benign[0],
                "benign_copies": None if r.benign is None else r.benign[1],
                "texture": number(r.texture),
                "lighter": number(r.lighter),
                "colour": number(r.colour),
                "structure": number(r.structure),
            }
            for r in edits.regions
        ],
        "overlays": [_laid(r) | {"kind": r.kind} for r in edits.overlays],
        "agreement": number(edits.agreement),
        "beside": number(edits.beside),
        "colours": edits.colours,
        "ring_unchanged": number(edits.ring_unchanged),
        "noise_correlation_drop": number(edits.noise_correlation_drop),
        "unexplained_log": number(edits.unexplained_log),
    }


def _laid(region: Region) -> dict[str, Any]:
    return {"polygon": [list(p) for p in region.polygon], "share": number(region.share)}


def _derivation(derivation: Derivation | None) -> dict[str, Any] | None:
    if derivation is None:
        return None
    return {
        "parts": [
            {
                "source": part.source,
                "role": part.role,
                "share": number(part.share),
                "outlines": [[list(p) for p in outline] for outline in part.outlines],
                "original_to_published": _rows(part.original_to_published),
                "mirrored": part.mirrored,
                "inliers": part.inliers,
                "residual_px": number(part.residual_px),
                "agreement": number(part.agreement),
            }
            for part in derivation.parts
        ],
        "unexplained": [[list(p) for p in outline] for outline in derivation.unexplained],
        "unexplained_share": number(derivation.unexplained_share),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    info, outcome = finding.signal, finding.outcome
    common: dict[str, Any] = {
        "signal": info.id,
        "version": info.version,
        "group": info.group,
        "propositions": list(info.propositions),
        "limits": info.limits,
        "score": None,
        "log10_lr": None,
        "reason": None,
        "text": None,
    }
    match outcome:
        case Observed():
            return common | {
                "state": "observed",
                "text": outcome.text,
                "supports": list(outcome.supports),
                "opposes": list(outcome.opposes),
                "score": number(outcome.score),
                "log10_lr": number(outcome.log10_lr),
                "tier": outcome.tier,
                "tool": outcome.tool,
                "edits_existing": outcome.edits_existing,
                "verified": outcome.verified,
                "location": outcome.location,
                "reason": None
                if outcome.log10_lr is not None
                else "no calibration: not a likelihood ratio",
            }
        case Inapplicable():
            return common | {"state": "inapplicable", "reason": outcome.reason}
        case Failed():
            return common | {"state": "failed", "reason": outcome.reason}


def _statement(statement: Statement) -> dict[str, Any]:
    fields = asdict(statement)
    fields["propositions"] = list(statement.propositions)
    return fields


def _decision(examination: Examination) -> dict[str, Any]:
    decision = examination.decision
    return {
        "outcome": decision.outcome,
        "basis": decision.basis,
        "technique": asdict(decision.technique) if decision.technique else None,
        "also": [asdict(t) for t in decision.also],
        "conditions": [
            {"text": c.text, "state": c.state, "because": list(c.because)}
            for c in decision.conditions
        ],
        "sensitivity": list(decision.sensitivity),
        "next_steps": list(decision.next_steps),
    }


def settings_of(limits: Limits = DEFAULT) -> dict[str, Any]:
    """Every number that could be set otherwise."""
    settings = asdict(Settings())
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
    return {
        "localisation": settings,
        "search": {
            "quick": asdict(QUICK),
            "deep": asdict(DEEP),
            "enough_inliers": linear.ENOUGH,
            "strong_inliers": linear.STRONG,
            "deep_from_pixels": linear.DEEP_FROM_PIXELS,
        },
        "limits": asdict(limits),
        "seed": 1,
    }


def number(value: float | None, digits: int = 6) -> float | None:
    """Rounded, and null instead of NaN or infinity: JSON has neither."""
    if value is None or not np.isfinite(value):
        return None
    return round(float(value), digits) + 0.0
