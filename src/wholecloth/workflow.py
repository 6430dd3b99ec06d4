"""Join the pure pipeline with the disk: intake from paths, output folders, clean stops."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from wholecloth import atomic
from wholecloth.casework.custody import LOG, Action, Custody, parse
from wholecloth.casework.output import (
    FIGURE,
    MAP,
    RECORD,
    REPORT,
    SUFFIX,
    SUMMARY,
    Output,
    withdraw,
)
from wholecloth.casework.verify import summary_bytes, verify
from wholecloth.errors import (
    AgeDoubt,
    FindingRefused,
    InputRefused,
    OutputRefused,
    VerificationFailed,
)
from wholecloth.intake.collect import Collected, candidates_of, file_source
from wholecloth.intake.decode import Progress, WorkerPool, digest_of, digests, picture, read_bytes
from wholecloth.intake.limits import DEFAULT, Limits, memory_refused, out_of_memory
from wholecloth.model.comparison import Alignment
from wholecloth.model.evidence import Statement
from wholecloth.pipeline import Examination, examine_picture
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.coding import FROM, Coding
from wholecloth.retrieval.reading import FeatureStore, Reader
from wholecloth.share import figures, report
from wholecloth.share.part_map import part_map
from wholecloth.share.record import encode, masks, png, record_of, text_only
from wholecloth.weighing import statements

_KEPT = 128 * 2**20
"""Bytes of features kept for a second look: about 900 candidates; others are read again."""


@dataclass(frozen=True, slots=True)
class Examined:
    """One finished examination."""

    record: dict[str, Any]
    """The record as plain data; see the published JSON Schema."""
    folder: Path | None
    """Where it was written, if it was."""
    examination: Examination = field(repr=False)


def examine(
    published: str | os.PathLike[str],
    among: Iterable[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    findings: Iterable[str | os.PathLike[str]] = (),
    replace: bool = False,
    limits: Limits = DEFAULT,
    cache: FeatureCache | None = None,
    paranoid: bool = False,
    exhaustive: bool = False,
    progress: Progress = lambda *_: None,
) -> Examined:
    """Examine a published picture against candidate originals.

    Args:
        published: a JPEG, PNG, WebP, HEIC, AVIF or GIF file.
        among: files and folders (walked recursively) that may hold the original.
        out: folder for record, report and figures; nothing is written without it.
        findings: files with what only a person or a platform can say.
        replace: overwrite an earlier record in ``out``.
        limits: of decoding one file.
        cache: features of files read before; none by default.
        paranoid: hash every file instead of trusting its size and time stamps.
        exhaustive: look at every candidate, however many; otherwise folders of ``coding.FROM`` and
            more are searched by visual words first.
        progress: called with (stage, done, of); whatever it raises stops the run cleanly.

    Returns:
        The record and, if ``out`` was given, the folder it was written to.

    Raises:
        InputRefused: the published file, a finding or the output folder cannot be used; nothing
            is left behind.
    """
    tops = [Path(p) for p in among]
    said = read_findings([Path(f) for f in findings])
    with WorkerPool(limits=limits) as pool:
        candidates = candidates_of(tops, bool(said))
        reader = Reader(candidates.sources, pool, FeatureStore(_KEPT), cache, paranoid=paranoid)
        return examine_one(
            Path(published),
            tops,
            candidates,
            said,
            reader,
            coding=None if exhaustive else coded(reader, cache, progress),
            out=Path(out) if out is not None else None,
            replace=replace,
            progress=progress,
        )


def read_findings(paths: Sequence[Path]) -> tuple[Statement, ...]:
    """All statements of all finding files, in order.  Raises ``FindingRefused``."""
    out: list[Statement] = []
    for path in paths:
        try:
            data = read_bytes(file_source(path))
        except InputRefused as error:
            raise FindingRefused(error.item, error.reason, error.remedy) from error
        out += statements.parse(data, str(path), digests(data).sha256)
    return tuple(out)


def examine_one(
    published: Path,
    tops: Sequence[Path],
    candidates: Collected,
    said: tuple[Statement, ...],
    reader: Reader,
    *,
    out: Path | None,
    replace: bool = False,
    coding: Coding | None = None,
    progress: Progress = lambda *_: None,
) -> Examined:
    """Examine one file with everything else prepared; all or nothing is written."""
    pool = reader.pool
    cached = reader.from_cache
    custody = Custody()
    clock = _Clock(progress, custody)
    if coding is not None:
        coding.progress = clock
    source = file_source(published)
    written: list[Path] = []
    target = Output.prepare(out, replace=replace) if out is not None else None
    try:
        _open_log(custody, target, said, candidates)
        clock("decoding", 0, 1)
        questioned = picture(pool.decode(source, credentials=True))
        custody.add("received", "Q1", sha256=questioned.digests.sha256, size=source.size)
        # One BLAS thread: ours would spin against them, and sums must not depend on their number.
        with threadpool_limits(limits=1, user_api="blas"):
            examination = examine_picture(
                questioned,
                reader,
                skipped=candidates.skipped,
                statements=said,
                coding=coding,
                progress=clock,
            )
        clock("writing", 0, 1)
        among = [str(t) for t in tops]
        run: dict[str, Any] = {
            "published": str(published),
            "among": among,
            "started": clock.started,
            "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seconds": clock.seconds(),
            "host": {
                "system": platform.system(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "processors": os.cpu_count(),
            },
            "isolation": list(pool.isolation),
            "read_from_cache": reader.from_cache - cached,
        }
        record = record_of(examination, candidates.skipped, among, pool.limits, run)
        _log_decision(custody, record)
        record["run"]["custody"] = custody.seal
        if target is not None:
            target.write(_logged(_files(examination, record), custody, RECORD))
            written = [target.folder]
        clock("writing", 1, 1)
    except BaseException as error:
        if target is not None:
            target.undo()
        if isinstance(error, AgeDoubt):
            withdraw(written)  # the key was noticed only after the last file was in place
        if out_of_memory(error):
            raise memory_refused(str(published)) from error
        raise
    return Examined(record, out, examination)


def coded(reader: Reader, cache: FeatureCache | None, progress: Progress) -> Coding | None:
    """The candidates by their visual words, where there are so many that it pays."""
    many = len(reader.sources) >= FROM and not reader.paranoid
    return Coding(reader, cache, progress) if many else None


def _open_log(
    custody: Custody, target: Output | None, said: Sequence[Statement], candidates: Collected
) -> None:
    """First events; a result that is to be replaced leaves its log, and its record's digest."""
    earlier = target.earlier if target is not None else {}
    if earlier:
        try:
            custody.events += parse(earlier.get(LOG, b""))
            state = "its log is continued"
        except VerificationFailed as error:
            state = f"its log does not hold: {error.item} {error.reason}"
        held = {n: hashlib.sha256(d).hexdigest() for n, d in earlier.items() if n != LOG}
        custody.add("replaced", "earlier result", files=held, state=state)
    custody.add("started", "run")
    for digest in dict.fromkeys(s.file_sha256 for s in said):
        custody.add("received", "finding", sha256=digest)
    custody.add(
        "listed", "candidates", files=len(candidates.sources), left_out=len(candidates.skipped)
    )


