"""Drawn folders, made once for all scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from wholecloth.testing.cases import DrawnFolder, draw_folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> DrawnFolder:
    return draw_folder(tmp_path_factory.mktemp("drawn") / "case", seed=7, candidates=20)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    return tmp_path / "out"
