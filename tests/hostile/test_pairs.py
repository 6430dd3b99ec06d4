"""Pairs nobody would choose: a clear result or a reason for each, and no number that is none."""

from __future__ import annotations

import io
import json
import math
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from wholecloth import examine
from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment
from wholecloth.registration.refine import register
from wholecloth.retrieval.verify import Verified
from wholecloth.testing.edits import recloth
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene
from wholecloth.weighing.verdict import judge
from wholecloth.workflow import Examined

BASE = scene(72, (640, 480))
SIZES = [(1, 1), (1, 5000), (5000, 1), (2, 2), (8, 8), (33, 33), (30_000, 200), (200, 30_000)]
CANNOT_TELL = "too small or too plain"


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def sized(width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(BASE).resize((width, height)))


def examined(folder: Path, published: bytes, *originals: bytes) -> Examined:
    """Through the front door, with every number of record and values looked at."""
    photos = folder / "photos"
    photos.mkdir()
    for number, data in enumerate(originals):
        (photos / f"{number}.bin").write_bytes(data)
    (folder / "published.bin").write_bytes(published)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = examine(folder / "published.bin", [photos], out=folder / "out")
    record = json.loads((folder / "out" / "record.json").read_text("utf-8"), parse_constant=refuse)
    only_numbers(record)
    for source in done.examination.sources:
        alignment, edits = source.comparison.alignment, source.comparison.edits
        assert isinstance(alignment, Alignment)
        assert math.isfinite(alignment.residual_px)
        assert np.isfinite(alignment.original_to_published).all()
        assert edits is not None
        for field in fields(edits):
            value = getattr(edits, field.name)
            assert not isinstance(value, float) or math.isfinite(value), field.name
        assert all(math.isfinite(r.evidence) for r in edits.regions)
    return done


def refuse(text: str) -> float:
    raise AssertionError(f"the record holds {text}")


def only_numbers(value: Any) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            only_numbers(each)
    elif isinstance(value, float):
        assert math.isfinite(value)


@pytest.mark.parametrize("size", SIZES)
def test_odd_sizes_as_published(tmp_path: Path, size: tuple[int, int]) -> None:
    record = examined(tmp_path, png(sized(*size)), png(BASE)).record
    assert record["verdict"] == "undetermined"
    assert CANNOT_TELL in record["sentence"]


@pytest.mark.parametrize("size", SIZES)
def test_odd_sizes_as_candidate(tmp_path: Path, size: tuple[int, int]) -> None:
    record = examined(tmp_path, png(BASE), png(sized(*size)), png(scene(99, (400, 300)))).record
    skipped = [s["reason"] for s in record["candidates"]["skipped"]]
    if min(size) < 32:
        assert skipped == [f"too small to compare ({size[0]} × {size[1]} pixels)"]
        assert record["verdict"] == "undetermined"
    else:
        assert skipped == []
        assert record["verdict"] == "no_original"


def blank(kind: str) -> np.ndarray:
    if kind == "transparent":
        return np.dstack([BASE, np.zeros(BASE.shape[:2], np.uint8)])
    flat = np.full_like(BASE, 77)
    if kind == "two colours":
        flat[120:300, 200:] = (10, 200, 30)
    return flat


@pytest.mark.parametrize("kind", ["transparent", "one colour", "two colours"])
def test_nothing_to_see(tmp_path: Path, kind: str) -> None:
    for name, published, original in (
        ("as published", blank(kind), BASE),
        ("both", blank(kind), blank(kind)[4:, 4:, :3].copy()),
    ):
        (tmp_path / name).mkdir()
        done = examined(tmp_path / name, png(published), png(original))
        assert done.record["verdict"] == "undetermined"
        assert CANNOT_TELL in done.record["sentence"]
        if kind == "transparent":
            assert done.record["published"]["notes"] == ["transparent pixels were laid on white"]


def test_the_very_same_file_and_the_very_same_pixels(tmp_path: Path) -> None:
    for name, original in (("bytes", png(BASE)), ("pixels", cv2_png(BASE))):
        (tmp_path / name).mkdir()
        done = examined(tmp_path / name, png(BASE), original)
        assert done.record["verdict"] == "copy"
        assert done.record["edit"]["share"] == 0
        assert done.record["registration"]["model"] == "integer"


