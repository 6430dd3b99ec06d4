"""What was found, and by which signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wholecloth.model.comparison import Alignment, EditMap
from wholecloth.model.media import Picture

Proposition = Literal["P1", "P2", "P3", "P4a", "P4b", "P4c", "P5"]
Tier = Literal["A", "B", "C", "D", "E", "F", "G", "score"]
"""Strength tiers of declared marks (A strongest); ``score`` for an uncalibrated pixel statistic."""


@dataclass(frozen=True, slots=True)
class SignalInfo:
    """A signal's card; printed alike by the command line, the report and the docs."""

    id: str
    version: str
    group: str
    """Findings of one group share a cause and are never multiplied."""
    propositions: tuple[Proposition, ...]
    shows: str
    """One sentence: what an observation would mean."""
    limits: str
    """One sentence: when it misleads, and what its absence means."""
    licence: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """The one argument a signal gets; new fields will have defaults."""

    published: Picture
    original: Picture | None = None
    alignment: Alignment | None = None
    edits: EditMap | None = None
    trust: str | None = None
    """PEM of the C2PA trust list that was used when the published file was read, for naming it."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The signal saw something."""

    text: str
    """What was seen, in one plain sentence; metadata text inside is quoted, never obeyed."""
    supports: tuple[Proposition, ...] = ()
    opposes: tuple[Proposition, ...] = ()
    tier: Tier = "score"
    score: float | None = None
    log10_lr: float | None = None
    """Only with a named calibration; None = the score stays a score."""
    tool: str | None = None
    """The writer named by the mark, if any."""
    edits_existing: bool | None = None
    """The mark says an existing picture was edited (True) or made from nothing (False)."""
    verified: bool = False
    """A signature over these bytes was checked and holds."""
    location: str = ""
    """Where in the file: container slot and field."""


@dataclass(frozen=True, slots=True)
class Inapplicable:
    """The signal had nothing to look at, or looked and found nothing; never evidence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The signal broke; the run goes on."""

    reason: str


Outcome = Observed | Inapplicable | Failed


@dataclass(frozen=True, slots=True)
class Finding:
    """One signal's answer about one exhibit."""

    signal: SignalInfo
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Statement:
    """What only a person or a platform can say, as filed with ``--finding``."""

    who: str
    when: str
    """ISO 8601 date or time."""
    source: str
    propositions: tuple[Proposition, ...]
    direction: Literal["supports", "contradicts", "neutral"]
    text: str
    reliability: str | None = None
    """Admiralty letter A-F, for the source; kept apart from the digit."""
    credibility: int | None = None
    """Admiralty digit 1-6, for the information."""
    attachment_sha256: str | None = None
    method: Literal["ai", "manual"] | None = None
    input: str | None = None
    output: str | None = None
    feature: str | None = None
    """What a platform statement names: the picture put in, the one that came out, the tool used."""
    context: str | None = None
    """Cultural context, for P4c."""
    file_sha256: str = ""
    """Digest of the finding file it came from."""

    @property
    def label(self) -> str:
        """How the record refers to it."""
        return f"{self.source} ({self.who}, {self.when})"
