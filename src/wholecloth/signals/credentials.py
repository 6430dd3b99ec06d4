"""Content Credentials (C2PA): a signed statement about how the file came to be.

A validator's single word misleads: by default a forgery signed with a test key comes out "Valid"
and a genuine platform file "Invalid".  Integrity, signature and signer are therefore told apart,
and the word is never shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from wholecloth.errors import VerificationFailed
from wholecloth.intake import trust
from wholecloth.model.evidence import (
    Exhibit,
    Failed,
    Inapplicable,
    Observed,
    Outcome,
    SignalInfo,
    Tier,
)
from wholecloth.signals.base import ABSENCE, Signal
from wholecloth.signals.manifest_actions import Declared
from wholecloth.signals.manifests import Standing, Store
from wholecloth.signals.marks import GROUP, parse_object, quoted

INFO = SignalInfo(
    id="content_credentials",
    version="1",
    group=GROUP,
    propositions=("P3",),
    shows="A signed manifest in the file declares that generative AI made or changed the picture.",
    limits=(
        "It shows what the signer stated, not that it is so; most platforms strip it and a mere "
        "re-save breaks it; absence means nothing."
    ),
    licence="Apache-2.0",
    source="C2PA Technical Specification 2.x; trust lists of c2pa-org/conformance-public",
)

_INTEGRITY = {
    "matches": "the picture's bytes match what was signed",
    "changed": "changed after signing: re-saved or transplanted",
    "altered": "parts of the manifest itself were changed or are missing",
    "unbound": "nothing ties the manifest to the picture's bytes",
}
_LOCATION = "C2PA manifest store"


@dataclass(frozen=True, slots=True)
class ContentCredentials:
    """Walks every manifest, because the one that declares AI is often not the outermost."""

    info: SignalInfo = INFO

    def examine(self, exhibit: Exhibit) -> Outcome:
        """Reads what the decode worker found; opens nothing itself."""
        facts = exhibit.published.facts
        state = facts.c2pa_state
        if state == "none":
            return Inapplicable(ABSENCE)
        if state == "remote":
            return Inapplicable(f"a remote manifest is pointed to; not fetched. {ABSENCE}")
        if state.startswith("error"):
            return Failed(state.removeprefix("error").lstrip(": ") or "it could not be read")
        if state != "read" or facts.c2pa is None:
            return Inapplicable("Content Credentials were not looked for in this file")
        data = parse_object(facts.c2pa)
        store = Store(data or {})
        if store.active not in store.manifests:
            return Failed("the manifest store could not be parsed")
        return _outcome(store, _list_name(exhibit.trust))


def _outcome(store: Store, list_name: str) -> Outcome:
    active = store.standing(store.active)
    told = _three_facts(store, store.active, active, list_name)
    declared = store.declarations()
    sound = [d for d in declared if store.standing(d.label).holds]
    if not active.holds:
        what = f" They name {declared[0].term}, which then says nothing." if declared else ""
        return _unsupported(f"Content Credentials present, but broken. {told}{what}")
    if not declared:
        return Inapplicable(
            f"Content Credentials present, no AI action declared. {told} "
            "This is neither evidence for nor against AI."
        )
    if not sound:
        return _unsupported(
            f"Content Credentials present. {told} "
            "The ingredient's manifest that declares generative AI is itself broken."
        )
    best = min(sound, key=lambda d: _tier(store, d))
    text = (
        f"Content Credentials declare generative AI: {best.action} with {best.term}"
        f"{' by ' + quoted(best.agent) if best.agent else ''}. {told}"
    )
    if best.label != store.active:
        inner = _three_facts(store, best.label, store.standing(best.label), list_name)
        text += f" The declaration is in the manifest of an ingredient. {inner}"
    edits = any(d.edits_existing for d in sound)
    where = "active manifest" if best.label == store.active else "manifest of an ingredient"
    return Observed(
        text=text,
        supports=("P3",),
        tier=_tier(store, best),
        tool=best.agent[:80] or None,
        edits_existing=True if edits else None,
        verified=True,
        location=f"{_LOCATION}, {where}",
    )


def _unsupported(text: str) -> Observed:
    """Shown, because a broken signature is worth knowing; supports nothing."""
    return Observed(text=text, tier="D", location=_LOCATION)


def _tier(store: Store, declared: Declared) -> Tier:
    """A only if both who declared it and who bound it to these bytes are on the list."""
    signers = {store.standing(label).signer for label in (store.active, declared.label)}
    return "A" if signers == {"listed"} else "B"


def _three_facts(store: Store, label: str, standing: Standing, list_name: str) -> str:
    who, organisation = store.signed_by(label)
    signer = {
        "listed": f"is on {list_name}",
        "unlisted": f"is not on {list_name}: anyone can make such a certificate",
        "expired": "used a certificate that has expired, with no time stamp from before",
        "revoked": "had its certificate revoked",
    }[standing.signer]
    signature = "verifies" if standing.signature else "does not verify"
    integrity = _INTEGRITY[standing.integrity]
    if label != store.active and standing.integrity == "matches":
        integrity = "its parts are as they were signed"
    return (
        f"Integrity: {integrity}. Signature: {signature}. "
        f"Signer: {quoted(who)} of {quoted(organisation)} {signer}."
    )


def _list_name(pem: str | None) -> str:
    try:
        shipped = trust.load()
    except VerificationFailed:
        return "the trust list that was used"
    if pem == shipped.anchors:
        return f"the C2PA trust list as of {shipped.checked}"
    return "the trust list that was used"


signal: Signal = ContentCredentials()
