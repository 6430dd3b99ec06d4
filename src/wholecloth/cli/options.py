"""Options that several verbs share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

PATH = click.Path(path_type=Path)

as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
quiet = click.option(
    "--quiet", is_flag=True, help="No progress and no notice; print only the summary."
)
cache = click.option(
    "--cache/--no-cache",
    "use_cache",
    default=True,
    help="Keep features of files read, encrypted, so that the next run need not read them again.",
)
paranoid = click.option(
    "--paranoid",
    is_flag=True,
    help="Hash every cached file again instead of trusting its size and time stamps.",
)
replace = click.option(
    "--replace", is_flag=True, help="Overwrite an earlier result in the output folder."
)


class ManyValued(click.Command):
    """Lets several paths follow ``--among`` and ``--finding``, as in ``--among a/ b/ c.jpg``."""

    many = ("--among", "--finding", "--in")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each of its further values."""
        out: list[str] = []
        open_option: str | None = None
        fresh = False
        for position, arg in enumerate(args):
            if arg == "--":
                out += args[position:]
                break
            if arg.startswith("-") and len(arg) > 1:
                open_option = arg if arg in self.many else None
                fresh = open_option is not None
            elif open_option and not fresh:
                out.append(open_option)
            else:
                fresh = False
            out.append(arg)
        return super().parse_args(ctx, out)


def flush() -> None:
    """Flush standard output; a reader that had enough (head, less) is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
