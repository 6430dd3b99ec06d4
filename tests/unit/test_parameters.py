"""No fitted number changes without the ledger saying anew what it was set on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))

import parameters
from parameters import UNSAID, Row, collected, complaints, digest, rendered, updated, written


def test_the_ledger_fits_the_code() -> None:
    assert complaints(collected(), written()) == []


def test_it_covers_what_it_says() -> None:
    names = {(r.module, r.name) for r in collected()}
    assert ("localisation.settings", "DEFAULT.min_mean") in names
    assert ("localisation.predict", "_LEVERAGE") in names
    assert ("registration.track", "_ROUNDS") in names  # one of several assigned on one line
    assert ("retrieval.verify", "_RATIO") in names
    assert ("weighing.verdict", "BOUNDS.chance_inliers") in names
    assert ("localisation.evidence", parameters.INLINE) in names
    assert len(names) > 100


def ledger(tmp_path: Path, *rows: Row) -> list[tuple[Row, str]]:
    path = tmp_path / "ledger.md"
    path.write_text(rendered(list(rows)), "utf-8")
    return written(path)


CODE = Row("a.module", "_LIMIT", "3.0")
SAID = replace(CODE, note="twelve pairs", date="2026-11-24")


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (row, seal), *others = ledger(tmp_path, SAID)
    assert row == SAID
    assert seal == SAID.seal
    assert others == []
    assert complaints([CODE], [(row, seal)]) == []


def test_a_new_a_changed_and_a_vanished_number_are_named(tmp_path: Path) -> None:
    rows = ledger(tmp_path, SAID)
    assert "is new" in complaints([CODE, replace(CODE, name="_NEW")], rows)[0]
    assert "3.0 became 4.0" in complaints([replace(CODE, value="4.0")], rows)[0]
    assert "is gone" in complaints([], rows)[0]


def test_a_new_value_needs_new_words(tmp_path: Path) -> None:
    changed = replace(CODE, value="4.0")
    (row,) = updated([changed], [SAID])
    assert row.note == UNSAID
    assert row.was == digest("twelve pairs")
    assert "say on what" in complaints([changed], ledger(tmp_path, row))[0]
    same = replace(row, note="twelve pairs", date="2026-11-25")
    assert "the value before" in complaints([changed], ledger(tmp_path, same))[0]
    anew = replace(row, note="forty pairs", date="2026-11-25")
    assert complaints([changed], ledger(tmp_path, anew)) == []
    # Twice changed before anything was said: the last words said still are not enough.
    (again,) = updated([replace(CODE, value="5.0")], [row])
    assert again.was == digest("twelve pairs")


def test_words_alone_do_not_change_unnoticed(tmp_path: Path) -> None:
    ((row, seal),) = ledger(tmp_path, SAID)
    assert "seal" in complaints([CODE], [(replace(row, note="a hundred pairs"), seal)])[0]
    assert "seal" in complaints([CODE], [(replace(row, date="2027-01-01"), seal)])[0]
    assert "twice" in complaints([CODE], [(row, seal), (row, seal)])[0]
