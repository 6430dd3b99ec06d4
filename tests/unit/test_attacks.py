"""The attacks of the search benchmark: what their facts say is what was drawn."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from wholecloth.testing import attacks
from wholecloth.testing.attacks import (
    BUCKETS,
    CROPS,
    Attack,
    attacked,
    draw_attack,
    draw_group_crop,
)
from wholecloth.testing.derivations import stored
from wholecloth.testing.fills import FILLS
from wholecloth.testing.frames import APPLICATIONS, FRAMES, screenshot
from wholecloth.testing.scenes import scene

PICTURE, DONOR = scene(3, (640, 480)), scene(4, (480, 600))


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("fill", FILLS)
def test_as_much_is_replaced_as_its_bucket_says(bucket: str, fill: str) -> None:
    low, high = BUCKETS[bucket]
    done = attacked(PICTURE, DONOR, Attack(bucket, (low + high) / 2, fill), 5)
    assert low < 1 - done.left < high
    published = stored(done.data).astype(int)
    assert published.shape == PICTURE.shape
    away = np.abs(published - PICTURE).max(axis=2)
    assert np.median(away[done.seen]) < 12  # nothing but JPEG losses …
    assert away[~done.seen].mean() > 2 * away[done.seen].mean()  # … and something else here
    assert not done.seen[240, 320]  # around the middle


def test_what_is_left_and_where_it_went_is_true() -> None:
    """Every pixel said to be seen is found at its place; the share is that of those pixels."""
    attack = Attack(
        "15-30", 0.2, "paste", crop=(0.1, 0.05, 0.9, 0.8), mirror=True, scale=0.8,
        frame="screenshot", quality=95,
    )  # fmt: skip
    done = attacked(PICTURE, DONOR, attack, 9)
    assert attack.kept == pytest.approx(0.6)
    inside = np.zeros(PICTURE.shape[:2], bool)
    inside[24:384, 64:576] = True
    assert not (done.seen & ~inside).any()
    assert 0.6 - 0.22 < done.left < 0.6
    assert done.long_side == round(0.8 * 512)
    published = stored(done.data)
    back = cv2.warpPerspective(
        published, done.original_to_published, PICTURE.shape[1::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )  # fmt: skip
    inner = cv2.erode(done.seen.astype(np.uint8), np.ones((9, 9))) > 0
    smooth = cv2.GaussianBlur(PICTURE, (0, 0), 1)
    assert np.median(np.abs(back.astype(int) - smooth)[inner]) < 4
    gone = inside & ~done.seen
    assert np.median(np.abs(back.astype(int) - smooth)[gone]) > 12


def test_seeds_reproduce_and_differ() -> None:
    first, again, other = (draw_attack(rng(s), "30-45") for s in (1, 1, 2))
    assert first == again != other
    one, same, another = (attacked(PICTURE, DONOR, first, s) for s in (7, 7, 8))
    assert one.data == same.data != another.data
    assert (one.seen == same.seen).all()


def test_attacks_come_as_often_as_they_should() -> None:
    """Within four standard deviations of 600 draws."""
    drawn = [draw_attack(rng(0, i), "15-30") for i in range(600)]
    for share, chance in (
        (sum(a.rerender for a in drawn), 0.35),
        (sum(a.kept < 0.999 for a in drawn), 0.75),
        (sum(a.mirror for a in drawn), 0.5),
        (sum(a.texts > 0 for a in drawn), 0.3),
        (sum(a.frame != "none" for a in drawn), 0.6),
        (sum(a.colour == "gray" for a in drawn), 0.1),
    ):
        assert abs(share / 600 - chance) < 4 * np.sqrt(chance * (1 - chance) / 600)
    assert {a.fill for a in drawn} == set(FILLS)
    assert {a.frame for a in drawn} == set(FRAMES)
    for attack in drawn:
        assert 0.15 <= attack.edited <= 0.3
        assert 0.3 <= attack.scale <= 1.5
        assert 30 <= attack.quality <= 95
        assert 0.499 < attack.kept <= 1
        x0, y0, x1, y1 = attack.crop
        assert 0 <= x0 < x1 <= 1 + 1e-9
        assert 0 <= y0 < y1 <= 1 + 1e-9


@pytest.mark.parametrize("share", CROPS)
def test_one_person_cut_out_of_a_group(share: float) -> None:
    group = scene(11, (1600, 1200))
    attack = draw_group_crop(rng(2), share)
    done = attacked(group, DONOR, attack, 3)
    assert attack.kept == pytest.approx(share, rel=1e-6)
    assert done.left == pytest.approx(share * (1 - 0.35), rel=0.08)
    height, width = Image.open(io.BytesIO(done.data)).size[::-1]
    assert height * width == pytest.approx(share * 1600 * 1200 * attack.scale**2, rel=0.02)
    assert done.long_side == max(height, width)
    assert attack.bucket == f"crop {round(100 * share)} %"


@pytest.mark.parametrize("frame", FRAMES)
def test_a_framed_picture_lies_where_its_corner_says(frame: str) -> None:
    done = FRAMES[frame](PICTURE, rng(6))
    x, y = done.corner
    assert (done.pixels[y : y + 480, x : x + 640] == PICTURE).all()
    assert (done.pixels.shape == PICTURE.shape) == (frame == "none")


def test_one_application_looks_the_same_around_every_picture() -> None:
    """The bar and the buttons are shared; the words below are not."""
    bars = {}
    for seed in range(40):
        done = screenshot(PICTURE, rng(seed))
        across = done.pixels.shape[1]
        unit = max(6, across // 24)
        bars.setdefault(tuple(done.pixels[2 * unit, across // 2]), []).append(seed)
    assert len(bars) == APPLICATIONS
    assert all(len(seeds) > 1 for seeds in bars.values())


def test_colours_change_as_their_names_say() -> None:
    def changed(how: str) -> float:
        done = [attacks._coloured(PICTURE, how, rng(s)).astype(int) for s in range(12)]
        return float(np.mean([np.abs(d - PICTURE).mean() for d in done]))

    assert changed("none") == 0
    assert changed("mild") * 1.8 < changed("strong")
    gray = attacks._coloured(PICTURE, "gray", rng(1))
    assert (gray[..., 0] == gray[..., 1]).all()
    assert (gray[..., 1] == gray[..., 2]).all()


def test_a_large_photograph_is_attacked_as_a_site_hands_it_out() -> None:
    done = attacked(scene(5, (2000, 1500)), DONOR, Attack("15-30", 0.2, "paste"), 1)
    assert done.seen.shape == (1200, attacks.LONGEST)
