"""A C2PA manifest store: what of it holds, manifest by manifest.

Works on the JSON of c2pa-rs.  Validation codes are sorted by the manifest their address names,
because a platform wraps the manifest that declares AI inside another one of its own, and each has
its own signer.

For an ingredient, c2pa-rs reports only what *differs* from the result recorded in the manifest
around it.  Recorded codes are therefore read too, with suspicion, since whoever signed the outer
manifest wrote them: never about the active manifest, and "trusted" only where the active manifest
is itself from a listed signer.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from wholecloth.signals.manifest_actions import Declared, declared
from wholecloth.signals.marks import as_dict, as_dicts, as_text

Integrity = Literal["matches", "changed", "altered", "unbound"]
"""The picture's bytes match; they do not; the manifest's own parts do not; nothing was matched."""
Signer = Literal["listed", "unlisted", "expired", "revoked"]

_BINDINGS = ("assertion.dataHash.", "assertion.bmffHash.", "assertion.boxesHash.")
_ABOUT_SIGNER = ("signingCredential.", "claimSignature.", "timeStamp.", "cawg.")
_TRUSTED, _UNTRUSTED = "signingCredential.trusted", "signingCredential.untrusted"


@dataclass(frozen=True, slots=True)
class Standing:
    """Three facts about one manifest, kept apart."""

    integrity: Integrity
    signature: bool
    signer: Signer

    @property
    def holds(self) -> bool:
        """Nothing in it, and for the active manifest nothing under it, was changed."""
        return self.signature and self.integrity == "matches"


@dataclass(slots=True)
class _Codes:
    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)


_ByLabel = dict[str, _Codes]


class Store:
    """One parsed manifest store."""

    def __init__(self, data: dict[str, object]) -> None:
        """Sort the codes; nothing is judged yet."""
        self.active = as_text(data.get("active_manifest"))
        self.manifests = {k: as_dict(v) for k, v in as_dict(data.get("manifests")).items()}
        self._fresh: _ByLabel = defaultdict(_Codes)
        self._recorded: _ByLabel = defaultdict(_Codes)
        self._vouched: _ByLabel = defaultdict(_Codes)
        self._collect(as_dict(data.get("validation_results")), self.active, self._fresh)
        for label, manifest in self.manifests.items():
            for ingredient in as_dicts(manifest.get("ingredients")):
                results = as_dict(ingredient.get("validation_results"))
                inner = as_text(ingredient.get("active_manifest")) or label
                self._collect(results, inner, self._recorded)
                if label == self.active:
                    self._collect(results, inner, self._vouched)

    def standing(self, label: str) -> Standing:
        """What was found about one manifest."""
        fresh = self._fresh[label]
        recorded = _Codes() if label == self.active else self._recorded[label]
        passed = fresh.passed | recorded.passed
        # A signer unknown to whoever recorded the result may be on our list.
        outdated = {_UNTRUSTED} if _TRUSTED in fresh.passed else set()
        failed = fresh.failed | (recorded.failed - outdated)
        trusted = _TRUSTED in fresh.passed or (
            label != self.active
            and _TRUSTED in self._vouched[label].passed
            and self.standing(self.active) == Standing("matches", True, "listed")
        )
        signature = "claimSignature.validated" in passed and not any(
            c.startswith("claimSignature.") and c != "claimSignature.outsideValidity"
            for c in failed
        )
        integrity = self._integrity(label, passed, failed)
        return Standing(integrity, signature, _signer(trusted, failed))

    def signed_by(self, label: str) -> tuple[str, str]:
        """Common name and organisation in the signer's certificate."""
        info = as_dict(self.manifests.get(label, {}).get("signature_info"))
        return as_text(info.get("common_name")), as_text(info.get("issuer"))

    def declarations(self) -> list[Declared]:
        """Every generative-AI action of every manifest, the active one's first."""
        line = self._parents()
        order = [self.active, *(k for k in self.manifests if k != self.active)]
        found = [d for label in order for d in declared(label, self.manifests.get(label, {}))]
        # An edit inside a mere component does not make this picture an edited one.
        return [
            d if d.label in line else Declared(d.label, d.action, d.term, d.agent, None)
            for d in found
        ]

    def _parents(self) -> set[str]:
        """The active manifest and those of which the picture is declared to be a later state."""
        line: set[str] = set()
        pending = [self.active]
        while pending:
            label = pending.pop()
            if label not in line:
                line.add(label)
                pending += [
                    as_text(i.get("active_manifest"))
                    for i in as_dicts(self.manifests.get(label, {}).get("ingredients"))
                    if i.get("relationship") == "parentOf"
                ]
        return line

    def _collect(self, results: dict[str, object], label: str, into: _ByLabel) -> None:
        self._add(as_dict(results.get("activeManifest")), label, into)
        for delta in as_dicts(results.get("ingredientDeltas")):
            holder = _label_in(as_text(delta.get("ingredientAssertionURI")))
            self._add(as_dict(delta.get("validationDeltas")), holder or label, into)

    def _add(self, codes: dict[str, object], label: str, into: _ByLabel) -> None:
        for status in as_dicts(codes.get("success")):
            self._owner(status, label, into).passed.add(as_text(status.get("code")))
        for status in as_dicts(codes.get("failure")):
            self._owner(status, label, into).failed.add(as_text(status.get("code")))

    def _owner(self, status: dict[str, object], label: str, into: _ByLabel) -> _Codes:
        named = _label_in(as_text(status.get("url")))
        return into[named if named in self.manifests else label]

    def _integrity(self, label: str, passed: set[str], failed: set[str]) -> Integrity:
        if any(c.startswith(_BINDINGS) for c in failed):
            return "changed"
        if any(not c.startswith(_ABOUT_SIGNER) for c in failed):
            return "altered"
        bound = any(c.startswith(_BINDINGS) and c.endswith(".match") for c in passed)
        return "matches" if bound or label != self.active else "unbound"


def _signer(trusted: bool, failed: set[str]) -> Signer:
    if {"signingCredential.ocsp.revoked", "signingCredential.revoked"} & failed:
        return "revoked"
    if {"signingCredential.expired", "claimSignature.outsideValidity"} & failed:
        return "expired"
    bad = any(c.startswith("signingCredential.") for c in failed)
    return "listed" if trusted and not bad else "unlisted"


def _label_in(url: str) -> str:
    """The manifest label in ``self#jumbf=/c2pa/LABEL/…``, or the address itself if bare."""
    return url.removeprefix("self#jumbf=/c2pa/").split("/")[0]