def _log_decision(custody: Custody, record: dict[str, Any]) -> None:
    for source in record["sources"]:
        custody.add("compared", source["label"], sha256=source["sha256"], kind=source["kind"])
    custody.add(
        "decided",
        "Q1",
        verdict=record["verdict"],
        outcome=record["decision"]["outcome"],
        record_digest=record["record_digest"],
    )


def _logged(files: dict[str, bytes], custody: Custody, result: str) -> dict[str, bytes]:
    """The files with their log: its last event names every other file by digest."""
    digests_of = {n: hashlib.sha256(d).hexdigest() for n, d in files.items()}
    custody.add("written", "result", files=digests_of)
    last = files.pop(result)
    return files | {LOG: custody.encode(), result: last}


def _files(examination: Examination, record: dict[str, Any]) -> dict[str, bytes]:
    """Everything of one output folder, the record last: it is what makes the folder a result."""
    files: dict[str, bytes] = {}
    figure = None
    original = examination.original
    if original is not None and original.comparison.edits is not None:
        files |= masks(original.comparison.edits)
        # A sketch of a copy's source would be a sketch of the published picture itself.
        sketched = original.comparison.kind in ("edit", "partial")
        if sketched and isinstance(original.comparison.alignment, Alignment):
            drawn = figures.outline_figure(
                original.picture.pixels, original.comparison.alignment, original.comparison.edits
            )
            figure = png(drawn)
            files[FIGURE] = figure
    drawn_map = None
    derivation = examination.derivation
    if derivation is not None and len(derivation.parts) > 1:
        drawn_map = png(part_map(derivation, examination.published.shape))
        files[MAP] = drawn_map
    files[REPORT] = report.render(record, figure, drawn_map).encode()
    files[RECORD] = encode(record)
    return files


