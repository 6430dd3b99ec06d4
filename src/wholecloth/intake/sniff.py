"""What a file is, by its first bytes.  Extensions are descriptions and often wrong."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

Kind = Literal["picture", "video", "container", "document", "unread_picture", "empty", "other"]

PICTURES = ("JPEG", "PNG", "WEBP", "GIF", "HEIF", "AVIF", "TIFF", "BMP")
"""Formats this version decodes."""

_HEIF = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"}
_AVIF = {b"avif", b"avis"}
_PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .heic .heif .hif .avif .tif .tiff .bmp .dng .jxl "
    ".mpo .apng".split()
)
_VIDEO_SUFFIXES = frozenset(".mp4 .mov .m4v .avi .mkv .webm .3gp .mpg .mpeg".split())
HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Sniffed:
    """A file's kind by content."""

    kind: Kind
    format: str
    """JPEG, PNG, … or a plain name such as ``PDF document``."""
    mime: str = ""

    @property
    def remedy(self) -> str:
        """What the person can do when it is not decoded."""
        return _REMEDY.get(self.kind, "")


_REMEDY = {
    "video": "export the frame in question as PNG; video is not read in this version",
    "container": "unpack it first (take the pictures out) and give those",
    "document": "open it and save the picture itself, then give that",
    "unread_picture": "convert it to PNG without resizing and give that",
    "empty": "the file has no bytes; fetch it again",
    "other": "give a JPEG, PNG, WebP, HEIC, AVIF, GIF, TIFF or BMP file",
}


def sniff(head: bytes, name: str = "") -> Sniffed:
    """Classify the first bytes of a file (up to ``HEAD_BYTES``).

    ``name`` only decides how *unknown* content is called: a file called ``.jpg`` that is no
    picture is a damaged or mislabelled picture, while an unknown ``.txt`` is simply not one.
    """
    if not head:
        return Sniffed("empty", "empty file")
    known = _by_magic(head)
    if known:
        return known
    suffix = PurePath(name).suffix.lower()
    if suffix in _PICTURE_SUFFIXES:
        return Sniffed("unread_picture", f"unknown content under the name of a {suffix} picture")
    if suffix in _VIDEO_SUFFIXES:
        return Sniffed("video", f"unknown content under the name of a {suffix} video")
    return Sniffed("other", "unknown content")


def _by_magic(head: bytes) -> Sniffed | None:
    if head[:3] == b"\xff\xd8\xff":
        return Sniffed("picture", "JPEG", "image/jpeg")
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return Sniffed("picture", "PNG", "image/png")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Sniffed("picture", "WEBP", "image/webp")
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return Sniffed("picture", "GIF", "image/gif")
    if head[4:8] == b"ftyp":
        return _bmff(head)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return Sniffed("picture", "TIFF", "image/tiff")
    if head[:2] == b"BM" and head[14:15] in (b"\x0c", b"\x28", b"\x6c", b"\x7c"):
        return Sniffed("picture", "BMP", "image/bmp")
    if head[:4] in (b"IIRO", b"IIRS", b"IIU\0") or head[:8] == b"FUJIFILM":
        return Sniffed("unread_picture", "raw camera file")
    if head[:12] == b"\0\0\0\x0cJXL \r\n\x87\n" or head[:2] == b"\xff\x0a":
        return Sniffed("unread_picture", "JPEG XL")
    if head[:12] == b"\0\0\0\x0cjP  \r\n\x87\n":
        return Sniffed("unread_picture", "JPEG 2000")
    if head[:4] == b"\x1aE\xdf\xa3" or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return Sniffed("video", "video")
    if head[:3] == b"FLV" or head[:4] in (b"\0\0\x01\xba", b"\0\0\x01\xb3"):
        return Sniffed("video", "video")
    if head[:5] == b"%PDF-":
        return Sniffed("container", "PDF document")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"Rar!") or head[:6] == b"7z\xbc\xaf\x27\x1c":
        return Sniffed("container", "archive")
    if head[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" or head[:5] == b"{\\rtf":
        return Sniffed("container", "office document")
    if head[:4] in (b"8BPS", b"8BPB") or head[:9] == b"gimp xcf ":
        return Sniffed("unread_picture", "layered picture of an editor")
    if head[:2] == b"\x1f\x8b" or head[:3] == b"BZh" or head[:6] == b"\xfd7zXZ\0":
        return Sniffed("container", "compressed file")
    if head[257:262] == b"ustar":
        return Sniffed("container", "archive")
    text = head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<svg") or (text.startswith(b"<?xml") and b"<svg" in head.lower()):
        return Sniffed("container", "SVG drawing")
    if text.startswith((b"<!doctype html", b"<html")):
        return Sniffed("document", "web page")
    return None


def _bmff(head: bytes) -> Sniffed:
    """ISO base media files tell themselves apart by brand (ISO/IEC 14496-12, 4.3)."""
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12]} | {head[i : i + 4] for i in range(16, max(length - 3, 16), 4)}
    major = head[8:12]
    if major in _AVIF or (brands & _AVIF and not brands & (_HEIF - {b"mif1", b"msf1"})):
        return Sniffed("picture", "AVIF", "image/avif")
    if brands & _HEIF:
        return Sniffed("picture", "HEIF", "image/heic")
    return Sniffed("video", "video")
