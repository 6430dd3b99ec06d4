"""Read the state of each proposition from findings and statements.

Scores without a calibration stay scores: they are listed and move nothing.  Absence of a mark
moves nothing.  A conflict is shown as *undetermined* with both sides, never averaged away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wholecloth.model.assertion import Basis, Reading, State
from wholecloth.model.comparison import Verdict
from wholecloth.model.evidence import Finding, Observed, Proposition, Statement

HUMAN: tuple[Proposition, ...] = ("P4a", "P4b", "P4c", "P5")
ALL: tuple[Proposition, ...] = ("P1", "P2", "P3", *HUMAN)
_DECLARED_TIERS = ("A", "B", "C", "D", "E")
"""Declared marks; F (visible mark) and G (file name) alone stay weak."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the comparison of pixels says, for weighing."""

    verdict: Verdict
    sentence: str
    chain: str = ""
    """Set where the published file is a copy of a candidate that is itself an edit."""
    donor: str = ""
    """Set where a region inside the surroundings of S1 comes from another candidate."""


@dataclass(frozen=True, slots=True)
class _Voice:
    """One item of evidence for or against one proposition."""

    text: str
    strong: bool
    documents: bool


def readings(
    pair: Pair,
    findings: Sequence[Finding],
    statements: Sequence[Statement],
    published_sha256: str,
) -> Mapping[Proposition, Reading]:
    """State, reasons and basis of every proposition."""
    out: dict[Proposition, Reading] = {}
    for proposition in ALL:
        pro, con, unused = _voices(proposition, findings, statements, published_sha256)
        notes = [*_neutral(proposition, findings), *unused, *_donor(proposition, pair)]
        out[proposition] = _reading(proposition, pair, pro, con, notes)
    return out


def platform_document(statement: Statement, published_sha256: str) -> tuple[bool, str]:
    """Whether a statement can carry an outcome on documents alone, and why (not).

    It must name input, output and feature, be graded A or B for its source, rest on a document
    whose digest is given, and not name another output than the published file.
    """
    named = all((statement.input, statement.output, statement.feature))
    if not named or statement.direction != "supports":
        return False, ""
    if statement.attachment_sha256 is None:
        return False, "no attachment hash: an unsupported statement"
    if statement.reliability not in ("A", "B"):
        return False, "source not graded A or B"
    if statement.credibility is not None and statement.credibility > 3:
        return False, "information graded doubtful or worse"
    if _another(statement, published_sha256):
        return False, "the output it names by SHA-256 is not the published file"
    return True, "names input, output and feature; document digest given"


def _another(statement: Statement, published_sha256: str) -> bool:
    """Whether it names another output by SHA-256 than the published file; it then says nothing."""
    output = (statement.output or "").lower().removeprefix("sha256:")
    return bool(re.fullmatch(r"[0-9a-f]{64}", output)) and output != published_sha256


def _voices(
    proposition: Proposition,
    findings: Sequence[Finding],
    statements: Sequence[Statement],
    published_sha256: str,
) -> tuple[list[_Voice], list[_Voice], list[str]]:
    """For, against, and what was filed but cannot be used, with the reason."""
    pro: list[_Voice] = []
    con: list[_Voice] = []
    unused: list[str] = []
    for finding in findings:
        seen = finding.outcome
        if not isinstance(seen, Observed) or seen.tier == "score":
            continue
        strong = seen.tier in _DECLARED_TIERS
        trust = "" if seen.verified else " (a declaration anybody can write; nothing verified it)"
        voice = _Voice(f"{finding.signal.id}: {seen.text}{trust}", strong, documents=False)
        if proposition in seen.supports:
            pro.append(voice)
        if proposition in seen.opposes:
            con.append(voice)
    for statement in statements:
        document, why = platform_document(statement, published_sha256)
        speaks = proposition in statement.propositions
        if document and proposition in ("P1", "P2", "P3"):
            speaks = True
        if not speaks or statement.direction == "neutral":
            continue
        if _another(statement, published_sha256):
            reason = "it names another output by SHA-256 than the published file"
            unused.append(f"not used: {statement.label}, because {reason}")
            continue
        grade = _grade(statement)
        if grade is None:
            continue
        strong = grade == "strong" or (document and grade != "weak")
        if statement.reliability is None and proposition not in HUMAN:
            strong = document
        if proposition == "P3" and statement.direction == "supports" and not document:
            # Hearsay that "it was AI" is weak; a document that shows it is not hearsay.
            names = statement.output or statement.feature
            strong = strong and bool(statement.attachment_sha256) and not names
        if proposition == "P4c" and not statement.context:
            strong = False  # the page asks for the cultural context to be named
        if proposition in ("P1", "P2") and not document:
            strong = False
        side = pro if statement.direction == "supports" else con
        if proposition == "P3" and statement.method == "manual":
            side = con
        text = f"{statement.label}{_graded(statement)}: {statement.text}"
        side.append(_Voice(text + (f" [{why}]" if why else ""), strong, documents=True))
    return pro, con, unused


