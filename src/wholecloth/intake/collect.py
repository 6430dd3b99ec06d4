"""From the paths a person gives to sources worth decoding, with everything left out named."""

from __future__ import annotations

import errno
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Literal, cast

from wholecloth.errors import InputRefused, UnreadableMedia, UsageRefused
from wholecloth.intake.sniff import HEAD_BYTES, sniff
from wholecloth.model.media import Source

SkipKind = Literal["not_a_picture", "duplicate", "own_output", "unread"]
"""Only ``unread`` leaves open that an original was among what was skipped."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate that was not examined."""

    name: str
    reason: str
    kind: SkipKind


@dataclass(frozen=True, slots=True)
class Collected:
    """What the paths held."""

    sources: tuple[Source, ...]
    skipped: tuple[Skipped, ...]


def file_source(path: Path, name: str | None = None) -> Source:
    """A source over a regular file; its size is taken now, its bytes when opened.

    Raises:
        UnreadableMedia: missing, not a regular file, or not permitted.
    """
    shown = name if name is not None else str(path)
    try:
        info = path.stat()
    except OSError as error:
        raise UnreadableMedia(
            shown, f"cannot be opened ({error.strerror or error})", "check the name and permissions"
        ) from error
    if not stat.S_ISREG(info.st_mode):
        what = "a folder" if stat.S_ISDIR(info.st_mode) else "not a regular file"
        raise UnreadableMedia(shown, f"is {what}", "give a file")
    return Source(shown, info.st_size, partial(_open, path), _identity(info), str(path))


def identity_now(source: Source) -> tuple[int, int, int, int, int] | None:
    """The identity of a source's file as it is now; None if it is no file or is gone."""
    if source.path is None:
        return None
    try:
        return _identity(os.stat(source.path))
    except OSError:
        return None


def _identity(info: os.stat_result) -> tuple[int, int, int, int, int]:
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns


def collect(paths: Iterable[Path]) -> Collected:
    """Walk files and folders, in a stable order.

    Links are followed once by real path; a link that leads back to a folder above it is named
    and skipped.  Files of equal size are compared by SHA-256 and the later one skipped.
    """
    sources: list[Source] = []
    skipped: list[Skipped] = []
    seen: dict[str, str] = {}
    for path in paths:
        for found, name in walk(path, skipped):
            real = os.path.realpath(found)
            if real in seen:
                skipped.append(Skipped(name, f"the same file as {seen[real]}", "duplicate"))
                continue
            seen[real] = name
            source = worth_decoding(found, name, skipped)
            if source is not None:
                sources.append(source)
    return Collected(tuple(_distinct(sources, skipped)), tuple(skipped))


def candidates_of(tops: Sequence[Path], have_findings: bool) -> Collected:
    """Collect candidates.

    Raises:
        InputRefused: a path does not exist, or nothing in them is a picture; with findings at
            hand the latter is allowed, since an outcome may rest on documents alone.
        UsageRefused: neither candidates nor findings were given.
    """
    if not tops and not have_findings:
        raise UsageRefused(
            "--among", "no candidates were given", "name the folder that may hold the original"
        )
    for top in tops:
        if not os.path.lexists(top):
            raise InputRefused(str(top), "does not exist", "check the spelling of --among")
    found = collect(tops)
    unread = any(s.kind == "unread" for s in found.skipped)
    if not found.sources and not unread and not have_findings:
        shown = ", ".join(map(str, tops))
        raise InputRefused(
            shown, "holds no picture to compare with", "name the folder that may hold the original"
        )
    return found


def _open(path: Path) -> BinaryIO:
    """A pipe put in the file's place since it was looked at must not hold the run up."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file any more")
    return cast(BinaryIO, os.fdopen(handle, "rb"))


def walk(top: Path, skipped: list[Skipped]) -> Iterator[tuple[Path, str]]:
    """Files below a folder, or the file itself, each with its name.

    What is left out is added to ``skipped``.
    """
    if not top.is_dir():
        yield top, str(top)
        return
    visited = {os.path.realpath(top)}
    pending = [top]
    while pending:
        folder = pending.pop()
        try:
            names, folders = _entries(folder)
        except OSError as error:
            reason = f"folder cannot be read ({error.strerror or error})"
            skipped.append(Skipped(str(folder), reason, "unread"))
            continue
        if folder.name.endswith(".wholecloth") and "record.json" in names:
            skipped.append(Skipped(str(folder), "an earlier result of wholecloth", "own_output"))
            continue
        if {"manifest.sqlite", "manifest.seal"} <= set(names):
            skipped.append(Skipped(str(folder), "an index of wholecloth", "own_output"))
            continue
        for name in names:
            yield folder / name, str(folder / name)
        subfolders = []
        for name in folders:
            path = folder / name
            real = os.path.realpath(path)
            if real in visited:
                reason = "a link back to a folder already read (loop)"
                skipped.append(Skipped(str(path), reason, "duplicate"))
            else:
                visited.add(real)
                subfolders.append(path)
        pending.extend(reversed(subfolders))


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of files and of folders, in order; no more than names, for a million of them."""
    names: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            (folders if _is_folder(entry) else names).append(entry.name)
    return sorted(names), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _leads_to_itself(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def worth_decoding(path: Path, name: str, skipped: list[Skipped]) -> Source | None:
    """The source of a file that begins like a picture, else None and a reason in ``skipped``."""
    try:
        source = file_source(path, name)
        with source.open() as stream:
            head = stream.read(HEAD_BYTES)
    except UnreadableMedia as error:
        loop = path.is_symlink() and _leads_to_itself(path)
        reason = "a link that leads to itself (loop)" if loop else error.reason
        skipped.append(Skipped(name, reason, "duplicate" if loop else "unread"))
        return None
    except OSError as error:
        skipped.append(Skipped(name, f"cannot be read ({error.strerror or error})", "unread"))
        return None
    kind = sniff(head, name)
    if kind.kind == "picture":
        return source
    if kind.kind == "other":
        skipped.append(Skipped(name, "not a picture", "not_a_picture"))
    else:
        skipped.append(Skipped(name, f"{kind.format}: {kind.remedy}", "unread"))
    return None


def _distinct(sources: list[Source], skipped: list[Skipped]) -> Iterator[Source]:
    by_size: dict[int, list[Source]] = defaultdict(list)
    for source in sources:
        by_size[source.size].append(source)
    digests: dict[str, str] = {}
    for source in sources:
        if len(by_size[source.size]) > 1:
            try:
                with source.open() as stream:
                    digest = sha256(stream.read()).hexdigest()
            except OSError:
                digest = ""  # decoding will say what is wrong with it
            if digest and digest in digests:
                reason = f"identical to {digests[digest]}"
                skipped.append(Skipped(source.name, reason, "duplicate"))
                continue
            digests[digest] = source.name
        yield source
