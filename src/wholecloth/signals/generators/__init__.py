"""Readers for the records that local image generators leave in files.

Each ``read(fields)`` answers a ``Record`` or None.  They look at named slots only, never search
for substrings elsewhere, and take nothing from prompts: a prompt is no evidence here and may
itself do harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wholecloth.model.evidence import Tier
from wholecloth.model.media import ContainerFacts


@dataclass(frozen=True, slots=True)
class Field:
    """One metadata field of the file."""

    slot: str
    """``PNG text`` or ``EXIF``."""
    key: str
    value: str

    @property
    def location(self) -> str:
        """As reports name it."""
        return f"{self.slot} '{self.key}'"


@dataclass(frozen=True, slots=True)
class Record:
    """What a generator's record says by its structure."""

    tool: str
    says: str
    """A clause for the report; never text from a prompt."""
    location: str
    edits_existing: bool | None = None
    tier: Tier = "C"
    size: tuple[int, int] | None = None
    """Width and height the record gives, if it does."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The slots that generators write to."""

    all: tuple[Field, ...]

    @classmethod
    def of(cls, facts: ContainerFacts) -> Fields:
        """Those of one file."""
        texts = (Field("PNG text", k, v) for k, v in facts.text)
        exif = (Field("EXIF", k, v) for k, v in facts.exif)
        return cls((*texts, *exif))

    def text(self, key: str) -> Iterator[Field]:
        """PNG text chunks with exactly this keyword."""
        return (f for f in self.all if f.slot == "PNG text" and f.key == key)

    def exif(self, *keys: str) -> Iterator[Field]:
        """EXIF fields with one of these names."""
        return (f for f in self.all if f.slot == "EXIF" and f.key in keys)
