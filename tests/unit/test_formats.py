"""What is read, what is refused by name, and what else is found in a file."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from wholecloth.errors import UnreadableMedia
from wholecloth.intake.decode import Decoded, WorkerPool
from wholecloth.model.media import Source
from wholecloth.testing.scenes import scene

DRAWN = scene(71, (240, 160))
POOL = WorkerPool(1)


@pytest.fixture(scope="module", autouse=True)
def _closing() -> object:
    yield
    POOL.close()


def decode(data: bytes, name: str = "x") -> Decoded:
    return POOL.decode(Source.of_bytes(data, name))


def saved(format_: str, image: Image.Image | None = None, **options: object) -> bytes:
    stream = io.BytesIO()
    (image or Image.fromarray(DRAWN)).save(stream, format_, **options)
    return stream.getvalue()


def near(got: np.ndarray, expected: np.ndarray = DRAWN, tolerance: float = 1.5) -> None:
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected.astype(int)).mean() < tolerance


def of_cv(suffix: str, array: np.ndarray) -> bytes:
    ok, data = cv2.imencode(suffix, array[..., ::-1] if array.ndim == 3 else array)
    assert ok
    return bytes(data)


LOSSLESS = {
    "TIFF": saved("TIFF"),
    "TIFF, LZW": saved("TIFF", compression="tiff_lzw"),
    "BMP": saved("BMP"),
    "PNG": saved("PNG"),
    "GIF": saved("GIF", Image.fromarray(DRAWN).quantize(256)),
}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_read(kind: str) -> None:
    decoded = decode(LOSSLESS[kind])
    assert decoded.facts.format == kind.split(",", maxsplit=1)[0]
    assert decoded.facts.extras == ()
    near(decoded.pixels, tolerance=8 if kind == "GIF" else 0.01)


SIXTEEN = (DRAWN.astype(np.uint16) * 257).astype(np.uint16)
DEEP = {
    "16-bit PNG": of_cv(".png", SIXTEEN),
    "16-bit TIFF": of_cv(".tiff", SIXTEEN),
    "16-bit grey PNG": of_cv(".png", SIXTEEN[..., 1].copy()),
    "float TIFF, 0-1": saved("TIFF", Image.fromarray(DRAWN[..., 1].astype(np.float32) / 255)),
    "float TIFF with NaN": saved(
        "TIFF",
        Image.fromarray(
            np.where(DRAWN[..., 1] > 250, np.nan, DRAWN[..., 1] / 255.0).astype(np.float32)
        ),
    ),
}


@pytest.mark.parametrize("kind", DEEP)
def test_more_than_eight_bits_is_reduced_and_said(kind: str) -> None:
    decoded = decode(DEEP[kind])
    assert any("bits a channel" in n for n in decoded.facts.notes)
    grey = "grey" in kind or "float" in kind
    expected = np.repeat(DRAWN[..., 1:2], 3, axis=2) if grey else DRAWN
    near(decoded.pixels, expected, 3.0 if "NaN" in kind else 1.5)


def test_other_colour_models() -> None:
    image = Image.fromarray(DRAWN)
    cmyk = decode(saved("JPEG", image.convert("CMYK"), quality=95))
    assert any("CMYK" in n and "approximate" in n for n in cmyk.facts.notes)
    near(cmyk.pixels, tolerance=6)
    grey = decode(saved("PNG", image.convert("L"))).pixels
    assert (grey[..., 0] == grey[..., 1]).all()
    palette = decode(saved("PNG", image.quantize(200)))
    near(palette.pixels, tolerance=8)
    lab = ImageCms.profileToProfile(
        image, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    near(decode(saved("TIFF", lab)).pixels, tolerance=4)


def test_alpha_is_laid_on_white_and_said() -> None:
    rgba = np.dstack([DRAWN, np.full(DRAWN.shape[:2], 255, np.uint8)])
    rgba[:40, :, 3] = 0
    for data in (saved("PNG", Image.fromarray(rgba)), saved("TIFF", Image.fromarray(rgba))):
        decoded = decode(data)
        assert (decoded.pixels[:40] == 255).all()
        assert any("laid on white" in n for n in decoded.facts.notes)
        near(decoded.pixels[40:], DRAWN[40:])
    keyed = Image.fromarray(DRAWN).quantize(16)
    keyed.info["transparency"] = 0
    assert any(
        "laid on white" in n for n in decode(saved("PNG", keyed, transparency=0)).facts.notes
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_honoured(orientation: int) -> None:
    turns = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: np.swapaxes(a, 0, 1),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.swapaxes(np.rot90(a, 2), 0, 1),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation](DRAWN)))
    for format_ in ("PNG", "TIFF"):
        near(decode(saved(format_, stored, exif=exif)).pixels, tolerance=0.01)


REFUSED = {
    "drawing.svg": (
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        "SVG drawing",
    ),
    "paper.pdf": (b"%PDF-1.7\n...", "PDF document"),
    "trove.zip": (b"PK\x03\x04" + b"\0" * 40, "archive"),
    "trove.rar": (b"Rar!\x1a\x07\x01\0", "archive"),
    "trove.7z": (b"7z\xbc\xaf\x27\x1c\0\4", "archive"),
    "trove.tar": (b"a" * 257 + b"ustar\x0000" + b"\0" * 200, "archive"),
    "trove.tar.gz": (b"\x1f\x8b\x08\0" + b"\0" * 20, "compressed file"),
    "letter.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 20, "office document"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    data, called = REFUSED[name]
    with pytest.raises(UnreadableMedia, match=called) as refusal:
        decode(data, name)
    assert "unpack it first" in refusal.value.remedy


def test_a_web_page_under_a_picture_s_name() -> None:
    with pytest.raises(UnreadableMedia, match="web page") as refusal:
        decode(b"<!DOCTYPE html><html></html>", "page.jpg")
    assert "save the picture itself" in refusal.value.remedy


def test_a_raw_file_is_not_read_by_its_preview() -> None:
    from PIL import TiffImagePlugin

    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0xC612] = b"\1\4\0\0"
    tags.tagtype[0xC612] = 1
    with pytest.raises(UnreadableMedia, match="raw camera file"):
        decode(saved("TIFF", tiffinfo=tags), "photo.dng")


# what else lies in a file


def kinds(data: bytes) -> list[str]:
    return [e.kind for e in decode(data).facts.extras]


def with_thumbnail() -> bytes:
    """A JPEG whose EXIF block carries another, smaller picture (IFD1)."""
    thumbnail = saved("JPEG", Image.fromarray(scene(5, (80, 60))))
    ifd0 = struct.pack("<H", 0) + struct.pack("<I", 14)
    ifd1 = struct.pack("<H", 2)
    ifd1 += struct.pack("<HHII", 0x0201, 4, 1, 14 + 2 + 24 + 4)
    ifd1 += struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail)) + struct.pack("<I", 0)
    tiff = b"II*\0" + struct.pack("<I", 8) + ifd0 + ifd1 + thumbnail
    body = b"Exif\0\0" + tiff
    plain = saved("JPEG")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + plain[2:]


def test_an_exif_thumbnail_is_named() -> None:
    found = decode(with_thumbnail()).facts.extras
    assert [e.kind for e in found] == ["exif_thumbnail"]
    assert found[0].bytes == len(saved("JPEG", Image.fromarray(scene(5, (80, 60)))))


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "GIF", "WEBP"])
def test_bytes_after_the_end_are_named(format_: str) -> None:
    image = Image.fromarray(DRAWN)
    data = saved(format_, image.quantize(64) if format_ == "GIF" else image)
    assert kinds(data) == []
    assert kinds(data + b"\0" * 9) == [], "padding is no content"
    tail = decode(data + b"PK\x03\x04 rest of an archive").facts.extras
    assert [(e.kind, e.bytes) for e in tail] == [("trailing_bytes", 23)]
    assert "archive" in tail[0].detail
    near(decode(data + b"<html>").pixels, decode(data).pixels, 0.01)


def test_a_multi_picture_jpeg_and_a_gain_map() -> None:
    second = Image.fromarray(scene(8, (120, 80)))
    data = saved("MPO", save_all=True, append_images=[second])
    decoded = decode(data)
    assert [e.kind for e in decoded.facts.extras] == ["further_picture"]
    assert decoded.facts.frames == 1
    assert decoded.facts.jpeg is not None
    near(decoded.pixels, tolerance=6)
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x xmlns:hdrgm='http://ns.adobe.com/hdr-gain-map/1.0/'/>"
    marked = data[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + data[2:]
    assert "gain_map" in kinds(marked)


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_are_listed_and_the_first_is_examined(format_: str) -> None:
    frames = [Image.fromarray(scene(80 + i, (120, 90))) for i in range(3)]
    if format_ == "GIF":
        frames = [f.quantize(64) for f in frames]
    how = {} if format_ == "TIFF" else {"duration": 70}
    if format_ == "WEBP":
        how["lossless"] = True
    data = saved(format_, frames[0], save_all=True, append_images=frames[1:], **how)
    decoded = decode(data)
    assert decoded.facts.frames == 3
    listed = decoded.facts.extras
    assert [e.kind for e in listed] == ["further_picture" if format_ == "TIFF" else "frame"] * 2
    if format_ != "TIFF":
        assert "frame 3, shown 70 ms" in listed[1].detail
    near(decoded.pixels, np.asarray(frames[0].convert("RGB")), 2)


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def test_text_after_the_pixels_over_its_limit_does_not_hide_the_picture() -> None:
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 70_000_000))
    for data in (
        LOSSLESS["PNG"][:33] + bomb + LOSSLESS["PNG"][33:],
        LOSSLESS["PNG"][:-12] + bomb + LOSSLESS["PNG"][-12:],
    ):
        decoded = decode(data)
        near(decoded.pixels, tolerance=0.01)
        assert any("text chunk" in n for n in decoded.facts.notes)
