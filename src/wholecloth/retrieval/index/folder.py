"""An index: find the original of an edited picture among very many, and erase any of them."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from wholecloth import atomic
from wholecloth.errors import IndexRefused, OutputRefused, WholeclothError
from wholecloth.intake.pdq import dihedral
from wholecloth.model.media import RGB, Mask
from wholecloth.retrieval import score, selection, vocabulary
from wholecloth.retrieval.features import MIRROR
from wholecloth.retrieval.index import formats, stores
from wholecloth.retrieval.index import keys as sealing
from wholecloth.retrieval.index.keys import Keys
from wholecloth.retrieval.index.local import LocalSegments
from wholecloth.retrieval.index.manifest import NAME, Manifest
from wholecloth.retrieval.postings import Postings, TierName, rank
from wholecloth.retrieval.selection import ASKED, ASKED_DETAIL, Tier, descriptors
from wholecloth.retrieval.vocabulary import Encoder

METHOD = f"{selection.VERSION} {vocabulary.VOCABULARY} {score.VERSION}"
"""Postings made by another method cannot be compared with ours."""
PDQ_NEAR = 31
"""Bits; the threshold of ThreatExchange (facebook/ThreatExchange, hashing/hashing.pdf)."""
_TIERS: dict[TierName, Tier] = {"first": ASKED, "detail": ASKED_DETAIL}


@dataclass(frozen=True, slots=True)
class About:
    """What the manifest says of an index; printed with every answer."""

    id: str
    owner: str
    """Who is responsible for it."""
    purpose: str
    """The lawful purpose it is kept for."""
    created: str
    may_ask: tuple[str, ...]
    """Names (``WHOLECLOTH_ACTOR``) that may ask; empty: whoever can read the folder."""
    per_hour: int
    """Questions an asker has an hour; 0: no limit."""
    encrypted: bool
    postings: str = ""
    """Address of the cluster that holds them; empty: they lie in the folder."""

    def line(self) -> str:
        """One line for people."""
        return f"index {self.id}, kept by {self.owner} for: {self.purpose}"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A picture that has words in common with the one asked for."""

    image: int
    score: float
    """≥ 0; comparable within one answer only."""


