"""Join the pure pipeline with the disk: intake from paths, output folders, clean stops."""

from __future__ import annotations

import json
import os
import platform
import shutil
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from wholecloth import atomic
from wholecloth.errors import FindingRefused, InputRefused, OutputRefused, UsageRefused
from wholecloth.intake.collect import Collected, collect, file_source
from wholecloth.intake.decode import Progress, WorkerPool, digests, picture, read_bytes
from wholecloth.intake.limits import DEFAULT, Limits
from wholecloth.model.comparison import Alignment
from wholecloth.model.evidence import Statement
from wholecloth.pipeline import Examination, examine_picture
from wholecloth.retrieval.linear import FeatureStore
from wholecloth.share import figures, report
from wholecloth.share.record import COMPARABLE, MASK, encode, masks, png, record_of
from wholecloth.weighing import statements

RECORD, REPORT, FIGURE = "record.json", "report.html", "figure-outline.png"
SUFFIX = ".wholecloth"
OURS = (MASK, COMPARABLE, FIGURE, REPORT, RECORD)
"""Everything an output folder may hold, the record last."""


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
        return examine_one(
            Path(published),
            tops,
            candidates,
            said,
            pool,
            out=Path(out) if out is not None else None,
            replace=replace,
            limits=limits,
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


def candidates_of(tops: Sequence[Path], have_findings: bool) -> Collected:
    """Collect candidates.

    Raises:
        InputRefused: a path does not exist, or nothing in them is a picture; with findings at
            hand the latter is allowed, since an outcome may rest on documents alone.
        UsageRefused: neither candidates nor findings were given.
    """
    if not tops and not have_findings:
        raise UsageRefused(
            "--among", "no candidates were given", "name the folder that may hold the original"
        )
    for top in tops:
        if not os.path.lexists(top):
            raise InputRefused(str(top), "does not exist", "check the spelling of --among")
    found = collect(tops)
    unread = any(s.kind == "unread" for s in found.skipped)
    if not found.sources and not unread and not have_findings:
        shown = ", ".join(map(str, tops))
        raise InputRefused(
            shown, "holds no picture to compare with", "name the folder that may hold the original"
        )
    return found


def examine_one(
    published: Path,
    tops: Sequence[Path],
    candidates: Collected,
    said: tuple[Statement, ...],
    pool: WorkerPool,
    *,
    out: Path | None,
    replace: bool = False,
    limits: Limits = DEFAULT,
    store: FeatureStore | None = None,
    progress: Progress = lambda *_: None,
) -> Examined:
    """Examine one file with everything else prepared; all or nothing is written."""
    clock = _Clock(progress)
    source = file_source(published)
    target = Output.prepare(out, replace=replace) if out is not None else None
    try:
        clock("decoding", 0, 1)
        questioned = picture(pool.decode(source, credentials=True))
        # One BLAS thread: ours would spin against them, and sums must not depend on their number.
        with threadpool_limits(limits=1, user_api="blas"):
            examination = examine_picture(
                questioned,
                candidates.sources,
                pool,
                skipped=candidates.skipped,
                statements=said,
                store=store,
                progress=clock,
            )
        clock("writing", 0, 1)
        among = [str(t) for t in tops]
        record = record_of(
            examination,
            candidates.skipped,
            among,
            limits,
            {
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
            },
        )
        if target is not None:
            target.write(_files(examination, record))
        clock("writing", 1, 1)
    except BaseException:
        if target is not None:
            target.undo()
        raise
    return Examined(record, out, examination)


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
    files[REPORT] = report.render(record, figure).encode()
    files[RECORD] = encode(record)
    return files


class Output:
    """One output folder: prepared, written, or put back as it was."""

    def __init__(self, folder: Path, *, created: bool, replace: bool = False) -> None:
        self.folder = folder
        self._created = created
        self._replace = replace
        self._written: list[Path] = []

    @classmethod
    def prepare(cls, folder: Path, *, replace: bool) -> Output:
        """Make or check the folder before any work is done.

        Raises:
            OutputRefused: not a folder, not writable, or not empty (an earlier record is only
                overwritten with ``replace``).
        """
        try:
            if not folder.exists():
                folder.mkdir(parents=True)
                output = cls(folder, created=True)
            else:
                output = cls(folder, created=False, replace=replace)
                output._check(replace=replace)
        except OSError as error:
            reason = f"cannot be used as output folder ({error.strerror or error})"
            raise OutputRefused(str(folder), reason, "give another place with --out") from error
        output._probe()
        return output

    def _check(self, *, replace: bool) -> None:
        shown = str(self.folder)
        if not self.folder.is_dir():
            raise OutputRefused(shown, "is not a folder", "give another place with --out")
        if (self.folder / RECORD).exists():
            if not replace:
                raise OutputRefused(
                    shown, "holds an earlier record", "give another --out, or add --replace"
                )
        elif any(self.folder.iterdir()):
            raise OutputRefused(shown, "is not empty", "give a new or empty folder with --out")

    def _probe(self) -> None:
        probe = self.folder / ".probe"
        try:
            atomic.write(probe, b"")
            probe.unlink()
        except OutputRefused as error:
            self.undo()
            raise OutputRefused(str(self.folder), error.reason, error.remedy) from error

    def write(self, files: dict[str, bytes]) -> None:
        """Write all files beside the old ones, then put them in place, the record last.

        Until everything is on the disk an earlier result stays whole; what fails here is cleared
        up by ``undo``.

        Raises:
            OutputRefused: disk full, not writable, or another run finished in this folder.
        """
        waiting = {name: self.folder / f".new-{name}" for name in files}
        for name, data in files.items():
            self._written.append(waiting[name])
            atomic.write(waiting[name], data)
        if not self._replace and (self.folder / RECORD).exists():
            shown = str(self.folder)
            raise OutputRefused(shown, "another run finished there meanwhile", "give another --out")
        with suppress(FileNotFoundError):
            (self.folder / RECORD).unlink()  # an old record beside new figures would be a lie
        for name in (*OURS, *files):
            if name not in files:
                (self.folder / name).unlink(missing_ok=True)
            elif waiting[name].exists():
                waiting[name].replace(self.folder / name)
                if not self._replace:
                    self._written.append(self.folder / name)

    def undo(self) -> None:
        """Remove what this run wrote, and the folder if this run made it."""
        for path in self._written:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        self._written.clear()
        if self._created:
            shutil.rmtree(self.folder, ignore_errors=True)


class _Clock:
    """Passes progress on and keeps the wall time of each stage."""

    def __init__(self, progress: Progress) -> None:
        self.started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._progress = progress
        self._stage = "starting"
        self._since = time.perf_counter()
        self._spent: dict[str, float] = {}

    def __call__(self, stage: str, done: int, of: int) -> None:
        now = time.perf_counter()
        self._spent[self._stage] = self._spent.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now
        self._progress(stage, done, of)

    def seconds(self) -> dict[str, float]:
        """Wall seconds per stage so far."""
        return {k: round(v, 4) for k, v in self._spent.items()}


def folder_name(published: Path, taken: set[str]) -> str:
    """``<name>.wholecloth``, numbered where two published files share a name."""
    base = published.name
    name, number = base + SUFFIX, 2
    while name in taken:
        name, number = f"{base}-{number}{SUFFIX}", number + 1
    taken.add(name)
    return name


def withdraw(made: Sequence[Path]) -> None:
    """Remove the results of this run again: age doubt on one item stops all of it."""
    for folder in made:
        for name in OURS:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()


def write_summary(out: Path, items: Sequence[dict[str, Any]]) -> None:
    """``summary.json`` of a batch: per item its folder, verdict and outcome, or its error."""
    rows = []
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
    data = json.dumps({"items": rows}, ensure_ascii=False, indent=1) + "\n"
    out.mkdir(parents=True, exist_ok=True)
    atomic.write(out / "summary.json", data.encode("utf-8", "surrogateescape"))
