"""What must hold for any input."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wholecloth.casework.verify import record_digest as digest
from wholecloth.errors import FindingRefused
from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment
from wholecloth.registration.estimate import robust_fit
from wholecloth.registration.warp import apply
from wholecloth.share.record import encode, relative
from wholecloth.share.words import place, plain
from wholecloth.testing.launder import Laundering, launder
from wholecloth.testing.scenes import scene
from wholecloth.weighing.statements import parse

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)
records = st.dictionaries(st.text(min_size=1, max_size=9), json_values, max_size=5)


@given(records, records)
def test_the_digest_ignores_run_and_nothing_else(record: dict, run: dict) -> None:
    kept = {k: v for k, v in record.items() if k not in ("run", "record_digest")}
    assert digest(kept | {"run": run, "record_digest": "x"}) == digest(kept)
    assert digest(kept | {"another": 1}) != digest(kept) or "another" in kept
    assert json.loads(encode(kept)) == kept


@given(st.text(max_size=300))
def test_shown_text_moves_no_cursor_and_turns_no_direction(text: str) -> None:
    shown = plain(text)
    for char in shown:
        assert char.isprintable() or char == " "
    assert "\x1b" not in shown
    assert plain(shown, 10_000) == shown


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_as_a_finding_are_read_or_refused(data: bytes) -> None:
    try:
        parse(data, "f", "0" * 64)
    except FindingRefused as refused:
        if not (refused.reason and refused.remedy):
            raise


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["axis", "affine", "homography"]),
    st.floats(0, 0.35),
)
@settings(max_examples=40, deadline=None)
def test_a_known_transformation_is_recovered_despite_outliers(
    seed: int, model: str, outliers: float
) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(0, 800, (200, 2))
    truth = np.diag([rng.uniform(0.4, 2), rng.uniform(0.4, 2), 1.0])
    truth[:2, 2] = rng.uniform(-50, 50, 2)
    if model != "axis":
        truth[0, 1], truth[1, 0] = rng.uniform(-0.2, 0.2, 2)
    if model == "homography":
        truth[2, :2] = rng.uniform(-1e-4, 1e-4, 2)
    target = apply(truth, points) + rng.normal(0, 0.02, points.shape)
    wrong = rng.random(200) < outliers
    target[wrong] += rng.uniform(-4, 4, (int(wrong.sum()), 2))
    found, _ = robust_fit(points, target, model)
    assert np.abs(apply(found, points) - apply(truth, points)).max() < 0.15


@given(
    st.integers(0, 50),
    st.booleans(),
    st.sampled_from([0.5, 0.8, 1.0, 1.3]),
    st.integers(0, 20),
)
@settings(max_examples=8, deadline=None)
def test_a_plain_copy_gives_an_empty_mask(
    seed: int, mirror: bool, scale: float, frame: int
) -> None:
    picture = scene(seed, (320, 240))
    done = launder(
        picture,
        np.zeros(picture.shape[:2], bool),
        Laundering(mirror=mirror, scale=scale, frame=frame, format="PNG"),
    )
    import io

    from PIL import Image

    published = np.asarray(Image.open(io.BytesIO(done.data)).convert("RGB"))
    alignment = Alignment(done.original_to_published, mirror, 100, 100, 0.0, "axis")
    edits = localise(picture, published, alignment, None)
    assert edits is not None
    assert not edits.mask.any()
    assert edits.share == 0.0
    for value in (edits.agreement, edits.ring_unchanged):
        assert math.isfinite(value)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 79)), min_size=1, max_size=8))
def test_every_polygon_has_a_place(points: list[tuple[int, int]]) -> None:
    assert place([list(p) for p in points], 100, 80)


@given(st.text(alphabet="abc/.", min_size=1, max_size=20))
def test_record_paths_are_never_absolute(name: str) -> None:
    assert not relative("/" + name.strip("/"), ["/a/b", "/c/"]).startswith("/")
