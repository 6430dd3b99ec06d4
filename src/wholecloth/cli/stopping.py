"""Ctrl-C, SIGTERM and SIGHUP.

While the program is being loaded nothing has been written yet, and an exception raised in the
middle of an import leaves half-made modules and tracebacks of other people; so the process just
ends.  Once work is ``armed`` the signal raises, and what was begun is undone in order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

INTERRUPTED, TERMINATED = 130, 143
LINE = "run: stopped; nothing half-written was left - run it again"

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_restore: list[Callable[[], None]] = []
_armed = False


class Ended(KeyboardInterrupt):
    """SIGTERM or SIGHUP."""


def install() -> None:
    """Handle the three signals from here on."""
    for name in _NAMES:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _handle)


def before_exit(restore: Callable[[], None]) -> None:
    """Have ``restore`` (of the terminal, say) called before an exit while loading."""
    _restore.append(restore)


@contextlib.contextmanager
def armed() -> Iterator[None]:
    """Inside, a signal raises ``KeyboardInterrupt``; everything must be imported by then."""
    global _armed  # noqa: PLW0603 - a signal handler has no other memory
    _armed = True
    try:
        yield
    finally:
        _armed = False


def _handle(number: int, _frame: FrameType | None) -> None:
    if _armed:
        raise KeyboardInterrupt if number == signal.SIGINT else Ended
    for restore in _restore:
        with contextlib.suppress(Exception):
            restore()
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), f"\n{LINE}\n".encode())
    os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)
