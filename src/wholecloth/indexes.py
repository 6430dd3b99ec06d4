"""What people do with an index, each thing noted in the index's own log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wholecloth.casework import ledger
from wholecloth.errors import AgeDoubt, InputRefused, UsageRefused
from wholecloth.intake.collect import Skipped, worth_decoding
from wholecloth.intake.decode import Progress
from wholecloth.originals import Answer, find
from wholecloth.retrieval.cache import FeatureCache
from wholecloth.retrieval.index import About, Index, adding, upkeep, walk
from wholecloth.retrieval.index.adding import Added
from wholecloth.retrieval.index.upkeep import Erased


def create(
    folder: Path,
    *,
    owner: str,
    purpose: str,
    may_ask: Sequence[str] = (),
    per_hour: int = 0,
    vault: Path | None = None,
    like: Path | None = None,
    postings: str = "",
) -> About:
    """Make an index and begin its log; see ``Index.create``.

    Args:
        folder, owner, purpose, may_ask, per_hour, vault: as there.
        like: folder of an index to share the secret of.
        postings: address of a cluster to keep them in.
    """
    other = Index.open(like, vault=vault) if like is not None else None
    with Index.create(
        folder,
        owner=owner,
        purpose=purpose,
        may_ask=may_ask,
        per_hour=per_hour,
        vault=vault,
        like=other,
        postings=postings,
    ) as index:
        if other is not None:
            other.close()
        about = index.about
        ledger.note(_log(index), "created", "index", owner=about.owner, purpose=about.purpose)
        return about


@contextmanager
def opened(folder: Path, vault: Path | None = None, writing: bool = False) -> Iterator[Index]:
    """An index, closed at the end; see ``Index.open``."""
    with Index.open(folder, vault=vault, writing=writing) as index:
        yield index


def add(
    index: Index,
    paths: Sequence[Path],
    *,
    lists: Sequence[Path] = (),
    jobs: int = 1,
    executor: Executor | None = None,
    detail: bool = True,
    retry: bool = False,
    progress: Progress = lambda *_: None,
) -> Added:
    """Add photographs and log it; see ``adding.add``.

    After a doubt about age, what this run added is erased again.
    """
    before = int(index.manifest.get("next"))
    try:
        return adding.add(
            index,
            paths,
            lists=lists,
            jobs=jobs,
            executor=executor,
            detail=detail,
            retry=retry,
            progress=progress,
        )
    except AgeDoubt:
        upkeep.withdraw(index, before)
        raise
    finally:
        after = int(index.manifest.get("next"))
        if after != before:
            ledger.note(_log(index), "added", "pictures", first=before, next=after)


def ask(
    index: Index,
    files: Sequence[Path],
    *,
    reveal: str | None = None,
    log: Path | None = None,
    cache: FeatureCache | None = None,
    progress: Progress = lambda *_: None,
) -> Iterator[tuple[Answer | Skipped, dict[str, list[str]]]]:
    """Answers for pictures and folders of them, each logged before it is given.

    Args:
        index: open.
        files: pictures, and folders of pictures.
        reveal: why paths are shown; logged first.
        log: a log elsewhere, for an index in a read-only place.
        cache: features of files read before.
        progress: called with (stage, done, of).

    Yields:
        An answer, or why there is none (a file that cannot be read, the hourly limit); and, with
        ``reveal``, the paths of the results by SHA-256.

    Raises:
        IndexRefused: whoever is working may not ask, or has asked too often this hour.
        OutputRefused: the log cannot be written; then nothing is answered.
    """
    about, path = index.about, log or _log(index)
    ledger.may_ask(index.folder, about.may_ask)
    left = ledger.left_this_hour(path, about.per_hour)
    if reveal is not None:
        if not reveal.strip():
            raise UsageRefused("--reveal", "needs a reason", "say why paths are shown")
        ledger.note(path, "names_shown", "results", reason=reveal.strip())
    pictures = _pictures(files)
    for said in find(index, pictures[:left], cache=cache, progress=progress):
        if isinstance(said, Skipped):
            yield said, {}
            continue
        ledger.note(path, "asked", index.mark(said.query_sha256), verdict=said.verdict)
        shown: dict[str, list[str]] = {}
        if reveal is not None:
            shown = {r.sha256: index.manifest.places_of(r.image) for r in said.results}
        yield said, shown
    for late in pictures[left:]:
        reason = f"was not asked: {about.per_hour} questions an hour are the limit of this index"
        yield Skipped(str(late), reason, "unread"), {}


def erase(index: Index, named: Sequence[str]) -> Erased:
    """Erase and log it, without naming what; see ``upkeep.erase``."""
    done = upkeep.erase(index, named)
    ledger.note(_log(index), "erased", "pictures", count=done.pictures)
    return done


def allow(index: Index, digests: Sequence[str]) -> None:
    """Let erased content be added again."""
    upkeep.allow(index, digests)
    ledger.note(_log(index), "allowed", "pictures", count=len(digests))


def compact(index: Index) -> int:
    """See ``upkeep.compact``."""
    joined = upkeep.compact(index)
    ledger.note(_log(index), "compacted", "segments", count=joined)
    return joined


def merge(index: Index, other: Index, progress: Progress = lambda *_: None) -> int:
    """See ``upkeep.merge``."""
    done = upkeep.merge(index, other, progress)
    ledger.note(_log(index), "merged", other.about.id, count=done)
    return done


def damage(index: Index) -> Iterator[str]:
    """Everything that does not hold, in words, the log included."""
    yield from upkeep.damage(index)
    yield from ledger.damage(_log(index))


def stats(index: Index) -> dict[str, Any]:
    """See ``upkeep.stats``."""
    return upkeep.stats(index)


def _log(index: Index) -> Path:
    return index.folder / ledger.LEDGER


def _pictures(files: Sequence[Path]) -> list[Path]:
    """Files as given; of folders, what begins like a picture."""
    out: list[Path] = []
    for top in files:
        if not top.is_dir():
            out.append(top)
            continue
        found = [Path(p) for p in walk.files([top], [])]
        inside = [p for p in found if worth_decoding(p, str(p), []) is not None]
        if not inside:
            raise InputRefused(str(top), "holds no picture", "name a picture, or another folder")
        out += inside
    return out
