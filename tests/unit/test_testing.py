"""The drawn cases are what they say: same by seed, masks exact, homographies exact."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wholecloth.model.media import RGB
from wholecloth.testing.cases import draw_case, draw_folder, draw_partial
from wholecloth.testing.edits import EDITS, blob, rerender
from wholecloth.testing.launder import Laundering, encode, launder, random_chain
from wholecloth.testing.overlays import OVERLAYS, overlaid
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import scene

SIZE = (640, 480)
KINDS = ("room", "street", "landscape", "still life")


def opened(data: bytes) -> RGB:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def ramps(width: int, height: int) -> RGB:
    """A chart whose red is its x and whose green is its y, so that a warp can be read off it."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 128)], axis=2).astype(np.uint8)


@pytest.mark.parametrize("seed", range(4), ids=KINDS)
def test_a_seed_is_a_scene(seed: int) -> None:
    first = scene(seed, SIZE)
    assert first.shape == (SIZE[1], SIZE[0], 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, scene(seed, SIZE))
    other = scene(seed + len(KINDS), SIZE)  # the next of the same kind
    assert np.abs(first.astype(int) - other).mean() > 15


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_scenes_have_keypoints(kind: int) -> None:
    for seed in range(kind, 12, len(KINDS)):
        gray = cv2.cvtColor(scene(seed), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(gray, (400, 300), interpolation=cv2.INTER_AREA)
        assert len(cv2.SIFT.create(nfeatures=0).detect(small, None)) >= 60


@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_a_blob_is_one_region_of_its_share(share: float) -> None:
    for seed in range(4):
        mask = blob((480, 640), share, np.random.default_rng(seed))
        assert mask.mean() == pytest.approx(share, rel=0.1)
        assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2


@pytest.mark.parametrize("kind", sorted(EDITS))
def test_masks_are_exact(kind: str) -> None:
    before = scene(1, SIZE)
    edited = EDITS[kind](before, np.random.default_rng(5))
    again = EDITS[kind](before, np.random.default_rng(5))
    assert edited.kind == kind
    assert np.array_equal(edited.pixels, again.pixels)
    assert np.array_equal(edited.pixels[~edited.mask], before[~edited.mask])
    assert (edited.pixels[edited.mask] != before[edited.mask]).any(axis=1).all()
    # The mask is a region, not a scatter: closing its pinholes adds next to nothing.
    closed = cv2.morphologyEx(edited.mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5)))
    assert edited.mask.sum() > 0.95 * closed.sum()
    assert 0.01 < edited.mask.mean() < 0.4


def test_a_rerender_changes_little_everywhere() -> None:
    before = scene(1, SIZE)
    after = rerender(before, np.random.default_rng(5))
    assert (after != before).any(axis=2).mean() > 0.7
    assert np.abs(after.astype(int) - before).mean() < 8


@pytest.mark.parametrize(
    "chain",
    [
        Laundering(format="PNG"),
        Laundering(format="PNG", mirror=True),
        Laundering(format="PNG", scale=0.5),
        Laundering(format="PNG", scale=0.73),
        Laundering(format="PNG", scale=1.37),
        Laundering(format="PNG", frame=9),
        Laundering(format="PNG", crop=(0.07, 0.03, 0.9, 0.95), scale=0.81, mirror=True, frame=24),
    ],
    ids=["nothing", "mirror", "half", "shrink", "enlarge", "frame", "all"],
)
def test_homographies_are_exact(chain: Laundering) -> None:
    chart = ramps(250, 200)
    done = launder(chart, np.zeros(chart.shape[:2], bool), chain)
    published = opened(done.data).astype(float)
    height, width = published.shape[:2]
    y, x = np.mgrid[:height, :width]
    points = np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    back = np.linalg.inv(done.original_to_published) @ points
    expected = (back[:2] / back[2]).reshape(2, height, width)
    edge = 6 + chain.frame  # the resampler has no neighbours there
    for channel in range(2):
        miss = (published[..., channel] - expected[channel])[edge:-edge, edge:-edge]
        assert np.abs(miss).max() < 1.0
        assert abs(miss.mean()) < 0.02 or chain.scale == 0.5  # halving ends on ties, rounded up
        assert np.abs(miss).mean() <= 0.51


