"""IPTC's digital source type, and Google's credit line, as declared in XMP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DTDForbidden
from defusedxml.ElementTree import fromstring

from wholecloth.model.evidence import Exhibit, Inapplicable, Observed, Outcome, SignalInfo
from wholecloth.signals.base import ABSENCE, Signal
from wholecloth.signals.marks import EDITING_TERMS, GENAI_TERMS, GROUP, quoted, term

INFO = SignalInfo(
    id="digital_source_type",
    version="1",
    group=GROUP,
    propositions=("P3",),
    shows="The file's XMP declares that generative AI made it or part of it.",
    limits=(
        "One unsigned field that anyone can write in seconds; terms for denoising and other "
        "non-generative processing do not count; absence means nothing."
    ),
    licence="Apache-2.0",
    source="IPTC NewsCodes digitalsourcetype; C2PA task force rubric of 2026-08-06",
)

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_SOURCE_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
_CREDIT = "{http://ns.adobe.com/photoshop/1.0/}Credit"
_CREDITS = {"Made with Google AI": None, "Edited with Google AI": True}
"""Exact credit lines, and whether they say that an existing picture was edited."""
_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class DigitalSourceType:
    """Reads properties of the picture itself, not those of ingredients nested in its history."""

    info: SignalInfo = INFO

    def examine(self, exhibit: Exhibit) -> Outcome:
        """Both fields are one outcome: the same writer puts them there."""
        xmp = exhibit.published.facts.xmp.strip(b"\x00 \t\r\n")
        if not xmp:
            return Inapplicable(ABSENCE)
        if len(xmp) > _MAX_BYTES:
            return Inapplicable("XMP could not be read: it is larger than 16 MiB")
        try:
            root = fromstring(xmp, forbid_dtd=True, forbid_entities=True, forbid_external=True)
        except (ParseError, ValueError, LookupError, RecursionError) as error:
            # A document type is refused before anything in it is expanded or opened.
            return Inapplicable(f"XMP could not be read: {_why(error)}")
        values = list(dict.fromkeys(_values(root, _SOURCE_TYPE)))
        credit_lines = [c for c in dict.fromkeys(_values(root, _CREDIT)) if c in _CREDITS]
        return _outcome(values, credit_lines)


def _outcome(values: list[str], credit_lines: list[str]) -> Outcome:
    declared = [t for t in map(term, values) if t in GENAI_TERMS]
    other = [v for v in values if term(v) not in GENAI_TERMS]
    if not declared and not credit_lines:
        if other:
            return Inapplicable(
                f"XMP names the digital source type {_named(other[0])}, "
                "which is not by itself a declaration of generative AI"
            )
        return Inapplicable(ABSENCE)
    says = [f"the digital source type is {t}" for t in declared]
    says += [f"the credit line is {quoted(c)}" for c in credit_lines]
    text = f"XMP declares generative AI: {' and '.join(says)}."
    if other:
        text += f" The same XMP also names {_named(other[0])}."
    edits = any(t in EDITING_TERMS for t in declared) or any(_CREDITS[c] for c in credit_lines)
    return Observed(
        text=text,
        supports=("P3",),
        tier="D",
        tool="Google AI" if credit_lines else None,
        edits_existing=True if edits else None,
        location="XMP Iptc4xmpExt:DigitalSourceType" if declared else "XMP photoshop:Credit",
    )


def _values(root: Element, name: str) -> Iterator[str]:
    """The property's values in attribute, element and resource form, one level deep only."""
    holders = [root] if root.tag == f"{_RDF}RDF" else root.findall(f"{_RDF}RDF")
    for rdf in holders:
        for described in rdf.findall(f"{_RDF}Description"):
            found = [described.get(name)]
            for element in described.findall(name):
                found += [element.get(f"{_RDF}resource"), element.text]
            yield from (v.strip() for v in found if v and v.strip())


def _named(value: str) -> str:
    return term(value) or quoted(value, 120)


def _why(error: Exception) -> str:
    if isinstance(error, DTDForbidden):
        return "it holds a document type, which is refused"
    return "it is malformed" if isinstance(error, ParseError) else type(error).__name__


signal: Signal = DigitalSourceType()
