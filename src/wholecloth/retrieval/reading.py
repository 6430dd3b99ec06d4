"""Features of candidates: from memory, from the cache, or from the file."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np

from wholecloth.errors import HostileMedia, WholeclothError
from wholecloth.intake.collect import Skipped, identity_now
from wholecloth.intake.decode import WorkerPool, digest_of
from wholecloth.model.media import Source
from wholecloth.retrieval.cache import FeatureCache, fingerprint
from wholecloth.retrieval.features import (
    DEEP,
    QUICK,
    VERSION,
    WHOLE,
    Features,
    FeatureSettings,
    extract,
)
from wholecloth.retrieval.verify import VERSION as VERIFY_VERSION
from wholecloth.retrieval.verify import Verified, verify

_SETTLED_NS = 50_000_000
"""A file changed less than this before it was read may change again without a newer time stamp."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """One candidate's features with what identifies it."""

    features: Features
    sha256: str
    pixels: int
    """Of the full-size picture."""


class FeatureStore:
    """Features and refusals of one run, so that several published pictures read a folder once.

    In memory only, up to a budget; what does not fit is read again.
    """

    def __init__(self, budget_bytes: int = 300 * 2**20) -> None:
        self._left = budget_bytes
        self._known: dict[tuple[int, FeatureSettings], Read | Skipped] = {}
        self._lock = threading.Lock()

    def get(self, index: int, settings: FeatureSettings) -> Read | Skipped | None:
        """What is known of a candidate, None if nothing."""
        return self._known.get((index, settings))

    def put(self, index: int, settings: FeatureSettings, what: Read | Skipped) -> None:
        """Keep it if it fits."""
        size = what.features.nbytes if isinstance(what, Read) else 0
        with self._lock:
            if size <= self._left:
                self._left -= size
                self._known[index, settings] = what

    def forget(self, index: int) -> None:
        """Drop a candidate that was found changed."""
        with self._lock:
            for key in [k for k in self._known if k[0] == index]:
                del self._known[key]


class Reader:
    """Reads candidates' features, each file once."""

    def __init__(
        self,
        sources: Sequence[Source],
        pool: WorkerPool,
        store: FeatureStore | None = None,
        cache: FeatureCache | None = None,
        *,
        paranoid: bool = False,
    ) -> None:
        self.sources = sources
        self.pool = pool
        self.from_cache = 0
        """How many reads the cache answered."""
        self._store = store or FeatureStore(0)
        self._cache = cache
        self.paranoid = paranoid

    def read(self, index: int, settings: FeatureSettings) -> Read | Skipped:
        """Features of one candidate, or why it has none."""
        known = self._store.get(index, settings)
        if known is None:
            known = self._recalled(self.sources[index], settings)
            if known is None:
                known = self._decoded(self.sources[index], settings)
            self._store.put(index, settings, known)
        return known

    def matched(
        self,
        read: Read,
        query: Features,
        query_sha256: str,
        settings: FeatureSettings,
    ) -> Verified | None:
        """Verify a candidate against the query; the cache remembers pairs by their digests."""
        if self._cache is None:
            return verify(read.features, query)
        identity = ["pair", query_sha256, read.sha256, VERIFY_VERSION, self._how(settings)]
        body = self._cache.get(identity)
        if body is not None:
            return _pair_opened(body)
        found = verify(read.features, query)
        self._cache.put(identity, _pair_closed(found))
        return found

    def forget(self, index: int) -> None:
        """A candidate turned out to be another file than was read."""
        self._store.forget(index)
        for settings in (QUICK, DEEP, WHOLE):
            identity = self._identity(self.sources[index], settings)
            if self._cache is not None and identity is not None:
                self._cache.forget(identity)

    def _identity(self, source: Source, settings: FeatureSettings) -> list[object] | None:
        if source.identity is None:
            return None
        return [*source.identity, self._how(settings)]

    @property
    def limits_key(self) -> str:
        """What a cached row depends on beside its own settings."""
        return json.dumps([asdict(self.pool.limits), cv2.__version__])

    def _how(self, settings: FeatureSettings) -> str:
        limits = asdict(self.pool.limits)
        return fingerprint(json.dumps([VERSION, asdict(settings), limits, cv2.__version__]))

    def _recalled(self, source: Source, settings: FeatureSettings) -> Read | Skipped | None:
        identity = self._identity(source, settings)
        if self._cache is None or identity is None:
            return None
        body = self._cache.get(identity)
        if body is None:
            return None
        known = _opened(body, source.name)
        if isinstance(known, Read) and self.paranoid and digest_of(source) != known.sha256:
            self._cache.forget(identity)
            return None
        self.from_cache += 1
        return known

    def _decoded(self, source: Source, settings: FeatureSettings) -> Read | Skipped:
        keep = True
        known: Read | Skipped
        try:
            decoded = self.pool.decode(source, max_side=settings.side)
        except WholeclothError as error:
            known = Skipped(source.name, error.reason, "unread")
            keep = not isinstance(error, HostileMedia)  # time and memory may suffice next time
        else:
            width, height = decoded.facts.width, decoded.facts.height
            if min(width, height) < self.pool.limits.min_side:
                reason = f"too small to compare ({width} × {height} pixels)"
                known = Skipped(source.name, reason, "unread")
            else:
                features = extract(decoded.pixels, settings, (height, width))
                known = Read(features, decoded.digests.sha256, width * height)
        identity = self._identity(source, settings)
        if keep and self._cache is not None and identity is not None and settled(source):
            self._cache.put(identity, _closed(known))
        return known


def settled(source: Source) -> bool:
    """Whether the file is still the one that was read, and its time stamps can tell a change."""
    now = identity_now(source)
    if now is None or now != source.identity:
        return False
    return time.time_ns() - max(now[3], now[4]) > _SETTLED_NS


def _closed(known: Read | Skipped) -> bytes:
    if isinstance(known, Skipped):
        return json.dumps({"skipped": known.reason, "kind": known.kind}).encode()
    f = known.features
    head = {
        "sha256": known.sha256,
        "pixels": known.pixels,
        "width": f.width,
        "scale": f.scale,
        "count": len(f.points),
    }
    return json.dumps(head).encode() + b"\n" + f.points.tobytes() + f.sift.tobytes()


def _opened(body: bytes, name: str) -> Read | Skipped:
    line, _, rest = body.partition(b"\n")
    head = json.loads(line)
    if "skipped" in head:
        return Skipped(name, head["skipped"], head["kind"])
    count = int(head["count"])
    points = np.frombuffer(rest, np.float64, count * 2).reshape(count, 2)
    sift = np.frombuffer(rest, np.uint8, count * 128, offset=count * 16).reshape(count, 128)
    features = Features(points, sift, head["width"], head["scale"])
    return Read(features, head["sha256"], int(head["pixels"]))


def _pair_closed(found: Verified | None) -> bytes:
    return json.dumps(_plain(found)).encode()


def _plain(found: Verified | None) -> dict[str, Any] | None:
    if found is None:
        return None
    fields = {k: getattr(found, k) for k in Verified.__slots__}
    fields["original_to_published"] = found.original_to_published.tolist()
    fields["rival"] = _plain(found.rival)
    return fields


def _pair_opened(body: bytes) -> Verified | None:
    return _verified(json.loads(body))


def _verified(fields: dict[str, Any] | None) -> Verified | None:
    if fields is None:
        return None
    matrix = np.array(fields.pop("original_to_published"), np.float64)
    rival = _verified(fields.pop("rival"))
    return Verified(original_to_published=matrix, rival=rival, **fields)
