"""Segments of postings: what goes in comes out, and both ways to a segment give the same one."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wholecloth.retrieval.index import segment as files
from wholecloth.retrieval.index.segment import TIERS, Segment
from wholecloth.retrieval.postings import Kept
from wholecloth.retrieval.score import asked, best, rarity, scores_plain
from wholecloth.retrieval.vocabulary import Coded

_WORDS = st.sampled_from([0, 1, 2, 3, 255, 256, 65534, 65535])
"""Few, so that pictures share words, and the ends of the range."""


@st.composite
def coded(draw: st.DrawFn, least: int = 0) -> Coded:
    """Postings of one tier; signatures near one another, as of one place in two pictures."""
    words = draw(st.lists(_WORDS, min_size=least, max_size=8))
    seed = draw(st.integers(0, 3))
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**64, (8, 2), dtype=np.uint64)
    flips = draw(st.lists(st.integers(0, 63), min_size=len(words), max_size=len(words)))
    masks = np.array([[1 << flip, 0] for flip in flips], np.uint64).reshape(-1, 2)
    return Coded(np.array(words, np.uint16), base[: len(words)] ^ masks)


@st.composite
def kept(draw: st.DrawFn) -> list[Kept]:
    """Pictures with numbers of their own, in any order."""
    numbers = draw(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=7, unique=True))
    return [
        Kept(
            number,
            draw(coded()),
            draw(st.none() | coded(1)),
            draw(st.binary(min_size=32, max_size=32)),
        )
        for number in numbers
    ]


def plain(pictures: list[Kept]) -> list[tuple]:
    """Everything in them, for comparing; postings of one word keep their order."""
    out = []
    for one in sorted(pictures, key=lambda k: k.image):
        tiers = []
        for name in TIERS:
            part = one.tier(name)
            if part is None or not len(part):
                tiers.append(None)
                continue
            order = np.argsort(part.words, kind="stable")
            tiers.append((part.words[order].tolist(), part.signatures[order].tolist()))
        out.append((one.image, one.pdq, *tiers))
    return out


def same(one: Segment, other: Segment) -> bool:
    return files.encoded(one) == files.encoded(other)


@given(kept())
def test_what_goes_into_a_segment_comes_out(pictures: list[Kept]) -> None:
    body = files.encoded(files.build(pictures))
    opened = files.opened(np.frombuffer(body, np.uint8), "segment")
    assert plain(opened.kept()) == plain(pictures)
    assert files.encoded(opened) == body
    assert same(files.build(opened.kept()), opened)


@given(kept(), st.lists(st.integers(0, 2), min_size=7, max_size=7))
def test_joining_is_building_of_all(pictures: list[Kept], part: list[int]) -> None:
    parts = [[k for k, p in zip(pictures, part, strict=False) if p == i] for i in range(3)]
    segments = [files.build(p) for p in parts if p]
    assert same(files.joined(segments), files.build(pictures))


@given(kept(), st.sets(st.integers(0, 6)), st.integers(0, 2**32 - 1))
def test_leaving_out_is_building_without(
    pictures: list[Kept], out: set[int], stranger: int
) -> None:
    gone = {k.image for i, k in enumerate(pictures) if i in out} | {stranger}
    rest = [k for k in pictures if k.image not in gone]
    left = files.without(files.build(pictures), sorted(gone))
    assert same(left, files.build(rest))


@given(kept(), coded(1), st.sampled_from(TIERS))
@settings(max_examples=60)
def test_scores_are_those_of_the_plain_twin(
    pictures: list[Kept], query: Coded, tier: files.TierName
) -> None:
    """Over two segments, as ``LocalSegments.search`` and ``frequency`` go through them."""
    question = asked(Coded(query.words[:, None], query.signatures[:, None]))
    mine = {k.image: part for k in pictures if (part := k.tier(tier)) is not None}
    right = scores_plain(question, mine, len(pictures))
    segments = [files.build(pictures[:3]), *([files.build(pictures[3:])] if pictures[3:] else [])]
    frequency = sum(s.frequency(question.words, tier) for s in segments)
    weight = rarity(np.asarray(frequency), len(pictures))
    found: dict[int, float] = {}
    for one in segments:
        scores = one.scores(question, weight, tier)
        found |= dict(best(scores, one.images.astype(np.int64), 100))
    assert found == right
