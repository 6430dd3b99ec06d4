"""The parent's side of decoding: feed a worker, check what comes back, outlive its death."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO, cast

import numpy as np

from wholecloth.errors import HostileMedia, UnreadableMedia
from wholecloth.intake import trust
from wholecloth.intake.limits import DEFAULT, Limits
from wholecloth.intake.pdq import pdq
from wholecloth.intake.worker import read_exact, send
from wholecloth.model.media import RGB, ContainerFacts, Digests, Extra, JpegTables, Picture, Source
from wholecloth.model.media import read_only as frozen

_HEADER_LIMIT = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What one file gave: digests of the bytes, facts, and pixels (perhaps reduced)."""

    digests: Digests
    facts: ContainerFacts
    pixels: RGB


def read_bytes(source: Source, limits: Limits = DEFAULT) -> bytes:
    """The whole file, or ``HostileMedia`` when it is over the size limit."""
    if source.size > limits.file_bytes:
        raise HostileMedia(
            source.name,
            f"{source.size / 2**20:.0f} MiB is over the limit of {limits.file_bytes >> 20} MiB",
            "give a picture file, not a disk image or a video",
        )
    try:
        with source.open() as stream:
            data = stream.read(limits.file_bytes + 1)
    except OSError as error:
        raise UnreadableMedia(
            source.name, f"cannot be opened ({error.strerror or error})", "check its permissions"
        ) from error
    if len(data) > limits.file_bytes:
        raise HostileMedia(source.name, "grew over the size limit while it was read", "")
    return data


def digests(data: bytes) -> Digests:
    """SHA-256 and MD5 of the bytes as received (FIPS 180-4, RFC 1321)."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return Digests(hashlib.sha256(data).hexdigest(), md5)


def digest_of(source: Source) -> str:
    """SHA-256 of a source's bytes as they are now; empty where it cannot be read."""
    found = hashlib.sha256()
    try:
        with source.open() as stream:
            while part := stream.read(1 << 20):
                found.update(part)
    except OSError:
        return ""
    return found.hexdigest()