@pytest.mark.parametrize("strength", ["mild", "repost"])
def test_chains_carry_picture_and_mask_together(strength: str) -> None:
    before = scene(1, SIZE)
    edited = EDITS["recloth"](before, np.random.default_rng(2))
    for seed in range(5):
        chain = random_chain(np.random.default_rng(seed), strength)
        assert chain == random_chain(np.random.default_rng(seed), strength)
        done = launder(edited.pixels, edited.mask, chain)
        # The same chain on the unedited picture: they may differ near the edit only.
        plain = launder(before, np.zeros_like(edited.mask), chain)
        one, two = opened(done.data).astype(int), opened(plain.data).astype(int)
        assert done.mask.shape == one.shape[:2]
        differ = np.abs(one - two).max(axis=2)
        near = cv2.dilate(done.mask.astype(np.uint8), np.ones((81, 81))) > 0
        assert differ[~near].max() <= 1  # two JPEGs reach two chroma blocks of 16, and a little
        assert np.median(differ[done.mask]) > 12


@pytest.mark.parametrize("kind", [None, *sorted(EDITS)])
def test_a_case_agrees_with_its_homography(kind: str | None) -> None:
    chain = Laundering(crop=(0.05, 0, 1, 0.9), scale=0.8, mirror=True, frame=12, qualities=(92,))
    case = draw_case(9, kind, chain, size=SIZE)
    again = draw_case(9, kind, chain, size=SIZE)
    assert (case.original, case.published) == (again.original, again.published)
    published = opened(case.published)
    height, width = published.shape[:2]
    warped = cv2.warpPerspective(
        opened(case.original), case.original_to_published, (width, height), flags=cv2.INTER_LINEAR
    )
    # Both a little blurred: warping and shrinking keep different amounts of the finest detail.
    miss = np.abs(
        cv2.GaussianBlur(warped, (0, 0), 1.2).astype(int) - cv2.GaussianBlur(published, (0, 0), 1.2)
    ).mean(axis=2)
    inside = np.zeros((height, width), bool)
    inside[16:-16, 16:-16] = True  # past the frame
    near = cv2.dilate(case.mask.astype(np.uint8), np.ones((17, 17))) > 0
    assert miss[inside & ~near].mean() < 3
    if kind is None:
        assert not case.mask.any()
    else:
        assert miss[case.mask & inside].mean() > 4 * miss[inside & ~near].mean()


def test_a_partial_case_says_its_share() -> None:
    case = draw_partial(3, share=0.2)
    assert case.share == pytest.approx(0.2, abs=0.02)
    assert case.published == draw_partial(3, share=0.2).published
    changed = np.abs(opened(case.published).astype(int) - opened(case.host)).max(axis=2) > 30
    assert changed.mean() == pytest.approx(case.share, abs=0.06)


def test_a_folder_holds_the_original_once(tmp_path: Path) -> None:
    one = draw_folder(tmp_path / "a", seed=3, candidates=4)
    two = draw_folder(tmp_path / "b", seed=3, candidates=4)
    names = sorted(p.name for p in one.photos.iterdir())
    assert len(names) == 4
    assert names == sorted(p.name for p in two.photos.iterdir())
    assert one.original.name == two.original.name
    assert one.published.read_bytes() == two.published.read_bytes()
    contents = [(one.photos / name).read_bytes() for name in names]
    assert contents == [(two.photos / name).read_bytes() for name in names]
    assert contents.count(one.original.read_bytes()) == 1
    assert opened(one.published.read_bytes()).shape[:2] == one.mask.shape


def test_photographs_show_nobody() -> None:
    found = photographs()
    stems = {Path(p.name).stem for p in found}
    assert not stems & {"astronaut", "camera", "lfw_subset"}
    assert all(p.pixels.ndim == 3 and p.licence for p in found)


def test_png_text_is_a_chunk() -> None:
    data = encode(scene(0, (64, 48)), "PNG", parameters="drawn for a test")
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["parameters"] == "drawn for a test"


@pytest.mark.parametrize("kind", OVERLAYS)
def test_overlays_change_what_their_mask_says_and_nothing_else(kind: str) -> None:
    before = scene(14, (640, 480))
    done = overlaid(before, kind, np.random.default_rng(3))
    again = overlaid(before, kind, np.random.default_rng(3))
    np.testing.assert_array_equal(done.pixels, again.pixels)
    np.testing.assert_array_equal(done.pixels[~done.mask], before[~done.mask])
    assert (done.pixels[done.mask] != before[done.mask]).any(axis=1).all()
    assert 0.001 < done.mask.mean() < 0.3
