"""Which pictures the search is asked for, and what is right: drawn ones, and real ones beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from wholecloth.bench.cases import DISTRACTORS, Row, load, sha256
from wholecloth.bench.photos import Photo, attackable, cycled, drawn_donors, read
from wholecloth.errors import InputRefused, UsageRefused
from wholecloth.intake.collect import collect
from wholecloth.intake.decode import Progress
from wholecloth.testing.attacks import BUCKETS, CROPS, LARGE
from wholecloth.testing.scenes import Rng

Kind = Literal["drawn", "group crop", "real", "unrelated", "same scene", "same chrome"]
NEGATIVES: tuple[Kind, ...] = ("unrelated", "same scene", "same chrome")
PER_QUERY = 1_000_000
"""Seeds of one run lie this far from those of the next."""


@dataclass(frozen=True, slots=True)
class Query:
    """One picture to ask for: drawn from ``original`` by an attack, or lying at ``published``."""

    id: str
    kind: Kind
    group: str
    """Bucket, share of the crop, class, or kind of negative."""
    seed: int
    original: Path | None = None
    donor: Path | None = None
    """What the attack fills from."""
    donor_known: bool = False
    """The donor is in the index: a hit on it is a correct find of where the fill came from."""
    published: Path | None = None
    right: tuple[str, ...] = ()
    """SHA-256 of what it was made from; empty for negatives."""
    photograph: str = ""
    """SHA-256 of the picture that was attacked."""
    aside: tuple[str, ...] = ()
    """SHA-256 of pictures in the index that show the same photograph in another way: neither right
    nor wrong."""


@dataclass(slots=True)
class Plan:
    """What goes into the index, what stays out, and what is asked."""

    photographs: list[Photo]
    """Into the index."""
    kept_out: list[Photo]
    """Attacked for unrelated queries, and filled from."""
    ground: list[Photo]
    """Kept out too; look-alikes are drawn over these."""
    donors: list[Path]
    """What attacks fill from; not in the index."""
    queries: list[Query] = field(default_factory=list)
    unread: int = 0


def planned(
    folder: Path,
    work: Path,
    *,
    queries: int,
    seed: int,
    kept_out: float,
    progress: Progress = lambda *_: None,
) -> Plan:
    """Everything but the look-alikes (``negatives.add``).

    Args:
        folder: cases, or photographs.
        work: an empty folder for drawn files.
        queries: drawn positives; half as many unrelated ones, a sixth as many crops from large
            photographs for each share.
        seed: of everything.
        kept_out: share of the photographs that stays out of the index, 0-1: half of them for
            unrelated queries and donors, half to draw look-alikes over.  Of cases only class E.

    Raises:
        InputRefused: there is no picture that can be read.
        UsageRefused: everything would be kept out.
    """
    rng = np.random.default_rng([seed, 31])
    rows = load(folder) if (folder / "cases.jsonl").is_file() else []
    if rows:
        others = [r.original for r in rows if r.kind == DISTRACTORS]
        fixed = read([r.original for r in rows if r.kind != DISTRACTORS], progress)
    else:
        others = [Path(s.path) for s in collect([folder]).sources if s.path]
        fixed = []
    known = {p.sha256 for p in fixed}
    spare = [p for p in read(others, progress) if p.sha256 not in known]
    if not fixed and not spare:
        remedy = "give a folder of photographs, or one with cases.jsonl"
        raise InputRefused(str(folder), "holds no picture that can be read", remedy)
    order = [spare[i] for i in rng.permutation(len(spare))]
    out = round(kept_out * len(order))
    if out == len(order) and not fixed:
        raise UsageRefused("--kept-out", "leaves nothing for the index", "give a smaller share")
    half = (out + 1) // 2
    apart = [p.path for p in order[:half]]
    plan = Plan([*fixed, *order[out:]], order[:half], order[half:out], apart)
    plan.unread = len({*others, *(r.original for r in rows)}) - len(fixed) - len(spare)
    plan.donors = plan.donors or drawn_donors(work / "donors", seed)
    plan.queries += _real(rows)
    plan.queries += _positives(plan, queries, seed, rng)
    plan.queries += _group_crops(plan, max(1, queries // 6), seed, rng)
    plan.queries += _unrelated(plan, queries // 2, seed, rng)
    return plan


def _real(rows: Sequence[Row]) -> Iterator[Query]:
    """Published pictures as they lie, each once, with every original that a row names for it."""
    named: dict[str, list[Row]] = {}
    for row in rows:
        if row.published is not None and row.kind != DISTRACTORS:
            named.setdefault(sha256(row.published), []).append(row)
    for mine in named.values():
        right = tuple(dict.fromkeys(r.photograph for r in mine))
        first = mine[0]
        yield Query(
            first.id, "real", first.kind, 0, published=first.published, right=right,
            photograph=right[0],
        )  # fmt: skip


def _positives(plan: Plan, count: int, seed: int, rng: Rng) -> Iterator[Query]:
    buckets = list(BUCKETS)
    for i, photo in cycled(attackable(plan.photographs), count, rng):
        donor = plan.donors[int(rng.integers(len(plan.donors)))]
        yield Query(
            f"drawn-{i}", "drawn", buckets[i % len(buckets)], seed * PER_QUERY + i, photo.path,
            donor, right=(photo.sha256,), photograph=photo.sha256,
        )  # fmt: skip


def _group_crops(plan: Plan, each: int, seed: int, rng: Rng) -> Iterator[Query]:
    for k, share in enumerate(CROPS):
        for i, photo in cycled(attackable(plan.photographs, LARGE), each, rng):
            donor = plan.donors[int(rng.integers(len(plan.donors)))]
            own = seed * PER_QUERY + 200_000 + 10_000 * k + i
            yield Query(
                f"crop-{round(100 * share)}-{i}", "group crop", str(share), own, photo.path,
                donor, right=(photo.sha256,), photograph=photo.sha256,
            )  # fmt: skip


def _unrelated(plan: Plan, count: int, seed: int, rng: Rng) -> Iterator[Query]:
    """Attacked pictures whose originals are not in the index; half of the donors are."""
    for i, photo in cycled(attackable(plan.kept_out), count, rng):
        known = bool(rng.random() < 0.5)
        others = [p.path for p in (plan.photographs if known else plan.kept_out) if p != photo]
        donor = others[int(rng.integers(len(others)))] if others else photo.path
        yield Query(
            f"unrelated-{i}", "unrelated",
            "donor in the index" if known else "nothing in the index",
            seed * PER_QUERY + 400_000 + i, photo.path, donor, donor_known=known,
            photograph=photo.sha256,
        )  # fmt: skip
