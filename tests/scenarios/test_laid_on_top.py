"""What was laid on top is named, is no edit, and goes through every form a result takes."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from wholecloth import examine, plumbing
from wholecloth.intake.decode import WorkerPool
from wholecloth.share import terminal
from wholecloth.testing.edits import recloth
from wholecloth.testing.launder import encode
from wholecloth.testing.overlays import overlaid
from wholecloth.testing.scenes import scene

Json = dict[str, object]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "original.jpg").write_bytes(encode(scene(23), quality=94))
    (folder / "other.jpg").write_bytes(encode(scene(24), quality=94))
    return folder


def published(folder: Path, *, edited: bool) -> Path:
    picture, rng = scene(23), np.random.default_rng(5)
    if edited:
        picture = recloth(picture, rng).pixels
    path = folder / "published.jpg"
    path.write_bytes(encode(overlaid(picture, "controls", rng).pixels, quality=90))
    return path


def validated(record: Json) -> Json:
    text = files("wholecloth").joinpath("model/record-1.schema.json").read_text("utf-8")
    jsonschema.Draft202012Validator(json.loads(text)).validate(record)
    return record


def chained(path: Path, photos: Path) -> Json:
    with WorkerPool(1) as pool:
        doc = json.loads(json.dumps(plumbing.decode(path, pool)))
        doc = json.loads(json.dumps(plumbing.find(doc, [photos], pool)))
        for step in (plumbing.register, plumbing.localise, plumbing.signals):
            doc = json.loads(json.dumps(step(doc, pool)))
        return plumbing.decide(doc, (), pool)


def test_a_copy_with_something_on_top_stays_a_copy_and_says_so(
    tmp_path: Path, photos: Path
) -> None:
    path = published(tmp_path, edited=False)
    record = validated(examine(path, [photos]).record)
    assert record["verdict"] == "copy"
    assert "laid on top" in record["sentence"]
    source = record["sources"][0]
    assert source["overlays"]
    assert source["overlays"] == [
        {k: v for k, v in area.items() if k != "kind"} for area in record["edit"]["overlays"]
    ]
    assert 0.04 < source["overlay_share"] < 0.15  # the bar is 6 to 10 % high
    assert source["hidden_share"] == pytest.approx(source["overlay_share"], abs=0.01)
    assert record["edit"]["share"] == 0
    assert record["decision"]["outcome"] == "undetermined"  # the bar might hide an edit
    assert any("hidden under" in line for line in record["not_examined"])
    assert "On top " in terminal.summary(record, "published.jpg", "out")
    assert chained(path, photos)["record_digest"] == record["record_digest"]


def test_an_edit_with_something_on_top_is_an_edit_with_both_in_the_figure(
    tmp_path: Path, photos: Path
) -> None:
    done = examine(published(tmp_path, edited=True), [photos], out=tmp_path / "out")
    record = validated(done.record)
    assert record["verdict"] == "edit"
    assert record["sources"][0]["overlays"]
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Laid on top" in text
    assert "laid on top: not compared" in text


def test_nothing_on_top_is_not_spoken_of(tmp_path: Path, photos: Path) -> None:
    path = tmp_path / "copy.jpg"
    path.write_bytes(encode(scene(23), quality=70))
    record = validated(examine(path, [photos]).record)
    assert record["verdict"] == "copy"
    assert record["sources"][0]["overlays"] == []
    assert record["sources"][0]["overlay_share"] == 0
    assert "laid on top" not in json.dumps(record)
    assert "On top " not in terminal.summary(record, "copy.jpg", "out")
