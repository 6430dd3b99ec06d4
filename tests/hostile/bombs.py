"""Files built to harm, in memory; none is larger than a megabyte or two."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from wholecloth.testing.scenes import scene

DRAWN = scene(72, (200, 140))


def saved(format_: str, image: Image.Image | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    (image or Image.fromarray(DRAWN)).save(stream, format_, **options)
    return stream.getvalue()


FIXTURES = {
    "JPEG": saved("JPEG"),
    "progressive JPEG": saved("JPEG", progressive=True),
    "PNG": saved("PNG"),
    "WEBP": saved("WEBP"),
    "WEBP lossless": saved("WEBP", lossless=True),
    "GIF": saved("GIF", Image.fromarray(DRAWN).quantize(64)),
    "TIFF": saved("TIFF", compression="tiff_lzw"),
    "TIFF, JPEG inside": saved("TIFF", compression="jpeg"),
    "BMP": saved("BMP"),
    "AVIF": saved("AVIF"),
    "MPO": saved("MPO", save_all=True, append_images=[Image.fromarray(scene(3, (100, 70)))]),
    "APNG": saved("PNG", save_all=True, append_images=[Image.fromarray(scene(3, (200, 140)))]),
}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_with(*chunks: bytes, before_end: bool = False) -> bytes:
    plain = FIXTURES["PNG"]
    at = len(plain) - 12 if before_end else 33
    return plain[:at] + b"".join(chunks) + plain[at:]


def empty_png(width: int, height: int) -> bytes:
    """All black, rows compressed well: large only when decoded."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + 3 * width)
    body = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments: bytes) -> bytes:
    plain = FIXTURES["JPEG"]
    return plain[:2] + b"".join(segments) + plain[2:]


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    data = FIXTURES["progressive JPEG"]
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:-2] + scan * count + b"\xff\xd9"


def gif_of(frames: int) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", 64, 64, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + b"\x2c\0\0\0\0\1\0\1\0\0\x02\x02\x44\x01\0" * frames + b"\x3b"


def apng_of(frames: int) -> bytes:
    """The first frame is the picture, the others one pixel each."""

    def control(sequence: int, width: int, height: int) -> bytes:
        body = struct.pack(">IIIIIHHBB", sequence, width, height, 0, 0, 1, 10, 0, 0)
        return chunk(b"fcTL", body)

    pixel = zlib.compress(b"\0\0\0\0")
    more = []
    for i in range(1, frames):
        more.append(control(2 * i - 1, 1, 1))
        more.append(chunk(b"fdAT", struct.pack(">I", 2 * i) + pixel))
    plain = FIXTURES["PNG"]
    head = chunk(b"acTL", struct.pack(">II", frames, 0)) + control(0, 200, 140)
    return plain[:33] + head + plain[33:-12] + b"".join(more) + plain[-12:]


def nested_heif(depth: int) -> bytes:
    inner = b""
    for _ in range(depth):
        inner = struct.pack(">I", min(len(inner) + 8, 0xFFFFFFFF)) + b"meta" + inner
    return struct.pack(">I", 24) + b"ftypheic\0\0\0\0heicmif1" + inner


def tiff_loop() -> bytes:
    """Directory that points to itself, with a strip of four gigabytes."""
    entries = [
        (0x0100, 4, 1, 4000), (0x0101, 4, 1, 4000), (0x0102, 3, 1, 8), (0x0103, 3, 1, 5),
        (0x0106, 3, 1, 1), (0x0111, 4, 1, 8), (0x0115, 3, 1, 1), (0x0116, 4, 1, 4000),
        (0x0117, 4, 1, 0xFFFFFFF0),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries))
    body += b"".join(struct.pack("<HHII", *e) for e in entries)
    return b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 8)


def webp_huffman() -> bytes:
    """A lossless WebP whose code tables are all ones: the shape of CVE-2023-4863."""
    body = b"\x2f" + struct.pack("<I", (199) | (139 << 14)) + b"\xff" * 4000
    vp8l = b"VP8L" + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(vp8l)) + b"WEBP" + vp8l
