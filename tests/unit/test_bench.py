"""The benchmark measures what it says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from wholecloth.bench import tables
from wholecloth.bench.cases import load
from wholecloth.bench.pairs import measure, overlap, registration_error
from wholecloth.bench.run import run_all
from wholecloth.errors import InputRefused
from wholecloth.testing.drawn_set import draw_set


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "cases"
    draw_set(folder, seed=3, pairs=6, distractors=2)
    return folder


def test_overlap_of_known_masks() -> None:
    found, truth = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    assert overlap(found, truth) == (1.0, 1.0)
    truth[:4] = True
    assert overlap(found, truth) == (0.0, 0.0)
    found[2:6] = True
    assert overlap(found, truth) == (20 / 60, 40 / 80)


def test_registration_error_of_known_shifts() -> None:
    given = np.array([[-1.0, 0, 99], [0, 1, 0], [0, 0, 1]])
    moved = np.array([[1.0, 0, 0.3], [0, 1, 0.4], [0, 0, 1]]) @ given
    assert registration_error(given, given, (80, 100), (80, 100)) == 0.0
    assert registration_error(moved, given, (80, 100), (80, 100)) == pytest.approx(0.5)
    far = np.array([[1.0, 0, 5000], [0, 1, 0], [0, 0, 1]])
    assert math.isnan(registration_error(given, far, (80, 100), (80, 100)))


def test_intervals_resample_photographs_not_pairs() -> None:
    values = [0.1] * 50 + [0.9] * 50
    low, high = tables.interval(values, ["one"] * 50 + ["two"] * 50)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.9)), "two photographs, not a hundred"
    many_low, many_high = tables.interval(values, [str(i) for i in range(100)])
    assert 0.3 < many_low < 0.5 < many_high < 0.7
    assert all(math.isnan(v) for v in tables.interval(values, ["one"] * 100))


def test_a_drawn_set_is_what_it_says_and_repeats(drawn: Path, tmp_path: Path) -> None:
    rows = load(drawn)
    assert [r.kind for r in rows] == ["D", "S", "S", "D", "S", "S", "E", "E"]
    assert all((r.mask is not None) == (r.kind == "S") for r in rows)
    draw_set(tmp_path / "again", seed=3, pairs=6, distractors=2)
    for path in drawn.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(drawn)).read_bytes()


def test_the_whole_of_it(drawn: Path, tmp_path: Path) -> None:
    document = run_all(drawn, tmp_path / "out", jobs=2)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    assert document["pairs"]["S"]["iou"]["pairs"] == 4
    assert document["pairs"]["S"]["registration_px"]["wrong_mirror"] == 0
    assert document["pairs"]["D"]["falsely_flagged"]["pairs"] == 2
    assert document["search"]["classes"]["S"]["right_original"] == 4
    assert document["search"]["candidates"] == 8
    text = (tmp_path / "out" / "results.md").read_text("utf-8")
    assert "| S | 4 | 4 |" in text
    for name in document["plots"]:
        assert (tmp_path / "out" / name).stat().st_size > 5000
    assert len(document["plots"]) == 3


def test_laundering_moves_the_truth_along(drawn: Path) -> None:
    row = next(r for r in load(drawn) if r.kind == "S")
    plain, once, again = measure(row), measure(row, 1), measure(row, 1)
    assert once.iou == again.iou
    assert once.iou != plain.iou
    assert once.iou is not None
    assert once.iou > 0.5
    assert once.error_px is not None
    assert once.error_px < 0.3
    assert once.mirror_right


def test_pseudo_masks_are_never_scored(drawn: Path, tmp_path: Path) -> None:
    lines = []
    for line in (drawn / "cases.jsonl").read_text().splitlines():
        row = json.loads(line)
        if "mask" in row:
            row["mask_source"] = "derived from difference"
        lines.append(json.dumps(row))
    for path in drawn.rglob("*.*"):
        target = tmp_path / path.relative_to(drawn)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "cases.jsonl").write_text("\n".join(lines))
    assert all(r.mask is None for r in load(tmp_path))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "line 1"),
        ('{"id": "x", "class": "S", "original": "none.jpg"}', "none.jpg"),
        ('{"original": "x"}', "line 1"),
        ('{"id": 1}', "no case"),
    ],
)
def test_a_broken_index_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "cases.jsonl").write_text(text)
    with pytest.raises(InputRefused, match=named):
        load(tmp_path)
    with pytest.raises(InputRefused, match="cannot be read"):
        load(tmp_path / "nowhere")
