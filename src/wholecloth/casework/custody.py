"""The custody log: one event per thing done, each chained to the one before.

A line of ``custody.jsonl`` is canonical JSON (RFC 8785) of ``seq``, ``at`` (UTC, ISO 8601),
``action``, ``item``, ``detail``, ``by``, ``prev`` and ``hash``.  ``hash`` is SHA-256 over the
canonical form of the rest, and ``prev`` the ``hash`` of the line before, so that no line can be
changed, left out or moved without the next one telling.  What a chain alone cannot tell, that its
end was cut off, the record tells: it holds the length and the last hash.

The chain shows accidents and careless hands.  Somebody who rewrites log, record and files together
is only found out by a copy of the record's digest kept elsewhere.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import rfc8785

from wholecloth import __version__
from wholecloth.errors import VerificationFailed

LOG = "custody.jsonl"
START = "0" * 64
ACTOR = "WHOLECLOTH_ACTOR"
"""Environment variable with the role or pseudonym of whoever is working."""

Action = Literal[
    "started",
    "received",
    "listed",
    "decoded",
    "searched",
    "compared",
    "weighed",
    "decided",
    "written",
    "replaced",
    "names_shown",
]

_REMEDY = "compare with another copy of this folder; do not rely on this one"


@dataclass(frozen=True, slots=True)
class Event:
    """One line."""

    seq: int
    """From 1, without a gap."""
    at: str
    action: str
    item: str
    """Label (Q1, S1 …) or digest of what it was done to; never a path."""
    detail: Mapping[str, Any]
    by: Mapping[str, str]
    prev: str
    hash: str

    def line(self) -> bytes:
        """The canonical line, newline included."""
        return rfc8785.dumps(self._body() | {"hash": self.hash}) + b"\n"

    def _body(self) -> dict[str, Any]:
        return {
            "seq": self.seq,
            "at": self.at,
            "action": self.action,
            "item": self.item,
            "detail": dict(self.detail),
            "by": dict(self.by),
            "prev": self.prev,
        }

    @classmethod
    def chained(
        cls, seq: int, action: str, item: str, detail: Mapping[str, Any], prev: str
    ) -> Event:
        """A new event, now."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        by = {"who": os.environ.get(ACTOR, "not named"), "with": f"wholecloth {__version__}"}
        bare = cls(seq, at, action, item, detail, by, prev, "")
        return cls(seq, at, action, item, detail, by, prev, _sha256(rfc8785.dumps(bare._body())))


@dataclass(slots=True)
class Custody:
    """A log that is being written; it reaches the disk with the results it speaks of."""

    events: list[Event] = field(default_factory=list)

    def add(self, action: Action, item: str, **detail: Any) -> Event:
        """Log one thing done."""
        event = Event.chained(len(self.events) + 1, action, item, detail, self.head)
        self.events.append(event)
        return event

    @property
    def head(self) -> str:
        """Hash of the last event."""
        return self.events[-1].hash if self.events else START

    @property
    def seal(self) -> dict[str, Any]:
        """What the record keeps of the log, so that a cut end is seen."""
        return {"events": len(self.events), "head": self.head}

    def encode(self) -> bytes:
        """The whole file."""
        return b"".join(event.line() for event in self.events)


def parse(data: bytes, name: str = LOG) -> list[Event]:
    """Read a log and check its chain.

    Raises:
        VerificationFailed: names the first line that is no event, is not written canonically,
            or does not follow from the line before.
    """
    if not data:
        raise VerificationFailed(name, "the log is empty", _REMEDY)
    events: list[Event] = []
    prev = START
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        item = f"{name} line {number}"
        event = _event(line, item)
        if event.seq != number:
            raise VerificationFailed(item, f"is event {event.seq}, not {number}", _REMEDY)
        if event.prev != prev:
            raise VerificationFailed(item, "does not follow from the line before", _REMEDY)
        if event.hash != _sha256(rfc8785.dumps(event._body())):  # noqa: SLF001 - our own value
            raise VerificationFailed(item, "was changed: its hash does not fit", _REMEDY)
        if event.line() != line:
            raise VerificationFailed(item, "is not written as it was logged", _REMEDY)
        events.append(event)
        prev = event.hash
    return events


def _event(line: bytes, item: str) -> Event:
    try:
        raw = json.loads(line)
        fields = {k: raw.pop(k) for k in Event.__slots__}
        if raw or not isinstance(fields["seq"], int):
            raise TypeError
        return Event(**fields)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationFailed(item, "is no event of a custody log", _REMEDY) from error


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
