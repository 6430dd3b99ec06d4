"""Attacks on decoding and on containers, named for what they try."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import bombs
import numpy as np
import pytest

from wholecloth import examine
from wholecloth.errors import HostileMedia, InputRefused, UnreadableMedia
from wholecloth.intake.decode import Decoded, Worker
from wholecloth.intake.limits import Limits
from wholecloth.model.media import Source
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

GOOD = Source.of_bytes(bombs.FIXTURES["JPEG"], "good.jpg")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.close()


def decode(worker: Worker, data: bytes, name: str = "evil", **how: object) -> Decoded:
    """Decode, within the time limit; afterwards the worker still serves."""
    started = time.monotonic()
    try:
        return worker.decode(Source.of_bytes(data, name), **how)  # type: ignore[arg-type]
    finally:
        assert time.monotonic() - started < worker.limits.wall_seconds + 10
        assert worker.decode(GOOD).pixels.shape == (140, 200, 3)


def same_picture(decoded: Decoded, tolerance: float = 0.01) -> None:
    assert np.abs(decoded.pixels.astype(int) - bombs.DRAWN.astype(int)).mean() <= tolerance


def test_1_a_png_of_50000_by_50000_is_refused_by_its_header(worker: Worker) -> None:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + bombs.chunk(b"IHDR", header) + bombs.chunk(b"IDAT", b"x" * 100)
    with pytest.raises(HostileMedia, match="over the limit of 120 megapixels"):
        decode(worker, data)


def test_2_144_megapixels_are_a_matter_of_the_limits(worker: Worker) -> None:
    data = bombs.empty_png(12_000, 12_000)
    with pytest.raises(HostileMedia, match="over the limit"):
        decode(worker, data)
    generous = Worker(Limits(pixels=150_000_000))
    reduced = decode(generous, data, max_side=512)
    generous.close()
    assert (reduced.facts.width, reduced.pixels.shape[1]) == (12_000, 512)


@pytest.mark.parametrize("at_end", [False, True])
@pytest.mark.parametrize("bomb", ["one of 60 MiB", "80 of 1 MiB"])
def test_3_text_bombs_do_not_hide_the_picture(worker: Worker, bomb: str, *, at_end: bool) -> None:
    if bomb.startswith("one"):
        chunks = [bombs.chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * (60 << 20)))]
    else:
        packed = zlib.compress(b"a" * ((1 << 20) - 100))
        chunks = [bombs.chunk(b"zTXt", b"k%d\0\0" % i + packed) for i in range(80)]
    decoded = decode(worker, bombs.png_with(*chunks, before_end=at_end))
    same_picture(decoded)
    assert any("over its limit" in n for n in decoded.facts.notes)


def test_4_an_iccp_bomb_a_huge_exif_and_100000_tiny_chunks(worker: Worker) -> None:
    iccp = bombs.chunk(b"iCCP", b"p\0\0" + zlib.compress(b"\0" * (60 << 20)))
    same_picture(decode(worker, bombs.png_with(iccp)))
    exif = bombs.chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff" + b"\xff" * (8 << 20))
    same_picture(decode(worker, bombs.png_with(exif)))
    tiny = decode(worker, bombs.png_with(*[bombs.chunk(b"tEXt", b"a\0b")] * 100_000))
    same_picture(tiny)
    assert [e.kind for e in tiny.facts.extras] == ["odd_structure"]


def test_5_jpegs_with_20000_segments_looping_tables_and_endless_scans(worker: Worker) -> None:
    tables = bombs.segment(0xDB, b"\0" + bytes(range(1, 65)))
    for extra in (bombs.segment(0xFE, b"c"), bombs.segment(0xE5, b"a"), tables):
        decoded = decode(worker, bombs.jpeg_with(*[extra] * 20_000))
        assert [e.kind for e in decoded.facts.extras] == ["odd_structure"]
    hasty = Worker(Limits(cpu_seconds=2, wall_seconds=4))
    with contextlib.suppress(HostileMedia):  # whichever: decoded in time, or ended in time
        decode(hasty, bombs.many_scans(100_000))
    hasty.close()


@pytest.mark.parametrize("kind", bombs.FIXTURES)
def test_6_truncated_at_every_sixteenth(worker: Worker, kind: str) -> None:
    data = bombs.FIXTURES[kind]
    refused = 0
    for part in range(16):
        try:
            decode(worker, data[: len(data) * part // 16])
        except InputRefused as error:
            refused += 1
            assert error.reason
            assert error.remedy
    # Cut behind the first picture (MPO, APNG) or its last row, what is left is a picture.
    assert refused >= (8 if kind in ("MPO", "APNG") else 14)


@pytest.mark.parametrize("kind", bombs.FIXTURES)
def test_7_flipped_bits(worker: Worker, kind: str) -> None:
    """A short run; ``bench/fuzz.py`` makes ten thousand."""
    rng = random.Random(kind)
    for _ in range(25):
        data = bytearray(bombs.FIXTURES[kind])
        for _ in range(rng.randint(1, 12)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            decoded = worker.decode(Source.of_bytes(bytes(data), "flipped"))
        except InputRefused as error:
            assert error.remedy, error
            continue
        assert decoded.pixels.dtype == np.uint8


@pytest.mark.parametrize(
    "data",
    [bombs.webp_huffman(), bombs.tiff_loop(), bombs.nested_heif(10_000)],
    ids=["WebP code tables", "TIFF directory loop", "HEIF boxes 10000 deep"],
)
def test_8_known_ways_to_kill_a_decoder(worker: Worker, data: bytes) -> None:
    with pytest.raises((UnreadableMedia, HostileMedia)):
        decode(worker, data)


def test_9_100000_frames(worker: Worker) -> None:
    for data in (bombs.gif_of(100_000), bombs.apng_of(100_000)):
        decoded = decode(worker, data)
        assert decoded.facts.frames == 100_000
        frames = [e for e in decoded.facts.extras if e.kind == "frame"]
        assert len(frames) == 99, "a hundred are listed, the rest is counted"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP"])
def test_10_polyglots_are_read_as_what_they_begin_with(worker: Worker, kind: str) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("index.html", "<script>")
    data = bombs.FIXTURES[kind]
    decoded = decode(worker, data + archive.getvalue(), "x.html")
    assert decoded.facts.format == kind
    assert "archive" in decoded.facts.extras[-1].detail
    np.testing.assert_array_equal(decoded.pixels, decode(worker, data).pixels)


LIES = {
    "picture.png": b"<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>",
    "picture.pdf.jpg": b"%PDF-1.4",
    "picture.jpg": b"<!DOCTYPE html><script>alert(1)</script>",
    "CON.jpg": b"PK\x03\x04" + b"\0" * 30,
    "picture.gif": b"#!/bin/sh\nrm -rf ~\n",
    "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n",
}


@pytest.mark.parametrize("name", LIES)
def test_11_lying_extensions(worker: Worker, name: str) -> None:
    with pytest.raises(UnreadableMedia) as refusal:
        decode(worker, LIES[name], name)
    assert refusal.value.item == name


def zip_of(kind: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as z:
        if kind == "ratio":
            z.writestr("bomb", b"\0" * (20 << 20))
        elif kind == "nested":
            z.writestr("inner.zip", zip_of("ratio"))
        elif kind == "link":
            info = zipfile.ZipInfo("link.jpg")
            info.external_attr = 0o120777 << 16
            z.writestr(info, "/etc/passwd")
        else:
            z.writestr(kind, bombs.FIXTURES["JPEG"])
    return stream.getvalue()


def tar_of(kind: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as t:
        info = tarfile.TarInfo("../../evil.jpg")
        if kind == "device":
            info.type = tarfile.CHRTYPE
        if kind == "sparse":
            info.size = 0
            info.pax_headers = {"GNU.sparse.realsize": str(1 << 50)}
        t.addfile(info)
    return stream.getvalue()


@pytest.mark.parametrize(
    "kind", ["../../x.jpg", "/abs.jpg", "a\\..\\b.jpg", "ratio", "nested", "link"]
)
def test_12_zip_archives_are_refused_and_never_unpacked(tmp_path: Path, kind: str) -> None:
    refused_unpacked(tmp_path, zip_of(kind), "trove.zip")


@pytest.mark.parametrize("kind", ["device", "traversal", "sparse"])
def test_13_tar_archives_are_refused_and_never_unpacked(tmp_path: Path, kind: str) -> None:
    refused_unpacked(tmp_path, tar_of(kind), "bag.tar")


def refused_unpacked(tmp_path: Path, data: bytes, name: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / name).write_bytes(data)
    (photos / "a.jpg").write_bytes(encode(scene(51, (300, 200))))
    (tmp_path / "q.jpg").write_bytes(encode(scene(51, (300, 200)), quality=60))
    before = sorted(p.name for p in tmp_path.rglob("*"))
    with pytest.raises(UnreadableMedia) as refusal:
        examine(photos / name, [photos])
    assert "unpack it first" in refusal.value.remedy
    record = examine(tmp_path / "q.jpg", [photos]).record
    assert record["verdict"] == "copy"
    assert "unpack it first" in record["candidates"]["skipped"][0]["reason"]
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


ODD = {
    "16-bit PNG": "png16",
    "CMYK JPEG": "cmyk",
    "palette PNG": "palette",
    "grey with alpha": "la",
    "turned by EXIF": "exif",
}


@pytest.mark.parametrize("kind", ODD)
def test_14_unusual_pixels_register_all_the_same(tmp_path: Path, kind: str) -> None:
    import cv2
    from PIL import Image

    drawn = scene(51, (420, 300))
    image = Image.fromarray(drawn)
    if ODD[kind] == "png16":
        data = bytes(cv2.imencode(".png", (drawn.astype(np.uint16) * 257)[..., ::-1])[1])
    elif ODD[kind] == "cmyk":
        data = bombs.saved("JPEG", image.convert("CMYK"), quality=95)
    elif ODD[kind] == "palette":
        data = bombs.saved("PNG", image.quantize(256))
    elif ODD[kind] == "la":
        data = bombs.saved("PNG", image.convert("LA"))
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        data = bombs.saved(
            "JPEG", image.transpose(Image.Transpose.ROTATE_90), exif=exif, quality=95
        )
    (tmp_path / "odd").write_bytes(data)
    worker = Worker()
    read = worker.decode(Source.of_bytes(data, "odd"))
    worker.close()
    (tmp_path / "q.jpg").write_bytes(encode(read.pixels, quality=80))
    record = examine(tmp_path / "q.jpg", [tmp_path / "odd"]).record
    assert record["verdict"] == "copy", record["sentence"]
    assert record["registration"]["residual_px"] < 0.3
    back = examine(tmp_path / "odd", [tmp_path / "q.jpg"]).record
    assert len(back["published"]["pixels_sha256"]) == 64
    assert back["registration"]["residual_px"] < 0.3
