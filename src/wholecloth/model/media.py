"""Media as received and as decoded."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.uint8]
"""An H×W×3 picture: 8-bit sRGB, upright (EXIF orientation applied)."""

Mask = NDArray[np.bool_]
"""An H×W mask in the frame it is said to belong to; True = yes."""

UNMODELLED = ("WEBP", "AVIF", "HEIF")
"""Formats with losses of their own that no stage imitates."""

MediaKind = Literal["still", "frame"]


@dataclass(frozen=True, slots=True)
class Source:
    """Something that can be opened for reading: all that the stages below intake ever see."""

    name: str
    """As the person gave it; a description, never an identity."""
    size: int
    """Bytes."""
    opener: Callable[[], BinaryIO] = field(repr=False, compare=False)
    identity: tuple[int, int, int, int, int] | None = None
    """Device, inode, size, mtime_ns and ctime_ns of a file: equal = taken as unchanged."""
    path: str | None = field(default=None, repr=False, compare=False)
    """Where the file lies, to look at its identity again; stages never open it by this."""

    def open(self) -> BinaryIO:
        """A fresh binary stream, positioned at 0.  The caller closes it."""
        return self.opener()

    @classmethod
    def of_bytes(cls, data: bytes, name: str = "bytes") -> Source:
        """A source over bytes already in memory."""
        return cls(name, len(data), lambda: io.BytesIO(data))


@dataclass(frozen=True, slots=True)
class Digests:
    """What names the bytes, and what resembles the pixels."""

    sha256: str
    md5: str
    pdq: str | None = None
    """PDQ as 64 hex digits; None until decoded."""
    pdq_quality: int | None = None


@dataclass(frozen=True, slots=True)
class JpegTables:
    """How a JPEG was quantised: enough to imitate its losses.  Source: ITU-T T.81, B.2.4.1."""

    quantization: tuple[tuple[int, ...], ...]
    """One table of 64 values per component class, in Pillow's order (natural, not zig-zag)."""
    subsampling: int
    """Pillow's code: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0; -1 = another scheme."""


@dataclass(frozen=True, slots=True)
class Extra:
    """Something in the file beyond its first picture; see ``intake.extras``."""

    kind: str
    """exif_thumbnail, further_picture, gain_map, frame, trailing_bytes, odd_structure, damaged."""
    detail: str
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """What the file says about itself, read in the worker; text is data, never instructions."""

    format: str
    """By content: JPEG, PNG, WEBP, HEIF, AVIF, GIF, TIFF, BMP."""
    width: int
    height: int
    """Of the upright picture, in pixels."""
    mode: str
    """Pillow's mode before conversion to sRGB."""
    orientation: int = 1
    """EXIF orientation 1-8 as found (already applied to the pixels)."""
    icc: str | None = None
    """Description of the embedded profile that was converted from, if any."""
    jpeg: JpegTables | None = None
    frames: int = 1
    text: tuple[tuple[str, str], ...] = ()
    """PNG tEXt/zTXt/iTXt keyword and value, in file order, values cut at 1 Mi characters."""
    exif: tuple[tuple[str, str], ...] = ()
    """Make, Model, Software, ImageDescription, Artist, UserComment, DateTime*, where present."""
    xmp: bytes = b""
    """The XMP packet from its own container slot (not searched for elsewhere)."""
    c2pa: str | None = None
    """Manifest store as JSON if one was read; see ``c2pa_state``."""
    c2pa_state: str = "not_read"
    """not_read | none | read | remote | error: what happened when it was looked for."""
    notes: tuple[str, ...] = ()
    """Anything out of the ordinary: cut text, laid on white, reduced depth."""
    extras: tuple[Extra, ...] = ()
    """What else lies in the file; all of it is sensitive, none of it was decoded."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded medium."""

    digests: Digests
    pixels: RGB
    """Read-only H×W×3 sRGB."""
    facts: ContainerFacts
    media: MediaKind = "still"

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def pixels_sha256(self) -> str:
        """SHA-256 over the H·W·3 bytes of sRGB, row by row: what every later stage saw."""
        return sha256(np.ascontiguousarray(self.pixels).data).hexdigest()


def read_only(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same array with its write flag cleared."""
    array.flags.writeable = False
    return array
