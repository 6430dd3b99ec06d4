"""Whatever colours a file holds, as 8-bit sRGB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from wholecloth.model.media import RGB

_COLOURLESS_LEVELS = 4
"""JPEG's own conversion leaves up to three levels between the channels of a grey picture."""


def colourless(rgb: RGB) -> bool:
    """Whether a picture is black and white: its channels agree (looked at on every third pixel)."""
    some = rgb[::3, ::3].astype(np.int16)
    return bool((some.max(axis=2) - some.min(axis=2)).max(initial=0) <= _COLOURLESS_LEVELS)


def lightness(rgb: RGB) -> RGB:
    """H×W×3 of equal channels: the luma of ITU-R BT.601, as the usual conversion to grey gives."""
    return np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))


def to_srgb(image: Image.Image, facts: dict[str, Any], notes: list[str]) -> Image.Image:
    """8-bit sRGB; transparent pixels are laid on white and that is noted."""
    icc = image.info.get("icc_profile")
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        image = _eight_bit(image)
    if facts["bits"] > 8:
        notes.append(f"{facts['bits']} bits a channel: reduced to 8")
    if image.mode == "LAB":
        image = _from_lab(image)
    if image.mode == "CMYK":
        how = "by its profile" if icc else "without a profile: colours are approximate"
        notes.append(f"CMYK was converted {how}")
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
    values = np.nan_to_num(np.asarray(image, np.float64), posinf=0.0, neginf=0.0)
    highest = float(values.max(initial=0))
    scale = 256.0 if highest > 255 else 1.0
    if image.mode == "F" and highest <= 1.0:
        scale = 1 / 255
    return Image.fromarray(np.clip(values / scale, 0, 255).astype(np.uint8))


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    return image if converted is None else converted


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
