"""The main job as a user runs it: the command, its output folder, its exit code."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest

from wholecloth import examine
from wholecloth.testing.cases import DrawnFolder


def run(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wholecloth", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def schema() -> dict[str, object]:
    text = files("wholecloth").joinpath("model/record-1.schema.json").read_text("utf-8")
    return json.loads(text)  # type: ignore[no-any-return]


def iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.fixture(scope="module")
def done(drawn: DrawnFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("result") / "out"
    result = run("examine", drawn.published, "--among", drawn.photos, "--out", out)
    assert result.returncode == 0, result.stderr
    assert f"photos/{drawn.original.name}" in result.stdout
    assert "edit" in result.stdout
    assert "under 18" in result.stderr
    return out


def test_names_the_original_among_twenty_and_finds_the_edit(drawn: DrawnFolder, done: Path) -> None:
    record = json.loads((done / "record.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(record)
    assert record["verdict"] == "edit"
    assert record["candidates"]["read"] == 20
    digest = hashlib.sha256(drawn.original.read_bytes()).hexdigest()
    assert record["original"]["sha256"] == digest
    assert record["original"] == record["sources"][0]
    mask = cv2.imread(str(done / record["edit"]["mask"]), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    assert set(np.unique(mask)) <= {0, 255}
    assert iou(mask > 127, drawn.mask) > 0.6
    assert abs(record["edit"]["share"] - drawn.mask.mean()) < 0.08


def test_report_names_no_file(drawn: DrawnFolder, done: Path) -> None:
    text = (done / "report.html").read_text("utf-8")
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    for name in (drawn.published.name, drawn.original.name, str(drawn.photos)):
        assert name not in text
    for name in ("record.json", "report.html"):
        assert (done / name).stat().st_size > 1000


def test_no_default_figure_follows_the_published_picture_inside_the_edit(
    drawn: DrawnFolder, done: Path
) -> None:
    published = cv2.imread(str(drawn.published), cv2.IMREAD_GRAYSCALE)
    assert published is not None
    mask = cv2.imread(str(done / "edit-mask.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    inside = drawn.mask
    gradient = np.hypot(
        cv2.Sobel(published, cv2.CV_32F, 1, 0), cv2.Sobel(published, cv2.CV_32F, 0, 1)
    )
    pictures = sorted(p for p in done.iterdir() if p.suffix == ".png")
    assert [p.name for p in pictures] == ["comparable.png", "edit-mask.png", "figure-outline.png"]
    for path in pictures:
        figure = cv2.imread(str(path))
        assert figure is not None
        scaled = cv2.resize(figure, published.shape[::-1], interpolation=cv2.INTER_AREA)
        for channel in range(3):
            drawn_values = scaled[..., channel][inside].astype(np.float64)
            if drawn_values.std() == 0:
                continue  # constant inside: carries nothing
            for truth in (published, gradient):
                r = np.corrcoef(drawn_values, truth[inside])[0, 1]
                assert abs(r) < 0.2, (path.name, r)


def test_python_says_the_same_and_two_runs_agree(drawn: DrawnFolder, done: Path) -> None:
    command = json.loads((done / "record.json").read_text("utf-8"))
    first = examine(drawn.published, [drawn.photos])
    assert first.folder is None
    assert first.record["record_digest"] == command["record_digest"]
    assert set(first.record) == set(command)


def test_json_is_one_document(drawn: DrawnFolder, empty: Path) -> None:
    result = run("examine", drawn.published, "--among", drawn.photos, "--out", empty, "--json")
    assert result.returncode == 0
    assert result.stderr == ""
    jsonschema.validate(json.loads(result.stdout), schema())
    again = run("examine", drawn.published, "--among", drawn.photos, "--out", empty, "--json")
    assert again.returncode == 3
    assert "earlier record" in json.loads(again.stdout)["error"]["reason"]
    third = run(
        "examine", drawn.published, "--among", drawn.photos, "--out", empty, "--json", "--replace"
    )
    assert third.returncode == 0
