"""Every stage alone, JSON in and JSON out; the chain of them equals ``examine``."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wholecloth import examine, plumbing
from wholecloth.intake.decode import WorkerPool
from wholecloth.model.comparison import Alignment, NotAligned
from wholecloth.share import exchange
from wholecloth.testing.cases import DrawnFolder, draw_case, draw_partial
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene
from wholecloth.workflow import read_findings

STEPS = ("find", "register", "localise", "signals", "decide")


def run(*args: object, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wholecloth", "plumbing", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=given)


def chained(published: Path, photos: Path, *findings: Path) -> dict[str, object]:
    """The steps in this process, each through JSON text."""
    with WorkerPool(2) as pool:
        doc = json.loads(json.dumps(plumbing.decode(published, pool)))
        doc = json.loads(json.dumps(plumbing.find(doc, [photos], pool)))
        for step in (plumbing.register, plumbing.localise, plumbing.signals):
            doc = json.loads(json.dumps(step(doc, pool)))
        return plumbing.decide(doc, read_findings(findings), pool)


def test_the_chain_equals_examine_from_the_command_line(drawn: DrawnFolder) -> None:
    text = run("decode", drawn.published).stdout
    for step in STEPS:
        more = ("--among", drawn.photos) if step == "find" else ()
        done = run(step, *more, given=text)
        assert done.returncode == 0, done.stderr
        text = done.stdout
    record = json.loads(text)
    whole = examine(drawn.published, [drawn.photos]).record
    assert record["record_digest"] == whole["record_digest"]
    assert record["verdict"] == "edit"


def write(folder: Path, **files: bytes) -> tuple[Path, Path]:
    (folder / "photos").mkdir()
    for name, data in files.items():
        target = folder if name == "published" else folder / "photos"
        (target / f"{name}.jpg").write_bytes(data)
    return folder / "published.jpg", folder / "photos"


def test_the_chain_equals_examine_for_other_verdicts(tmp_path: Path) -> None:
    case, part = draw_case(91, "recloth"), draw_partial(12, 0.3)
    other = encode(scene(3), quality=90)
    folders = {
        "partial": {"published": part.published, "donor": part.donor, "other": other},
        "no_original": {"published": case.published, "other": other},
        "copy": {"published": encode(scene(3), quality=60), "other": other},
        "identical": {"published": other, "other": other},
        "unread": {"published": case.published, "broken": case.original[:4000]},
        "with findings": {"published": case.published, "original": case.original},
    }
    finding = tmp_path / "p4a.json"
    finding.write_text(
        json.dumps(
            {
                "who": "w",
                "when": "2026-11-24",
                "source": "witness",
                "proposition": "P4a",
                "direction": "supports",
                "text": "a coat",
            }
        )
    )
    for name, files in folders.items():
        (tmp_path / name).mkdir()
        published, photos = write(tmp_path / name, **files)
        said = [finding] if name == "with findings" else []
        record = examine(published, [photos], findings=said).record
        assert chained(published, photos, *said)["record_digest"] == record["record_digest"], name


def test_values_survive_the_way_there_and_back() -> None:
    matrix = np.array([[1 / 3, 1e-17, -2.5], [math.pi, 1.0, 7e9], [1e-9, 0.0, 1.0]])
    alignment = Alignment(matrix, True, 31, 77, float("nan"), "affine")
    again = exchange.alignment_from(json.loads(json.dumps(exchange.alignment_to(alignment))))
    assert isinstance(again, Alignment)
    np.testing.assert_array_equal(again.original_to_published, matrix)
    assert math.isnan(again.residual_px)
    assert again.mirrored is True
    none = NotAligned("plain backdrop", 3, 9)
    assert exchange.alignment_from(exchange.alignment_to(none)) == none


def test_hash_names_bytes_and_pixels(drawn: DrawnFolder) -> None:
    import hashlib

    rows = json.loads(run("hash", drawn.published, drawn.original).stdout)["files"]
    assert rows[0]["sha256"] == hashlib.sha256(drawn.published.read_bytes()).hexdigest()
    assert len(rows[1]["pdq"]) == 64
    record = examine(drawn.published, [drawn.original]).record
    assert rows[0]["pixels_sha256"] == record["published"]["pixels_sha256"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "is not JSON"),
        ("[1]", "is no JSON object"),
        ("{}", "is no plumbing document"),
        ('{"wholecloth_plumbing": 1, "step": "decode"}', "before `find`"),
        ('{"wholecloth_plumbing": 1, "step": "find", "published": {}}', "not a complete"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_another_document_is_refused(text: str, reason: str) -> None:
    done = run("register", given=text)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_exchanged_between_steps_is_named(tmp_path: Path) -> None:
    case = draw_case(92, "recloth")
    published, photos = write(tmp_path, published=case.published, original=case.original)
    with WorkerPool(1) as pool:
        doc = plumbing.find(plumbing.decode(published, pool), [photos], pool)
    text = json.dumps(doc)
    (photos / "original.jpg").write_bytes(encode(scene(1)))
    done = run("register", given=text)
    assert done.returncode == 4
    assert "original.jpg" in done.stderr
    published.write_bytes(encode(scene(2)))
    done = run("register", given=text)
    assert done.returncode == 4
    assert "published.jpg" in done.stderr