_LOGGED: dict[str, tuple[Action, str]] = {
    "decoding": ("decoded", "Q1"),
    "looking at candidates": ("searched", "candidates"),
    "looking closer": ("searched", "candidates"),
    "comparing": ("compared", "candidates"),
    "looking for the rest": ("searched", "candidates"),
    "looking for marks": ("weighed", "Q1"),
}


class _Clock:
    """Passes progress on, keeps the wall time of each stage, and logs each as it ends."""

    def __init__(self, progress: Progress, custody: Custody) -> None:
        self._custody = custody
        self._done = 0
        self.started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._progress = progress
        self._stage = "starting"
        self._since = time.perf_counter()
        self._spent: dict[str, float] = {}

    def __call__(self, stage: str, done: int, of: int) -> None:
        now = time.perf_counter()
        self._spent[self._stage] = self._spent.get(self._stage, 0.0) + now - self._since
        if stage != self._stage and self._stage in _LOGGED:
            action, item = _LOGGED[self._stage]
            self._custody.add(action, item, stage=self._stage, done=self._done)
        self._stage, self._since, self._done = stage, now, done
        self._progress(stage, done, of)

    def seconds(self) -> dict[str, float]:
        """Wall seconds per stage so far."""
        return {k: round(v, 4) for k, v in self._spent.items()}


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read, which examining it will say."""
    try:
        return digest_of(file_source(path))
    except InputRefused:
        return ""


def folder_name(published: Path, taken: set[str]) -> str:
    """``<name>.wholecloth``, numbered where two published files share a name."""
    base = published.name
    name, number = base + SUFFIX, 2
    while name in taken:
        name, number = f"{base}-{number}{SUFFIX}", number + 1
    taken.add(name)
    return name


def refuse_earlier_batch(out: Path) -> None:
    """Raises ``OutputRefused`` where ``out`` holds an earlier batch, finished or stopped."""
    if (out / SUMMARY).exists() or results_in(out):
        remedy = "add --resume to go on with it, or --replace to redo it, or give another --out"
        raise OutputRefused(str(out), "holds an earlier batch", remedy)


def results_in(where: Path | Sequence[Path]) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Results of earlier runs: SHA-256 of the published file → (folder, record).

    Only records that can be read; whether they hold is for ``done_before`` to say.
    """
    found = {}
    folders = sorted(where.glob("*" + SUFFIX)) if isinstance(where, Path) else where
    for folder in folders:
        try:
            record = json.loads((folder / RECORD).read_bytes())
            found[record["published"]["sha256"]] = (folder, record)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
    return found


def done_before(
    earlier: tuple[Path, dict[str, Any]], tops: Sequence[Path], said: Sequence[Statement]
) -> dict[str, Any]:
    """The record of an earlier run, if it still holds and was made from the same inputs.

    Raises:
        VerificationFailed: the result was changed since.
        OutputRefused: it was made with other candidates or findings.
    """
    folder, record = earlier
    try:
        verify(folder)
    except VerificationFailed as error:
        remedy = "look into it; --resume --replace examines it again"
        raise VerificationFailed(error.item, error.reason, remedy) from error
    among = [str(t) for t in tops]
    filed = {s["file_sha256"] for s in record["statements"]}
    if record["run"].get("among") != among or filed != {s.file_sha256 for s in said}:
        reason = "was made with other candidates or findings"
        remedy = "add --replace to examine it again, or give another --out"
        raise OutputRefused(str(folder), reason, remedy)
    return record


def write_summary(out: Path, items: Sequence[dict[str, Any]]) -> None:
    """``summary.json`` of a batch: per item its folder, verdict and outcome, or its error.

    Raises:
        OutputRefused: it cannot be written.
    """
    rows: list[dict[str, Any]] = []
    for item in items:
        if "error" in item:
            rows.append(item)
        else:
            record = item["record"]
            rows.append(
                {
                    "published": item["published"],
                    "folder": os.path.relpath(item["folder"], out),
                    "sha256": record["published"]["sha256"],
                    "verdict": record["verdict"],
                    "outcome": record["decision"]["outcome"],
                    "record_digest": record["record_digest"],
                }
            )
    atomic.write(out / SUMMARY, summary_bytes(text_only(rows)))
