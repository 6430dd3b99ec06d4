"""What works on this machine, what does not and why, and what is out of date."""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from cryptography import x509
from PIL import Image

from wholecloth import __version__, atomic
from wholecloth.disarm import release
from wholecloth.errors import WholeclothError
from wholecloth.intake import trust
from wholecloth.intake.decode import Worker
from wholecloth.localisation import settings
from wholecloth.model.dated import STALE_DAYS, Dated
from wholecloth.model.media import Source
from wholecloth.retrieval.cache import state
from wholecloth.share import words
from wholecloth.signals import generator_text, marks
from wholecloth.signals.registry import Broken, installed
from wholecloth.weighing import verdict

Mark = Literal["ok", "note", "missing"]
TESTED = ("linux", ((3, 11), (3, 13)))

AGEING: tuple[Dated, ...] = (
    trust.DATED,
    marks.TERMS_DATED,
    generator_text.DATED,
    release.DATED,
    settings.DATED,
    verdict.DATED,
    words.ROUTES_DATED,
)
"""Every table of the program that ages."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    topic: str
    """machine, parts, decoding, isolation, writing, signals, dates, not here"""
    mark: Mark
    text: str
    remedy: str = ""


def examine(today: date | None = None) -> tuple[Check, ...]:
    """Look at everything; each check that breaks says so and the others go on."""
    day = today or datetime.now(UTC).date()
    rooms: tuple[Callable[[], list[Check]], ...] = (
        _machine,
        _parts,
        _decoding,
        _writing,
        _signals,
        lambda: _dates(day),
        _not_here,
    )
    out: list[Check] = []
    for room in rooms:
        try:
            out += room()
        except Exception as error:  # noqa: BLE001 - a doctor that dies of a finding is no use
            out.append(
                Check("machine", "missing", f"a check broke: {type(error).__name__}: {error}")
            )
    return tuple(out)


def _machine() -> list[Check]:
    here = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    tested = sys.platform == TESTED[0] and sys.version_info[:2] in TESTED[1]
    said = "the tests were run on Linux with Python 3.11 and 3.13"
    note = "" if tested else f"not run here by the developers: {said}"
    return [
        Check("machine", "ok" if tested else "note", f"wholecloth {__version__} on {here}", note),
        Check("machine", "ok", f"{os.cpu_count()} processors"),
    ]


def _parts() -> list[Check]:
    out = []
    for line in importlib.metadata.requires("wholecloth") or ():
        if "extra ==" in line:
            continue
        name = re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0]
        try:
            out.append(Check("parts", "ok", f"{name} {importlib.metadata.version(name)}"))
        except importlib.metadata.PackageNotFoundError:
            out.append(
                Check("parts", "missing", f"{name} is not installed", f"pip install '{line}'")
            )
    return out


def _decoding() -> list[Check]:
    out = []
    drawn = Image.linear_gradient("L").convert("RGB").resize((64, 48))
    worker = Worker()
    try:
        for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"):
            stream = io.BytesIO()
            try:
                drawn.save(stream, name)
                worker.decode(Source.of_bytes(stream.getvalue(), name))
                out.append(Check("decoding", "ok", name))
            except (OSError, KeyError, WholeclothError) as error:
                remedy = "install Pillow from its wheel, which holds all decoders"
                out.append(Check("decoding", "missing", f"{name}: {error}", remedy))
        out.append(_heic())
        reached = worker.isolation
    finally:
        worker.close()
    strong = any("seccomp" in r for r in reached)
    remedy = "" if strong else "the operating system gives nothing stronger here"
    out += [Check("isolation", "ok" if strong else "note", r, remedy) for r in reached]
    return out


def _heic() -> Check:
    """No picture is at hand to try it on: nothing here can write HEIC."""
    try:
        import pi_heif  # noqa: PLC0415 - its absence is the finding
    except ImportError as error:
        return Check("decoding", "missing", f"HEIC: {error}", "pip install pi-heif")
    return Check("decoding", "ok", f"HEIC (libheif {pi_heif.libheif_version()})")


def _writing() -> list[Check]:
    out = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        atomic.write(folder / "probe", b"x")
        nameless = hasattr(os, "O_TMPFILE")
        text = "files have no name until they are whole" if nameless else (
            "files are written beside their place and renamed"
        )  # fmt: skip
        out.append(Check("writing", "ok", text))
        with atomic.locked(folder):
            held = os.name == "posix"
        text = "output folders are locked against a second run" if held else (
            "output folders are not locked: do not run twice into one"
        )  # fmt: skip
        out.append(Check("writing", "ok" if held else "note", text))
    now = state()
    above = next(p for p in (Path(now.folder), *Path(now.folder).parents) if p.exists())
    text = f"feature cache: {now.rows} entries, {now.bytes / 2**20:.1f} MiB in {now.folder}"
    if os.access(above, os.W_OK):
        out.append(Check("writing", "ok", text))
    else:
        remedy = "name a writable folder with WHOLECLOTH_CACHE, or use --no-cache"
        out.append(Check("writing", "note", f"{text}, which cannot be written", remedy))
    return out


def _signals() -> list[Check]:
    out = []
    for signal in installed():
        if isinstance(signal, Broken):
            remedy = "uninstall or mend the package that registers it"
            out.append(Check("signals", "note", f"{signal.name}: broken, {signal.reason}", remedy))
        else:
            out.append(Check("signals", "ok", f"{signal.info.id} {signal.info.version}"))
    return out


def _dates(today: date) -> list[Check]:
    out = []
    for dated in AGEING:
        old = dated.stale(today)
        text = f"{dated.name}: checked {dated.checked} ({dated.age_days(today)} days ago)"
        if dated.valid_until:
            text += f", valid until {dated.valid_until}"
        text += f"; {dated.source}"
        remedy = f"older than {STALE_DAYS} days: {dated.what}; update wholecloth" if old else ""
        out.append(Check("dates", "note" if old else "ok", text, remedy))
    lists = trust.load()
    for label, pem in (("signers", lists.anchors), ("time stamps", lists.tsa)):
        ends = [c.not_valid_after_utc.date() for c in x509.load_pem_x509_certificates(pem.encode())]
        over = sum(e < today for e in ends)
        following = min((e for e in ends if e >= today), default=None)
        text = f"C2PA {label}: {len(ends)} authorities, {over} expired, next to expire {following}"
        out.append(Check("dates", "ok", text))
    return out


def _not_here() -> list[Check]:
    return [
        Check("not here", "note", "video is not read", "export the frame in question as PNG"),
        Check("not here", "note", "no index: every candidate is looked at; a folder is fine"),
        Check("not here", "note", "captions and stickers are not told apart from edits"),
        Check("not here", "note", "watermarks and stealth marks in pixels are not read"),
    ]
