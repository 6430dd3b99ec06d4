"""Every change to a result folder is found and named."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from wholecloth import examine
from wholecloth.casework.custody import Custody, parse
from wholecloth.casework.verify import verify
from wholecloth.errors import InputRefused, VerificationFailed
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real result, as small as one gets."""
    top = tmp_path_factory.mktemp("small")
    (top / "in").mkdir()
    (top / "in" / "a.png").write_bytes(encode(scene(5, (40, 40)), "PNG"))
    (top / "in" / "q.png").write_bytes(encode(scene(6, (40, 40)), "PNG"))
    examine(top / "in" / "q.png", [top / "in" / "a.png"], out=top / "out")
    return top


def changes(data: bytes) -> list[tuple[str, bytes]]:
    """Every flip (one pattern a byte), deletion, truncation and swap of neighbours."""
    out = []
    for i in range(len(data)):
        flipped = data[i] ^ (1 << (i % 8))
        out.append((f"flip {i}", data[:i] + bytes([flipped]) + data[i + 1 :]))
        out.append((f"delete {i}", data[:i] + data[i + 1 :]))
        out.append((f"truncate {i}", data[:i]))
        if i and data[i] != data[i - 1]:
            out.append(
                (f"swap {i}", data[: i - 1] + data[i : i + 1] + data[i - 1 : i] + data[i + 1 :])
            )
    return out


def unnoticed(folder: str, name: str, part: int, parts: int) -> tuple[int, list[str]]:
    """How many of this part's changes were made, and which went unnoticed or unnamed."""
    own = Path(f"{folder}-{name}-{part}")
    shutil.copytree(folder, own)
    path, missed = own / name, []
    mine = changes(path.read_bytes())[part::parts]
    for label, data in mine:
        path.write_bytes(data)
        try:
            verify(own)
            missed.append(f"{name} {label}: not noticed")
        except VerificationFailed as error:
            if name not in error.item:
                missed.append(f"{name} {label}: {error.item} was named")
    return len(mine), missed


def test_any_change_of_a_byte_is_named(small: Path) -> None:
    folder = small / "out"
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["custody.jsonl", "record.json", "report.html"]
    jobs = [(str(folder), name, part, 4) for name in names for part in range(4)]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        results = list(pool.map(unnoticed, *zip(*jobs, strict=True)))
    assert sum(n for n, _ in results) > 50_000
    assert [m for _, missed in results for m in missed] == []


def test_a_missing_or_exchanged_file_is_named(small: Path, tmp_path: Path) -> None:
    for name in ("custody.jsonl", "record.json", "report.html"):
        own = tmp_path / f"without-{name}"
        shutil.copytree(small / "out", own)
        (own / name).unlink()
        with pytest.raises(VerificationFailed, match=name):
            verify(own)
    own = tmp_path / "exchanged"
    shutil.copytree(small / "out", own)
    (own / "record.json").rename(own / "x")
    (own / "report.html").rename(own / "record.json")
    (own / "x").rename(own / "report.html")
    with pytest.raises(VerificationFailed, match=r"record\.json"):
        verify(own)


def test_lines_of_the_log_cannot_be_dropped_moved_or_repeated(small: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(small / "out", own)
    lines = (own / "custody.jsonl").read_bytes().splitlines(keepends=True)
    for i in range(len(lines)):
        for changed in (
            [*lines[:i], *lines[i + 1 :]],
            lines[:i],
            [*lines[: i + 1], lines[i], *lines[i + 1 :]],
            [*lines[:i], *lines[i : i + 2][::-1], *lines[i + 2 :]],
        ):
            if changed == lines:
                continue
            (own / "custody.jsonl").write_bytes(b"".join(changed))
            with pytest.raises(VerificationFailed, match=r"custody\.jsonl"):
                verify(own)


def test_a_log_made_up_anew_does_not_fit_the_record(small: Path, tmp_path: Path) -> None:
    """Recomputing the chain is easy; the record's seal on the log is what then does not fit."""
    own = tmp_path / "own"
    shutil.copytree(small / "out", own)
    events = parse((own / "custody.jsonl").read_bytes())
    forged = Custody()
    for event in events:
        detail = {**event.detail, "size": 1} if event.action == "received" else event.detail
        forged.add(event.action, event.item, **detail)  # type: ignore[arg-type]
    (own / "custody.jsonl").write_bytes(forged.encode())
    with pytest.raises(VerificationFailed, match="not the log that the record was made with"):
        verify(own)


def test_the_files_examined_are_found_by_digest(small: Path, tmp_path: Path) -> None:
    assert verify(small / "out", small / "in").inputs == ("Q1",)
    own = tmp_path / "in"
    shutil.copytree(small / "in", own)
    data = bytearray((own / "q.png").read_bytes())
    data[-20] ^= 1
    (own / "q.png").write_bytes(data)
    with pytest.raises(VerificationFailed, match="Q1"):
        verify(small / "out", own)


def test_an_added_file_is_said_not_to_be_covered(small: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(small / "out", own)
    (own / "note.txt").write_text("mine")
    assert verify(own).not_covered == ("note.txt",)


def test_folders_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="holds no result"):
        verify(tmp_path)
    with pytest.raises(InputRefused, match="is no folder"):
        verify(tmp_path / "none")


def test_a_replaced_result_leaves_its_log(small: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(small / "out", own)
    first = parse((own / "custody.jsonl").read_bytes())
    again = examine(small / "in" / "q.png", [small / "in" / "a.png"], out=own, replace=True)
    events = parse((own / "custody.jsonl").read_bytes())
    assert events[: len(first)] == first
    assert events[len(first)].action == "replaced"
    assert verify(own).record_digest == again.record["record_digest"]


def test_a_batch_is_checked_whole(small: Path, tmp_path: Path) -> None:
    from wholecloth.casework.output import SUMMARY
    from wholecloth.workflow import write_summary

    items = []
    for name in ("one", "two"):
        done = examine(small / "in" / "q.png", [small / "in" / "a.png"], out=tmp_path / "b" / name)
        items.append(
            {"published": name, "folder": str(tmp_path / "b" / name), "record": done.record}
        )
    write_summary(tmp_path / "b", items)
    assert len(verify(tmp_path / "b").items) == 2
    data = (tmp_path / "b" / SUMMARY).read_bytes()
    for i in range(0, len(data), 7):
        (tmp_path / "b" / SUMMARY).write_bytes(data[:i] + bytes([data[i] ^ 2]) + data[i + 1 :])
        with pytest.raises(VerificationFailed, match=r"summary\.json"):
            verify(tmp_path / "b")
    (tmp_path / "b" / SUMMARY).write_bytes(data)
    shutil.rmtree(tmp_path / "b" / "two")
    with pytest.raises(VerificationFailed, match="two"):
        verify(tmp_path / "b")
    os.unlink(tmp_path / "b" / SUMMARY)
    with pytest.raises(VerificationFailed, match=r"summary\.json"):
        verify(tmp_path / "b")


def test_the_log_says_who_with_what_and_nothing_of_names(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHOLECLOTH_ACTOR", "analyst 7")
    examine(small / "in" / "q.png", [small / "in" / "a.png"], out=tmp_path / "o")
    text = (tmp_path / "o" / "custody.jsonl").read_text()
    assert "q.png" not in text
    assert {json.loads(n)["by"]["who"] for n in text.splitlines()} == {"analyst 7"}
