"""Finding files: what only a person or a platform can say, as JSON or TOML.

One object or a list of them (TOML: ``[[finding]]`` tables).  Fields::

    who            who made the finding (a role or pseudonym serves)          required
    when           date or time, ISO 8601                                     required
    source         where it comes from: "analyst", "platform: …", "witness"   required
    proposition    P1 P2 P3 P4a P4b P4c P5, or "P4" for both P4a and P4b;
                   or propositions = a list of them                           required
    direction      supports | contradicts | neutral                           required
    text           the finding in a sentence                                  required
    reliability    Admiralty letter A-F, of the source
    credibility    Admiralty digit 1-6, of the information
    attachment_sha256   digest of the document it rests on
    method         ai | manual: what the finding says about how the edit was made (P3)
    input, output, feature   what a platform statement names: the picture put in, the one that
                   came out (best as SHA-256), the tool or feature used
    context        cultural context, for P4c

The Admiralty letter and digit are kept apart and never multiplied (NATO AJP-2.1 grading).
"""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from typing import Any, get_args

from wholecloth.errors import FindingRefused
from wholecloth.model.evidence import Proposition, Statement

MAX_BYTES = 1 << 20
_REMEDY = "see `wholecloth finding --help` for the fields and an example"
_PROPOSITIONS = frozenset(get_args(Proposition))
_ALIASES = {
    "admiralty_reliability": "reliability",
    "admiralty_letter": "reliability",
    "letter": "reliability",
    "admiralty_credibility": "credibility",
    "admiralty_digit": "credibility",
    "digit": "credibility",
    "attachment": "attachment_sha256",
    "attachment_hash": "attachment_sha256",
    "input_sha256": "input",
    "output_sha256": "output",
}
_FIELDS = frozenset(
    "who when source proposition propositions direction text reliability credibility "
    "attachment_sha256 method input output feature context".split()
)
_REQUIRED = ("who", "when", "source", "direction", "text")
_DIRECTIONS = {
    "supports": "supports",
    "support": "supports",
    "for": "supports",
    "contradicts": "contradicts",
    "contradict": "contradicts",
    "opposes": "contradicts",
    "against": "contradicts",
    "neutral": "neutral",
}


def parse(data: bytes, name: str, sha256: str) -> tuple[Statement, ...]:
    """Read one finding file.

    Raises:
        FindingRefused: it is no JSON or TOML, or a field is missing, unknown or ill-formed; the
            message names the finding by number and the field.
    """
    if len(data) > MAX_BYTES:
        raise FindingRefused(name, "is over 1 MiB: not a finding file", _REMEDY)
    raw = _load(data, name)
    if isinstance(raw, dict):
        for key in ("finding", "findings"):
            if isinstance(raw.get(key), list) and len(raw) == 1:
                raw = raw[key]
                break
    rows = raw if isinstance(raw, list) else [raw]
    if not rows:
        raise FindingRefused(name, "holds no finding", _REMEDY)
    return tuple(
        _statement(row, f"{name}, finding {n}" if len(rows) > 1 else name, sha256)
        for n, row in enumerate(rows, 1)
    )