def _grade(statement: Statement) -> str | None:
    """strong, weak, or None for what its own grading says not to use (E, or 5: improbable)."""
    if statement.reliability == "E" or statement.credibility == 5:
        return None
    if statement.reliability in ("D", "F") or (statement.credibility or 1) >= 4:
        return "weak"
    return "strong"


def _graded(statement: Statement) -> str:
    letter, digit = statement.reliability, statement.credibility
    if letter is None and digit is None:
        return " [not graded]"
    return f" [Admiralty source {letter or '-'}, information {digit or '-'}]"


def _neutral(proposition: Proposition, findings: Sequence[Finding]) -> list[str]:
    """Scores and absences that belong beside P3 without moving it."""
    if proposition != "P3":
        return []
    notes = []
    for finding in findings:
        seen = finding.outcome
        if isinstance(seen, Observed) and seen.tier == "score":
            notes.append(f"{finding.signal.id}: {seen.text} (a score, not weighed)")
    return notes


def _donor(proposition: Proposition, pair: Pair) -> list[str]:
    """What a donor among the candidates says of the edit and, for its region alone, of AI."""
    if not pair.donor:
        return []
    if proposition == "P2":
        return [pair.donor]
    if proposition == "P3":
        return [
            f"{pair.donor}: that region was copied, not generated; nothing follows for the rest"
        ]
    return []


def _reading(
    proposition: Proposition, pair: Pair, pro: list[_Voice], con: list[_Voice], notes: list[str]
) -> Reading:
    pixels: State | None = None
    because: list[str] = []
    if proposition in ("P1", "P2"):
        pixels, text = _from_pixels(proposition, pair)
        because.append(text)
    because += [f"for: {v.text}" for v in pro] + [f"against: {v.text}" for v in con] + notes
    documents = any(v.strong and v.documents for v in pro)
    state = _state(proposition, pixels, pro, con)
    basis: Basis | None = None
    if state in ("supported", "weakly_supported"):
        by_pixels = pixels == "supported" or any(not v.documents for v in pro)
        basis = "both" if by_pixels and documents else "documents" if documents else "pixels"
        if not by_pixels and not documents:
            basis = "documents"
    if not because:
        because.append(
            "nobody has stated it; only a person or a platform's record can"
            if proposition in HUMAN
            else "No mark found. This is neither evidence for nor against AI."
        )
    return Reading(state, tuple(because), basis)


def _state(
    proposition: Proposition, pixels: State | None, pro: list[_Voice], con: list[_Voice]
) -> State:
    strong_pro = pixels == "supported" or any(v.strong for v in pro)
    strong_con = pixels == "contradicted" or any(v.strong for v in con)
    if strong_pro and (strong_con or con):
        return "undetermined"
    if strong_con:
        return "undetermined" if pro else "contradicted"
    if strong_pro:
        return "supported"
    if pro and not con:
        return "weakly_supported"
    if pro or con:
        return "undetermined"
    return "not_stated" if proposition in HUMAN else "undetermined"


def _from_pixels(proposition: Proposition, pair: Pair) -> tuple[State, str]:
    verdict = pair.verdict
    if proposition == "P1":
        if verdict in ("edit", "copy", "rerendered", "partial"):
            return "supported", f"{pair.sentence}; that it is the earlier one is assumed, not shown"
        return "undetermined", pair.sentence
    if verdict == "edit":
        return "supported", pair.sentence
    if verdict == "copy" and not pair.chain:
        return "contradicted", pair.sentence
    return "undetermined", pair.chain or pair.sentence
