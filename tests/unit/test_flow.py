"""Slow drift on top of a homography: followed where the whole frame moves, and only there."""

from __future__ import annotations

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from wholecloth.bench.pairs import overlap
from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment, NotAligned
from wholecloth.model.media import RGB
from wholecloth.registration.field import (
    control_places,
    dense,
    displacement_at,
    read_from,
    warp_through,
)
from wholecloth.registration.refine import register
from wholecloth.registration.track import refined
from wholecloth.registration.warp import warp
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.verify import verify
from wholecloth.share import words
from wholecloth.share.exchange import alignment_from, alignment_to
from wholecloth.testing.edits import bent, drift, recloth
from wholecloth.testing.hard import two_frames
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene


def stored(pixels: RGB, quality: int = 85) -> RGB:
    return np.asarray(Image.open(io.BytesIO(encode(pixels, "JPEG", quality))).convert("RGB"))


def aligned(original: RGB, published: RGB) -> Alignment:
    match = verify(extract(original, QUICK), extract(published, QUICK))
    assert match is not None
    found = register(original, published, match)
    assert isinstance(found, Alignment)
    return found


def homography_alone(original: RGB, published: RGB, found: Alignment) -> Alignment:
    match = verify(extract(original, QUICK), extract(published, QUICK))
    assert match is not None
    tracked = refined(original, published, match.original_to_published)
    assert tracked is not None
    return Alignment(
        tracked.homography, False, found.inliers, found.putative, found.residual_px, found.model
    )


@pytest.mark.parametrize(("seed", "largest"), [(305, 3.0), (306, 6.0)])
def test_a_redrawn_frame_is_followed_and_its_edit_is_not(seed: int, largest: float) -> None:
    rng = np.random.default_rng(seed)
    original = stored(scene(seed), 94)
    redrawn, (fx, fy) = drift(original, rng, largest, kept=0.6)
    edited = recloth(redrawn, rng)
    published = stored(edited.pixels)
    found = aligned(original, published)
    assert found.field is not None
    assert found.drift_px > 0.5
    assert found.residual_px > 0.3  # of the homography alone: other rules rest on it
    h, w = original.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    there = read_from(found.original_to_published, (h, w), found.field)
    error = np.hypot(there[..., 0] - (x + fx), there[..., 1] - (y + fy))
    near = cv2.dilate(edited.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.median(error[~near]) < 0.3
    assert np.median(error[edited.mask]) < 1.0  # runs on smoothly instead of matching the new cloth
    with_field = localise(original, published, found, None)
    without = localise(original, published, homography_alone(original, published, found), None)
    assert with_field is not None
    assert without is not None
    assert overlap(with_field.mask, edited.mask)[0] > overlap(without.mask, edited.mask)[0]
    assert (with_field.mask & ~near).mean() <= (without.mask & ~near).mean()


def test_nothing_is_bent_in_an_ordinary_copy_or_edit() -> None:
    original = scene(307)
    edited = recloth(original, np.random.default_rng(1)).pixels
    for published in (original, edited):
        found = aligned(original, stored(published, 70))
        assert found.field is None
        assert found.drift_px == 0.0


def test_a_shape_pushed_in_within_a_still_frame_stays_an_edit() -> None:
    original = scene(308)
    h, w = original.shape[:2]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    near = np.exp(-(((x - w / 2) / 90) ** 2 + ((y - h / 2) / 140) ** 2)).astype(np.float32)
    pushed = bent(original, (9 * near, 0 * near))
    found = aligned(original, stored(pushed))
    assert found.field is None
    edits = localise(original, stored(pushed), found, None)
    assert edits is not None
    assert edits.mask[h // 2 - 60 : h // 2 + 60, w // 2 - 60 : w // 2 + 60].mean() > 0.3


@pytest.mark.parametrize("parallax", [2.0, 5.0, 10.0, 16.0])
def test_parallax_between_two_photographs_is_no_drift(parallax: float) -> None:
    for seed in (930, 931):
        first, second = two_frames(seed, parallax)
        match = verify(extract(first, QUICK), extract(stored(second), QUICK))
        assert match is not None
        found = register(first, stored(second), match)
        assert isinstance(found, NotAligned) or found.field is None


def test_a_field_is_the_same_at_a_point_everywhere_and_at_every_size() -> None:
    rng = np.random.default_rng(4)
    field = rng.normal(0, 2, (9, 11, 2)).astype(np.float32)
    full = dense(field, (60, 80))
    points = np.array([[0.0, 0], [79, 59], [13, 40], [55, 7]])
    assert np.allclose(
        displacement_at(field, points, (60, 80)), full[[0, 59, 40, 7], [0, 79, 13, 55]], atol=1e-5
    )
    twice = dense(field, (119, 159))  # every second pixel centre is one of the smaller frame's
    assert np.allclose(twice[::2, ::2], full, atol=1e-4)


def test_affine_control_points_give_the_affine_map() -> None:
    places = control_places((7, 9), (50, 90))
    field = (places @ np.array([[0.01, 0.002], [-0.003, 0.02]]) + (1.0, -2.0)).astype(np.float32)
    full = dense(field, (50, 90))
    y, x = np.mgrid[:50, :90]
    assert np.allclose(full[..., 0], 0.01 * x - 0.003 * y + 1, atol=1e-4)
    assert np.allclose(full[..., 1], 0.002 * x + 0.02 * y - 2, atol=1e-4)


def test_warping_through_no_field_or_a_field_of_nothing_is_warping() -> None:
    picture = scene(309, (200, 150))
    homography = np.array([[0.9, 0.02, 3], [-0.01, 1.1, 2], [0, 0, 1.0]])
    plain = warp(picture, homography, (150, 200))
    assert np.array_equal(warp_through(picture, homography, (150, 200), None), plain)
    nothing = np.zeros((6, 8, 2), np.float32)
    through = warp_through(picture, homography, (150, 200), nothing)
    assert np.abs(through.astype(int) - plain).max() <= 2  # 1/32 pixel is where OpenCV rounds


def test_a_field_survives_the_exchange_format_as_json() -> None:
    field = np.random.default_rng(8).normal(0, 1, (9, 11, 2)).astype(np.float32)
    there = Alignment(np.eye(3), False, 50, 80, 0.7, "axis", 2.5, field)
    back = alignment_from(json.loads(json.dumps(alignment_to(there))))
    assert isinstance(back, Alignment)
    assert back.drift_px == 2.5
    assert back.field is not None
    assert np.array_equal(back.field, field)


def test_it_is_said_only_where_there_is_one() -> None:
    assert words.bent({"drift_px": 0.0}) == ""
    assert words.bent({}) == ""
    assert "3.2 px" in words.bent({"drift_px": 3.21})
