"""Ask an index which photograph a published picture was made from.

Words bring candidates up, geometry verifies them, and the dense comparison that ``examine`` makes
says how each is related: the same photograph, another photograph of the same scene, a part of it,
or none of these.  The photographs themselves are read again for that; an index holds no pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from threadpoolctl import threadpool_limits

from wholecloth.errors import InputRefused
from wholecloth.intake.collect import Skipped, file_source
from wholecloth.intake.decode import Progress, WorkerPool, picture
from wholecloth.intake.limits import DEFAULT, Limits
from wholecloth.model.comparison import Alignment, Comparison
from wholecloth.model.media import RGB, Mask, Picture, Source
from wholecloth.pipeline import MAX_COMPARED, compare
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.index import Index
from wholecloth.retrieval.linear import FEW_FEATURES, LOOKED, Lead, search
from wholecloth.retrieval.reading import FeatureStore, Reader

Verdict = Literal["same_photo", "partial", "same_scene", "no_match"]
_ORDER: tuple[Verdict, ...] = ("same_photo", "partial", "same_scene", "no_match")
_OF_KIND: dict[str, Verdict] = {
    "copy": "same_photo",
    "edit": "same_photo",
    "rerendered": "same_photo",
    "partial": "partial",
    "same_scene": "same_scene",
    "none": "no_match",
}
LOOKED_LARGE, LARGE = 100, 100_000
"""Candidates verified at most from ``LARGE`` pictures on."""
SMALL_SIDE = 150
"""Pictures with a shorter long side are found again less often (see docs/measured.md)."""


_EXCHANGED = "the file there is another one than was added"


@dataclass(frozen=True, slots=True)
class Result:
    """One photograph of the index that was compared with the picture asked for."""

    image: int
    sha256: str
    verdict: Verdict
    share: float | None
    """Of the published frame that this photograph explains, 0-1; None without a comparison."""
    changed: float | None
    """Of the comparable area that differs, 0-1."""
    inliers: int
    """Effective ones of the geometric verification."""
    because: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an index says to one picture."""

    query_sha256: str
    verdict: Verdict
    """The best of the results, or ``no_match``."""
    results: tuple[Result, ...]
    """Best first."""
    not_verified: tuple[tuple[str, str], ...]
    """(SHA-256, why) of candidates whose photographs could not be read again."""
    looked: int
    """Candidates verified against their photographs."""
    of: int
    """Pictures in the index."""
    reach: tuple[str, ...]
    """What limits the answer, in sentences; empty where nothing does."""


class _Shortlist:
    """Candidates of one picture from an index, as sources that ``search`` can read."""

    def __init__(self, index: Index, published: Picture) -> None:
        self.sources: list[Source] = []
        self.images: list[int] = []
        self.lost: dict[int, str] = {}
        self._index = index
        self._published = published
        self._count = LOOKED_LARGE if len(index) >= LARGE else LOOKED

    @property
    def skipped(self) -> dict[int, Skipped]:
        """None: what cannot be read is in ``lost``."""
        return {}

    def first(self) -> list[tuple[int, float]]:
        """The same bytes, then the same whole picture by its hash, then by words."""
        manifest, pixels = self._index.manifest, self._published.pixels
        own = manifest.by_sha256(bytes.fromhex(self._published.digests.sha256))
        ranked = self._index.rank(pixels, self._count)
        top = ranked[0].score if ranked else 1.0
        found = {own.id: 2 * top} if own is not None else {}
        for image in self._index.reposts(pixels)[: self._count]:
            found.setdefault(image, top)
        for one in ranked:
            found.setdefault(one.image, one.score)
        return self._listed(found)

    def closer(self) -> list[tuple[int, float]]:
        """Large photographs, by their detail."""
        ranked = self._index.rank(self._published.pixels, self._count, "detail")
        return self._listed({one.image: one.score for one in ranked})

    def area(self, pixels: RGB, where: Mask) -> list[tuple[int, float]]:
        """By an area of the frame."""
        ranked = self._index.rank(pixels, self._count, "first", where)
        return self._listed({one.image: one.score for one in ranked})

    def _listed(self, found: dict[int, float]) -> list[tuple[int, float]]:
        at = {image: i for i, image in enumerate(self.images)}
        out = []
        for image, score in found.items():
            if image not in at and not self._sourced(image):
                continue
            at.setdefault(image, len(self.images) - 1)
            out.append((at[image], score))
        return out

    def _sourced(self, image: int) -> bool:
        """Add the photograph's file to the sources, if it is where it was."""
        if image in self.lost:
            return False
        for path in self._index.manifest.places_of(image):
            try:
                source = file_source(Path(path), self._index.sha256_of(image))
            except InputRefused as error:
                self.lost[image] = error.reason
                continue
            self.sources.append(source)
            self.images.append(image)
            self.lost.pop(image, None)
            return True
        self.lost.setdefault(image, "no place of it is known")
        return False


