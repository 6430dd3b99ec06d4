"""Shared fixtures, and a guard: nothing under test opens a connection."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

GUARD = Path(__file__).parent / "guard"


@pytest.fixture(autouse=True)
def _no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"a test tried to open a connection: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="session", autouse=True)
def connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file in which programs started by tests report connections; empty at the end."""
    log = tmp_path_factory.mktemp("connections") / "log"
    before = os.environ.get("PYTHONPATH")
    os.environ["WHOLECLOTH_TEST_CONNECTIONS"] = str(log)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(GUARD), before]))
    yield log
    assert not log.exists(), log.read_text("utf-8")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the cache of the account it runs under."""
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(tmp_path_factory.mktemp("cache") / "features"))
