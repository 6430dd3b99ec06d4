"""Other people's detectors, each in its own environment, measured on the same pairs.

A peer is a name and a command; the command is given ``{published}``, ``{original}`` and ``{out}``
and leaves one map in the folder ``{out}``, as ``.npy`` (any numbers, more = more likely changed) or
``.png`` (gray).  It runs without a shell, in a folder of its own that is removed afterwards.

For the search a peer is told the true pair and says whether it is one: the last line it prints is
``match`` or ``no match``.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from wholecloth import atomic
from wholecloth.bench.baselines import Map, otsu
from wholecloth.errors import UsageRefused
from wholecloth.localisation.robust import F32

TIMEOUT_S = 300
_TAIL = 1000
_HOLES = ("{published}", "{original}", "{out}")
_MAP_HOLES = ("{published}", "{out}")
VERDICT_HOLES = ("{published}", "{original}")
SAYINGS = ("match", "no match")
_SUFFIX = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp", "TIFF": ".tif", "GIF": ".gif"}


@dataclass(frozen=True, slots=True)
class Peer:
    """One other program."""

    name: str
    command: tuple[str, ...]
    timeout_s: int = TIMEOUT_S


class PeerFailed(Exception):
    """This peer gave no map of this pair; the reason is the message."""


def peer_of(text: str, timeout_s: int = TIMEOUT_S, needs: Sequence[str] = _MAP_HOLES) -> Peer:
    """Read ``NAME=COMMAND``.

    Args:
        text: as given.
        timeout_s: for one pair.
        needs: holes that the command must have.

    Raises:
        UsageRefused: not of this form, or it does not say where its map goes.
    """
    name, equals, command = text.partition("=")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageRefused(
            text, f"cannot be read ({error})", "quote it as a shell would"
        ) from error
    if not equals or not name.strip() or not words:
        raise UsageRefused(text, "is no peer", "give NAME=COMMAND")
    if not all(hole in command for hole in needs):
        remedy = "use {published}, {original} and {out} in the command"
        if "{out}" not in needs:
            remedy = "use {published} and {original} in the command"
        raise UsageRefused(text, f"names no {' or no '.join(needs)}", remedy)
    return Peer(name.strip(), words, timeout_s)


def run(
    peer: Peer, published: tuple[bytes, str], original: tuple[bytes, str], shape: tuple[int, int]
) -> Map:
    """Give a peer the two files and read its map.

    Args:
        peer: what to run.
        published, original: file bytes and format, as they lie or after laundering.
        shape: (height, width) of the published frame; the map is brought to it.

    Raises:
        PeerFailed: it failed, took too long, or left no map that can be read.
    """
    with _given(peer, published, original) as (folder, words):
        _carry_out(peer, words, folder)
        score = _map_in(folder / "out")
    if score.shape != shape:
        score = np.asarray(cv2.resize(score, shape[::-1], interpolation=cv2.INTER_LINEAR))
    low, high = float(score.min()), float(score.max())
    levels = np.rint((score - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)
    return Map(score, otsu(levels, np.ones(shape, bool)))


def verdict(peer: Peer, published: tuple[bytes, str], original: tuple[bytes, str]) -> str:
    """Give a peer the two files and read what it says: one of ``SAYINGS``.

    Raises:
        PeerFailed: it failed, took too long, or said something else.
    """
    with _given(peer, published, original) as (folder, words):
        lines = _carry_out(peer, words, folder, listen=True).strip().splitlines()
    said = lines[-1].strip().lower() if lines else ""
    if said not in SAYINGS:
        raise PeerFailed(f"said {said[:60]!r} where one of {SAYINGS} is wanted")
    return said


@contextlib.contextmanager
def _given(
    peer: Peer, published: tuple[bytes, str], original: tuple[bytes, str]
) -> Iterator[tuple[Path, list[str]]]:
    """The two files in a folder of its own, and the command with its holes filled."""
    with tempfile.TemporaryDirectory(prefix="wholecloth-peer-") as name:
        folder = Path(name)
        (folder / "out").mkdir()
        fill = {"{out}": str(folder / "out")}
        for hole, (data, kind) in (("{published}", published), ("{original}", original)):
            path = folder / (hole.strip("{}") + _SUFFIX.get(kind, ".img"))
            atomic.write(path, data, mode=0o600)
            fill[hole] = str(path)
        yield folder, [_filled(word, fill) for word in peer.command]


def _carry_out(peer: Peer, words: list[str], folder: Path, *, listen: bool = False) -> str:
    """Run it to its end; with ``listen`` returns the last of what it printed."""
    try:
        child = subprocess.Popen(  # noqa: S603 - the person's own command, as they gave it
            words,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if listen else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what it starts in turn can be ended with it
        )
    except OSError as error:
        raise PeerFailed(f"cannot be started ({error.strerror or error})") from error
    try:
        printed, said = child.communicate(timeout=peer.timeout_s)
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"took over {peer.timeout_s} s") from error
    finally:
        _end(child)
    if child.returncode:
        lines = said.decode("utf-8", "replace").strip().splitlines() or ["no message"]
        raise PeerFailed(f"ended with {child.returncode}: {lines[-1][:200]}")
    return (printed or b"")[-_TAIL:].decode("utf-8", "replace")


def _end(child: subprocess.Popen[bytes]) -> None:
    """Of the command and all it started, whatever still runs."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()


def _filled(word: str, fill: dict[str, str]) -> str:
    for hole in _HOLES:
        word = word.replace(hole, fill[hole])
    return word


def _map_in(folder: Path) -> F32:
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".npy", ".png"))
    if len(files) != 1:
        raise PeerFailed(f"left {len(files)} maps (.npy or .png) where one is wanted")
    try:
        if files[0].suffix.lower() == ".npy":
            read = np.load(files[0], allow_pickle=False)
        else:
            read = cv2.imdecode(np.frombuffer(files[0].read_bytes(), np.uint8), 0)
            if read is None:
                raise ValueError("no PNG")
        score = np.asarray(read, np.float32)
    except (OSError, ValueError, TypeError) as error:
        raise PeerFailed(f"left a map that cannot be read ({error})") from error
    if score.ndim != 2 or not score.size or not np.isfinite(score).all():
        raise PeerFailed("left a map that is not H×W of finite numbers")
    return score
