"""Registration: mirror states of symmetric pictures, little of the frame left, refusals."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from wholecloth.model.comparison import Alignment, NotAligned
from wholecloth.model.media import RGB
from wholecloth.registration.estimate import robust_fit, weighted_median
from wholecloth.registration.refine import register
from wholecloth.registration.warp import apply
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.linear import Found, Lead
from wholecloth.retrieval.verify import Verified, verify
from wholecloth.share.exchange import found_from, found_to
from wholecloth.testing.hard import facade, studio
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

FLIP = np.array([[-1.0, 0, 1039], [0, 1, 0], [0, 0, 1]])


def stored(pixels: RGB, quality: int = 75) -> RGB:
    return np.asarray(Image.open(io.BytesIO(encode(pixels, "JPEG", quality))).convert("RGB"))


def matched(original: RGB, published: RGB) -> Verified:
    found = verify(extract(original, QUICK), extract(published, QUICK))
    assert found is not None
    return found


@pytest.mark.parametrize("mirror", [False, True])
def test_a_symmetric_facade_keeps_its_mirror_state(mirror: bool) -> None:
    original = facade(300)
    published = stored(np.ascontiguousarray(original[:, ::-1]) if mirror else original)
    match = matched(original, published)
    assert match.rival is not None
    assert match.rival.mirrored != match.mirrored
    aligned = register(original, published, match)
    assert isinstance(aligned, Alignment)
    assert aligned.mirrored == mirror
    truth = FLIP if mirror else np.eye(3)
    points = np.array([[100.0, 90], [900, 90], [500, 700]])
    moved = apply(aligned.original_to_published, points) - apply(truth, points)
    assert np.abs(moved).max() < 0.1
    # Whichever state the features preferred, pixels decide.
    swapped = register(original, published, swap(match))
    assert isinstance(swapped, Alignment)
    assert swapped.mirrored == mirror


def swap(match: Verified) -> Verified:
    rival = match.rival
    assert rival is not None
    first = Verified(match.original_to_published, match.mirrored, match.inliers, 0, match.putative)
    return Verified(
        rival.original_to_published, rival.mirrored, rival.inliers, 0, rival.putative, first
    )


def test_the_other_mirror_state_survives_the_exchange_format() -> None:
    match = matched(facade(300), stored(facade(300)))
    found = Found((Lead(0, match, "00", "quick"),), (), 1, (), 0)
    again = found_from(found_to(found, ["a.jpg"])).leads[0].verified
    assert match.rival is not None
    assert again.rival is not None
    assert again.rival.mirrored == match.rival.mirrored
    assert np.array_equal(again.rival.original_to_published, match.rival.original_to_published)


def test_no_other_state_is_kept_where_features_can_tell() -> None:
    assert matched(scene(60), stored(scene(60))).rival is None


@pytest.mark.parametrize("share", [0.5, 0.7, 0.85])
def test_an_edit_of_most_of_the_frame_does_not_pull(share: float) -> None:
    original, other = scene(301), scene(905)
    published = original.copy()
    h, w = original.shape[:2]
    ch, cw = (round(s * np.sqrt(share)) for s in (h, w))
    y, x = (h - ch) // 2, (w - cw) // 2
    published[y : y + ch, x : x + cw] = other[y : y + ch, x : x + cw]
    published = stored(published)
    aligned = register(original, published, matched(original, published))
    assert isinstance(aligned, Alignment)
    corners = np.array([[0.0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]])
    assert np.abs(apply(aligned.original_to_published, corners) - corners).max() < 0.2


def test_a_small_subject_before_a_blank_backdrop() -> None:
    original = studio(311)
    small = cv2.resize(original, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    published = stored(np.asarray(small, np.uint8))
    aligned = register(original, published, matched(original, published))
    assert isinstance(aligned, Alignment)
    there = apply(aligned.original_to_published, np.array([[500.0, 660.0]]))
    assert np.abs(there - ((500.5 * 0.7 - 0.5), (660.5 * 0.7 - 0.5))).max() < 0.05


def test_what_tracking_does_not_bear_out_is_refused_with_numbers() -> None:
    chance = Verified(np.eye(3), False, 8, 8, 40)
    refused = register(scene(61), scene(62), chance)
    assert isinstance(refused, NotAligned)
    assert "8 features agree" in refused.reason
    assert "px" in refused.reason
    assert refused.inliers == 8


def test_untrusted_points_have_no_say() -> None:
    rng = np.random.default_rng(3)
    source = rng.uniform(0, 500, (300, 2))
    target = source + np.array([3.0, -2.0])
    target[:200] += (6.0, 5.0)  # two thirds move together, but found nothing alike
    trust = np.where(np.arange(300) < 200, 0.02, 1.0)
    fitted, _ = robust_fit(source, target, "axis", trust)
    assert np.abs(apply(fitted, source) - source - (3, -2)).max() < 0.05
    pulled, _ = robust_fit(source, target, "axis")
    assert np.abs(apply(pulled, source) - source - (3, -2)).max() > 1


def test_the_weighted_median_is_the_plain_one_for_equal_weights() -> None:
    values = np.random.default_rng(5).normal(size=101)
    assert weighted_median(values, np.ones(101)) == float(np.median(values))
    assert weighted_median(values) == float(np.median(values))
    assert weighted_median(np.array([1.0, 2, 9]), np.array([0.1, 0.1, 5])) == 9
