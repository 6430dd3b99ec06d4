"""The output folder: an earlier result is never half replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from wholecloth import atomic
from wholecloth.errors import OutputRefused
from wholecloth.workflow import MASK, RECORD, REPORT, Output

OLD = {MASK: b"old mask", REPORT: b"old report", RECORD: b"{}"}
NEW = {REPORT: b"new report", RECORD: b'{"new": 1}'}


def held(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_replacing_leaves_nothing_stale(tmp_path: Path) -> None:
    Output.prepare(tmp_path, replace=False).write(OLD)
    Output.prepare(tmp_path, replace=True).write(NEW)
    assert held(tmp_path) == NEW


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_failed_replacement_keeps_the_earlier_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    Output.prepare(tmp_path, replace=False).write(OLD)
    output = Output.prepare(tmp_path, replace=True)
    real, count = atomic.write, iter(range(1, 9))

    def full(path: Path, data: bytes) -> None:
        if next(count) == fails_at:
            raise OutputRefused(str(path), "cannot be written (No space left on device)", "room")
        real(path, data)

    monkeypatch.setattr(atomic, "write", full)
    with pytest.raises(OutputRefused):
        output.write(NEW)
    output.undo()
    assert held(tmp_path) == OLD


def test_a_second_run_into_the_same_folder_is_refused(tmp_path: Path) -> None:
    first = Output.prepare(tmp_path, replace=False)
    second = Output.prepare(tmp_path, replace=False)
    first.write(OLD)
    with pytest.raises(OutputRefused, match="meanwhile"):
        second.write(NEW)
    second.undo()
    assert held(tmp_path) == OLD


def test_a_new_folder_is_removed_again(tmp_path: Path) -> None:
    output = Output.prepare(tmp_path / "new", replace=False)
    output.undo()
    assert not (tmp_path / "new").exists()
