"""The search benchmark: what it says is what was asked and answered."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from wholecloth.bench import asking, families, growth, hashes, negatives, peers, queries
from wholecloth.bench import retrieve_figures as figures
from wholecloth.bench.hashes import Hashes
from wholecloth.bench.intervals import share, wilson
from wholecloth.bench.outcome import Outcome, Ranked, rank_of, score
from wholecloth.bench.queries import Plan, Query, planned
from wholecloth.bench.retrieve import How, run_retrieve
from wholecloth.bench.searcher import Hit
from wholecloth.cli.main import program
from wholecloth.errors import InputRefused, UsageRefused
from wholecloth.intake.decode import WorkerPool
from wholecloth.testing.drawn_set import draw_set
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene


def waves(seed: int, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    red, green = (x * (3 + seed) + y * y // (7 + seed)) % 256, (x * y // (11 + seed)) % 256
    return np.stack([red, green, (x * x // (5 + seed) + y * 2) % 256], 2).astype(np.uint8)


@pytest.mark.parametrize(
    ("seed", "height", "width", "phash", "dhash"),
    [
        (0, 120, 160, "80073f3c69676e6c", "e7f8e5dab4aa95da"),
        (1, 333, 200, "8001051f3f1f3f3f", "d285a0808082a4a4"),
        (2, 64, 64, "845b563e640d39eb", "f8f9f3f7cf3ef6ee"),
        (3, 50, 700, "80033f3f7c787163", "fbe2daa4aa94a5a5"),
    ],
)
def test_hashes_are_those_of_imagehash(
    seed: int, height: int, width: int, phash: str, dhash: str
) -> None:
    """Values printed by imagehash 4.3.2 with Pillow 13.0."""
    pixels = waves(seed, height, width)
    assert hashes.phash(pixels).tobytes().hex() == phash
    assert hashes.dhash(pixels).tobytes().hex() == dhash


def test_distances_are_those_of_the_nearer_mirror_state() -> None:
    one, two = scene(21, (320, 240)), scene(22, (320, 240))
    rows = [hashes.of(one), hashes.of(two)]
    table = Hashes(("1", "2"), {n: np.stack([r[n] for r in rows]) for n in rows[0]})
    plain = table.distances(one)
    mirrored = table.distances(np.ascontiguousarray(one[:, ::-1]))
    for name in hashes.THRESHOLDS:
        assert plain[name][0] == 0
        assert (plain[name] == mirrored[name]).all()
        by_hand = np.unpackbits(rows[0][name] ^ rows[1][name]).sum()
        other = np.unpackbits(
            hashes.of(np.ascontiguousarray(one[:, ::-1]))[name] ^ rows[1][name]
        ).sum()
        assert plain[name][1] == min(by_hand, other)
    assert table.twins("1") == {"1"}
    assert table.twins("elsewhere") == {"elsewhere"}


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_intervals_are_wilsons(hits: int, of: int, low: float, high: float) -> None:
    """81 of 263 is the worked example of Newcombe 1998 (table I, method 3)."""
    assert wilson(hits, of) == pytest.approx((low, high), abs=6e-5)
    assert wilson(0, 0) is None


def outcome(**values: Any) -> Outcome:
    plain = {"id": "q", "kind": "drawn", "group": "15-30", "seed": 1, "photograph": "p"}
    return Outcome(**(plain | values))


def test_an_answer_is_sorted_into_right_donor_and_other() -> None:
    hits = [Hit("d", "partial"), Hit("r", "same_photo", 0.4), Hit("x", "same_scene")]
    done = outcome()
    score(done, hits, {"r"}, "d")
    assert (done.top, done.verdict) == ("donor", "partial")
    assert done.right_verdict == "same_photo"
    assert done.donor_verdict == "partial"
    assert done.others == {"same_scene": 1}
    assert not done.found
    assert not done.wrong_on_top
    done = outcome()
    score(done, hits[1:], {"r"}, "d")
    assert done.found
    done = outcome()
    score(done, [Hit("x", "partial")], {"r"}, "")
    assert done.wrong_on_top
    done = outcome()
    score(done, [Hit("x", "same_scene"), Hit("r", "partial")], {"r"}, "")
    assert not done.wrong_on_top  # nothing was named as the source …
    assert not done.found  # … and the right one is not on top
    score(empty := outcome(), [], {"r"}, "")
    assert (empty.top, empty.found) == ("none", False)
    assert rank_of(["a", "r", "s"], {"r", "s"}) == 2
    assert rank_of(["a"], {"r"}) is None


def test_an_edit_of_an_edit_is_set_aside(tmp_path: Path) -> None:
    """A was published as B, which is the original of C; D has nothing to do with them."""
    paths, names = {}, {}
    for name, seed in (("A", 31), ("B", 32), ("C", 33), ("D", 34)):
        paths[name] = tmp_path / f"{name}.jpg"
        paths[name].write_bytes(encode(scene(seed, (320, 240)), "JPEG", 90))
        names[name] = hashlib.sha256(paths[name].read_bytes()).hexdigest()
    table = hashes.table([paths[n] for n in "ABD"])
    again = tmp_path / "again.jpg"  # the same picture as B, other bytes
    again.write_bytes(encode(scene(32, (320, 240)), "JPEG", 70))
    asked = [
        Query("a", "real", "A", 0, published=again, right=(names["A"],)),
        Query("b", "real", "A", 0, published=paths["C"], right=(names["B"],)),
        Query("d", "drawn", "15-30", 0, paths["D"], paths["A"], right=(names["D"],)),
        Query("n", "unrelated", "x", 0, paths["C"], paths["A"], aside=(names["D"],)),
    ]
    done = families.told_apart(asked, table)
    assert [q.aside for q in done] == [(names["B"],), (names["A"],), (), (names["D"],)]
    assert [q.group for q in done] == ["A" + families.ITSELF, "A", "15-30", "x"]


def test_figures_count_what_they_say() -> None:
    nothing = {n: Ranked(None, False, 0) for n in hashes.THRESHOLDS}
    small = {"bucket": "15-30", "left": 0.5, "long_side": 120, "frame": "none"}
    large = small | {"long_side": 900, "frame": "screenshot"}
    hit = {"PDQ": Ranked(1, True, 0), "pHash": Ranked(7, False, 2), "dHash": Ranked(11, False, 0)}
    listed = [
        outcome(facts=large, rank=1, top="right", verdict="same_photo", hashes=hit),
        outcome(facts=large, rank=11, top="other", verdict="partial", hashes=nothing),
        outcome(facts=small, top="none", hashes=nothing, photograph="q"),
        outcome(facts=small, refused="was cut off"),
        outcome(kind="unrelated", group="a", others={"same_photo": 2}, hashes=nothing),
        outcome(kind="unrelated", group="b", others={"same_scene": 1}, hashes=hit),
    ]
    found = figures.figures(listed)
    every = found["drawn"]["all"]
    assert (every["queries"], every["photographs"]) == (4, 2)
    assert (every["found"]["hits"], every["found"]["of"]) == (1, 4)  # a refused one is not found
    assert every["wrong_on_top"]["hits"] == 1
    assert [every[f"recall_{k}"]["hits"] for k in (1, 10, 100)] == [1, 1, 2]
    assert every["hashes"]["PDQ"]["found"]["hits"] == 1
    assert every["hashes"]["pHash"]["recall_1"]["hits"] == 0
    assert every["hashes"]["pHash"]["recall_10"]["hits"] == 1
    enough = found["drawn"]["≥ 25 % left and ≥ 130 px"]
    assert (enough["found"]["hits"], enough["found"]["of"]) == (1, 2)
    assert found["attacks"]["frame"]["screenshot"]["queries"] == 2
    assert found["attacks"]["photograph's longer side"]["< 130 px"]["queries"] == 2
    unrelated = found["negatives"]["unrelated"]
    assert (unrelated["all"]["same_photo"]["hits"], unrelated["all"]["same_photo"]["of"]) == (1, 2)
    assert unrelated["b"]["same_photo"]["hits"] == 0
    assert unrelated["b"]["hashes"]["pHash"]["hits"] == 1
    assert found["refused"] == {"was cut off": 1}
    assert found["real"] == found["group_crops"] == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine scenes, one large, one of them twice; a file that is no picture."""
    place = tmp_path_factory.mktemp("photographs")
    for i in range(9):
        size = (1040, 780) if i == 4 else (420, 320)
        (place / f"{i}.jpg").write_bytes(encode(scene(700 + i, size), "JPEG", 92))
    (place / "copy.jpg").write_bytes((place / "2.jpg").read_bytes())
    (place / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much")
    return place


def make(folder: Path, work: Path, seed: int = 3) -> Plan:
    plan = planned(folder, work, queries=6, seed=seed, kept_out=0.5)
    negatives.add(plan, work / "frames", 8, seed)
    return plan


def test_what_is_kept_out_is_out_and_what_is_right_is_in(folder: Path, tmp_path: Path) -> None:
    plan = make(folder, tmp_path)
    inside = {p.sha256 for p in plan.photographs}
    outside = {p.sha256 for p in (*plan.kept_out, *plan.ground)}
    assert not inside & outside
    assert len(outside) == 4
    assert {p.path for p in plan.kept_out} == set(plan.donors)
    by_kind = {k: [q for q in plan.queries if q.kind == k] for k in ("drawn", *queries.NEGATIVES)}
    assert [len(v) for v in by_kind.values()] == [6, 3, 8, 8]
    for query in by_kind["drawn"]:
        assert query.original is not None
        assert query.donor in plan.donors
        assert hashlib.sha256(query.original.read_bytes()).hexdigest() == query.right[0]
        assert set(query.right) <= inside
    for query in by_kind["unrelated"]:
        assert query.photograph in outside
        assert query.donor_known == (query.donor not in plan.donors)
    for query in (*by_kind["same scene"], *by_kind["same chrome"]):
        own = hashlib.sha256((tmp_path / "frames" / f"{query.id}.jpg").read_bytes()).hexdigest()
        assert own in inside
        assert own not in query.aside  # its own pair is what it must not be taken for
        assert set(query.aside) < inside
        assert not query.right
    crops = [q for q in plan.queries if q.kind == "group crop"]
    large = [p for p in plan.photographs if p.sides[1] >= 1000 and p.path.parent == folder]
    assert len(crops) == 3 * len(large)


def test_a_seed_asks_the_same_again(folder: Path, tmp_path: Path) -> None:
    first, again, other = (make(folder, tmp_path / n, s) for n, s in (("a", 3), ("b", 3), ("c", 4)))

    def asked(plan: Plan) -> list[bytes]:
        with WorkerPool(1) as pool:
            return [asking.published(pool, q)[0] for q in plan.queries[::5]]

    assert asked(first) == asked(again)
    assert set(asked(first)).isdisjoint(asked(other))
    assert [q.aside for q in first.queries] == [q.aside for q in again.queries]


def test_nothing_to_measure_is_said(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputRefused, match="holds no picture"):
        planned(tmp_path / "empty", tmp_path, queries=3, seed=1, kept_out=0.3)
    with pytest.raises(UsageRefused, match="leaves nothing"):
        planned(folder, tmp_path, queries=3, seed=1, kept_out=1.0)


class Stubborn:
    """A search that names the first photograph whatever it is asked: its counts are known."""

    def build(self, place: Path, photographs: Sequence[Path], *_: object) -> dict[str, Any]:
        place.mkdir()
        names = [hashlib.sha256(p.read_bytes()).hexdigest() for p in photographs]
        (place / "names.json").write_text(json.dumps(names))
        return {"pictures": len(names), "skipped": 0, "seconds": 0.0, "bytes": 0}

    @contextmanager
    def open(self, place: Path) -> Iterator[Stubborn]:
        self.names = json.loads((place / "names.json").read_text())
        yield self

    def rank(self, pixels: object, *, detail: bool = False) -> list[str]:
        return self.names

    def answer(self, published: object, pool: object) -> list[Hit]:
        return [Hit(self.names[0], "same_photo", 1.0)]


def test_a_search_that_always_says_the_same_is_seen_through(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    how = How(count=9, seed=3, kept_out=0.4, jobs=1)
    document = run_retrieve(folder, out, how, search=Stubborn())
    named = document["drawn"]["all"]
    # Each of the five photographs in the index is attacked at least once, and only one is named.
    assert 1 <= named["found"]["hits"] <= 2
    assert named["wrong_on_top"]["hits"] == 9 - named["found"]["hits"]
    assert named["recall_100"]["hits"] == 9
    for kind in ("unrelated", "same chrome"):
        false = document["negatives"][kind]["all"]["same_photo"]
        donors = sum(o["top"] == "donor" for o in document["results"] if o["kind"] == kind)
        assert false["hits"] == false["of"] - donors
    assert document == json.loads((out / "results.json").read_text("utf-8"))
    assert sorted(p.name for p in out.iterdir()) == sorted(
        ["results.json", "results.md", *document["plots"]]
    )
    page = (out / "results.md").read_text("utf-8")
    assert page.startswith("# Search for the original: wholecloth")
    assert "## False verdicts" in page
    assert str(folder.parent) not in page
    assert str(folder.parent) not in (out / "results.json").read_text("utf-8")


def test_ours_finds_what_was_drawn_and_what_lies_in_cases(tmp_path: Path) -> None:
    """A small set of everything, the index and its growth included."""
    draw_set(tmp_path / "cases", seed=5, pairs=3, distractors=4)
    out = tmp_path / "out"
    how = How(count=3, seed=2, kept_out=0.5, jobs=1, growth=(60,))
    said = f"{sys.executable} -c 'print(\"no match\")' {{published}} {{original}}"
    others = [peers.peer_of(f"shy={said}", 30, peers.VERDICT_HOLES)]
    document = run_retrieve(tmp_path / "cases", out, how, others=others)
    assert document["index"]["skipped"] == 0
    real = document["real"]
    assert {k: v["queries"] for k, v in real.items()} == {"D": 1, "S": 2}
    assert sum(v["found"]["hits"] for v in real.values()) >= 2
    drawn = document["drawn"]["all"]
    assert drawn["found"]["hits"] >= 2
    assert drawn["peers"]["shy"] == share([False] * 3)
    sizes = document["growth"]["sizes"]
    assert [s["pictures"] for s in sizes] == [document["index"]["pictures"], 60]
    assert sizes[1]["redrawn"] == 60 - sizes[0]["pictures"]
    assert sizes[0]["recall_10"]["hits"] >= sizes[1]["recall_10"]["hits"] >= 2
    assert sizes[1]["bytes"] > sizes[0]["bytes"]
    assert {"found.png", "attacks.png", "growth.png"} <= set(document["plots"])


def test_redrawn_postings_keep_their_words_and_flip_ten_bits() -> None:
    rng = np.random.default_rng(1)
    words = np.arange(500, dtype=np.uint16)
    signatures = rng.integers(0, 1 << 63, (500, 2)).astype(np.uint64)
    made = growth.redrawn((words, signatures, np.array([500])), 400, rng)
    away = np.bitwise_count(made.signatures ^ signatures[made.words]).sum(axis=1)
    assert abs(away.mean() - growth.FLIPPED) < 4 * np.sqrt(10 / 400)
    assert away.std() > 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('looking'); print('Match')", "match"),
        ("print('no match')", "no match"),
        ("print('perhaps')", "said 'perhaps'"),
        ("pass", "said ''"),
        ("raise SystemExit('no model')", "ended with 1: no model"),
    ],
)
def test_a_peer_is_taken_at_its_last_word(tmp_path: Path, body: str, said: str) -> None:
    program = tmp_path / "peer.py"
    program.write_text(body)
    command = f"x={sys.executable} {program} {{published}} {{original}}"
    peer = peers.peer_of(command, 30, peers.VERDICT_HOLES)
    pair = (b"one", "JPEG"), (b"two", "PNG")
    if said in peers.SAYINGS:
        assert peers.verdict(peer, *pair) == said
    else:
        with pytest.raises(peers.PeerFailed, match=said):
            peers.verdict(peer, *pair)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--growth", "10,many"], "is no list of sizes"),
        (["--growth", "99999999999"], "is no list of sizes"),
        (["--peer", "x=run {published}"], "names no {published} or no {original}"),
    ],
)
def test_usage_is_checked_before_anything_is_read(arguments: list[str], reason: str) -> None:
    done = CliRunner().invoke(program, ["bench", "retrieve", "nowhere", *arguments])
    assert isinstance(done.exception, UsageRefused)
    assert done.exception.reason == reason
    assert done.exception.remedy
