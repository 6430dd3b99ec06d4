"""Does a folder still hold what was written into it?

Everything is recomputed: the chain of the log, the digests of the files it names, the record's
own digest and its seal on the log.  The first thing that differs is named.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785

from wholecloth.casework import custody
from wholecloth.casework.custody import LOG, Event
from wholecloth.casework.output import COMMIT, RECORD, RESULTS, SUMMARY
from wholecloth.errors import InputRefused, VerificationFailed

_REMEDY = "compare with another copy of this folder; do not rely on this one"
_DIGESTS = ("run", "record_digest")


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and holds."""

    folder: str
    files: tuple[str, ...]
    events: int
    record_digest: str
    inputs: tuple[str, ...] = ()
    """Labels of the files of the record that were found again and are unchanged."""
    not_covered: tuple[str, ...] = ()
    """Files in the folder that no log speaks of."""
    items: tuple[Verified, ...] = field(default=())
    """The items of a batch."""


def record_digest(record: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical form of everything but ``run`` and the digest itself."""
    kept = {k: v for k, v in record.items() if k not in _DIGESTS}
    return hashlib.sha256(rfc8785.dumps(kept)).hexdigest()


def summary_bytes(items: Sequence[Mapping[str, Any]]) -> bytes:
    """``summary.json`` of a batch, with a digest of its own."""
    body: dict[str, Any] = {"items": list(items)}
    body["record_digest"] = record_digest(body)
    return rfc8785.dumps(body) + b"\n"


def verify(folder: Path, inputs: Path | None = None) -> Verified:
    """Check one result folder, or a batch of them.

    Args:
        folder: as written by ``--out``.
        inputs: where the files that were examined lie now; they are found by digest.

    Raises:
        InputRefused: it is no folder, or holds no result.
        VerificationFailed: names the first thing that differs.
    """
    if not folder.is_dir():
        raise InputRefused(str(folder), "is no folder", "give the folder named with --out")
    found = _by_digest(inputs) if inputs is not None else None
    if (folder / SUMMARY).exists():
        return _batch(folder, found)
    if not _has_result(folder) and any(_has_result(p) for p in folder.iterdir() if p.is_dir()):
        remedy = "if the batch was stopped, go on with --resume; otherwise do not rely on it"
        raise VerificationFailed(str(folder / SUMMARY), "is missing", remedy)
    return _single(folder, found)


def _has_result(folder: Path) -> bool:
    return any((folder / name).exists() for name in (*RESULTS, LOG))


def _visible(folder: Path) -> dict[str, Path]:
    """Name → file, hidden ones included; only what a reader would open is checked."""
    if (folder / COMMIT).exists():
        reason = "a replacement was cut short: what is shown may be neither result"
        remedy = "run the same command again with --replace, which finishes it"
        raise VerificationFailed(str(folder / COMMIT), reason, remedy)
    try:
        return {p.name: p for p in sorted(folder.iterdir())}
    except OSError as error:
        raise _unreadable(folder, error) from error


def _bytes(path: Path) -> bytes:
    """The bytes of a regular file.  A link or a pipe is not what was written."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise VerificationFailed(str(path), "is no regular file: it was exchanged", _REMEDY)
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> VerificationFailed:
    return VerificationFailed(str(path), f"cannot be read ({error.strerror or error})", _REMEDY)


def _single(folder: Path, found: Mapping[str, str] | None) -> Verified:
    files = _visible(folder)
    name = next((r for r in RESULTS if r in files), None)
    if name is None and LOG not in files:
        remedy = "give the folder named with --out"
        raise InputRefused(str(folder), "holds no result of wholecloth", remedy)
    if LOG not in files:
        raise VerificationFailed(str(folder / LOG), "is missing", _REMEDY)
    events = custody.parse(_bytes(files[LOG]), str(folder / LOG))
    written = _written(events, folder)
    named = written.detail.get("files")
    if not isinstance(named, dict) or not named:
        raise VerificationFailed(str(folder / LOG), "its last event names no files", _REMEDY)
    for each, digest in named.items():
        if each not in files:
            raise VerificationFailed(str(folder / each), "is missing", _REMEDY)
        if hashlib.sha256(_bytes(files[each])).hexdigest() != digest:
            raise VerificationFailed(
                str(folder / each), "was changed after it was written", _REMEDY
            )
    result = next((r for r in RESULTS if r in named), None)
    if result is None:
        raise VerificationFailed(str(folder / LOG), "names no record among the files", _REMEDY)
    record = _canonical(_bytes(files[result]), folder / result)
    _seal(record, events, folder)
    return Verified(
        str(folder),
        tuple(named),
        len(events),
        record["record_digest"],
        _inputs(record, found),
        tuple(n for n in files if n not in named and n != LOG),
    )


def _written(events: Sequence[Event], folder: Path) -> Event:
    """The last event, which lists the files."""
    if events[-1].action != "written":
        reason = "the log ends before the files were logged: its end was cut off"
        raise VerificationFailed(str(folder / LOG), reason, _REMEDY)
    return events[-1]


def _seal(record: Mapping[str, Any], events: Sequence[Event], folder: Path) -> None:
    seal = record.get("run", {}).get("custody", {})
    count, head = seal.get("events"), seal.get("head")
    if not isinstance(count, int) or not 0 < count < len(events):
        reason = f"has {len(events)} events; the record was made after {count}"
        raise VerificationFailed(str(folder / LOG), reason, _REMEDY)
    if events[count - 1].hash != head:
        reason = "is not the log that the record was made with"
        raise VerificationFailed(str(folder / LOG), reason, _REMEDY)


def _canonical(data: bytes, path: Path) -> dict[str, Any]:
    """A record as data, with its own digest checked."""
    try:
        record = json.loads(data)
        fits = record["record_digest"] == record_digest(record)
        same = rfc8785.dumps(record) + b"\n" == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise VerificationFailed(str(path), "is no record of wholecloth", _REMEDY) from error
    if not fits:
        reason = "was changed: its own digest does not fit"
        raise VerificationFailed(str(path), reason, _REMEDY)
    if not same:
        raise VerificationFailed(str(path), "is not written as it was", _REMEDY)
    return dict(record)


def _batch(folder: Path, found: Mapping[str, str] | None) -> Verified:
    summary = _canonical(_bytes(folder / SUMMARY), folder / SUMMARY)
    own = (_single(folder, found),) if _has_result(folder) else ()
    items = [
        _batch_item(folder, row, found) for row in _rows(summary, folder) if "error" not in row
    ]
    named = {Path(i.folder).name for i in items} | {SUMMARY}
    extra = []
    for name, path in _visible(folder).items():
        if name in named or (own and name in (*own[0].files, LOG)):
            continue
        if path.is_dir() and _has_result(path):
            _single(path, None)  # not in the summary, but it must hold all the same
        extra.append(name)
    return Verified(
        str(folder), (SUMMARY,), 0, summary["record_digest"], (), tuple(extra), (*own, *items)
    )


def _rows(summary: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    rows = summary.get("items")
    if not isinstance(rows, list) or not all(isinstance(r, dict) for r in rows):
        raise VerificationFailed(str(folder / SUMMARY), "is no summary of wholecloth", _REMEDY)
    return rows


def _batch_item(folder: Path, row: Mapping[str, Any], found: Mapping[str, str] | None) -> Verified:
    name = row.get("folder")
    if not isinstance(name, str):
        raise VerificationFailed(str(folder / SUMMARY), "names no folder for an item", _REMEDY)
    path = folder / name
    if not path.is_dir():
        raise VerificationFailed(str(path), "is missing", _REMEDY)
    if not _has_result(path):
        raise VerificationFailed(str(path), "holds no result any more", _REMEDY)
    item = _single(path, found)
    record = json.loads(_bytes(path / RECORD))
    told = {
        "sha256": record["published"]["sha256"],
        "verdict": record["verdict"],
        "outcome": record["decision"]["outcome"],
        "record_digest": item.record_digest,
    }
    for key, value in told.items():
        if row.get(key) != value:
            reason = f"says another {key} of {name} than its record"
            raise VerificationFailed(str(folder / SUMMARY), reason, _REMEDY)
    return item


def _inputs(record: Mapping[str, Any], found: Mapping[str, str] | None) -> tuple[str, ...]:
    if found is None:
        return ()
    rows = [r for r in (record.get("published"), record.get("reference")) if r]
    rows += [*record.get("sources", ()), *record.get("items", ())]
    for row in rows:
        if row["sha256"] is None:
            continue  # it could not even be hashed then
        if row["sha256"] not in found:
            reason = f"no file there has its SHA-256 ({row['sha256'][:16]}…)"
            remedy = "give the folder that holds the files as examined with --files"
            raise VerificationFailed(row["label"], reason, remedy)
    return tuple(row["label"] for row in rows)


def _by_digest(top: Path) -> dict[str, str]:
    """SHA-256 → path of every regular file below; links are not followed out of it."""
    if not top.exists():
        raise InputRefused(str(top), "does not exist", "check the spelling of --files")
    out: dict[str, str] = {}
    for path in _walk(top):
        digest = hashlib.sha256()
        try:
            with path.open("rb") as stream:
                while part := stream.read(1 << 20):
                    digest.update(part)
        except OSError:
            continue  # what cannot be read is not there; the item that misses it will be named
        out[digest.hexdigest()] = str(path)
    return out


def _walk(top: Path) -> Iterator[Path]:
    if top.is_file():
        yield top
        return
    for folder, _, names in os.walk(top):
        for name in sorted(names):
            path = Path(folder) / name
            if path.is_file():
                yield path
