"""The settings line of the Stable Diffusion web UI family (A1111, Forge, SD.Next and imitators).

Written as text: a prompt, a line with the negative prompt, then ``Steps: 20, Sampler: …``.  Only
that last line is read.  Whether an existing picture was edited rests on two fields, and both have
doubles: ``Denoising strength`` is written by the high-resolution pass of a text-to-image run as
well, and ADetailer, which retouches the face it has just generated, writes fields of like names.
"""

from __future__ import annotations

from wholecloth.signals.generators import Field, Fields, Record
from wholecloth.signals.marks import as_number

_ANCHORS = frozenset({"Sampler", "CFG scale", "Seed", "Size", "Model hash", "Model"})
_WITH_PICTURES = ("controlnet", "reactor", "ip-adapter", "ipadapter", "instantid", "roop")
"""Extensions that put a picture into a text-to-image run; some of them inpaint it."""
_MAX_LINE = 65_536


def read(fields: Fields) -> Record | None:
    """A record in PNG text ``parameters`` or EXIF ``UserComment``."""
    for field in (*fields.text("parameters"), *fields.exif("UserComment")):
        settings = _settings(field.value)
        if settings:
            return _record(field, settings)
    return None


def _record(field: Field, settings: dict[str, str]) -> Record:
    edits, says = _reading(settings)
    return Record(_tool(settings), says, field.location, edits, size=_size(settings))


def _settings(text: str) -> dict[str, str]:
    """The fields of the settings line, or nothing if this is no such record."""
    for line in reversed(text.splitlines()):
        if line.startswith("Steps: ") and len(line) <= _MAX_LINE:
            pairs = (part.partition(":") for part in _split(line))
            found = {key.strip(): value.strip() for key, _, value in pairs}
            steps = found.get("Steps", "")
            if steps.isdecimal() and len(steps) < 6 and len(_ANCHORS & found.keys()) >= 2:
                return found
    return {}


def _split(line: str) -> list[str]:
    """Cut at commas outside double quotes, in one pass (a pattern could be made to crawl)."""
    parts, start, inside, escaped = [], 0, False, False
    for i, char in enumerate(line):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = inside
        elif char == '"':
            inside = not inside
        elif char == "," and not inside:
            parts.append(line[start:i])
            start = i + 1
    return [*parts, line[start:]]


def _reading(settings: dict[str, str]) -> tuple[bool | None, str]:
    strength = as_number(settings.get("Denoising strength"))
    hires = any(k.casefold().startswith("hires") for k in settings)
    hires |= "First pass size" in settings or "Second pass" in settings
    retouch = any(k.casefold().startswith("adetailer") for k in settings)
    if "Mask blur" in settings and not (hires or retouch):
        return True, "its settings are those of inpainting: part of an existing picture was redone"
    if strength is not None and 0 < strength <= 1 and not (hires or retouch):
        return True, "its settings are those of image-to-image: an existing picture was put in"
    if any(k.casefold().startswith(_WITH_PICTURES) for k in settings):
        return None, "its settings name helpers that may have taken an existing picture"
    if hires:
        return False, "its settings are those of text-to-image with a high-resolution pass"
    if strength is None and "Mask blur" not in settings and "Version" in settings:
        also = " and retouched the faces it had made" if retouch else ""
        return False, f"its settings are those of text-to-image{also}"
    return None, "its settings do not say whether an existing picture was put in"


def _tool(settings: dict[str, str]) -> str:
    version = settings.get("Version", "")
    if settings.get("App") == "SD.Next":
        return "SD.Next"
    if version.startswith("Fooocus"):
        return "Fooocus"
    if version[:1] == "f" and version[1:2].isdigit():
        return "Stable Diffusion WebUI Forge"
    return "Stable Diffusion WebUI (A1111 form)"


def _size(settings: dict[str, str]) -> tuple[int, int] | None:
    width, cross, height = settings.get("Size", "").partition("x")
    if not cross or not (width + height).isdecimal() or len(width + height) > 12:
        return None
    return (int(width), int(height)) if width and height else None