def find(
    index: Index,
    paths: Sequence[Path],
    *,
    cache: FeatureCache | None = None,
    limits: Limits = DEFAULT,
    progress: Progress = lambda *_: None,
) -> Iterator[Answer | Skipped]:
    """Answers for published pictures, one after the other.

    A file that cannot be read gives a ``Skipped``, and the rest goes on.

    Args:
        index: open.
        paths: files.
        cache: features of files read before; none by default.
        limits: of decoding one file.
        progress: called with (stage, done, of); may raise to stop.
    """
    with WorkerPool(limits=limits) as pool, threadpool_limits(limits=1, user_api="blas"):
        for path in paths:
            try:
                published = picture(pool.decode(file_source(path)))
            except InputRefused as error:
                yield Skipped(str(path), error.reason, "unread")
                continue
            yield answer(index, published, pool, cache, progress)


def answer(
    index: Index,
    published: Picture,
    pool: WorkerPool,
    cache: FeatureCache | None = None,
    progress: Progress = lambda *_: None,
) -> Answer:
    """The answer for one decoded picture."""
    shortlist = _Shortlist(index, published)
    reader = Reader(shortlist.sources, pool, FeatureStore(), cache)
    found = search(published, reader, progress, shortlist)
    results, lost = [], dict(shortlist.lost)
    sha256 = published.digests.sha256
    own = index.manifest.by_sha256(bytes.fromhex(sha256))
    if own is not None:  # by what was added, whatever lies there now
        lost.pop(own.id, None)
        results.append(Result(own.id, sha256, "same_photo", 1.0, 0.0, 0, "the same bytes"))
    leads = found.leads[:MAX_COMPARED]
    for done, lead in enumerate(leads):
        progress("comparing", done, len(leads))
        image = shortlist.images[lead.index]
        result = _compared(index, image, published, reader, lead)
        if isinstance(result, str):
            lost[image] = result
        else:
            results.append(result)
    by_name = {source.name: i for i, source in enumerate(shortlist.sources)}
    for skipped in found.skipped:
        lost[shortlist.images[by_name[skipped.name]]] = skipped.reason
    for i, sha256 in found.digests:
        image = shortlist.images[i]
        if sha256 != index.sha256_of(image):
            lost.setdefault(image, _EXCHANGED)
    exact = published.digests.sha256
    results.sort(
        key=lambda r: (
            _ORDER.index(r.verdict),
            r.sha256 != exact,
            -(r.share or 0.0),
            -r.inliers,
        )
    )
    return Answer(
        published.digests.sha256,
        results[0].verdict if results else "no_match",
        tuple(results),
        tuple((index.sha256_of(i), why) for i, why in lost.items()),
        len(found.digests),
        len(index),
        tuple(_reach(published, len(found.leads), lost)),
    )


def _compared(
    index: Index, image: int, published: Picture, reader: Reader, lead: Lead
) -> Result | str:
    """How one photograph is related to the picture; a reason where it cannot be said."""
    source = reader.sources[lead.index]
    sha256 = index.sha256_of(image)
    try:
        original = picture(reader.pool.decode(source))
    except InputRefused as error:
        return error.reason
    if original.digests.sha256 != sha256:
        return _EXCHANGED
    compared = compare(original, published, lead.verified)
    return Result(
        image,
        sha256,
        _OF_KIND[compared.kind],
        _explained(compared),
        compared.edits.share if compared.edits is not None else None,
        lead.verified.effective,
        compared.reason,
    )


def _explained(compared: Comparison) -> float | None:
    """Share of the published frame that the photograph covers and where it agrees."""
    edits = compared.edits
    if edits is None or not isinstance(compared.alignment, Alignment):
        return None
    return float((edits.comparable & ~edits.mask).mean())


def _reach(published: Picture, leads: int, lost: dict[int, str]) -> Iterator[str]:
    height, width = published.shape
    if max(height, width) < SMALL_SIDE:
        yield (
            f"the picture is only {width} × {height} pixels: pictures so small are often not "
            "found again; look for a larger post of it"
        )
    if not leads and len(extract(published.pixels, QUICK).points) < FEW_FEATURES:
        yield "the picture is too plain for the search to hold on to"
    if lost:
        yield (
            f"{len(lost)} candidate(s) could not be compared, since their photographs could not "
            "be read where they were added"
        )
