"""What else lies in a picture file: thumbnails, further pictures, frames, bytes after the end.

A re-saved or cropped picture may still carry its earlier self in a thumbnail, and an edited one a
second picture that nobody looked at.  They are counted and named, never decoded or copied out, and
whoever passes the file on should know of them: all are treated as sensitive.

Sources: ITU-T T.81 annex B (JPEG), CIPA DC-007 (multi-picture format), CIPA DC-008 (EXIF), ISO
21496-1 and the ``hdrgm`` name space (gain maps), W3C PNG 3 (APNG), GIF89a, RFC 9649 (WebP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from wholecloth.intake.sniff import sniff

MAX_LISTED = 100
"""Frames listed one by one; further ones are counted."""
_MAX_STEPS = 200_000
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker in or after entropy-coded data: not a stuffed byte, a restart, or fill."""
_SOS, _EOI = 0xDA, 0xD9
_BARE = (0x01, 0xD8, *range(0xD0, 0xD8))

Extra = dict[str, Any]
"""``kind``, ``detail`` (one phrase) and ``bytes`` (int or None)."""


def extras(data: bytes, format_: str) -> tuple[list[Extra], int]:
    """Everything in the file beyond its first picture, and how many frames it has.

    Args:
        data: the file.
        format_: as sniffed: JPEG, PNG, GIF, WEBP; others give nothing.

    Returns:
        (extras in file order, frames ≥ 1).  A damaged structure ends the walk without an error.
    """
    walker = {"JPEG": _jpeg, "PNG": _png, "GIF": _gif, "WEBP": _webp}.get(format_)
    if walker is None:
        return [], 1
    try:
        return walker(data)
    except (struct.error, IndexError, ValueError, OverflowError):
        return [_extra("damaged", "the container's structure ends in the middle", None)], 1


def _extra(kind: str, detail: str, size: int | None) -> Extra:
    return {"kind": kind, "detail": detail, "bytes": size}


def _trailing(data: bytes, end: int) -> list[Extra]:
    rest = data[end:]
    if not rest.strip(b"\0"):
        return []
    what = sniff(rest[:4096])
    named = what.format if what.kind != "other" else "of unknown kind"
    return [_extra("trailing_bytes", f"after the end of the picture: {named}", len(rest))]


# JPEG


