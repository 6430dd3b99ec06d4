"""What came of one query, and how an answer is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from wholecloth.bench.searcher import Hit

CLAIMS = ("same_photo", "partial")
"""Verdicts that name a photograph as what the picture was made from."""


@dataclass(slots=True)
class Ranked:
    """What one hash says."""

    rank: int | None
    """Of the right photograph, from 1; equal distances count in its favour.  None: negative."""
    found: bool
    """The right one is within the threshold."""
    false: int
    """Photographs within the threshold that are neither right nor the donor nor set aside."""


@dataclass(slots=True)
class Outcome:
    """One query's figures; plain data."""

    id: str
    kind: str
    group: str
    seed: int
    photograph: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Of the attack; empty for a picture that lies as it is."""
    refused: str = ""
    donor_known: bool = False
    rank: int | None = None
    """Of the right photograph among the unverified candidates, from 1; None: not among them."""
    rank_detail: int | None = None
    """The same in the detail tier."""
    top: str = "none"
    """What the first result is: right, donor, other, none …"""
    top_sha256: str = ""
    """… and which."""
    verdict: str = "no_match"
    """Of the first result."""
    share: float | None = None
    right_verdict: str = ""
    """Of the right photograph, wherever in the answer; empty: not in it."""
    others: dict[str, int] = field(default_factory=dict)
    """Verdicts on photographs that are neither right nor the donor."""
    donor_verdict: str = ""
    hashes: dict[str, Ranked] = field(default_factory=dict)
    peers: dict[str, str] = field(default_factory=dict)
    """What other programs say to the true pair."""
    failed: dict[str, str] = field(default_factory=dict)
    rank_s: float = 0.0
    """CPU seconds of the ranking in the first tier."""
    answer_s: float = 0.0
    """Wall seconds of the whole answer, photographs read again included."""

    @property
    def found(self) -> bool:
        """Found and verified: the right photograph is on top and named as the source."""
        return self.top == "right" and self.verdict in CLAIMS

    @property
    def wrong_on_top(self) -> bool:
        """A photograph that has nothing to do with it is named first as the source."""
        return self.top == "other" and self.verdict in CLAIMS

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def rank_of(ranked: Sequence[str], right: set[str]) -> int | None:
    """Place of the first right one, from 1."""
    return next((i for i, name in enumerate(ranked, 1) if name in right), None)


def score(done: Outcome, hits: Sequence[Hit], right: set[str], donor: str) -> None:
    """Sort the results of an answer into right, donor and other."""

    def role(hit: Hit) -> str:
        if hit.sha256 in right:
            return "right"
        return "donor" if hit.sha256 == donor else "other"

    if hits:
        done.top, done.top_sha256 = role(hits[0]), hits[0].sha256
        done.verdict, done.share = hits[0].verdict, hits[0].share
    for hit in hits:
        if role(hit) == "right":
            done.right_verdict = done.right_verdict or hit.verdict
        elif role(hit) == "donor":
            done.donor_verdict = done.donor_verdict or hit.verdict
        else:
            done.others[hit.verdict] = done.others.get(hit.verdict, 0) + 1
