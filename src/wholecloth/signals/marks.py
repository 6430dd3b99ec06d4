"""What the signals that read declared marks share: bounded parsing, quoting, and the AI terms."""

from __future__ import annotations

import json
import unicodedata

from wholecloth.model.dated import Dated

GROUP = "declared marks"
"""One group for all of them: whoever can write one mark into a file can write the others, so
they share a cause and are never multiplied."""

GENAI_TERMS = frozenset(
    {
        "trainedAlgorithmicMedia",
        "trainedAlgorithmicData",
        "compositeWithTrainedAlgorithmicMedia",
        "compositeSynthetic",
    }
)
"""Digital source types that declare generative AI.  Source: the C2PA task force's own rubric
(globals-signals.yml, 2026-08-06); terms such as ``algorithmicallyEnhanced`` cover phone denoising
and are left out on purpose."""

TERMS_DATED = Dated(
    name="digital source types that declare generative AI",
    what="newly defined terms are not recognised",
    checked="2026-11-24",
    source="C2PA task force rubric globals-signals.yml of 2026-08-06; IPTC NewsCodes",
)

EDITING_TERMS = frozenset({"compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"})
"""Those that say generated content was combined with something that was there before."""

_TERM_PREFIXES = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/",
    "https://cv.iptc.org/newscodes/digitalsourcetype/",
    "http://c2pa.org/digitalsourcetype/",
    "https://c2pa.org/digitalsourcetype/",
    "digsrctype:",
    "",
)

MAX_JSON_CHARS = 4 * 2**20
_MAX_DIGITS = 400


def term(value: str) -> str | None:
    """The exact last segment of a digital source type, or None if it is no such value.

    Whole-segment matching is the point: ``notTrainedAlgorithmicMedia`` must not count.
    """
    plain = value.strip().removesuffix("/")
    prefix = next(p for p in _TERM_PREFIXES if plain.startswith(p))
    rest = plain.removeprefix(prefix)
    return rest if rest.isascii() and rest.isalpha() else None


def parse_object(text: str) -> dict[str, object] | None:
    """A JSON object, or None for anything else, including bombs.

    Nesting that exhausts the stack raises RecursionError rather than ValueError, and very long
    numbers are refused here because Python's own limit can be switched off.
    """
    if len(text) > MAX_JSON_CHARS:
        return None
    try:
        value = json.loads(text, parse_int=_bounded_int)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def as_dict(value: object) -> dict[str, object]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def as_dicts(value: object) -> list[dict[str, object]]:
    """The JSON objects in a JSON array; other members are passed over."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def as_text(value: object) -> str:
    """The value if it is text, else an empty text."""
    return value if isinstance(value, str) else ""


def as_number(value: object) -> float | None:
    """A number, or a text that is one; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def quoted(value: str, limit: int = 60) -> str:
    """Foreign text made safe to print: cut, in quotes, invisible characters shown as escapes."""
    shown = "".join(
        c if unicodedata.category(c)[0] not in "CZ" or c == " " else f"\\u{ord(c):04x}"
        for c in value[:limit]
    )
    return f"“{shown}{'…' if len(value) > limit else ''}”"


def agreed(values: list[bool | None]) -> bool | None:
    """What marks say together on edited-or-not: a contradiction is no statement."""
    said = {v for v in values if v is not None}
    return said.pop() if len(said) == 1 else None


def _bounded_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number that long is not one a generator writes")
    return int(digits)