def cv2_png(pixels: np.ndarray) -> bytes:
    ok, data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert ok
    return bytes(data)


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_turned_by_quarters(tmp_path: Path, quarter: int) -> None:
    turned = np.ascontiguousarray(np.rot90(BASE, quarter))
    record = examined(tmp_path, png(turned), png(BASE)).record
    assert record["verdict"] == "copy"
    assert record["edit"]["share"] == 0
    assert not record["registration"]["mirrored"]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_by_exif(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(BASE).save(buffer, "JPEG", quality=85, exif=exif)
    record = examined(tmp_path, buffer.getvalue(), png(BASE)).record
    assert record["verdict"] == "copy"
    assert record["registration"]["mirrored"] == (orientation in (2, 4, 5, 7))
    assert (record["published"]["width"] == 480) == (orientation >= 5)


def test_eight_times_smaller(tmp_path: Path) -> None:
    large = scene(73, (2400, 1600))
    small = np.asarray(Image.fromarray(large).resize((300, 200), Image.Resampling.BOX))
    record = examined(tmp_path, encode(small), encode(large)).record
    assert record["verdict"] == "copy"


def test_eight_times_larger_is_found(tmp_path: Path) -> None:
    small = scene(73, (300, 200))
    large = np.asarray(Image.fromarray(small).resize((2400, 1600), Image.Resampling.BICUBIC))
    record = examined(tmp_path, encode(large), encode(small)).record
    assert record["original"] is not None
    scale = record["registration"]["original_to_published"][0][0]
    assert abs(scale - 8) < 0.01


def test_another_aspect(tmp_path: Path) -> None:
    wide = np.asarray(Image.fromarray(BASE).resize((960, 480)))
    assert examined(tmp_path, encode(wide), png(BASE)).record["verdict"] == "copy"


def sixteen(pixels: np.ndarray) -> bytes:
    ok, data = cv2.imencode(".png", cv2.cvtColor(pixels.astype(np.uint16) * 257, cv2.COLOR_RGB2BGR))
    assert ok
    return bytes(data)


def test_sixteen_bits_against_eight(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    record = examined(tmp_path / "a", encode(BASE), sixteen(BASE)).record
    assert record["verdict"] == "copy"
    (tmp_path / "b").mkdir()
    record = examined(tmp_path / "b", sixteen(BASE), png(BASE)).record
    assert record["verdict"] == "copy"
    assert record["published"]["notes"] == ["16 bits a channel: reduced to 8"]


def grey(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L"))


def test_a_grey_copy_of_a_colour_picture(tmp_path: Path) -> None:
    assert examined(tmp_path, encode(grey(BASE)), png(BASE)).record["verdict"] == "copy"


def test_a_colour_picture_against_a_grey_original_compares_lightness(tmp_path: Path) -> None:
    edited = recloth(BASE, np.random.default_rng(2))
    for name, published, verdict in (("copy", BASE, "copy"), ("edit", edited.pixels, "edit")):
        (tmp_path / name).mkdir()
        record = examined(tmp_path / name, encode(published), png(grey(BASE))).record
        assert record["verdict"] == verdict
        assert "S1 has no colour: only lightness was compared with it" in record["not_examined"]


@pytest.mark.parametrize("format_", ["GIF", "WEBP", "PNG"])
def test_of_what_moves_the_first_frame_is_compared_and_that_is_said(
    tmp_path: Path, format_: str
) -> None:
    frames = [Image.fromarray(BASE), Image.fromarray(scene(75, (640, 480)))]
    if format_ == "GIF":
        frames = [f.quantize(128) for f in frames]
    buffer = io.BytesIO()
    frames[0].save(buffer, format_, save_all=True, append_images=frames[1:])
    (tmp_path / "a").mkdir()
    record = examined(tmp_path / "a", buffer.getvalue(), png(BASE)).record
    assert record["verdict"] == "copy"
    assert "only the first of 2 frames was examined" in record["not_examined"]
    (tmp_path / "b").mkdir()
    record = examined(tmp_path / "b", encode(BASE), buffer.getvalue()).record
    assert record["original"] is not None
    assert "of S1, only the first of 2 frames was examined" in record["not_examined"]


@pytest.mark.parametrize("kind", ["scene", "flat", "noise"])
def test_a_pair_forced_on_the_two_stages_gives_numbers_or_nothing(kind: str) -> None:
    """As ``wholecloth register`` and ``localise`` may be given anything."""
    sizes = [(1, 1), (1, 300), (300, 1), (2, 2), (8, 8), (40, 30)]
    rng = np.random.default_rng(6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for a in sizes:
            for b in sizes:
                original, published = sized(*a), sized(*b)
                if kind == "flat":
                    original = np.full_like(original, 77)
                if kind == "noise":
                    published = rng.integers(0, 256, published.shape, dtype=np.uint8)
                move = np.diag([b[0] / a[0], b[1] / a[1], 1.0])
                forced(original, published, move)
                forced(original, published, np.eye(3))


def forced(original: np.ndarray, published: np.ndarray, move: np.ndarray) -> None:
    found = register(original, published, Verified(move, False, 50, 20, 60))
    given = Alignment(move, False, 50, 60, 0.1, "axis")
    for alignment in (found, given):
        if not isinstance(alignment, Alignment):
            assert alignment.reason
            continue
        assert np.isfinite(alignment.original_to_published).all()
        assert math.isfinite(alignment.residual_px)
        edits = localise(original, published, alignment, None)
        if edits is not None:
            floats = [getattr(edits, f.name) for f in fields(edits)]
            assert all(math.isfinite(v) for v in floats if isinstance(v, float))
        assert judge(alignment, edits)[1]
