"""The program: command groups, and errors mapped to exit codes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from typing import NoReturn, TextIO

import click

from wholecloth import __version__
from wholecloth.cli import stopping
from wholecloth.cli.bench import bench
from wholecloth.cli.cache import cache
from wholecloth.cli.doctor import doctor
from wholecloth.cli.examine import examine
from wholecloth.cli.find_copies import find_copies
from wholecloth.cli.finding import finding
from wholecloth.cli.index import index
from wholecloth.cli.plumbing import plumbing
from wholecloth.cli.signals import signals
from wholecloth.cli.verify import verify
from wholecloth.errors import AgeDoubt, WholeclothError
from wholecloth.share import words


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 96},
    epilog="Example:  wholecloth examine published.jpg --among photos/",
)
@click.version_option(__version__, message="wholecloth %(version)s")
def program() -> None:
    """Find the original of a published picture, prove and localise the edit, weigh how it was made.

    Nothing leaves this machine.  The effect of an edit is never decided by the program.
    """


program.add_command(examine)
program.add_command(bench)
program.add_command(cache)
program.add_command(doctor)
program.add_command(find_copies)
program.add_command(finding)
program.add_command(index)
program.add_command(plumbing)
program.add_command(signals)
program.add_command(verify)


def run() -> NoReturn:
    """Entry point of the ``wholecloth`` command.

    Exit codes: 0 done, 1 our fault, 2 the command line itself, 3 input refused, 4 verification
    failed, 5 something is not installed, 130 stopped with Ctrl-C, 143 ended by SIGTERM.
    """
    as_json = "--json" in sys.argv
    _open_streams()
    # We run a thread per core; BLAS threads below each of them only spin against one another.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    stopping.install()
    try:
        code = program.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as asked:
        print(asked.ctx.get_help() if asked.ctx else "see --help")
        sys.exit(2)
    except click.ClickException as error:
        _refuse(as_json, "command line", error.format_message(), "see --help")
        sys.exit(2)
    except AgeDoubt as doubt:
        if as_json:
            print(json.dumps({"error": doubt.as_dict()}))
        else:
            print("\n".join(("Stopped: doubt about age.", *words.ROUTES)))
        sys.exit(doubt.exit_code)
    except WholeclothError as error:
        _refuse(as_json, error.item, error.reason, error.remedy)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        _refuse(as_json, "run", "stopped; nothing half-written was left", "run it again")
        # click turns Ctrl-C into Abort; what it came from tells a termination apart.
        ended = stopping.Ended in (type(stop), type(stop.__cause__))
        sys.exit(stopping.TERMINATED if ended else stopping.INTERRUPTED)
    except BrokenPipeError:
        _to_nowhere(sys.stdout)
        sys.exit(0)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO):
            raise
        reason = f"cannot be written ({error.strerror})"
        _to_nowhere(sys.stdout)
        _refuse(False, "standard output", reason, "make room, or send it elsewhere")
        sys.exit(3)
    except Exception as error:
        if isinstance(error, MemoryError) or "failed to map segment" in str(error):
            remedy = "close other programs, or raise the limit (ulimit -v)"
            _refuse(as_json, "this machine", "has too little memory for wholecloth", remedy)
            sys.exit(3)
        _refuse(
            as_json,
            "wholecloth",
            f"a fault of ours ({type(error).__name__}: {error})",
            "please report it with the command used; WHOLECLOTH_DEBUG=1 shows the trace",
        )
        if os.environ.get("WHOLECLOTH_DEBUG"):
            raise
        sys.exit(1)


def _refuse(as_json: bool, item: str, reason: str, remedy: str) -> None:
    """Say it once; where even that cannot be written, the exit code has to do."""
    line = f"{words.plain(item)}: {words.plain(reason)}"
    line += f" - {words.plain(remedy)}" if remedy else ""
    document = json.dumps({"error": {"item": item, "reason": reason, "remedy": remedy}})
    stream = sys.stdout if as_json else sys.stderr
    try:
        print(document if as_json else line, file=stream, flush=True)
    except OSError:
        _to_nowhere(stream)


def _open_streams() -> None:
    """A closed stream (``>&-``) reads as empty and swallows what is written."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _to_nowhere(stream: TextIO) -> None:
    """What is left in a buffer must not raise again when the program ends."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
