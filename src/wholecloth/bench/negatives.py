"""Look-alikes to ask for: one of a pair goes into the index, the other was not made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wholecloth import atomic
from wholecloth.bench.cases import sha256
from wholecloth.bench.photos import Photo
from wholecloth.bench.queries import PER_QUERY, Kind, Plan, Query
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import Progress, WorkerPool
from wholecloth.model.media import RGB
from wholecloth.testing.derivations import sized, stored
from wholecloth.testing.launder import encode
from wholecloth.testing.lookalikes import KINDS, draw_lookalike
from wholecloth.testing.scenes import Rng, scene

BURST, BURST_EDITED, OTHER_PART = "burst", "burst, edited", "another part"
GROUPS: dict[Kind, tuple[str, ...]] = {
    "same scene": (BURST, BURST_EDITED, OTHER_PART, "same things elsewhere", "same facade"),
    "same chrome": ("same application", "same caption", "same drawn frame"),
}
"""Same scene: another frame of a burst, reposted, or edited besides; a part of a photograph that
does not overlap the part in the index, edited; the same things or windows in another picture.
Same chrome: other pictures in the same application, under the same caption, in the same frame."""
_GAP = 0.08
"""Of the longer side, between two parts of one photograph."""
_MOST = 64
"""Photographs that look-alikes are drawn over."""


@dataclass(slots=True)
class _Pair:
    query: Query
    candidate: str
    over: set[int]
    """Which pictures it was drawn over: both halves are taken to show both, which sets aside more
    than it must, never less."""


def add(
    plan: Plan, place: Path, count: int, seed: int, progress: Progress = lambda *_: None
) -> None:
    """Draw ``count`` pairs of each kind and put them into the plan.

    They are drawn over photographs that stay out of the index, since the search would rightly
    name those; over drawn scenes where fewer than two stay out.  One photograph serves several
    pairs: what another pair's candidate shows of it is set aside.

    Args:
        plan: with everything else; photographs and queries are added to it.
        place: folder for the files.
        count: pairs a kind.
        seed: of the run.
        progress: called with (stage, done, of).
    """
    atomic.make_folder(place)
    rng = np.random.default_rng([seed, 32])
    pictures = _pictures(plan.ground, seed)
    pairs: list[_Pair] = []
    for kind, groups in GROUPS.items():
        for i in range(count):
            progress("drawing look-alikes", len(pairs), count * len(GROUPS))
            own = seed * PER_QUERY + 600_000 + i
            pairs.append(_drawn(plan, place, kind, groups[i % len(groups)], own, pictures, rng))
    for pair in pairs:
        shared = {p.candidate for p in pairs if p.over & pair.over} - {pair.candidate}
        plan.queries.append(replace(pair.query, aside=tuple(sorted(shared))))


def _pictures(ground: Sequence[Photo], seed: int) -> list[RGB]:
    if len(ground) < 2:
        return [scene(seed * 100 + 50 + i) for i in range(6)]
    with WorkerPool(1) as pool:
        return [sized(pool.decode(file_source(p.path)).pixels) for p in ground[:_MOST]]


def _drawn(
    plan: Plan, place: Path, kind: Kind, group: str, seed: int, pictures: list[RGB], rng: Rng
) -> _Pair:
    """Write a pair; one of it goes into the index."""
    name = f"{group.replace(',', '').replace(' ', '-')}-{seed % PER_QUERY}"
    kept, other = place / f"{name}.jpg", place / f"other-{name}.jpg"
    first, second = (int(i) for i in rng.permutation(len(pictures))[:2])
    if group in (BURST_EDITED, OTHER_PART):
        drawn_of = [pictures[first], pictures[second]]
        halves = _halves(group, np.random.default_rng([seed, 33]), drawn_of)
        candidate, published = (encode(half, "JPEG", 93) for half in halves)
        donor = plan.donors[int(rng.integers(len(plan.donors)))]
    else:
        drawn = draw_lookalike(seed, group, "repost", [pictures[first], pictures[second]])
        candidate, published, donor = drawn.candidate, drawn.published, None
    atomic.write(kept, candidate)
    atomic.write(other, published)
    sides = sorted(stored(candidate).shape[:2])
    photo = Photo(kept, sha256(kept), (sides[0], sides[1]))
    plan.photographs.append(photo)
    query = Query(
        name,
        kind,
        group,
        seed,
        original=other if donor else None,
        donor=donor,
        published=None if donor else other,
        photograph=sha256(other),
    )
    return _Pair(query, photo.sha256, {first, second})


def _halves(group: str, rng: Rng, pictures: Sequence[RGB]) -> tuple[RGB, RGB]:
    """Two frames of a burst, or two parts of a photograph with a gap between them."""
    if group == BURST_EDITED:
        return KINDS[BURST](rng, pictures)
    one = pictures[0]
    height, width = one.shape[:2]
    middle = float(rng.uniform(0.4, 0.6))
    before, after = middle - _GAP / 2, middle + _GAP / 2
    if width >= height:
        return one[:, : int(width * before)], one[:, int(width * after) :]
    return one[: int(height * before)], one[int(height * after) :]
