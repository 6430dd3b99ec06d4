"""The output folder: an earlier result is never half replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from wholecloth import atomic
from wholecloth.casework.output import MASK, RECORD, REPORT, Output
from wholecloth.errors import OutputRefused

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
    first.folder.joinpath(".new-record.json").write_bytes(b"half way")
    with pytest.raises(OutputRefused, match="another run is writing there"):
        Output.prepare(tmp_path, replace=True)
    assert (tmp_path / ".new-record.json").exists(), "the refused run must touch nothing"
    first.write(OLD)
    assert held(tmp_path) == OLD


def test_a_run_that_finished_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Where the file system has no locks, the last look before the swap still holds."""
    first = Output.prepare(tmp_path, replace=False)
    (tmp_path / RECORD).write_bytes(b"of another run")
    with pytest.raises(OutputRefused, match="meanwhile"):
        first.write(OLD)
    first.undo()
    assert held(tmp_path) == {RECORD: b"of another run"}


def test_folders_above_are_removed_again_too(tmp_path: Path) -> None:
    Output.prepare(tmp_path / "a" / "b" / "c", replace=False).undo()
    assert not (tmp_path / "a").exists()


def test_a_new_folder_is_removed_again(tmp_path: Path) -> None:
    output = Output.prepare(tmp_path / "new", replace=False)
    output.undo()
    assert not (tmp_path / "new").exists()