def _jpeg(data: bytes) -> tuple[list[Extra], int]:
    found: list[Extra] = []
    more: list[tuple[int, int]] = []
    gain_map = False
    segments = 0
    end = len(data)
    for marker, start, body in _jpeg_segments(data):
        segments += 1
        if marker == _EOI:
            end = start
            break
        if marker == 0xE1 and body[:6] == b"Exif\0\0":
            found += _thumbnail(body[6:])
        if marker == 0xE1 and b"hdrgm" in body[:65536]:
            gain_map = True
        if marker == 0xE2 and body[:4] == b"MPF\0":
            more += _multi_picture(body[4:], start + 8)
    if segments > 2000:
        found.append(_extra("odd_structure", f"{segments} segments", None))
    for number, (_, size) in enumerate(more, 2):
        kind = "gain_map" if gain_map and number == len(more) + 1 else "further_picture"
        found.append(_extra(kind, f"picture {number} of {len(more) + 1} in the file", size))
    known_end = max([end, *(offset + size for offset, size in more)])
    return found + _trailing(data, known_end), 1


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(marker, offset of the marker's end or, for EOI, of the file's, body) in file order."""
    at = 2
    for _ in range(_MAX_STEPS):
        if at + 2 > len(data):
            return
        if data[at] != 0xFF:
            return
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            yield marker, at + 2, b""
            return
        if marker in _BARE:
            at += 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        yield marker, at, data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == _SOS:
            following = _MARKER.search(data, at)
            if following is None:
                return
            at = following.start()


def _multi_picture(tiff: bytes, base: int) -> list[tuple[int, int]]:
    """(offset in the file, size) of every picture after the first.  CIPA DC-007, 5.2.3."""
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack(order + "I", tiff[4:8])
    (count,) = struct.unpack(order + "H", tiff[first : first + 2])
    out = []
    for i in range(min(count, 100)):
        at = first + 2 + 12 * i
        tag, _, number, value = struct.unpack(order + "HHII", tiff[at : at + 12])
        if tag != 0xB002:
            continue
        for k in range(min(number // 16, 100)):
            _, size, offset = struct.unpack(order + "III", tiff[value + 16 * k :][:12])
            if offset:
                out.append((base + offset, size))
    return out


def _thumbnail(tiff: bytes) -> list[Extra]:
    """The picture in IFD1.  CIPA DC-008, 4.5.5 and 4.6.4."""
    order = "<" if tiff[:2] == b"II" else ">"
    (first,) = struct.unpack(order + "I", tiff[4:8])
    (count,) = struct.unpack(order + "H", tiff[first : first + 2])
    after = first + 2 + 12 * count
    (second,) = struct.unpack(order + "I", tiff[after : after + 4])
    if not second:
        return []
    (count,) = struct.unpack(order + "H", tiff[second : second + 2])
    size = None
    for i in range(min(count, 100)):
        at = second + 2 + 12 * i
        tag, kind, _, value = struct.unpack(order + "HHII", tiff[at : at + 12])
        if tag == 0x0202:
            size = value if kind != 3 else struct.unpack(order + "H", tiff[at + 8 : at + 10])[0]
    return [_extra("exif_thumbnail", "a small picture in the EXIF block", size)]


# PNG


def _png(data: bytes) -> tuple[list[Extra], int]:
    found: list[Extra] = []
    frames, listed, steps, at = 1, 0, 0, 8
    while at + 12 <= len(data) and steps < _MAX_STEPS:
        steps += 1
        (length,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], at + 8
        if name == b"acTL":
            frames = max(1, struct.unpack(">I", data[body : body + 4])[0])
        if name == b"fcTL":
            listed += 1
            if 1 < listed <= MAX_LISTED:
                up, down = struct.unpack(">HH", data[body + 20 : body + 24])
                found.append(_frame(listed, 1000 * up / (down or 100)))
        if name == b"eXIf":
            found += _thumbnail(data[body : body + length])
        at = body + length + 4
        if name == b"IEND":
            break
    if steps > 2000:
        found.append(_extra("odd_structure", f"{steps} chunks", None))
    return found + _trailing(data, at), frames


def _frame(number: int, milliseconds: float) -> Extra:
    return _extra("frame", f"frame {number}, shown {milliseconds:.0f} ms", None)


# GIF


def _gif(data: bytes) -> tuple[list[Extra], int]:
    found: list[Extra] = []
    flags = data[10]
    at = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    frames, shown = 0, 0.0
    for _ in range(_MAX_STEPS):
        block = data[at]
        if block == 0x3B:
            at += 1
            break
        if block == 0x21:
            if data[at + 1] == 0xF9:
                shown = 10.0 * struct.unpack("<H", data[at + 4 : at + 6])[0]
            at = _sub_blocks(data, at + 2)
        elif block == 0x2C:
            frames += 1
            if 1 < frames <= MAX_LISTED:
                found.append(_frame(frames, shown))
            flags = data[at + 9]
            at += 10 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
            at = _sub_blocks(data, at + 1)
        else:
            break
    return found + _trailing(data, at), max(1, frames)


def _sub_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


# WebP


def _webp(data: bytes) -> tuple[list[Extra], int]:
    found: list[Extra] = []
    (size,) = struct.unpack("<I", data[4:8])
    end = min(len(data), 8 + size + size % 2)
    at, frames = 12, 0
    for _ in range(_MAX_STEPS):
        if at + 8 > end:
            break
        name = data[at : at + 4]
        (length,) = struct.unpack("<I", data[at + 4 : at + 8])
        if name == b"ANMF":
            frames += 1
            if 1 < frames <= MAX_LISTED:
                shown = int.from_bytes(data[at + 20 : at + 23], "little")
                found.append(_frame(frames, float(shown)))
        if name == b"EXIF":
            body = data[at + 8 : at + 8 + length]
            found += _thumbnail(body.removeprefix(b"Exif\0\0"))
        at += 8 + length + length % 2
    return found + _trailing(data, end), max(1, frames)
