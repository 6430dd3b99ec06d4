"""What the actions of one C2PA manifest declare about generative AI."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wholecloth.signals.marks import (
    EDITING_TERMS,
    GENAI_TERMS,
    as_dict,
    as_dicts,
    as_list,
    as_text,
    term,
)

_LABELS = frozenset({"c2pa.actions", "c2pa.actions.v2"})
_NOT_EDITORIAL = frozenset(
    {
        "c2pa.opened",
        "c2pa.converted",
        "c2pa.published",
        "c2pa.repackaged",
        "c2pa.transcoded",
        "c2pa.resized.proportional",
        "c2pa.enhanced",
        "c2pa.edited.metadata",
        "c2pa.watermarked",
        "c2pa.watermarked.bound",
        "c2pa.watermarked.unbound",
        "c2pa.redacted",
    }
)
"""Actions that the C2PA does not count as changing what is shown."""


@dataclass(frozen=True, slots=True)
class Declared:
    """An action that declares generative AI."""

    label: str
    """Of the manifest that holds it."""
    action: str
    term: str
    agent: str
    """Who says it did the action: free text by the writer, no identity."""
    edits_existing: bool | None


def declared(label: str, manifest: dict[str, object]) -> Iterator[Declared]:
    """The generative-AI actions of one manifest, in order."""
    relations = {as_text(i.get("relationship")) for i in as_dicts(manifest.get("ingredients"))}
    for assertion in as_dicts(manifest.get("assertions")):
        if as_text(assertion.get("label")).split("__")[0] not in _LABELS:
            continue
        data = as_dict(assertion.get("data"))
        opened = False
        for action in as_dicts(data.get("actions")):
            name = as_text(action.get("action"))
            kind = _genai(action)
            if kind:
                edits = _edits(name, kind, opened, relations)
                yield Declared(label, name, kind, _agent(action, data, manifest), edits)
            opened |= name == "c2pa.opened"


def _genai(action: dict[str, object]) -> str | None:
    parameters = as_dict(action.get("parameters"))
    values = (action.get("digitalSourceType"), parameters.get("com.adobe.digitalSourceType"))
    return next((t for v in values if (t := term(as_text(v))) in GENAI_TERMS), None)


def _edits(name: str, kind: str, opened: bool, relations: set[str]) -> bool | None:
    """True where the manifest says that an existing picture went in; never False.

    ``c2pa.created`` without an input is no proof of "from nothing": platforms have written it for
    uploads as well.
    """
    if kind in EDITING_TERMS:
        return True
    if name == "c2pa.created":
        return True if "inputTo" in relations else None
    changed = opened and name not in _NOT_EDITORIAL
    return True if changed and {"parentOf", "inputTo"} & relations else None


def _agent(action: dict[str, object], data: dict[str, object], manifest: dict[str, object]) -> str:
    agents = as_list(data.get("softwareAgents"))
    index = action.get("softwareAgentIndex")
    listed = agents[index] if isinstance(index, int) and 0 <= index < len(agents) else None
    claimed = next(iter(as_dicts(manifest.get("claim_generator_info"))), None)
    for source in (action.get("softwareAgent"), listed, claimed, manifest.get("claim_generator")):
        parts = as_dict(source)
        named = f"{as_text(parts.get('name'))} {as_text(parts.get('version'))}".strip()
        if text := as_text(source) or named:
            return text
    return ""
