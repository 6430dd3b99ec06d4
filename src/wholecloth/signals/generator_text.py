"""Records that local generators leave in PNG text and EXIF: who made the file, and from what."""

from __future__ import annotations

from dataclasses import dataclass

from wholecloth.model.dated import Dated
from wholecloth.model.evidence import Exhibit, Inapplicable, Observed, Outcome, SignalInfo
from wholecloth.model.media import ContainerFacts
from wholecloth.signals.base import ABSENCE, Signal
from wholecloth.signals.generators import Fields, Record, comfy, json_records, webui
from wholecloth.signals.marks import GROUP, agreed, parse_object

INFO = SignalInfo(
    id="generator_text",
    version="1",
    group=GROUP,
    propositions=("P3",),
    shows="A generator's own record of its settings is in the file.",
    limits=(
        "Anyone can copy such a record into any picture within minutes, and most platforms remove "
        "it; absence means nothing."
    ),
    licence="Apache-2.0",
    source="Field names checked on public samples (d3x-at/sd-parsers, enslo/sd-metadata; MIT)",
)

DATED = Dated(
    name="fields that image generators write",
    what="newer generators, and new versions of these, are not recognised",
    checked="2026-11-24",
    source="public samples of d3x-at/sd-parsers and enslo/sd-metadata",
)

# SwarmUI and Fooocus first: both also leave fields that look like another tool's.
_READERS = (
    json_records.swarmui,
    json_records.fooocus,
    json_records.invokeai,
    json_records.novelai,
    comfy.read,
    webui.read,
)
_SLOTS = ("prompt", "workflow", "parameters", "invokeai_metadata", "sd-metadata")


@dataclass(frozen=True, slots=True)
class GeneratorText:
    """Recognises the records; never repeats their prompts, which can hurt as much as a picture."""

    info: SignalInfo = INFO

    def examine(self, exhibit: Exhibit) -> Outcome:
        """One outcome for all records in the file: they travel together."""
        facts = exhibit.published.facts
        fields = Fields.of(facts)
        records = [r for read in _READERS if (r := read(fields)) is not None]
        if records:
            return _observed(records, facts)
        bad = [f.location for key in _SLOTS for f in fields.text(key) if _unreadable(f.value)]
        if bad:
            return Inapplicable(f"{bad[0]} is JSON that cannot be parsed. {ABSENCE}")
        return Inapplicable(ABSENCE)


def _observed(records: list[Record], facts: ContainerFacts) -> Observed:
    first = records[0]
    sentences = [f"{r.tool} left a generation record in {r.location}: {r.says}." for r in records]
    size = next((r.size for r in records if r.size), None)
    if size and size != (facts.width, facts.height):
        sentences.append(
            f"The record gives {size[0]} × {size[1]} pixels, "
            f"the picture has {facts.width} × {facts.height}."
        )
    return Observed(
        text=" ".join(sentences),
        supports=("P3",),
        tier=min(r.tier for r in records),
        tool=first.tool,
        edits_existing=agreed([r.edits_existing for r in records]),
        location=first.location,
    )


def _unreadable(value: str) -> bool:
    return value.lstrip()[:1] == "{" and parse_object(value) is None


signal: Signal = GeneratorText()
