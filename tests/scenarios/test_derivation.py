"""Several originals of one picture through the front door, and look-alikes that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wholecloth import examine
from wholecloth.testing.derivations import draw_derivation
from wholecloth.testing.edits import EDITS
from wholecloth.testing.launder import encode
from wholecloth.testing.lookalikes import draw_lookalike
from wholecloth.testing.scenes import scene


def examined(folder: Path, published: bytes, candidates: dict[str, bytes]) -> dict[str, Any]:
    photos = folder / "photos"
    photos.mkdir()
    for name, data in candidates.items():
        (photos / name).write_bytes(data)
    (folder / "published").write_bytes(published)
    return examine(folder / "published", [photos], out=folder / "out").record


def shares(record: dict[str, Any]) -> dict[str, float]:
    names = {s["label"]: Path(s["path"]).name for s in record["sources"]}
    return {names[p["source"]]: p["share"] for p in record["derivation"]["parts"]}


@pytest.mark.parametrize(
    ("kind", "strength", "role"),
    [
        ("head", "mild", "donor"),
        ("object", "repost", "donor"),
        ("background", "mild", None),
        ("two donors", "mild", "donor"),
        ("collage of 2", "repost", "part"),
        ("collage of 3", "mild", "part"),
        ("collage of 4", "mild", "part"),
    ],
)
def test_each_original_is_named_with_its_share(
    tmp_path: Path, kind: str, strength: str, role: str | None
) -> None:
    drawn = draw_derivation(1000, kind, strength)
    unrelated = {"unrelated.jpg": encode(scene(8800)), "another.jpg": encode(scene(8801))}
    record = examined(tmp_path, drawn.published, drawn.originals | unrelated)
    found = shares(record)
    assert set(found) == set(drawn.shares)
    for name, share in drawn.shares.items():
        assert abs(found[name] - share) < 0.05
    parts = record["derivation"]["parts"]
    if role is not None:
        assert {p["role"] for p in parts[1:]} == {role}
    assert sum(found.values()) + record["derivation"]["unexplained_share"] <= 1.001
    assert "S2 explains" in record["sentence"]
    assert (tmp_path / "out" / "figure-map.png").exists()
    assert "S2 explains" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_an_edit_that_nobody_explains_has_one_part(tmp_path: Path) -> None:
    before = scene(41)
    edited = EDITS["recloth"](before, np.random.default_rng(4))
    record = examined(
        tmp_path,
        encode(edited.pixels, quality=85),
        {"original.jpg": encode(before, quality=94), "unrelated.jpg": encode(scene(8800))},
    )
    (part,) = record["derivation"]["parts"]
    assert part["role"] == "surroundings"
    assert abs(record["derivation"]["unexplained_share"] - edited.mask.mean()) < 0.03
    assert not (tmp_path / "out" / "figure-map.png").exists()


def test_a_donor_leaves_open_whose_photograph_the_surroundings_are(tmp_path: Path) -> None:
    drawn = draw_derivation(1000, "head")
    record = examined(tmp_path, drawn.published, drawn.originals)
    because = " ".join(record["propositions"]["P2"]["because"])
    assert "comes from another candidate" in because
    assert record["propositions"]["P2"]["state"] == "supported"
    assert record["propositions"]["P3"]["state"] == "undetermined"
    assert any("not generated" in b for b in record["propositions"]["P3"]["because"])


def test_the_map_shows_no_pixel_of_any_picture(tmp_path: Path) -> None:
    drawn = draw_derivation(1000, "head")
    examined(tmp_path, drawn.published, drawn.originals)
    figure = np.asarray(Image.open(tmp_path / "out" / "figure-map.png").convert("RGB"))
    _, counts = np.unique(figure.reshape(-1, 3), axis=0, return_counts=True)
    assert np.sort(counts)[::-1][:4].sum() > 0.95 * counts.sum()  # the rest: letters' soft edges


def test_the_same_files_give_the_same_map(tmp_path: Path) -> None:
    drawn = draw_derivation(1001, "two donors")
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        record = examined(tmp_path / name, drawn.published, drawn.originals)
        digests.add(json.dumps(record["derivation"]))
    assert len(digests) == 1


@pytest.mark.parametrize(
    "kind",
    [
        "burst",
        "same things elsewhere",
        "same material",
        "same facade",
        "same caption",
        "same sticker",
        "same logo",
        "same controls",
        "same application",
        "same drawn frame",
    ],
)
@pytest.mark.parametrize("seed", [1000, 1001])
def test_a_lookalike_is_no_derivation(tmp_path: Path, kind: str, seed: int) -> None:
    drawn = draw_lookalike(seed, kind, ("mild", "repost")[seed % 2])
    record = examined(tmp_path, drawn.published, {"candidate.jpg": drawn.candidate})
    assert record["verdict"] in ("no_original", "same_scene", "undetermined")
    assert record["sources"] == []
    assert record["derivation"] is None
