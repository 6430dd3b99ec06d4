"""The same proof the other way round: one original, many published files.

For a hotline's intake or a platform's queue.  Every file gets the verdict that ``examine`` with
this one candidate would give it.  Answers name items by label and SHA-256; file names are shown
only for a reason, which is logged first.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785
from threadpoolctl import threadpool_limits

from wholecloth.casework import ledger
from wholecloth.casework.custody import LOG, Custody
from wholecloth.casework.output import COPIES, Output
from wholecloth.casework.verify import record_digest
from wholecloth.errors import InputRefused, WholeclothError
from wholecloth.intake.collect import Collected, collect, file_source
from wholecloth.intake.decode import Progress, WorkerPool, digest_of, picture
from wholecloth.intake.limits import memory_refused, out_of_memory
from wholecloth.model.comparison import Alignment, Candidate, Verdict
from wholecloth.model.media import Picture, Source
from wholecloth.pipeline import compare, settle
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.features import DEEP, QUICK, Features
from wholecloth.retrieval.index import About, Index
from wholecloth.retrieval.index.upkeep import is_index
from wholecloth.retrieval.linear import (
    DEEP_FROM_PIXELS,
    ENOUGH,
    FEW_FEATURES,
    STRONG,
    in_threads,
    search,
)
from wholecloth.retrieval.reading import FeatureStore, Read, Reader
from wholecloth.retrieval.verify import verify
from wholecloth.share.record import number, settings_of, text_only, versions
from wholecloth.share.words import MATCHED

SCHEMA_VERSION = "1.1"
NO_MATCH = "no_match"
"""Neither a copy nor an edit of the original, as far as can be told."""


@dataclass(frozen=True, slots=True)
class Copies:
    """One finished search of a queue."""

    record: dict[str, Any]
    """As plain data; items without names."""
    folder: Path | None
    names: dict[str, str] = field(repr=False)
    """Label → path of what matched; empty unless a reason was given, and then it is logged."""


def find_copies(
    original: Path,
    queue: Sequence[Path],
    *,
    out: Path | None = None,
    replace: bool = False,
    names_for: str | None = None,
    cache: FeatureCache | None = None,
    paranoid: bool = False,
    vault: Path | None = None,
    progress: Progress = lambda *_: None,
) -> Copies:
    """Examine many published files against one original.

    Args:
        original: the reference picture.
        queue: files, folders and indexes of published files.  Of an index, the pictures that have
            most in common with the original are examined.
        out: folder for ``copies.json`` and the custody log; nothing is written without it.
        replace: overwrite an earlier result in ``out``.
        names_for: why file names will be shown; logged with the result, before anybody can.
        cache: features of files read before.
        paranoid: hash cached files again.
        vault: file of the vault key of an encrypted index.
        progress: called with (stage, done, of); whatever it raises stops the run cleanly.

    Raises:
        InputRefused: the original, the queue or the output folder cannot be used.
    """
    source = file_source(original)
    for top in queue:
        if not top.exists():
            raise InputRefused(str(top), "does not exist", "check the spelling of --in")
    folders = [top for top in queue if is_index(top)]
    collected = collect([top for top in queue if top not in folders])
    if not folders and not collected.sources and not collected.skipped:
        raise InputRefused(
            ", ".join(map(str, queue)), "holds no files", "name the folder to search with --in"
        )
    target = Output.prepare(out, replace=replace) if out is not None else None
    custody = Custody()
    try:
        custody.add("started", "run")
        started = _now()
        with WorkerPool() as pool, threadpool_limits(limits=1, user_api="blas"):
            reference = picture(pool.decode(source))
            custody.add("received", "R1", sha256=reference.digests.sha256, size=source.size)
            asked = [_asked(folder, reference, vault) for folder in folders]
            if asked:
                collected = _with(collected, asked)
            custody.add("listed", "queue", files=len(collected.sources))
            reader = Reader(collected.sources, pool, None, cache, paranoid=paranoid)
            own = Reader([source], pool, FeatureStore())
            items = [
                _exchanged(item, source, asked)
                for item, source in zip(
                    _Queue(reference, own, reader, progress).examined(),
                    collected.sources,
                    strict=True,
                )
            ]
            left_out = _left_out(collected)
        record = _record(reference, items, left_out, asked)
        for item in record["items"]:
            custody.add("compared", item["label"], sha256=item["sha256"], verdict=item["verdict"])
        custody.add("decided", "queue", **record["counts"])
        names = {}
        if names_for is not None:
            matched = [r["label"] for r in record["items"] if r["verdict"] in MATCHED]
            custody.add("names_shown", "queue", labels=matched, reason=names_for)
            names = {label: collected.sources[int(label[1:]) - 1].name for label in matched}
        record["run"] = {
            "started": started,
            "finished": _now(),
            "read_from_cache": reader.from_cache,
            "isolation": list(pool.isolation),
            "custody": custody.seal,
        }
        if target is not None:
            data = rfc8785.dumps(record) + b"\n"
            custody.add("written", "result", files={COPIES: hashlib.sha256(data).hexdigest()})
            target.write({LOG: custody.encode(), COPIES: data})
    except BaseException as error:
        if target is not None:
            target.undo()
        if out_of_memory(error):
            raise memory_refused(str(original)) from error
        raise
    return Copies(record, out, names)


@dataclass(frozen=True, slots=True)
class _Item:
    """One file of the queue: numbers only, so that a long queue stays small."""

    sha256: str | None
    verdict: Verdict | str
    sentence: str
    changed_share: float | None = None
    inliers: int | None = None
    mirrored: bool | None = None


@dataclass(slots=True)
class _Queue:
    """The original against every file, two depths like ``retrieval.linear``."""

    reference: Picture
    own: Reader
    """Reads the original alone."""
    reader: Reader
    progress: Progress
    _features: dict[int, Features] = field(default_factory=dict)

    def examined(self) -> list[_Item]:
        for settings in (QUICK, DEEP):
            read = self.own.read(0, settings)
            if not isinstance(read, Read):
                raise InputRefused("original", read.reason, "give a larger or undamaged picture")
            self._features[settings.side] = read.features
        if all(len(f.points) < FEW_FEATURES for f in self._features.values()):
            reason = "is too small or too plain for the search to hold on to"
            raise InputRefused("original", reason, "give a larger or less cropped original")
        indices = range(len(self.reader.sources))
        looked = in_threads(
            self._look,
            indices,
            self.reader.pool.count,
            tick=lambda n: self.progress("looking at the queue", n, len(indices)),
            stop=self.reader.pool.close,
        )
        out = []
        for index, seen in zip(indices, looked, strict=True):
            self.progress("comparing", index, len(indices))
            out.append(seen if isinstance(seen, _Item) else self._compare(index, seen))
        self.progress("comparing", len(indices), len(indices))
        return out

    def _look(self, index: int) -> _Item | str:
        """The item's SHA-256 where it shares features with the original, else its verdict."""
        read = self.reader.read(index, QUICK)
        if not isinstance(read, Read):
            digest = digest_of(self.reader.sources[index]) or None
            return _Item(digest, "unread", read.reason)
        if len(read.features.points) < FEW_FEATURES:
            reason = "too small or too plain for the search to hold on to"
            return _Item(read.sha256, "undetermined", reason)
        best = verify(self._features[QUICK.side], read.features)
        height, width = self.reference.shape
        strong = best is not None and best.effective >= STRONG
        if not strong and height * width > DEEP_FROM_PIXELS:
            closer = self.reader.read(index, DEEP)
            if isinstance(closer, Read):
                second = verify(self._features[DEEP.side], closer.features)
                if second and (best is None or second.effective > best.effective):
                    best = second
        if best is None or best.effective < ENOUGH:
            return _Item(read.sha256, NO_MATCH, "it does not share features with the original")
        return read.sha256

    def _compare(self, index: int, sha256: str) -> _Item:
        try:
            published = picture(self.reader.pool.decode(self.reader.sources[index]))
        except WholeclothError as error:
            return _Item(sha256, "unread", error.reason)
        sha256 = published.digests.sha256
        if sha256 == self.reference.digests.sha256:
            return _Item(sha256, "copy", "the same bytes as the original")
        # Screened; from here on it is what ``examine`` does with this one candidate.
        found = search(published, self.own, lambda *_: None)
        if not found.leads:
            return _Item(sha256, NO_MATCH, "nothing was found when looked closer")
        comparison = compare(self.reference, published, found.leads[0].verified)
        candidate = Candidate("R1", self.reference, comparison)
        settled = settle(published, found, [candidate], ())
        if settled.verdict == "no_original":
            return _Item(sha256, NO_MATCH, comparison.reason)
        sentence = settled.sentence.replace("S1", "R1")
        edits, alignment = comparison.edits, comparison.alignment
        aligned = isinstance(alignment, Alignment)
        return _Item(
            sha256,
            settled.verdict,
            sentence,
            edits.share if edits is not None else None,
            alignment.inliers if aligned else None,
            alignment.mirrored if isinstance(alignment, Alignment) else None,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one index gave."""

    about: About
    pictures: int
    sources: tuple[Source, ...]
    added_as: dict[str, str]
    """Path → SHA-256 as it was added."""
    gone: int
    """Likely pictures whose files are not where they were added."""
    holds_original: bool
    """Whether the original's own bytes are in it."""


_FROM_INDEX = 200
"""Pictures of an index examined in each tier at most: a post may be in it hundreds of times."""


def _asked(folder: Path, reference: Picture, vault: Path | None) -> _Asked:
    """The pictures of an index that have most in common with the original; the question is logged.

    Raises:
        IndexRefused: it may not be asked, or not now.
    """
    with Index.open(folder, vault=vault) as index:
        about, log = index.about, folder / ledger.LEDGER
        ledger.may_ask(folder, about.may_ask)
        ledger.left_this_hour(log, about.per_hour)
        ledger.note(log, "asked", index.mark(reference.digests.sha256), verdict="find-copies")
        ranked = (
            *index.reposts(reference.pixels),
            *(r.image for r in index.rank(reference.pixels, _FROM_INDEX)),
            *(r.image for r in index.rank(reference.pixels, _FROM_INDEX, "detail")),
        )
        own = index.manifest.by_sha256(bytes.fromhex(reference.digests.sha256))
        sources: list[Source] = []
        added_as: dict[str, str] = {}
        likely = list(dict.fromkeys(ranked))
        for image in likely:
            for path in index.manifest.places_of(image):
                try:
                    sources.append(file_source(Path(path)))
                except InputRefused:
                    continue
                added_as[path] = index.sha256_of(image)
                break
        gone = len(likely) - len(sources)
        return _Asked(about, len(index), tuple(sources), added_as, gone, own is not None)


def _exchanged(item: _Item, source: Source, asked: Sequence[_Asked]) -> _Item:
    """An item of an index that is not what was added is not examined as if it were."""
    added = next((a.added_as[source.path] for a in asked if source.path in a.added_as), None)
    if added is None or item.sha256 in (None, added):
        return item
    return _Item(item.sha256, "unread", "the file there is another one than was added to the index")


def _with(collected: Collected, asked: Sequence[_Asked]) -> Collected:
    """The queue and what the indexes gave, each file once."""
    sources = {s.path: s for s in collected.sources}
    for one in asked:
        sources |= {s.path: s for s in one.sources if s.path not in sources}
    return Collected(tuple(sources.values()), collected.skipped)


def _left_out(collected: Collected) -> list[dict[str, Any]]:
    """What was not examined: kind and reason, no names."""
    named = {"duplicate": "the same bytes as an item of the queue, or a link"}
    return [{"kind": s.kind, "reason": named.get(s.kind, s.reason)} for s in collected.skipped]


def _record(
    reference: Picture,
    items: Sequence[_Item],
    left_out: list[dict[str, Any]],
    asked: Sequence[_Asked] = (),
) -> dict[str, Any]:
    grouped = Counter((row["kind"], row["reason"]) for row in left_out)
    height, width = reference.shape
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "reference": {
            "label": "R1",
            "sha256": reference.digests.sha256,
            "width": width,
            "height": height,
            "pixels_sha256": reference.pixels_sha256,
        },
        "items": [_row(n, item) for n, item in enumerate(items, 1)],
        "counts": dict(sorted(Counter(str(i.verdict) for i in items).items())),
        "left_out": [{"kind": k, "reason": r, "count": n} for (k, r), n in sorted(grouped.items())],
        "indexes": [
            {
                "id": a.about.id,
                "owner": a.about.owner,
                "purpose": a.about.purpose,
                "pictures": a.pictures,
                "examined": len(a.sources),
                "gone": a.gone,
                "holds_original": a.holds_original,
            }
            for a in asked
        ],
        "settings": settings_of(),
        "versions": versions(),
    }
    record = text_only(record)
    record["record_digest"] = record_digest(record)
    return record


def _row(index: int, item: _Item) -> dict[str, Any]:
    return {
        "label": f"Q{index}",
        "sha256": item.sha256,
        "verdict": item.verdict,
        "because": item.sentence,
        "changed_share": number(item.changed_share),
        "inliers": item.inliers,
        "mirrored": item.mirrored,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
