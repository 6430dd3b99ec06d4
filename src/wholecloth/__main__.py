"""``python -m wholecloth``, and the ``wholecloth`` command."""

from __future__ import annotations

import signal


def run() -> None:
    """Start the program.

    While the program itself is being loaded, Ctrl-C simply ends the process: there is nothing to
    clear up yet, and Python's own way would print a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wholecloth.cli import main  # noqa: PLC0415

    main.run()


if __name__ == "__main__":
    run()
