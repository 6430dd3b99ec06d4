"""Photographs read by Dask's workers give the same postings as photographs read here."""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from wholecloth.errors import IndexRefused, NotInstalled
from wholecloth.retrieval.index import Index
from wholecloth.retrieval.index.adding import add
from wholecloth.retrieval.index.elsewhere import executor_of
from wholecloth.retrieval.index.segment import encoded
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

dask = pytest.importorskip("dask", reason="dask is not installed")
distributed = pytest.importorskip("distributed", reason="distributed is not installed")


@pytest.fixture(scope="module")
def scheduler(loopback: None) -> Iterator[str]:
    """A cluster of two processes on this machine."""
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=2,  # ours must serve one thread at a time nevertheless
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        ) as cluster,
    ):
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(36):  # three tasks
        size = (1100, 800) if seed % 12 == 0 else (320, 240)
        (folder / f"{seed:02}.jpg").write_bytes(encode(scene(seed, size), "JPEG", 85))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def test_dask_gives_the_same_postings_byte_for_byte(
    loopback: None, scheduler: str, photographs: Path, tmp_path: Path
) -> None:
    here = Index.create(tmp_path / "here", owner="tests", purpose="agreement")
    there = Index.create(tmp_path / "there", owner="tests", purpose="agreement", like=here)
    executor = executor_of(scheduler)
    added = [add(here, [photographs]), add(there, [photographs], executor=executor)]
    executor.shutdown()

    assert added[0].added == added[1].added == 36
    assert [s.name for s in added[0].skipped] == [s.name for s in added[1].skipped] != []
    segments = [[encoded(p.segment) for p in index.segments.parts()] for index in (here, there)]
    assert segments[0] == segments[1]
    shas = [[index.sha256_of(i) for i in range(1, 37)] for index in (here, there)]
    assert shas[0] == shas[1]


def test_a_worker_that_dies_fails_as_a_local_process_does(loopback: None, scheduler: str) -> None:
    executor = executor_of(scheduler)
    with pytest.raises(BrokenProcessPool):
        executor.submit(os._exit, 1).result(60)
    assert executor.submit(abs, -3).result(60) == 3
    executor.shutdown()


def test_a_connection_that_is_not_encrypted_is_refused() -> None:
    with pytest.raises(IndexRefused, match="not encrypted"):
        executor_of("tcp://workers.example:8786")


def test_nobody_there_is_said(loopback: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wholecloth.retrieval.index.elsewhere._SECONDS", 1)
    with pytest.raises(IndexRefused, match="no scheduler answers"):
        executor_of("tcp://127.0.0.1:9")


def test_without_dask_the_remedy_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: object, **kwargs: object) -> object:
        if name == "distributed":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(NotInstalled, match="is needed") as caught:
        executor_of("tls://workers.example:8786")
    assert "wholecloth[dask]" in caught.value.remedy
