"""Every verdict on drawn pictures, and what the candidates' formats do not change."""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from wholecloth import examine
from wholecloth.model.comparison import NotAligned
from wholecloth.registration.warp import apply, corners
from wholecloth.testing.cases import draw_case, draw_partial
from wholecloth.testing.edits import EDITS
from wholecloth.testing.launder import Laundering, encode, launder
from wholecloth.testing.scenes import scene


def run(tmp_path: Path, published: bytes, **candidates: bytes) -> dict[str, Any]:
    photos = tmp_path / "photos"
    photos.mkdir(exist_ok=True)
    (photos / "unrelated.jpg").write_bytes(encode(scene(8800)))
    for name, data in candidates.items():
        (photos / name.replace("_", ".")).write_bytes(data)
    path = tmp_path / "published"
    path.write_bytes(published)
    return examine(path, [photos]).record


def test_the_same_bytes_are_a_copy(tmp_path: Path) -> None:
    data = encode(scene(31))
    record = run(tmp_path, data, same_jpg=data)
    assert record["verdict"] == "copy"
    assert record["edit"]["share"] == 0.0
    assert record["edit"]["regions"] == []
    assert record["decision"]["outcome"] == "not_an_edit"


def test_no_sketch_is_drawn_of_a_copy(tmp_path: Path) -> None:
    data = encode(scene(31))
    (tmp_path / "a.jpg").write_bytes(data)
    (tmp_path / "p.jpg").write_bytes(encode(scene(31), quality=60))
    examine(tmp_path / "p.jpg", [tmp_path / "a.jpg"], out=tmp_path / "out")
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {
        "comparable.png",
        "custody.jsonl",
        "edit-mask.png",
        "record.json",
        "report.html",
    }
    assert "<img" not in (tmp_path / "out" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "chain",
    [
        Laundering(qualities=(60,)),
        Laundering(scale=0.55),
        Laundering(mirror=True, crop=(0.1, 0.05, 0.95, 0.9)),
        Laundering(gain=1.2, gamma=0.8, saturation=1.5),
        Laundering(frame=30, frame_colour=(0, 0, 0)),
        Laundering(sharpen=0.8),
        Laundering(saturation=0.0),
        Laundering(format="WEBP"),
        Laundering(format="AVIF"),
        Laundering(format="GIF"),
    ],
    ids=lambda c: repr(c)[11:50],
)
def test_a_benign_copy_is_a_copy(tmp_path: Path, chain: Laundering) -> None:
    picture = scene(33)
    done = launder(picture, np.zeros(picture.shape[:2], bool), chain)
    record = run(tmp_path, done.data, orig_png=encode(picture, "PNG"))
    assert record["verdict"] == "copy"
    assert record["edit"]["share"] == 0.0
    found = np.array(record["registration"]["original_to_published"])
    frame = corners((picture.shape[0], picture.shape[1]))
    error = np.linalg.norm(apply(found, frame) - apply(done.original_to_published, frame), axis=1)
    assert error.max() < 0.5
    assert record["registration"]["mirrored"] == chain.mirror


def test_nothing_related_is_no_original(tmp_path: Path) -> None:
    record = run(tmp_path, encode(scene(35)))
    assert record["verdict"] == "no_original"
    assert record["sources"] == []
    assert record["original"] is None
    assert record["edit"] is None
    assert record["reasons"]["edit"]


def test_an_unread_candidate_leaves_it_undetermined(tmp_path: Path) -> None:
    record = run(
        tmp_path, encode(scene(35)), clip_mp4=b"\0\0\0\x18ftypisom" + b"\0" * 64, note_txt=b"hello"
    )
    assert record["verdict"] == "undetermined"
    kinds = {Path(s["path"]).name: s["kind"] for s in record["candidates"]["skipped"]}
    assert kinds == {"clip.mp4": "unread", "note.txt": "not_a_picture"}


def test_a_text_file_alone_does_not(tmp_path: Path) -> None:
    assert run(tmp_path, encode(scene(35)), note_txt=b"hello")["verdict"] == "no_original"


def test_a_registration_that_is_refused_leaves_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = NotAligned("only 8 features agree, and tracking does not bear them out", 8, 8)
    monkeypatch.setattr("wholecloth.pipeline.register", lambda *_: refused)
    candidate = encode(scene(31))
    record = run(tmp_path, encode(scene(31), quality=60), secret_jpg=candidate)
    assert record["verdict"] == "no_original"
    assert record["not_examined"][0] == (
        f"the candidate with SHA-256 {hashlib.sha256(candidate).hexdigest()} shares features with "
        f"it, but their registration is not to be trusted: {refused.reason}"
    )
    assert not any("secret" in line for line in record["not_examined"])


def test_partial_names_its_share(tmp_path: Path) -> None:
    drawn = draw_partial(9)
    record = run(tmp_path, drawn.published, donor_jpg=drawn.donor)
    assert record["verdict"] == "partial"
    assert abs(record["sources"][0]["share"] - drawn.share) < 0.05
    both = run(tmp_path, drawn.published, donor_jpg=drawn.donor, host_jpg=drawn.host)
    assert both["verdict"] == "edit"
    assert [s["relation"] for s in both["sources"]] == ["whole", "partial"]


def test_a_chain_is_listed_nearest_first(tmp_path: Path) -> None:
    first = scene(21)
    second = EDITS["recloth"](first, np.random.default_rng(3)).pixels
    third = second.copy()
    third[600:740, 60:300] = scene(555)[600:740, 60:300]
    record = run(
        tmp_path, encode(third, quality=85), orig_jpg=encode(first), gen1_jpg=encode(second)
    )
    names = [Path(s["path"]).name for s in record["sources"]]
    assert names == ["gen1.jpg", "orig.jpg"]
    assert record["verdict"] == "edit"


