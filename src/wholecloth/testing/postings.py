"""Postings of pictures that do not exist: made from a name, so that an index can be filled fast.

They are as random as real ones look without an index's secret, each picture's are its own, and
what they are can be told from the name alone, so that a search of the disk for their bytes needs
no record of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from wholecloth.retrieval.index import Index
from wholecloth.retrieval.index.bulk import How, Left, Taken
from wholecloth.retrieval.postings import rank
from wholecloth.retrieval.score import Asked, asked
from wholecloth.retrieval.vocabulary import Coded

FEATURES, DETAIL = 40, 60


def taken(path: str, features: int = FEATURES, detail: int = DETAIL) -> Taken:
    """What would be kept of a file of this name; its content is its name."""
    sha256 = hashlib.sha256(path.encode("utf-8", "surrogateescape")).digest()
    rng = np.random.default_rng(np.frombuffer(sha256, np.uint32))
    tiers = [
        Coded(
            rng.integers(0, 65536, count, dtype=np.uint16),
            rng.integers(0, 2**64, (count, 2), dtype=np.uint64),
        )
        for count in (features, detail)
    ]
    return Taken(path, (), sha256, 800, 600, tiers[0], tiers[1] if detail else None, rng.bytes(32))


class Drawn(Executor):
    """Takes the place of the processes of ``add``: gives drawn postings for whatever is named."""

    def __init__(self, features: int = FEATURES, detail: int = DETAIL) -> None:
        self._counts = features, detail

    def submit(self, _fn: Callable[..., Any], /, *args: Any, **_kwargs: Any) -> Future[Any]:
        """``_fn`` is ``bulk.take``; its first argument the paths."""
        paths, how = args
        if not isinstance(how, How):
            raise TypeError("made for bulk.take alone")
        done: Future[list[Taken | Left]] = Future()
        done.set_result([taken(path, *self._counts) for path in paths])
        return done


def query(picture: Taken) -> Asked:
    """The question that a picture would ask for itself."""
    return asked(Coded(picture.first.words[:, None], picture.first.signatures[:, None]))


def finds(index: Index, picture: Taken) -> bool:
    """Whether a search by words and one by PDQ both bring up the picture first."""
    row = index.manifest.by_sha256(picture.sha256)
    plain = query(picture)
    ranked = rank(index.postings, plain, plain, "first", 3)
    near = index.postings.near([picture.pdq], 0)
    return row is not None and bool(ranked) and {ranked[0][0], near[0][0]} == {row.id}


def traces(picture: Taken) -> Iterator[bytes]:
    """Everything of a picture that must not be on a disk after it was erased."""
    yield picture.sha256
    yield picture.sha256.hex().encode()
    yield picture.pdq
    yield picture.path.encode("utf-8", "surrogateescape")
    for coded in (picture.first, picture.detail):
        if coded is not None:
            yield from (half.tobytes() for half in coded.signatures.ravel())
