"""The parts of the map alone: areas, outlines, what is borne out, what is drawn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from wholecloth.localisation.drawn import is_drawn, two_tones_at
from wholecloth.localisation.within import MIN_BLOCKS, blocks, borne_out, explained_within
from wholecloth.model.comparison import Alignment
from wholecloth.model.derivation import Derivation, Part
from wholecloth.registration.refine import register_within
from wholecloth.registration.warp import perspective_of
from wholecloth.retrieval.area import box_of, features_in, grown
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.verify import Verified, agreeing, verify
from wholecloth.share.part_map import filled, part_map
from wholecloth.testing.scenes import scene
from wholecloth.weighing.decision import decide
from wholecloth.weighing.derivation import NOTHING, explain, outlines
from wholecloth.weighing.propositions import Pair

IDENTITY = Alignment(np.eye(3), False, 99, 99, 0.0, "integer")


def test_outlines_hold_holes_and_islands() -> None:
    mask = np.zeros((300, 400), bool)
    mask[40:260, 50:350] = True
    mask[100:200, 120:280] = False
    mask[130:170, 170:230] = True
    again = filled(outlines(mask), (300, 400))
    assert (again ^ mask).mean() < 0.01


def test_specks_have_no_outline() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:14, 10:14] = True
    assert outlines(mask) == ()


def test_features_of_an_area_lie_in_it_and_are_not_crowded_out() -> None:
    picture = scene(41)
    area = np.zeros(picture.shape[:2], bool)
    area[100:300, 200:500] = True
    found = features_in(picture, area, QUICK)
    x, y = found.points.T
    assert ((x >= 199.5) & (x <= 499.5) & (y >= 99.5) & (y <= 299.5)).all()
    whole = extract(picture, QUICK).points
    inside = (whole >= (200, 100)).all(axis=1) & (whole < (500, 300)).all(axis=1)
    assert len(found.points) > inside.sum()


def test_growing_and_boxing() -> None:
    mask = np.zeros((50, 60), bool)
    mask[20, 30] = True
    assert box_of(grown(mask, 3)) == (27, 17, 34, 24)
    assert box_of(mask, 100) == (0, 0, 60, 50)
    assert grown(mask, 0) is mask


def test_a_piece_is_explained_where_it_lies_and_nowhere_else() -> None:
    donor, host = scene(21), scene(25)
    shape = np.zeros(host.shape[:2], np.uint8)
    cv2.ellipse(shape, (520, 380), (150, 190), 0, 0, 360, 1, -1)
    mixed = np.where(shape[..., None] > 0, donor, host)
    everywhere = np.ones_like(shape, bool)
    found = explained_within(donor, mixed, IDENTITY, None, everywhere)
    assert found is not None
    both = (found.mask & (shape > 0)).sum() / (found.mask | (shape > 0)).sum()
    assert both > 0.9
    assert found.agreement > 0.95


@pytest.mark.parametrize("seed", range(30, 42))
def test_an_unrelated_picture_explains_nothing(seed: int) -> None:
    first, second = scene(seed), scene(seed + 400)
    everywhere = np.ones(first.shape[:2], bool)
    found = explained_within(first, second, IDENTITY, None, everywhere)
    assert found is None or found.mask.mean() < 0.015


def test_what_few_blocks_agree_on_is_not_borne_out() -> None:
    mask = np.zeros((200, 200), bool)
    mask[:, :90] = True
    mask[:, 110:] = True
    textured = np.ones((50, 50), bool)
    agrees = textured.copy()
    agrees[:, 27:] = False
    kept = borne_out(mask, textured, agrees)
    assert kept[:, :90].mean() > 0.9
    assert not kept[:, 110:].any()
    agrees[:] = False
    agrees[2:6, 2:6] = True
    assert agrees.sum() < MIN_BLOCKS
    assert not borne_out(mask, agrees.copy(), agrees).any()


def test_blocks_of_a_copy_agree() -> None:
    picture = scene(21)
    textured, agrees, plain = blocks(picture, picture, IDENTITY, np.ones(picture.shape[:2], bool))
    assert textured.sum() > 1000
    assert (agrees == textured).all()
    assert not (textured & plain).any()


def test_registering_an_area_ignores_the_rest() -> None:
    picture = scene(21)
    moved = np.roll(picture, (9, 14), axis=(0, 1))
    mixed = picture.copy()
    mixed[200:560, 300:760] = moved[200:560, 300:760]
    area = np.zeros(picture.shape[:2], bool)
    area[200:560, 300:760] = True
    start = Verified(np.array([[1.0, 0, 13], [0, 1, 10], [0, 0, 1]]), False, 50, 40, 60)
    found = register_within(picture, mixed, start, area)
    assert isinstance(found, Alignment)
    assert np.allclose(found.original_to_published[:2, 2], (14, 9), atol=0.05)


def test_drawn_and_photographed() -> None:
    drawn = np.full((400, 600, 3), 245, np.uint8)
    for i in range(9):
        cv2.putText(drawn, "words in a row", (10, 40 + 42 * i), 0, 1.0, (20, 20, 20), 2)
    everywhere = np.ones(drawn.shape[:2], bool)
    assert is_drawn(drawn, everywhere)
    assert not is_drawn(scene(21), np.ones((768, 1024), bool))
    assert not is_drawn(drawn, np.zeros_like(everywhere))
    mist = np.repeat(np.linspace(120, 150, 600).astype(np.uint8)[None, :, None], 400, axis=0)
    assert not is_drawn(np.repeat(mist, 3, axis=2), everywhere)
    edges = np.argwhere((drawn[..., 0] < 60) & everywhere)[::40, ::-1].astype(float)
    tones = two_tones_at(drawn, edges)
    assert tones is not None
    assert tones > 0.6
    assert two_tones_at(drawn, np.zeros((0, 2))) is None


def test_perspective_is_nought_for_affine_maps() -> None:
    affine = np.array([[1.2, 0.3, 5], [-0.2, 0.7, 9], [0, 0, 1.0]])
    assert max(perspective_of(affine, (300, 400))) < 1e-9
    keystone = np.array([[1.0, 0, 0], [0, 1, 0], [2e-4, 0, 1]])
    corner = 399 / (1 + 2e-4 * 399)
    expected = abs(299 - 299 / (1 + 2e-4 * 399)) / 4  # by hand: only the right side shrinks
    diagonal = np.hypot(corner, 299)
    relative, pixels = perspective_of(keystone, (300, 400))
    assert pixels == pytest.approx(expected)
    assert relative == pytest.approx(expected / diagonal, rel=0.05)


def test_agreeing_features_are_those_of_the_match() -> None:
    picture = scene(21)
    features = extract(picture, QUICK)
    match = verify(features, features)
    assert match is not None
    points = agreeing(features, features, match.original_to_published, mirrored=False)
    assert len(points) >= match.inliers


def test_without_a_source_there_is_no_map() -> None:
    def never(_: object) -> list[object]:
        raise AssertionError("asked")

    assert explain(None, [], never, never) is NOTHING  # type: ignore[arg-type]


def test_the_map_names_every_part() -> None:
    square = (((10, 10), (90, 10), (90, 90), (10, 90)),)
    part = Part("S2", "donor", square, 0.5, np.eye(3), False, 20, 0.1, 1.0)
    figure = part_map(Derivation((part,), (), 0.25), (100, 120))
    assert figure.shape == (100 + 2 * 26, 120, 3)
    assert (figure[20, 20] != figure[5, 5]).any()


def test_a_donor_rules_neither_technique_in_nor_out() -> None:
    said = "a region inside the surroundings of S1 comes from another candidate"
    with_donor = Pair("edit", "an edit of S1", donor=said)
    read, _ = decide(with_donor, [], [], "a" * 64)
    assert said in read["P2"].because
    assert read["P2"].state == "supported"
    from wholecloth.weighing.decision import facts_of

    facts = facts_of(with_donor, read)
    assert facts["other_material"][0] == "missing"
    assert facts["surroundings"][0] == "missing"
    plain = facts_of(Pair("edit", "an edit of S1"), read)
    assert plain["other_material"][0] == "contradicted"
    assert plain["surroundings"][0] == "met"