def _load(data: bytes, name: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FindingRefused(name, "is not UTF-8 text", _REMEDY) from error
    try:
        if text.lstrip()[:1] in ("{", "["):
            try:
                return json.loads(text)
            except json.JSONDecodeError as error:
                if text.lstrip()[:1] == "{":
                    raise FindingRefused(
                        name, f"is not valid JSON (line {error.lineno}: {error.msg})", _REMEDY
                    ) from error
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FindingRefused(name, f"is neither JSON nor TOML ({error})", _REMEDY) from error
    except (RecursionError, ValueError) as error:
        raise FindingRefused(name, "cannot be parsed", _REMEDY) from error


def _statement(row: Any, name: str, sha256: str) -> Statement:
    if not isinstance(row, dict):
        raise FindingRefused(name, "is not a table of fields", _REMEDY)
    fields = _flattened(row)
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise FindingRefused(name, f"has unknown field {unknown[0]!r}", _REMEDY)
    for key in _REQUIRED:
        if not _text(fields.get(key)):
            raise FindingRefused(name, f"lacks the field {key!r}", _REMEDY)
    direction = _DIRECTIONS.get(_text(fields["direction"]).lower())
    if direction is None:
        reason = "direction must be supports, contradicts or neutral"
        raise FindingRefused(name, reason, _REMEDY)
    method = _text(fields.get("method")).lower() or None
    if method not in (None, "ai", "manual"):
        raise FindingRefused(name, "method must be ai or manual", _REMEDY)
    propositions = _propositions(fields, name)
    if method is not None and "P3" not in propositions:
        raise FindingRefused(name, "method speaks to P3, which it does not name", _REMEDY)
    for key, value in fields.items():
        if isinstance(value, (dict, bool, float)) or (
            isinstance(value, list) and key[:4] != "prop"
        ):
            raise FindingRefused(name, f"{key} must be one text, not {value!r}", _REMEDY)
    return Statement(
        who=_text(fields["who"]),
        when=_when(fields["when"], name),
        source=_text(fields["source"]),
        propositions=propositions,
        direction=direction,  # type: ignore[arg-type]
        text=_text(fields["text"]),
        reliability=_reliability(fields.get("reliability"), name),
        credibility=_credibility(fields.get("credibility"), name),
        attachment_sha256=_digest(fields.get("attachment_sha256"), name),
        method=method,  # type: ignore[arg-type]
        input=_text(fields.get("input")) or None,
        output=_text(fields.get("output")) or None,
        feature=_text(fields.get("feature")) or None,
        context=_text(fields.get("context")) or None,
        file_sha256=sha256,
    )


def _flattened(row: dict[str, Any]) -> dict[str, Any]:
    """Aliases resolved; ``admiralty = {reliability, credibility}`` or "B2" split; ``names`` in."""
    out: dict[str, Any] = {}
    for key, value in row.items():
        if key in ("admiralty", "names") and isinstance(value, dict):
            out |= {_ALIASES.get(str(k), str(k)): v for k, v in value.items()}
        elif key == "admiralty" and re.fullmatch(r"[A-Fa-f][-/ ]?[1-6]", str(value).strip()):
            text = str(value).strip()
            out |= {"reliability": text[0], "credibility": text[-1]}
        elif key == "attachment" and isinstance(value, dict):
            out["attachment_sha256"] = value.get("sha256")
        else:
            out[_ALIASES.get(key, key)] = value
    return out


def _text(value: Any) -> str:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    return "" if value is None else str(value).strip()


def _when(value: Any, name: str) -> str:
    text = _text(value)
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        reason = f"when = {text!r} is not an ISO 8601 date or time"
        raise FindingRefused(
            name, reason, "write it like 2026-11-24 or 2026-11-24T09:30Z"
        ) from error
    # A day of grace: it may be tomorrow already where the finding was written.
    now = datetime.now(given.tzinfo or UTC).replace(tzinfo=given.tzinfo)
    if given > now + timedelta(days=1):
        raise FindingRefused(name, f"when = {text!r} lies in the future", "correct the date")
    return text


def _propositions(fields: dict[str, Any], name: str) -> tuple[Proposition, ...]:
    listed: list[Any] = []
    for key in ("proposition", "propositions"):
        given = fields.get(key)
        listed += given if isinstance(given, list) else re.split(r"[,\s]+", _text(given))
    out: list[Proposition] = []
    for item in listed:
        text = _text(item)
        if not text:
            continue
        named = {"p4": ("P4a", "P4b")}.get(text.lower(), (text[:1].upper() + text[1:].lower(),))
        for proposition in named:
            if proposition not in _PROPOSITIONS:
                reason = f"proposition {text!r} is not one of P1 P2 P3 P4a P4b P4c P5"
                raise FindingRefused(name, reason, _REMEDY)
            out.append(proposition)  # type: ignore[arg-type]
    if not out:
        raise FindingRefused(name, "lacks the field 'proposition'", _REMEDY)
    return tuple(dict.fromkeys(out))


def _reliability(value: Any, name: str) -> str | None:
    text = _text(value).upper()
    if text and text not in tuple("ABCDEF"):
        raise FindingRefused(name, "reliability must be an Admiralty letter A-F", _REMEDY)
    return text or None


def _credibility(value: Any, name: str) -> int | None:
    text = _text(value)
    if text and text not in tuple("123456"):
        raise FindingRefused(name, "credibility must be an Admiralty digit 1-6", _REMEDY)
    return int(text) if text else None


def _digest(value: Any, name: str) -> str | None:
    text = _text(value).lower().removeprefix("sha256:")
    if text and not re.fullmatch(r"[0-9a-f]{64}", text):
        reason = "attachment_sha256 must be 64 hex digits (the document's SHA-256)"
        raise FindingRefused(name, reason, "compute it with `sha256sum FILE`")
    return text or None
