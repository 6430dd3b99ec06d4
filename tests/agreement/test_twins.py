"""Each clever part against its plain twin."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from wholecloth.localisation.predict import _applied, _colour_terms, _place_terms
from wholecloth.localisation.segment import minimum_cut
from wholecloth.retrieval.features import QUICK, FeatureSettings, extract
from wholecloth.retrieval.verify import MIRROR, mutual_matches, mutual_matches_plain
from wholecloth.testing.scenes import scene

F32 = np.float32


def energy(labels: np.ndarray, score: np.ndarray, guide: np.ndarray, weight: float) -> float:
    """What the cut minimises, written out: unary costs plus Potts terms."""
    unary = np.where(labels, np.maximum(-score, 0), np.maximum(score, 0)).sum()
    total = float(unary)
    for axis in (0, 1):
        price = weight * (0.35 + 0.65 * np.exp(-np.abs(np.diff(guide, axis=axis)) / 12))
        total += float((price * (np.diff(labels.astype(int), axis=axis) != 0)).sum())
    return total


@pytest.mark.parametrize("seed", range(12))
def test_the_cut_is_the_best_of_all_labellings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    score = rng.normal(0, 3, (3, 4)).astype(F32)
    guide = rng.uniform(0, 60, (3, 4)).astype(F32)
    ours = energy(minimum_cut(score, guide, 3.0), score, guide, 3.0)
    every = itertools.product((False, True), repeat=12)
    best = min(energy(np.array(bits).reshape(3, 4), score, guide, 3.0) for bits in every)
    assert ours == pytest.approx(best, abs=0.1)  # capacities are rounded to 1/256


def test_mirrored_descriptors_are_those_of_the_mirrored_picture() -> None:
    picture = scene(5, (640, 480))
    settings = FeatureSettings(640, 600)
    here = extract(picture, settings)
    there = extract(np.ascontiguousarray(picture[:, ::-1]), settings)
    by_permutation = mutual_matches(here.descriptors[:, MIRROR], there.descriptors)
    plain = mutual_matches(here.descriptors, there.descriptors)
    at = there.points[by_permutation[:, 1]]
    mirrored = here.points[by_permutation[:, 0]].copy()
    mirrored[:, 0] = 639 - mirrored[:, 0]
    right = np.linalg.norm(mirrored - at, axis=1) < 2
    assert right.mean() > 0.9
    assert right.sum() > 5 * len(plain) or right.sum() > 300


def test_the_colour_table_is_the_polynomial() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 256, (40, 50, 3), np.uint8)
    colour = rng.normal(0, 12, (16, 3)).astype(F32)
    colour[1:4] += 180 * np.eye(3, dtype=F32)
    place = _place_terms((10, 12))
    table = _applied(picture, colour, np.zeros((5, 3), F32), place)
    direct = np.clip(_colour_terms(picture.astype(F32) / 255) @ colour, 0, 255)
    inside = (direct > 4) & (direct < 251)
    assert np.abs(table - direct)[inside].mean() < 1.0


def test_reduced_and_full_features_share_coordinates() -> None:
    picture = scene(6, (1200, 900))
    small = np.asarray(cv2.resize(picture, (600, 450), interpolation=cv2.INTER_AREA), np.uint8)
    settings = FeatureSettings(600, 500)
    full = extract(picture, settings)
    reduced = extract(small, settings, (900, 1200))
    pairs = mutual_matches(full.descriptors, reduced.descriptors)
    offset = full.points[pairs[:, 0]] - reduced.points[pairs[:, 1]]
    assert np.abs(np.median(offset, axis=0)).max() < 0.02


def test_matching_agrees_with_its_plain_twin() -> None:
    first = extract(scene(41, (640, 480)), QUICK)
    turned = np.ascontiguousarray(np.rot90(scene(41, (640, 480))))
    for second in (extract(scene(42, (640, 480)), QUICK), extract(turned, QUICK)):
        clever = mutual_matches(first.descriptors, second.descriptors)
        plain = mutual_matches_plain(first.descriptors, second.descriptors)
        np.testing.assert_array_equal(clever, plain)
        assert len(clever) > 5
