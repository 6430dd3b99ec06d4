"""The log that an index keeps of itself: who did and asked what, and when.

Each line is chained to the one before, as in ``custody``.  Whether a photograph is known somewhere
is itself sensitive.  So questions are logged, with a keyed digest of the picture in place of its
hash: the owner can test whether a given picture was asked for, and nobody can read from the log
which were.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from wholecloth import atomic
from wholecloth.casework.custody import ACTOR, START, Event, parse
from wholecloth.errors import IndexRefused, VerificationFailed

LEDGER = "log.jsonl"
Done = Literal[
    "created", "added", "asked", "erased", "allowed", "compacted", "merged", "names_shown"
]


def note(path: Path, action: Done, item: str, **detail: Any) -> None:
    """Append one event; on the disk when it returns.

    Raises:
        OutputRefused: the log cannot be written.
    """

    def line(last: bytes) -> bytes:
        seq, prev = 0, START
        if last:
            before = json.loads(last)
            seq, prev = int(before["seq"]), str(before["hash"])
        return Event.chained(seq + 1, action, item, detail, prev).line()

    atomic.append(path, line)


def who() -> str:
    """The role or pseudonym of whoever is working; empty where none is named."""
    return os.environ.get(ACTOR, "").strip()


def may_ask(folder: Path, allowed: tuple[str, ...]) -> None:
    """Raises ``IndexRefused`` unless whoever is working is among those who may ask."""
    if allowed and who() not in allowed:
        reason = f"may not be asked by {who() or 'somebody who is not named'}"
        remedy = f"name yourself with {ACTOR}; the owner says who may ask"
        raise IndexRefused(str(folder), reason, remedy)


def left_this_hour(path: Path, per_hour: int) -> int:
    """How many questions whoever is working has left within the hour; raises if none.

    ``per_hour`` 0: no limit, and a large number is returned.
    """
    if not per_hour:
        return 1 << 62
    since = datetime.now(UTC) - timedelta(hours=1)
    name = who() or "not named"
    asked = 0
    for event in _backwards(path):
        if datetime.fromisoformat(event["at"]) < since:
            break
        if event["action"] == "asked" and event["by"].get("who") == name:
            asked += 1
    if asked >= per_hour:
        reason = f"was asked {asked} times by {name} within the hour; its limit is {per_hour}"
        raise IndexRefused(str(path.parent), reason, "wait, or ask the index's owner")
    return per_hour - asked


def damage(path: Path) -> Iterator[str]:
    """What does not hold, in words."""
    try:
        body = path.read_bytes()
        whole = body[: body.rfind(b"\n") + 1]
        if whole:
            parse(whole, path.name)
        if whole != body:
            yield f"{path.name}: its last line was cut off by a stopped run"
    except VerificationFailed as error:
        yield f"{error.item}: {error.reason}"
    except OSError as error:
        yield f"{path.name}: cannot be read ({error.strerror or error})"


def _backwards(path: Path) -> Iterator[dict[str, Any]]:
    """Events, the last first."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return
    for line in reversed(lines):
        try:
            yield json.loads(line)
        except ValueError:
            continue