def test_a_sibling_stands_behind_the_origin(tmp_path: Path) -> None:
    origin = scene(25)
    versions = []
    mask = np.zeros(origin.shape[:2], bool)
    mask[200:600, 350:700] = True
    for other in (601, 602):
        redone = cv2.bilateralFilter(origin, 5, 18, 5)  # the same tool leaves the same trace
        redone[mask] = scene(other)[mask]
        versions.append(redone)
    record = run(
        tmp_path, encode(versions[0], quality=88),
        sibling_jpg=encode(versions[1]), origin_jpg=encode(origin),
    )  # fmt: skip
    assert Path(record["original"]["path"]).name == "origin.jpg"
    assert len(record["sources"]) == 2


def test_the_published_file_among_the_candidates_hides_nothing(tmp_path: Path) -> None:
    case = draw_case(11, "splice", "mild")
    record = run(tmp_path, case.published, same_jpg=case.published, orig_jpg=case.original)
    assert record["verdict"] == "edit"
    assert Path(record["original"]["path"]).name == "orig.jpg"
    assert [Path(c).name for c in record["copies"]] == ["same.jpg"]


def test_a_person_sized_crop_of_a_phone_picture(tmp_path: Path) -> None:
    rows = [[scene(100 + 4 * r + c, (1000, 750)) for c in range(4)] for r in range(3)]
    group = np.vstack([np.hstack(row) for row in rows])
    crop = group[600:1500, 1100:2100]
    small = np.asarray(cv2.resize(crop, (700, 630), interpolation=cv2.INTER_AREA), np.uint8)
    edited = EDITS["recloth"](small, np.random.default_rng(1)).pixels
    record = run(tmp_path, encode(edited, quality=80), group_jpg=encode(group))
    assert record["verdict"] == "edit"
    assert Path(record["original"]["path"]).name == "group.jpg"
    assert record["candidates"]["deep"] <= 1


def test_orientation_and_phone_format(tmp_path: Path) -> None:
    case = draw_case(12, "splice", "mild")
    upright = np.asarray(Image.open(io.BytesIO(case.original)).convert("RGB"))
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(upright, 1)))
    exif = Image.Exif()
    exif[0x0112] = 6  # display rotated by 90° clockwise
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=95, exif=exif)
    record = run(tmp_path, case.published, turned_jpg=buffer.getvalue())
    assert record["verdict"] == "edit"
    found = np.array(record["registration"]["original_to_published"])
    assert found[0, 0] > 0.5  # upright after orientation
    assert abs(found[0, 1]) < 0.01


@pytest.mark.parametrize("quality", [94, 97, 100])
def test_a_gentle_resave_is_no_pasted_edit(tmp_path: Path, quality: int) -> None:
    first = encode(scene(33), quality=93)
    pixels = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))
    record = run(tmp_path, encode(pixels, quality=quality), orig_jpg=first)
    assert record["verdict"] == "copy"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf8_is_escaped(tmp_path: Path) -> None:
    import os

    photos = tmp_path / "photos"
    photos.mkdir()
    odd = os.path.join(os.fsencode(photos), b"caf\xe9.jpg")
    with open(odd, "wb") as stream:
        stream.write(encode(scene(31)))
    (tmp_path / "p.jpg").write_bytes(encode(scene(31), quality=70))
    record = examine(tmp_path / "p.jpg", [photos], out=tmp_path / "out").record
    assert record["original"]["path"].endswith("caf\\udce9.jpg")


@pytest.mark.parametrize("edited_first", [True, False])
def test_a_collage_of_before_and_after_settles_nothing(tmp_path: Path, edited_first: bool) -> None:
    case = draw_case(7, "recloth", Laundering(qualities=(92,)))
    before = np.asarray(Image.open(io.BytesIO(case.original)).convert("RGB"))
    after = np.asarray(Image.open(io.BytesIO(case.published)).convert("RGB"))
    parts = [after, before] if edited_first else [before, after]
    (tmp_path / "a.jpg").write_bytes(case.original)
    (tmp_path / "p.jpg").write_bytes(encode(np.hstack(parts), quality=88))
    record = examine(tmp_path / "p.jpg", [tmp_path / "a.jpg"]).record
    assert 0.3 < record["edit"]["beside"] < 0.55
    assert record["propositions"]["P2"]["state"] != "contradicted"
    assert record["decision"]["outcome"] != "not_an_edit"
    if record["verdict"] == "copy":
        assert "does not cover" in record["sentence"]
        assert any("collage" in b for b in record["propositions"]["P2"]["because"])


def test_a_flat_margin_leaves_a_copy_a_copy(tmp_path: Path) -> None:
    framed = np.pad(scene(31), ((90, 60), (40, 40), (0, 0)), constant_values=24)
    (tmp_path / "a.jpg").write_bytes(encode(scene(31)))
    (tmp_path / "p.jpg").write_bytes(encode(framed, quality=80))
    record = examine(tmp_path / "p.jpg", [tmp_path / "a.jpg"]).record
    assert record["edit"]["beside"] < 0.05
    assert record["decision"]["outcome"] == "not_an_edit"


def test_a_copy_in_two_colours_is_left_open(tmp_path: Path) -> None:
    dithered = np.asarray(Image.fromarray(scene(31)).convert("1").convert("RGB"))
    (tmp_path / "a.jpg").write_bytes(encode(scene(31)))
    (tmp_path / "p.png").write_bytes(encode(dithered, "PNG"))
    record = examine(tmp_path / "p.png", [tmp_path / "a.jpg"]).record
    assert record["propositions"]["P2"]["state"] != "contradicted"
    assert record["decision"]["outcome"] != "not_an_edit"
