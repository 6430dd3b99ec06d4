"""Decoding proper, inside the worker: container facts, upright sRGB pixels, Content Credentials."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

from PIL import Image, ImageCms, ImageOps, JpegImagePlugin, PngImagePlugin

from wholecloth.intake.limits import Limits
from wholecloth.intake.sniff import HEAD_BYTES, sniff

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


class Refused(Exception):
    """This file is not decoded; ``kind`` is unreadable, hostile or unsupported."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


def prepare() -> None:
    """Register decoders and load everything lazy, before confinement."""
    import pi_heif  # noqa: PLC0415

    pi_heif.register_heif_opener(thumbnails=False)
    Image.init()
    ImageCms.createProfile("sRGB")
    Image.MAX_IMAGE_PIXELS = None  # ours is checked first, on the header's size
    PngImagePlugin.MAX_TEXT_MEMORY = 64 * 2**20
    warnings.simplefilter("ignore")


def decode(data: bytes, request: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], bytes]:
    """Decode one file.

    ``request``: ``max_side`` (0 = full size; otherwise the longer side is area-averaged down to
    it), ``credentials`` (read C2PA), ``name``.  Returns the reply header (``ok``, ``facts``,
    ``height``, ``width``) and H·W·3 bytes of sRGB.  Raises ``Refused``.
    """
    kind = sniff(data[:HEAD_BYTES], request.get("name", ""))
    if kind.kind != "picture":
        raise Refused("unsupported", f"{kind.format}: {kind.remedy}")
    notes: list[str] = []
    image = _open(data, kind.format, notes)
    width, height = image.size
    if width * height > limits.pixels:
        raise Refused(
            "hostile",
            f"{width} × {height} pixels is over the limit of {limits.pixels // 10**6} megapixels",
        )
    facts = _facts(image, kind.format, limits, notes)
    full = image.size
    side = int(request.get("max_side") or 0)
    if side and image.format == "JPEG":
        image.draft(
            None, (side, side)
        )  # the decoder's own reduced scan, never below the size asked
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise Refused("unreadable", _plain(error)) from error
    if isinstance(image, PngImagePlugin.PngImageFile):
        facts["text"] = _png_text(image, limits, notes)  # chunks may follow the pixels
    image = _shrink(image, side)
    image = ImageOps.exif_transpose(image)
    rgb = _to_srgb(image, facts, notes)
    upright = full if facts["orientation"] < 5 else full[::-1]
    facts |= {"width": upright[0], "height": upright[1], "notes": notes}
    if request.get("credentials"):
        from wholecloth.intake import credentials_reader  # noqa: PLC0415 - 50 MB, published only

        text, state = credentials_reader.read_credentials(
            data, kind.mime, request.get("trust", ""), request.get("tsa", "")
        )
        facts |= {"c2pa": text, "c2pa_state": state}
    header = {"ok": True, "facts": facts, "width": rgb.width, "height": rgb.height}
    return header, rgb.tobytes()


def _open(data: bytes, format_: str, notes: list[str]) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
    except ValueError as error:
        if format_ != "PNG":
            raise Refused("unreadable", _plain(error)) from error
        notes.append("a text chunk was over its limit; metadata was left unread, pixels were not")
        try:
            image = Image.open(io.BytesIO(_png_pixels_only(data)))
        except Exception as again:
            raise Refused("unreadable", _plain(again)) from again
    except (OSError, SyntaxError, struct.error) as error:
        raise Refused("unreadable", _plain(error)) from error
    return image


def _png_pixels_only(data: bytes) -> bytes:
    """The PNG without its ancillary chunks, so that a text bomb does not hide the picture."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name = data[at + 4 : at + 8]
        end = at + 12 + length
        if name[:1].isupper() or name == b"tRNS":
            out.append(data[at:end])
        if name == b"IEND":
            break
        at = end
    return b"".join(out)


def _shrink(image: Image.Image, side: int) -> Image.Image:
    longer = max(image.size)
    if not side or longer <= side:
        return image
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    size = (max(1, round(image.width * side / longer)), max(1, round(image.height * side / longer)))
    info = image.info
    small = image.resize(size, Image.Resampling.BOX, reducing_gap=3.0)
    small.info = info
    exif = image.getexif()
    small.getexif().update({0x0112: exif.get(0x0112, 1)})
    return small


def _to_srgb(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Image:
    """8-bit sRGB; transparent pixels are laid on white and that is noted."""
    icc = image.info.get("icc_profile")
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        notes.append("more than 8 bits a channel: reduced to 8")
        image = _eight_bit(image)
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        if rgba.getchannel("A").getextrema() != (255, 255):
            notes.append("transparent pixels were laid on white")
        ground = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(ground, rgba).convert("RGB")
    if icc:
        image = _from_profile(image, icc, facts, notes)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    import numpy as np  # noqa: PLC0415

    values = np.asarray(image, np.float64)
    scale = 256.0 if values.max(initial=0) > 255 else 1.0
    return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8))


def _from_profile(
    image: Image.Image, icc: bytes, facts: dict[str, Any], notes: list[str]
) -> Image.Image:
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        facts["icc"] = ImageCms.getProfileDescription(profile).strip()[:120]
        if "srgb" in facts["icc"].lower():
            return image
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append("the colour profile does not fit the picture and was ignored")
        return image
    return converted if converted is not None else image


def _facts(image: Image.Image, format_: str, limits: Limits, notes: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "format": format_,
        "mode": image.mode,
        "frames": int(getattr(image, "n_frames", 1)),
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


def _png_text(
    image: PngImagePlugin.PngImageFile, limits: Limits, notes: list[str]
) -> list[list[str]]:
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


def _plain(error: BaseException) -> str:
    """A decoder's complaint in words a person can use."""
    text = str(error).lower()
    if "truncated" in text or "broken" in text or "unexpected end" in text:
        return "the picture data ends too early or is broken: the file is incomplete"
    return "the file is damaged or not what its first bytes say"
