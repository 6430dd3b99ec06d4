"""Progress on standard error, and one key that stops the run on doubt about age."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from wholecloth.cli import stopping
from wholecloth.errors import AgeDoubt
from wholecloth.share.words import ROUTES

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

KEY = "a"


class Watch:
    """A progress callback: draws a bar on a terminal, and raises ``AgeDoubt`` on the key."""

    def __init__(self, *, quiet: bool) -> None:
        self._show = not quiet and sys.stderr.isatty()
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._keys = contextlib.ExitStack()
        self._listening = False

    def __enter__(self) -> Watch:
        self._listening = self._keys.enter_context(_single_keys())
        stopping.before_exit(self._keys.close)
        if self._show:
            self._bar = _bar()  # imported and made now: a signal must not meet an import later
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        self._keys.close()

    def __call__(self, stage: str, done: int, of: int) -> None:
        """One step of work is done."""
        if self._listening and _pressed() == KEY:
            raise AgeDoubt("this run", "doubt about age", " ".join(r for r in ROUTES if r))
        if not self._show or not of:
            return
        if self._bar is None:
            return
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(stage, total=of)
        self._bar.update(self._task, description=stage, completed=done, total=of)


def _bar() -> Progress:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


@contextlib.contextmanager
def _single_keys() -> Iterator[bool]:
    """Let single keys be read without Enter, where there is a terminal to read from."""
    if not sys.stdin or not sys.stdin.isatty():
        yield False
        return
    try:
        import termios  # noqa: PLC0415 - POSIX only
        import tty  # noqa: PLC0415
    except ImportError:
        yield sys.platform == "win32"
        return
    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    try:
        # Not TCSAFLUSH: a key pressed before we listened must count.
        tty.setcbreak(handle, termios.TCSANOW)
        yield True
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _pressed() -> str:
    if sys.platform == "win32":  # not run in our tests; see README
        import msvcrt  # noqa: PLC0415

        return msvcrt.getwch().lower() if msvcrt.kbhit() else ""
    import os  # noqa: PLC0415
    import select  # noqa: PLC0415

    handle = sys.stdin.fileno()
    ready, _, _ = select.select([handle], [], [], 0)
    return os.read(handle, 1).decode("ascii", "ignore").lower() if ready else ""
