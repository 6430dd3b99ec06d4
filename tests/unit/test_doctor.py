"""The doctor says what is missing, what is old, and what does not work here."""

from __future__ import annotations

import importlib.metadata
import json
import pkgutil
import subprocess
import sys
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path

import pytest

import wholecloth
from wholecloth import doctor
from wholecloth.model.dated import STALE_DAYS, Dated


def found(topic: str, **how: object) -> list[doctor.Check]:
    return [c for c in doctor.examine(**how) if c.topic == topic]  # type: ignore[arg-type]


def test_everything_that_ages_is_listed() -> None:
    known = set(doctor.AGEING)
    for info in pkgutil.walk_packages(wholecloth.__path__, "wholecloth."):
        if info.name.endswith(("__main__", "worker")):
            continue
        module = import_module(info.name)
        for value in vars(module).values():
            if isinstance(value, Dated):
                assert value in known, f"{info.name}: {value.name}"
    for dated in known:
        assert dated.source
        assert dated.what
        assert date.fromisoformat(dated.checked)


def test_old_tables_are_named_after_180_days_and_not_before() -> None:
    newest = max(date.fromisoformat(d.checked) for d in doctor.AGEING)
    for days, expected in ((STALE_DAYS, 0), (STALE_DAYS + 1, len(doctor.AGEING))):
        checks = found("dates", today=newest + timedelta(days=days))
        assert sum(c.mark == "note" for c in checks) == expected
    late = found("dates", today=newest + timedelta(days=365))
    assert any("older than 180 days" in c.remedy for c in late)


def test_a_table_past_its_own_date_is_stale() -> None:
    dated = Dated("x", "y", "2026-01-01", "z", valid_until="2026-01-31")
    assert not dated.stale(date(2026, 1, 31))
    assert dated.stale(date(2026, 2, 1))


def test_a_missing_part_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.metadata.version

    def version(name: str) -> str:
        if name == "scipy":
            raise importlib.metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    missing = [c for c in doctor.examine() if c.mark == "missing"]
    assert [c.text for c in missing] == ["scipy is not installed"]
    assert "pip install" in missing[0].remedy


def test_the_command_opens_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "wholecloth", "doctor", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    checks = json.loads(done.stdout)["checks"]
    assert {c["topic"] for c in checks} >= {"machine", "parts", "decoding", "isolation", "dates"}
    assert not list(tmp_path.iterdir())
    if sys.platform == "linux":
        assert any("seccomp" in c["text"] for c in checks)
