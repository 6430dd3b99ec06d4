"""One original, many published files: the same proof, ids and verdicts only."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from wholecloth import examine
from wholecloth.casework.custody import parse
from wholecloth.casework.verify import verify
from wholecloth.copies import find_copies
from wholecloth.testing.cases import draw_case, draw_partial
from wholecloth.testing.launder import Laundering, encode
from wholecloth.testing.scenes import scene


def run(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wholecloth", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass
class Drawn:
    original: Path
    queue: Path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    top = tmp_path_factory.mktemp("copies")
    (top / "queue" / "deeper").mkdir(parents=True)
    part = draw_partial(33, 0.35)
    (top / "original.jpg").write_bytes(part.donor)
    files = {
        "edit.jpg": draw_case(33, "recloth").published,
        "copy.jpg": draw_case(33, None, Laundering(mirror=True, qualities=(70,))).published,
        "deeper/part.jpg": part.published,
        "deeper/other.jpg": draw_case(34, "splice").published,
        "same.jpg": part.donor,
        "again.jpg": part.donor,
        "plain.png": encode(scene(1, (60, 60)) // 255, "PNG"),
        "broken.jpg": part.donor[:5000],
        "notes.txt": b"not a picture",
    }
    for name, data in files.items():
        (top / "queue" / name).write_bytes(data)
    return Drawn(top / "original.jpg", top / "queue")


def test_every_file_gets_the_verdict_that_examine_gives(drawn: Drawn) -> None:
    record = find_copies(drawn.original, [drawn.queue]).record
    by_digest = {r["sha256"]: r for r in record["items"]}
    compared = 0
    for path in drawn.queue.rglob("*.*"):
        row = by_digest.get(hashlib.sha256(path.read_bytes()).hexdigest())
        if row is None or row["verdict"] == "unread":
            continue
        alone = examine(path, [drawn.original]).record
        expected = alone["verdict"].replace("no_original", "no_match")
        assert row["verdict"] == expected, path.name
        if alone["edit"] and alone["verdict"] == "edit":
            assert row["changed_share"] == alone["edit"]["share"]
        compared += 1
    assert compared == 7
    assert {"edit", "copy", "partial", "no_match", "undetermined"} <= set(record["counts"])


def test_ids_and_verdicts_only(drawn: Drawn, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("find-copies", drawn.original, "--in", drawn.queue, "--out", out)
    assert done.returncode == 0, done.stderr
    everything = done.stdout + "".join(p.read_text() for p in out.iterdir())
    for path in drawn.queue.rglob("*.*"):
        assert path.name not in everything
    assert "1 unread" in done.stdout
    assert "the same bytes as an item" in done.stdout
    verify(out, drawn.original.parent)


def test_names_need_a_reason_and_are_logged_first(drawn: Drawn, tmp_path: Path) -> None:
    out = tmp_path / "out"
    args = ("find-copies", drawn.original, "--in", drawn.queue, "--names")
    refused = run(*args)
    assert refused.returncode == 2
    assert "--reason" in refused.stderr
    assert run(*args, "--reason", " ", "--out", out).returncode == 2
    assert not out.exists()
    done = run(*args, "--reason", "report 7", "--out", out, "--json")
    names = json.loads(done.stdout)["names"]
    assert {Path(n).name for n in names.values()} >= {"edit.jpg", "copy.jpg", "part.jpg"}
    assert "other.jpg" not in done.stdout
    shown = [e for e in parse((out / "custody.jsonl").read_bytes()) if e.action == "names_shown"]
    assert shown[0].detail == {"labels": list(names), "reason": "report 7"}
    verify(out)


def test_names_are_not_shown_when_the_log_cannot_be_written(drawn: Drawn, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = run(
        "find-copies", drawn.original, "--in", drawn.queue, "--names", "--reason", "r",
        "--out", tmp_path / "file",
    )  # fmt: skip
    assert done.returncode == 3
    assert "edit.jpg" not in done.stdout


def test_bad_input(drawn: Drawn, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run("find-copies", drawn.original, "--in", tmp_path / "none").returncode == 3
    assert run("find-copies", drawn.original, "--in", tmp_path / "empty").returncode == 3
    assert run("find-copies", drawn.queue / "broken.jpg", "--in", drawn.queue).returncode == 3
    assert run("find-copies", drawn.original).returncode == 2
    doubt = run("find-copies", drawn.original, "--in", drawn.queue, "--age-doubt", "--out", "x")
    assert doubt.returncode == 3
    assert "inhope.org" in doubt.stdout
