"""Decoding proper, inside the worker: container facts, upright sRGB pixels, Content Credentials."""

from __future__ import annotations

import io
import struct
import warnings
from typing import Any

from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from wholecloth.intake import extras
from wholecloth.intake.colour import to_srgb
from wholecloth.intake.limits import Limits
from wholecloth.intake.metadata import bits_of, facts_of, png_text
from wholecloth.intake.sniff import HEAD_BYTES, sniff

_DECODERS = {
    "JPEG": ("JPEG", "MPO"),
    "HEIF": ("HEIF",),
    "AVIF": ("AVIF", "HEIF"),
    "WEBP": ("WEBP",),
} | {name: (name,) for name in ("PNG", "GIF", "TIFF", "BMP")}
"""Only the decoder that the first bytes ask for: Pillow would try all of its forty."""


class Refused(Exception):
    """This file is not decoded; ``kind`` is unreadable, hostile or unsupported."""

    def __init__(self, kind: str, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.remedy = remedy


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
        raise Refused("unsupported", f"is not read: {kind.format}", kind.remedy)
    notes: list[str] = []
    image: Image.Image = _open(data, kind.format, notes)
    width, height = image.size
    if width * height > limits.pixels:
        raise Refused(
            "hostile",
            f"{width} × {height} pixels is over the limit of {limits.pixels // 10**6} megapixels",
        )
    if kind.format == "TIFF":
        _refuse_raw(image)
    if kind.format == "PNG":
        image = _loaded(image, data, notes)  # reading EXIF would do it, and hide what went wrong
    facts = facts_of(image, kind.format, limits, notes)
    facts["extras"], facts["frames"] = _extras(data, image, kind.format)
    facts["bits"] = bits_of(data, image, kind.format)
    full = image.size
    side = int(request.get("max_side") or 0)
    if side and image.format == "JPEG":
        image.draft(
            None, (side, side)
        )  # the decoder's own reduced scan, never below the size asked
    image = _loaded(image, data, notes)
    if isinstance(image, PngImagePlugin.PngImageFile):
        facts["text"] = png_text(image, limits, notes)  # chunks may follow the pixels
    image = _shrink(image, side)
    image = ImageOps.exif_transpose(image)
    rgb = to_srgb(image, facts, notes)
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
    image: Image.Image
    try:
        image = Image.open(io.BytesIO(data), formats=_DECODERS[format_])
    except ValueError as error:
        if format_ != "PNG":
            raise Refused("unreadable", _plain(error)) from error
        image = _pixels_alone(data, notes)
    except (OSError, SyntaxError, struct.error) as error:
        raise Refused("unreadable", _plain(error)) from error
    return image


def _loaded(image: Image.Image, data: bytes, notes: list[str]) -> Image.Image:
    try:
        image.load()
    except ValueError as error:
        if not isinstance(image, PngImagePlugin.PngImageFile):
            raise Refused("unreadable", _plain(error)) from error
        return _pixels_alone(data, notes)  # a text chunk after the pixels is over its limit
    except (OSError, SyntaxError, struct.error) as error:
        raise Refused("unreadable", _plain(error)) from error
    return image


def _pixels_alone(data: bytes, notes: list[str]) -> Image.Image:
    notes.append("a text chunk was over its limit; metadata was left unread, pixels were not")
    try:
        image = Image.open(io.BytesIO(_png_pixels_only(data)), formats=("PNG",))
        image.load()
    except Exception as error:
        raise Refused("unreadable", _plain(error)) from error
    return image


def _refuse_raw(image: Image.Image) -> None:
    """A raw camera file is a TIFF whose first picture is a preview: not what was photographed."""
    tags = getattr(image, "tag_v2", {})
    reduced = int(tags.get(0x00FE, 0) or 0) & 1  # TIFF 6.0, NewSubfileType: reduced resolution
    if 0xC612 in tags or (reduced and 0x014A in tags):  # DNGVersion; SubIFDs
        remedy = "export it as TIFF or PNG, and keep the raw file beside it"
        raise Refused("unsupported", "raw camera file: its first picture is a preview", remedy)


def _extras(data: bytes, image: Image.Image, format_: str) -> tuple[list[dict[str, Any]], int]:
    """Also for the formats whose structure the decoder's library walks."""
    found, frames = extras.extras(data, format_)
    if format_ in ("TIFF", "HEIF", "AVIF"):
        frames = int(getattr(image, "n_frames", 1))
        what = {"TIFF": "page"}.get(format_, "picture")
        for number in range(2, min(frames, extras.MAX_LISTED) + 1):
            detail = f"{what} {number} of {frames} in the file"
            found.append({"kind": "further_picture", "detail": detail, "bytes": None})
    for key in ("depth_images", "aux"):
        if image.info.get(key):
            detail = f"{len(image.info[key])} auxiliary picture(s): {key}"
            found.append({"kind": "further_picture", "detail": detail, "bytes": None})
    return found, frames


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


def _plain(error: BaseException) -> str:
    """A decoder's complaint in words a person can use."""
    text = str(error).lower()
    if "truncated" in text or "broken" in text or "unexpected end" in text:
        return "the picture data ends too early or is broken: the file is incomplete"
    return "the file is damaged or not what its first bytes say"