class Index:
    """An open index.  Not for several threads at a time; any number of processes may read."""

    def __init__(self, folder: Path, keys: Keys, manifest: Manifest) -> None:
        self.folder = folder
        self.keys = keys
        self.manifest = manifest
        self.segments = LocalSegments(folder, manifest, keys)
        self.cluster = stores.cluster_of(manifest)
        self.postings: Postings = self.cluster or self.segments

    @cached_property
    def encoder(self) -> Encoder:
        """Codes descriptors; some 0.1 s, which erasing and checking need not wait for."""
        return Encoder(self.keys.derived("words"))

    # -- opening -------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        owner: str,
        purpose: str,
        may_ask: Sequence[str] = (),
        per_hour: int = 0,
        vault: Path | None = None,
        like: Index | None = None,
        postings: str = "",
    ) -> Index:
        """Make an empty index.

        Args:
            folder: to be made, or empty.
            owner: who is responsible for it.
            purpose: the lawful purpose it is kept for.
            may_ask: names that may ask.
            per_hour: how many questions each may ask an hour; 0 = no limit.
            vault: file of the vault key; segments are encrypted with it.  Made if missing.
            like: another index whose secret this one shares, so that the two can be merged.
            postings: ``clickhouse://user@host:port/database`` to keep them there; by default they
                lie in the folder.  The password is in the environment.

        Raises:
            IndexRefused: owner or purpose is missing, there is something in the folder, or the
                cluster cannot be used.
        """
        for name, value in (("owner", owner), ("purpose", purpose)):
            if not value.strip():
                reason = "an index needs an owner and a stated lawful purpose"
                raise IndexRefused(str(folder), reason, f"give --{name}")
        folder = folder.absolute()
        _check_new(folder)
        id_ = secrets.token_hex(4)
        if postings:
            # First, so that a wrong address leaves nothing behind that a second try trips over.
            stores.prepare(postings, id_, encrypted=vault is not None)
        atomic.make_folder(folder, mode=0o700)
        about = {
            "format": formats.FORMAT,
            "method": METHOD,
            "id": id_,
            "owner": owner.strip(),
            "purpose": purpose.strip(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "may_ask": sorted(set(may_ask)),
            "per_hour": per_hour,
            "postings": postings,
        }
        with atomic.locked(folder):
            _check_new(folder)
            atomic.remove(folder / sealing.KEY)
            keys = sealing.make(folder, vault, None if like is None else like.keys)
            manifest = Manifest.create(folder, keys.derived("manifest"), about)
            manifest.flush()
        return cls(folder, keys, manifest)

    @classmethod
    def open(cls, folder: Path, *, vault: Path | None = None, writing: bool = False) -> Index:
        """Open an index.

        Raises:
            IndexRefused: there is none, it is of another format or method, or its key is missing.
            IndexDamaged: its manifest cannot be read.
        """
        if not (folder / NAME).is_file():
            remedy = "make one with `wholecloth index create`, or check the name"
            raise IndexRefused(str(folder), "is no index", remedy)
        folder = folder.absolute()
        keys = sealing.read(folder, vault)
        manifest = Manifest(folder, keys.derived("manifest"), writing=writing)
        try:
            formats.current(manifest, folder, writing=writing)
            _check(manifest, folder)
        except BaseException:
            manifest.close()
            raise
        return cls(folder, keys, manifest)

    def close(self) -> None:
        """Let go."""
        if self.cluster is not None:
            self.cluster.close()
        self.manifest.close()

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the index as its one writer; what a killed one left is removed first.

        Raises:
            OutputRefused: another process writes to it, or it cannot be written.
        """
        if not os.access(self.folder, os.W_OK):
            remedy = "open it where it can be written, or ask its owner"
            raise OutputRefused(str(self.folder), "is read-only", remedy)
        with ExitStack() as stack:
            try:
                stack.enter_context(atomic.locked(self.folder))
            except OutputRefused as error:
                reason = "another process is writing to it"
                remedy = "wait until it is done; searching goes on meanwhile"
                raise OutputRefused(str(self.folder), reason, remedy) from error
            self.segments.tidy()
            if self.manifest.interrupted:
                self.manifest.flush()
            try:
                yield
            except BaseException:
                self.segments.forgotten()
                with suppress(WholeclothError):
                    self.segments.tidy()
                raise

    # -- facts ---------------------------------------------------------------------------

    @property
    def about(self) -> About:
        """Owner, purpose and who may ask."""
        get = self.manifest.get
        return About(
            get("id"),
            get("owner"),
            get("purpose"),
            get("created"),
            tuple(get("may_ask") or ()),
            int(get("per_hour") or 0),
            self.keys.vault is not None,
            get("postings") or "",
        )

    def sha256_of(self, image: int) -> str:
        """SHA-256 of a picture's file as it was added."""
        row = self.manifest.image(image)
        return "" if row is None else row.sha256.hex()

    def mark(self, sha256: str) -> str:
        """What the log has in place of a picture's SHA-256; only the index's key gives it."""
        key = self.keys.derived("log")
        return hmac.digest(key, bytes.fromhex(sha256), "sha256").hex()[:32]

    def __len__(self) -> int:
        return self.manifest.pictures()

    # -- asking --------------------------------------------------------------------------

    def rank(
        self,
        pixels: RGB,
        count: int = 100,
        tier: TierName = "first",
        where: Mask | None = None,
    ) -> tuple[Ranked, ...]:
        """The pictures with most in common, by words alone; nothing is verified.

        Args:
            pixels: H×W×3, the picture asked for.
            count: how many.
            tier: ``first`` (every picture) or ``detail`` (large ones, looked at closely).
            where: H×W, only what lies there.
        """
        sift = descriptors(pixels, _TIERS[tier], where)
        if not len(sift):
            return ()
        plain = score.asked(self.encoder.query(sift))
        mirrored = score.asked(self.encoder.query(sift[:, MIRROR]))
        found = rank(self.postings, plain, mirrored, tier, count)
        return tuple(Ranked(image, value) for image, value in found if self._there(image))

    def reposts(self, pixels: RGB) -> tuple[int, ...]:
        """Pictures whose PDQ is within 31 bits of the picture's in any of eight orientations."""
        hashes = [bytes.fromhex(h.hex) for h in dihedral(pixels)]
        return tuple(i for i, _ in self.postings.near(hashes, PDQ_NEAR) if self._there(i))

    def _there(self, image: int) -> bool:
        """A store in a cluster may still hold what the manifest has let go."""
        return self.manifest.image(image) is not None


def _check_new(folder: Path) -> None:
    """Raises where there is something in a folder besides what a stopped ``create`` left.

    Without a manifest and segments a key opens nothing.
    """
    there = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
    left = [n for n in there if n == sealing.KEY or n.startswith(atomic.TEMPORARY)]
    if (folder.exists() and not folder.is_dir()) or there != left:
        raise IndexRefused(str(folder), "is not empty", "give a new folder")


def _check(manifest: Manifest, folder: Path) -> None:
    """Raises where this version cannot read an index, or must not."""
    found: dict[str, Any] = {k: manifest.get(k) for k in ("method", "owner", "purpose")}
    if found["method"] != METHOD:
        reason = f"was made by another method ({found['method']}; this version uses {METHOD})"
        raise IndexRefused(str(folder), reason, "make a new index and add the photographs again")
    if not found["owner"] or not found["purpose"]:
        reason = "states no owner or purpose"
        raise IndexRefused(str(folder), reason, "an index without them is not used")
