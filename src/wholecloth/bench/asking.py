"""One query: draw or read the picture, ask the search and the hashes, score what they say."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from threadpoolctl import threadpool_limits

from wholecloth.bench import peers
from wholecloth.bench.cases import sha256
from wholecloth.bench.hashes import THRESHOLDS, Hashes
from wholecloth.bench.outcome import Outcome, Ranked, rank_of, score
from wholecloth.bench.queries import Query
from wholecloth.bench.searcher import Search, Searcher
from wholecloth.errors import InputRefused
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import WorkerPool, picture
from wholecloth.model.media import RGB, Picture, Source
from wholecloth.testing.attacks import BUCKETS, Attacked, attacked, draw_attack, draw_group_crop


def ask(
    search: Search, place: Path, hashes: Hashes, queries: Sequence[Query],
    others: Sequence[peers.Peer] = (),
) -> list[Outcome]:  # fmt: skip
    """Ask for some pictures, one after the other, in one opened index."""
    cv2.setNumThreads(1)
    with threadpool_limits(limits=1), WorkerPool(1) as pool, search.open(place) as opened:
        return [_asked(opened, pool, hashes, query, others) for query in queries]


def _asked(
    opened: Searcher, pool: WorkerPool, hashes: Hashes, query: Query, others: Sequence[peers.Peer]
) -> Outcome:
    done = Outcome(query.id, query.kind, query.group, query.seed, query.photograph)
    done.donor_known = query.donor_known
    try:
        data, done.facts = published(pool, query)
        shown = picture(pool.decode(Source.of_bytes(data, query.id)))
    except InputRefused as error:
        done.refused = error.reason
        return done
    right = right_of(query, hashes)
    donor = sha256(query.donor) if query.donor is not None else ""
    started = time.process_time()
    ranked = opened.rank(shown.pixels)
    done.rank_s = time.process_time() - started
    aside = set(query.aside) - right
    done.rank = rank_of([name for name in ranked if name not in aside], right)
    if query.kind == "group crop":
        done.rank_detail = rank_of(opened.rank(shown.pixels, detail=True), right)
    started = time.perf_counter()
    hits = opened.answer(shown, pool)
    done.answer_s = time.perf_counter() - started
    score(done, [h for h in hits if h.sha256 not in aside], right, donor)
    _hashed(done, hashes, shown.pixels, right, aside, donor)
    if right:
        _peers(done, pool, query, data, shown, others)
    return done


def right_of(query: Query, hashes: Hashes) -> set[str]:
    """What a query was made from, and photographs that PDQ calls the same."""
    return {twin for name in query.right for twin in hashes.twins(name)}


def published(pool: WorkerPool, query: Query) -> tuple[bytes, dict[str, Any]]:
    """The picture's file bytes, as it lies or as the attack makes it, and the attack's facts."""
    if query.original is None or query.donor is None:
        assert query.published is not None
        return query.published.read_bytes(), {}
    rng = np.random.default_rng([query.seed, 34])
    if query.kind == "group crop":
        attack = draw_group_crop(rng, float(query.group))
    else:
        named = query.group if query.group in BUCKETS else str(rng.choice(list(BUCKETS)))
        attack = draw_attack(rng, named)
    read = partial(_pixels, pool)
    drawn = attacked(read(query.original), read(query.donor), attack, query.seed)
    return drawn.data, facts_of(drawn)


def _pixels(pool: WorkerPool, path: Path) -> RGB:
    return pool.decode(file_source(path)).pixels


def facts_of(drawn: Attacked) -> dict[str, Any]:
    """What the tables split by."""
    attack = drawn.attack
    return {
        "bucket": attack.bucket,
        "edited": round(attack.edited, 4),
        "fill": attack.fill,
        "rerender": attack.rerender,
        "kept": round(attack.kept, 4),
        "mirror": attack.mirror,
        "colour": attack.colour,
        "scale": round(attack.scale, 4),
        "texts": attack.texts,
        "frame": attack.frame,
        "quality": attack.quality,
        "left": round(drawn.left, 4),
        "long_side": drawn.long_side,
    }


def _hashed(
    done: Outcome, hashes: Hashes, pixels: RGB, right: set[str], aside: set[str], donor: str
) -> None:
    mine = np.array([name in right for name in hashes.sha256], bool)
    apart = np.array([name in aside for name in hashes.sha256], bool)
    fill = np.array([name == donor for name in hashes.sha256], bool)
    for name, away in hashes.distances(pixels).items():
        nearest = away[mine].min() if mine.any() else None
        done.hashes[name] = Ranked(
            None if nearest is None else 1 + int((away[~mine & ~apart] < nearest).sum()),
            nearest is not None and bool(nearest <= THRESHOLDS[name]),
            int((away[~mine & ~apart & ~fill] <= THRESHOLDS[name]).sum()),
        )


def _peers(
    done: Outcome, pool: WorkerPool, query: Query, data: bytes, shown: Picture,
    others: Sequence[peers.Peer],
) -> None:  # fmt: skip
    if query.original is None or not others:
        return
    original = query.original.read_bytes()
    kind = pool.decode(Source.of_bytes(original, query.id), max_side=64).facts.format
    for peer in others:
        try:
            done.peers[peer.name] = peers.verdict(
                peer, (data, shown.facts.format), (original, kind)
            )
        except peers.PeerFailed as error:
            done.failed[peer.name] = str(error)
