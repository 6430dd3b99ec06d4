"""Spread work over processes; a stop ends them all, each after clearing up behind itself."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

Out = TypeVar("Out")
_stopping = False


def spread(
    function: Callable[..., Out],
    work: Sequence[tuple[Any, ...]],
    jobs: int | None,
    done: Callable[[Out], None] = lambda _: None,
) -> list[Out]:
    """Call ``function`` with each tuple of arguments; results in the order of ``work``.

    Args:
        function: of a module, with arguments that can be pickled.
        work: the arguments of each call.
        jobs: processes; all processors by default.  One job runs in this process.
        done: called with each result as it comes in.
    """
    jobs = min(jobs or os.cpu_count() or 1, max(1, len(work)))
    results: dict[int, Out] = {}
    if jobs == 1:
        for i, arguments in enumerate(work):
            results[i] = function(*arguments)
            done(results[i])
        return [results[i] for i in range(len(work))]
    # Spawned, not forked: forking a process that has started threads is a gamble.
    with _ended_early(ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_begin)) as pool:
        waiting = {pool.submit(_call, function, args): i for i, args in enumerate(work)}
        for future in as_completed(waiting):
            results[waiting[future]] = future.result()
            done(results[waiting[future]])
    return [results[i] for i in range(len(work))]


@contextmanager
def _ended_early(pool: ProcessPoolExecutor) -> Iterator[ProcessPoolExecutor]:
    """On an error or a stop, do not wait for what is still to be done."""
    try:
        yield pool
    except BaseException:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """In a worker: Ctrl-C is the parent's business, which then ends us in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_outlived, daemon=True).start()


def _outlived() -> None:
    """Where the parent was killed nobody ends us, and the queue we wait on never closes."""
    parent = parent_process()
    if parent is None:
        return
    parent.join()
    while True:  # once out of the call, once more out of the wait for the next
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)


def _end(*_: object) -> None:
    global _stopping  # noqa: PLW0603 - a signal handler has no other memory
    _stopping = True
    sys.exit(1)  # raised inside the call, so that temporary folders go


def _call(function: Callable[..., Out], arguments: tuple[Any, ...]) -> Out:
    if _stopping:
        sys.exit(1)
    return function(*arguments)
