"""What a file says about itself: EXIF, XMP, text chunks, JPEG tables, bit depth."""

from __future__ import annotations

from typing import Any

from PIL import Image, JpegImagePlugin, PngImagePlugin

from wholecloth.intake.limits import Limits

_EXIF_NAMES = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0131: "Software",
    0x0132: "DateTime",
    0x013B: "Artist",
}
_TEXTS = 200
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_EXIF_SUB = {0x9003: "DateTimeOriginal", 0x9004: "DateTimeDigitized"}


def facts_of(image: Image.Image, format_: str, limits: Limits, notes: list[str]) -> dict[str, Any]:
    """What ``ContainerFacts`` holds, as plain data; what was cut goes to ``notes``."""
    facts: dict[str, Any] = {
        "format": format_,
        "mode": image.mode,
        "frames": 1,
        "extras": [],
        "orientation": 1,
        "icc": None,
        "jpeg": None,
        "text": [],
        "exif": [],
        "xmp": "",
    }
    try:
        exif = image.getexif()
        facts["orientation"] = _orientation(exif.get(0x0112, 1))
        facts["exif"] = [[k, _cut(v, limits, notes)] for k, v in _exif_fields(exif)]
    except Exception:  # noqa: BLE001 - EXIF is full of surprises and never worth a picture
        notes.append("EXIF could not be read")
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    xmp = xmp.encode("utf-8", "replace") if isinstance(xmp, str) else bytes(xmp)
    facts["xmp"] = xmp[: 1 << 20].decode("latin-1")
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        tables = [list(map(int, t)) for _, t in sorted(image.quantization.items())]
        facts["jpeg"] = {"q": tables, "s": JpegImagePlugin.get_sampling(image)}
    return facts


def png_text(
    image: PngImagePlugin.PngImageFile, limits: Limits, notes: list[str]
) -> list[list[str]]:
    """Keyword and value of text chunks, also of those after the pixels."""
    rows = [(k, v) for k, v in image.info.items() if isinstance(v, str)]
    kept = [(k, v) for k, v in rows if k != "XML:com.adobe.xmp"][:_TEXTS]
    return [[str(k)[:80], _cut(str(v), limits, notes)] for k, v in kept]


def _cut(value: str, limits: Limits, notes: list[str]) -> str:
    if len(value) > limits.text_chars:
        notes.append("a metadata text was cut")
    return value[: limits.text_chars].replace("\x00", "")


def _orientation(value: object) -> int:
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _exif_fields(exif: Image.Exif) -> list[tuple[str, str]]:
    found = [(name, exif[tag]) for tag, name in _EXIF_NAMES.items() if tag in exif]
    sub = exif.get_ifd(_EXIF_IFD)
    found += [(name, sub[tag]) for tag, name in _EXIF_SUB.items() if tag in sub]
    fields = [(n, v if isinstance(v, str) else _text(v)) for n, v in found]
    if _USER_COMMENT in sub:
        fields.append(("UserComment", _user_comment(sub[_USER_COMMENT])))
    return fields


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _user_comment(value: object) -> str:
    """EXIF 2.32, 4.6.5: eight bytes name the character code; byte order of UNICODE is a guess."""
    if isinstance(value, str):
        return value
    if not isinstance(value, bytes):
        return ""
    code, body = value[:8], value[8:]
    if code.startswith(b"UNICODE"):
        big, little = (body.decode(f"utf-16-{e}", "replace") for e in ("be", "le"))
        return max((big, little), key=lambda t: sum(c.isascii() for c in t))
    if code.startswith(b"ASCII"):
        return body.decode("ascii", "replace")
    return value.decode("utf-8", "replace")


def bits_of(data: bytes, image: Image.Image, format_: str) -> int:
    """Bits a channel as stored; the decoder's own mode no longer tells."""
    if format_ == "PNG":
        return data[24]
    if format_ == "TIFF":
        stored = getattr(image, "tag_v2", {}).get(0x0102, 8)
        return int(max(stored)) if isinstance(stored, tuple) else int(stored)
    return int(image.info.get("bit_depth", 8))
