"""``wholecloth plumbing``: any one stage, JSON in and JSON out."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import click

from wholecloth.cli import options
from wholecloth.errors import UsageRefused

_document = click.argument("document", type=click.File("rb"), default="-")
_FIRST = "wholecloth plumbing decode published.jpg"


@click.group(
    short_help="Any one stage, JSON in and JSON out.",
    epilog=(
        f"Example:  {_FIRST} | wholecloth plumbing find --among photos/ | "
        "wholecloth plumbing register | wholecloth plumbing localise | "
        "wholecloth plumbing signals | wholecloth plumbing decide"
    ),
)
def plumbing() -> None:
    """Repeat any one stage of an examination: JSON in, JSON out.

    One document grows from step to step: decode, find, register, localise, signals, decide. The
    last one prints the record; its record_digest is that of `wholecloth examine` on the same files
    under the same paths. The documents name paths and hold masks: handle them like the case.
    """


@plumbing.command(epilog="Example:  wholecloth plumbing hash published.jpg")
@click.argument("files", nargs=-1, required=True, type=options.PATH)
def hash(files: tuple[Path, ...]) -> None:  # noqa: A001 - the verb's name
    """SHA-256, MD5, PDQ and the hash of the decoded pixels of FILES."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    with WorkerPool(1) as pool:
        _print(steps.hashes(files, pool))


@plumbing.command(epilog=f"Example:  {_FIRST}")
@click.argument("file", type=options.PATH)
def decode(file: Path) -> None:
    """Start a document: digests and everything the container of FILE says."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    with WorkerPool(1) as pool:
        _print(steps.decode(file, pool))


@plumbing.command(
    cls=options.ManyValued,
    epilog=f"Example:  {_FIRST} | wholecloth plumbing find --among photos/",
)
@_document
@click.option(
    "--among", multiple=True, required=True, type=options.PATH, help="Where to look for originals."
)
def find(document: IO[bytes], among: tuple[Path, ...]) -> None:
    """Search candidates: which share features with the picture under one transformation."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    with WorkerPool() as pool, _complete():
        _print(steps.find(_read(document), among, pool))


@plumbing.command(epilog="Example:  wholecloth plumbing register found.json")
@_document
def register(document: IO[bytes]) -> None:
    """Register every lead to hundredths of a pixel, or say why it cannot be trusted."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    with WorkerPool(1) as pool, _complete():
        _print(steps.register(_read(document), pool))


@plumbing.command(epilog="Example:  wholecloth plumbing localise registered.json")
@_document
def localise(document: IO[bytes]) -> None:
    """Say where the picture is not what each registered lead predicts."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    with WorkerPool(1) as pool, _complete():
        _print(steps.localise(_read(document), pool))


@plumbing.command(epilog="Example:  wholecloth plumbing signals localised.json")
@_document
def signals(document: IO[bytes]) -> None:
    """Ask every installed signal about the pair."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    with WorkerPool(1) as pool, _complete():
        _print(steps.signals(_read(document), pool))


@plumbing.command(
    cls=options.ManyValued,
    epilog="Example:  wholecloth plumbing decide marked.json --finding p4a.toml",
)
@_document
@click.option(
    "--finding", "findings", multiple=True, type=options.PATH, help="See `wholecloth finding`."
)
def decide(document: IO[bytes], findings: tuple[Path, ...]) -> None:
    """Weigh everything and print the record."""
    from wholecloth import plumbing as steps  # noqa: PLC0415
    from wholecloth import workflow  # noqa: PLC0415
    from wholecloth.intake.decode import WorkerPool  # noqa: PLC0415

    said = workflow.read_findings(findings)
    with WorkerPool(1) as pool, _complete():
        _print(steps.decide(_read(document), said, pool))


@contextlib.contextmanager
def _complete() -> Iterator[None]:
    """A document somebody wrote or cut by hand is the caller's mistake, not a fault of ours."""
    try:
        yield
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        reason = f"is not a complete plumbing document ({type(error).__name__}: {error})"
        raise UsageRefused("input", reason, "pipe in what an earlier step printed") from error


def _read(document: IO[bytes]) -> dict[str, Any]:
    try:
        read = json.loads(document.read())
    except (ValueError, RecursionError) as error:
        remedy = "pipe in what an earlier plumbing step printed"
        raise UsageRefused("input", "is not JSON", remedy) from error
    if not isinstance(read, dict):
        raise UsageRefused("input", "is no JSON object", "pipe in what an earlier step printed")
    return read


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    options.flush()
