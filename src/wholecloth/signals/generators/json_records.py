"""Generators that write one JSON object about themselves: InvokeAI, NovelAI, SwarmUI, Fooocus.

The edit readings for NovelAI and SwarmUI follow descriptions; no openly licensed positive sample
of either was at hand.
"""

from __future__ import annotations

from wholecloth.signals.generators import Field, Fields, Record
from wholecloth.signals.marks import as_dict, as_number, as_text, parse_object

_EDIT_MODES = ("img2img", "inpaint", "outpaint")
_REFERENCES = frozenset(
    {"ipAdapters", "controlnets", "t2iAdapters", "ref_images", "canvas_v2_metadata"}
)
"""Fields that hold further pictures; an instruction-editing model takes its input there."""
_NOVELAI_EDITS = frozenset({"Img2ImgRequest", "NativeInfillingRequest"})
_NOVELAI_FRESH = frozenset({"PromptGenerateRequest"})


def invokeai(fields: Fields) -> Record | None:
    """``invokeai_metadata`` (since 3.0) or ``sd-metadata`` (2.x)."""
    for field in fields.text("invokeai_metadata"):
        data = parse_object(field.value) or {}
        if {"generation_mode", "app_version"} & data.keys():
            return _invokeai(field, as_text(data.get("generation_mode")), data)
    for field in fields.text("sd-metadata"):
        data = parse_object(field.value) or {}
        image = as_dict(data.get("image"))
        if as_text(data.get("app_id")) == "invoke-ai/InvokeAI":
            return _invokeai(field, as_text(image.get("type")), image)
    return None


def _invokeai(field: Field, mode: str, sized: dict[str, object]) -> Record:
    edits: bool | None = None
    says = "it does not say whether an existing picture was put in"
    if mode.endswith(_EDIT_MODES):
        kind = next(m for m in _EDIT_MODES if mode.endswith(m))
        edits, says = True, f"its mode is {kind}: an existing picture was put in"
    elif mode.endswith("txt2img"):
        says = "its mode is txt2img, with other pictures as reference"
        if not any(sized.get(key) for key in _REFERENCES):
            edits, says = False, "its mode is txt2img: no picture was put in"
    return Record("InvokeAI", says, field.location, edits, size=_size(sized))


def novelai(fields: Fields) -> Record | None:
    """``Software`` is exactly NovelAI; the settings are JSON in ``Comment`` or ``UserComment``."""
    software = [*fields.text("Software"), *fields.exif("Software")]
    named = next((f for f in software if f.value == "NovelAI"), None)
    if named is None:
        return None
    for field in (*fields.text("Comment"), *fields.exif("UserComment")):
        data = parse_object(field.value) or {}
        inner = data.get("Comment")
        data = parse_object(inner) or {} if isinstance(inner, str) else data
        if len({"steps", "sampler", "seed", "request_type"} & data.keys()) >= 2:
            edits, says = _novelai(data)
            return Record("NovelAI", says, field.location, edits, size=_size(data))
    says = "it is one field that names the program, without settings"
    return Record("NovelAI", says, named.location, tier="D")


def _novelai(data: dict[str, object]) -> tuple[bool | None, str]:
    kinds = set(as_text(data.get("request_type")).split("+"))  # VibeTransfer+Img2ImgRequest
    if kinds & _NOVELAI_EDITS:
        return True, "its request was to change an existing picture"
    referred = any(v for k, v in data.items() if k.startswith(("reference_", "director_")))
    if kinds == _NOVELAI_FRESH and not referred:
        return False, "its request was for a new picture"
    return None, "it does not say whether an existing picture was put in"


def swarmui(fields: Fields) -> Record | None:
    """``sui_image_params`` in ``parameters`` or ``UserComment``."""
    for field in (*fields.text("parameters"), *fields.exif("UserComment")):
        data = as_dict((parse_object(field.value) or {}).get("sui_image_params"))
        if data:
            keys = {k.casefold().replace(" ", ""): v for k, v in data.items()}
            change = as_number(keys.get("initimagecreativity"))
            edits = True if {"initimage", "maskimage"} & keys.keys() or change else None
            says = "an initial picture is named" if edits else "no initial picture is named"
            return Record("SwarmUI", f"in its settings {says}", field.location, edits)
    return None


def fooocus(fields: Fields) -> Record | None:
    """``fooocus_scheme`` beside ``parameters``, or JSON that names Fooocus or RuinedFooocus."""
    says = "it does not say whether an existing picture was put in"
    scheme = next(fields.text("fooocus_scheme"), None)
    for field in (*fields.text("parameters"), *fields.exif("UserComment")):
        data = parse_object(field.value) or {}
        if data.get("software") == "RuinedFooocus":
            return Record("RuinedFooocus", says, field.location)
        version = as_text(data.get("version"))
        named = as_text(data.get("metadata_scheme")) == "fooocus" or version.startswith("Fooocus ")
        settings = {"seed", "steps", "base_model", "sampler"} & data.keys()
        if len(settings) >= 2 and (named or scheme is not None):
            return Record("Fooocus", says, field.location)
    return None


def _size(data: dict[str, object]) -> tuple[int, int] | None:
    width, height = (as_number(data.get(k)) for k in ("width", "height"))
    if width is None or height is None or not (0 < width < 1e6 and 0 < height < 1e6):
        return None
    return int(width), int(height)