class Worker:
    """One decode process; restarted after it was killed."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self.isolation: tuple[str, ...] = ()
        self._child: subprocess.Popen[bytes] | None = None

    def decode(self, source: Source, *, max_side: int = 0, credentials: bool = False) -> Decoded:
        """Decode one source.

        Args:
            source: what to read.
            max_side: 0 for full size, else the longer side is area-averaged down to it.
            credentials: also read Content Credentials (offline).

        Raises:
            UnreadableMedia: not a picture this version reads, or damaged.
            HostileMedia: over a limit, or the worker died on it.
        """
        data = read_bytes(source, self.limits)
        request: dict[str, Any] = {
            "size": len(data),
            "max_side": max_side,
            "credentials": credentials,
            "name": source.name,
        }
        if credentials:
            lists = trust.load()
            request |= {"trust": lists.anchors, "tsa": lists.tsa}
        header, payload = self._ask(source.name, request, data)
        if not header.get("ok"):
            refusal = HostileMedia if header.get("kind") == "hostile" else UnreadableMedia
            remedy = header.get("remedy") or _REMEDY[str(header.get("kind"))]
            raise refusal(source.name, str(header.get("reason")), str(remedy))
        pixels = np.frombuffer(payload, np.uint8).reshape(header["height"], header["width"], 3)
        return Decoded(digests(data), _facts(header["facts"]), frozen(pixels))

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None  # another thread may be closing it too
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError, ValueError):
                        pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "wholecloth.intake.worker", json.dumps(asdict(self.limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_child_environment(),
            # A session of its own: Ctrl-C reaches us, and we end the worker in order.
            start_new_session=True,
        )
        self._child = child
        hello, _ = self._receive(child)
        self.isolation = tuple(hello.get("isolation", ()))
        return child

    def _ask(
        self, name: str, request: dict[str, Any], data: bytes
    ) -> tuple[dict[str, Any], bytearray]:
        try:
            child = self._start()
        except (OSError, EOFError, ValueError, struct.error) as error:
            self.close()
            raise HostileMedia(name, "the decoder could not be started", "try again") from error
        timed_out = threading.Event()

        def kill() -> None:
            timed_out.set()
            child.kill()

        timer = threading.Timer(self.limits.wall_seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            send(cast("BinaryIO", child.stdin), request, data)
            return self._receive(child)
        except (OSError, EOFError, ValueError, struct.error) as error:
            self.close()
            reason = (
                f"decoding took over {self.limits.wall_seconds:g} s and was ended"
                if timed_out.is_set()
                else "the decoder died on it"
            )
            raise HostileMedia(name, reason, _REMEDY["hostile"]) from error
        except BaseException:
            self.close()  # a half-read reply would be taken for the next one's
            raise
        finally:
            timer.cancel()

    def _receive(self, child: subprocess.Popen[bytes]) -> tuple[dict[str, Any], bytearray]:
        pipe = cast("BinaryIO", child.stdout)
        (length,) = struct.unpack(">I", read_exact(pipe, 4))
        if length > _HEADER_LIMIT:
            raise ValueError("reply header too long")
        header = json.loads(bytes(read_exact(pipe, length)))
        if not isinstance(header, dict):
            raise ValueError("reply is not an object")
        if not header.get("ok"):
            return header, bytearray()
        width, height = int(header["width"]), int(header["height"])
        if width < 1 or height < 1 or width * height > self.limits.pixels:
            raise ValueError("reply of impossible size")
        return header, read_exact(pipe, width * height * 3)


class WorkerPool:
    """A few workers shared by threads."""

    def __init__(self, count: int | None = None, limits: Limits = DEFAULT) -> None:
        self.count = count or max(1, min(4, os.cpu_count() or 1))
        self.limits = limits
        self._all = [Worker(limits) for _ in range(self.count)]
        self._free: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in reversed(self._all):
            self._free.put(worker)

    def decode(self, source: Source, *, max_side: int = 0, credentials: bool = False) -> Decoded:
        """As ``Worker.decode``, on whichever worker is free."""
        worker = self._free.get()
        try:
            return worker.decode(source, max_side=max_side, credentials=credentials)
        finally:
            self._free.put(worker)

    @property
    def isolation(self) -> tuple[str, ...]:
        """What the workers gave up; empty until one has started."""
        return next((w.isolation for w in self._all if w.isolation), ())

    def close(self) -> None:
        """End all workers."""
        for worker in self._all:
            worker.close()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def picture(decoded: Decoded) -> Picture:
    """A full-size decode as a ``Picture``, with its PDQ."""
    value = pdq(decoded.pixels)
    named = replace(decoded.digests, pdq=value.hex, pdq_quality=value.quality)
    return Picture(named, decoded.pixels, decoded.facts)


_REMEDY = {
    "hostile": "if it is wanted all the same, re-save it smaller on another machine and say so",
    "unreadable": "fetch the file again, or export it as PNG from a program that opens it",
    "unsupported": "give a JPEG, PNG, WebP, HEIC, AVIF, GIF, TIFF or BMP file",
}


def _facts(raw: dict[str, Any]) -> ContainerFacts:
    jpeg = raw.get("jpeg")
    return ContainerFacts(
        format=raw["format"],
        width=int(raw["width"]),
        height=int(raw["height"]),
        mode=raw["mode"],
        orientation=int(raw["orientation"]),
        icc=raw["icc"],
        jpeg=JpegTables(tuple(map(tuple, jpeg["q"])), int(jpeg["s"])) if jpeg else None,
        frames=int(raw["frames"]),
        text=tuple((str(k), str(v)) for k, v in raw["text"]),
        exif=tuple((str(k), str(v)) for k, v in raw["exif"]),
        xmp=raw["xmp"].encode("latin-1"),
        c2pa=raw.get("c2pa"),
        c2pa_state=raw.get("c2pa_state", "not_read"),
        notes=tuple(raw["notes"]),
        extras=tuple(Extra(e["kind"], e["detail"], e["bytes"]) for e in raw["extras"]),
    )


def _child_environment() -> dict[str, str]:
    """Enough to find Python and nothing of the person's: no proxies, no tokens."""
    keep = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONPATH", "VIRTUAL_ENV", "TMPDIR", "HOME")
    env = {k: v for k, v in os.environ.items() if k in keep}
    threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
    return env | dict.fromkeys(threads, "1") | {"PYTHONNOUSERSITE": "1"}


Progress = Callable[[str, int, int], None]
"""Called with a stage name, steps done and steps in all; may raise to stop the run."""
