"""Shared fixtures, and a guard: nothing under test opens a connection to another machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

GUARD = Path(__file__).parent / "guard"


HERE = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="module")
def loopback() -> Iterator[None]:
    """For modules that start a server on this machine: connections to it, and to it alone."""
    os.environ["WHOLECLOTH_TEST_LOOPBACK"] = "1"
    yield
    del os.environ["WHOLECLOTH_TEST_LOOPBACK"]


@pytest.fixture(autouse=True)
def _no_connections(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    local = "loopback" in request.fixturenames

    def guarded(real: Callable[..., Any], at: int) -> Callable[..., Any]:
        def checked(*args: Any, **kwargs: Any) -> Any:
            host = args[at][0] if isinstance(args[at], tuple) else args[at]
            if not (local and host in HERE):
                raise AssertionError(f"a test tried to open a connection: {args}")
            return real(*args, **kwargs)

        return checked

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guarded(getattr(socket.socket, name), 1))
    monkeypatch.setattr(socket, "getaddrinfo", guarded(socket.getaddrinfo, 0))


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
