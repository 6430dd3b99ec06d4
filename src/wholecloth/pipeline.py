"""The method on one page: find, register, localise, look for marks, weigh, decide.

Pure: pictures and sources in, an ``Examination`` out.  No disk is written, no report made, no
custody kept here; ``workflow`` joins those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wholecloth.errors import InputRefused
from wholecloth.intake import trust
from wholecloth.intake.collect import Skipped
from wholecloth.intake.colour import colourless, lightness
from wholecloth.intake.decode import Progress, digest_of, picture
from wholecloth.localisation.localise import localise
from wholecloth.localisation.settings import Settings
from wholecloth.model.assertion import Decision, Reading
from wholecloth.model.comparison import (
    Alignment,
    Candidate,
    Comparison,
    EditMap,
    NotAligned,
    Verdict,
)
from wholecloth.model.derivation import Derivation
from wholecloth.model.evidence import Exhibit, Finding, Proposition, Statement
from wholecloth.model.media import UNMODELLED, Mask, Picture, Source
from wholecloth.registration.refine import register
from wholecloth.registration.warp import scale_of
from wholecloth.retrieval.area import look
from wholecloth.retrieval.coding import Coding
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.linear import (
    ENOUGH,
    FEW_FEATURES,
    Found,
    Lead,
    Shortlist,
    search,
)
from wholecloth.retrieval.reading import Reader
from wholecloth.retrieval.verify import Verified, verify
from wholecloth.signals.registry import run_all
from wholecloth.weighing.decision import decide
from wholecloth.weighing.derivation import NOTHING, Answer, explain
from wholecloth.weighing.generations import order
from wholecloth.weighing.lookalike import Likeness, likeness
from wholecloth.weighing.propositions import Pair
from wholecloth.weighing.verdict import judge, verdict_of

HIDDEN = 0.02
"""Share of the frame under opaque overlays above which a copy does not show that there was no edit.
Chosen, not fitted: the smallest edit that ``testing.edits`` draws."""
BESIDE = 0.15
"""From this share of uncovered content on, a copy of one part says nothing of the whole.  Set by
eye between drawn collages (half and more of the frame) and flat margins (none), not fitted."""
MAX_COMPARED = 10
"""Leads examined in full, best first; further ones are named as not examined."""


@dataclass(frozen=True, slots=True, eq=False)
class Examination:
    """Everything one examination found; the record is made from this and nothing else."""

    published: Picture
    verdict: Verdict
    sentence: str
    sources: tuple[Candidate, ...]
    """Nearest generation first; empty when no original was found."""
    copies: tuple[str, ...]
    """Names of candidates whose bytes are the published file's own."""
    derivation: Derivation | None
    """Which source explains which part; None where no original was found."""
    found: Found
    findings: tuple[Finding, ...]
    statements: tuple[Statement, ...]
    propositions: Mapping[Proposition, Reading]
    decision: Decision
    not_examined: tuple[str, ...]

    @property
    def original(self) -> Candidate | None:
        """The nearest source, if any."""
        return self.sources[0] if self.sources else None


def examine_picture(
    published: Picture,
    reader: Reader,
    *,
    skipped: Sequence[Skipped] = (),
    statements: Sequence[Statement] = (),
    settings: Settings | None = None,
    coding: Coding | None = None,
    progress: Progress = lambda *_: None,
) -> Examination:
    """Examine one decoded picture against candidates.

    Args:
        published: the questioned picture, full size.
        reader: the candidates, in a stable order, with their features.
        skipped: what was left out before (so that "no original" is not claimed over it).
        statements: findings only a person or a platform can make.
        settings: of the localiser; the fitted ones by default.
        coding: the same candidates by words, so that only the likeliest are looked at.
        progress: told what is being done; may raise to stop.
    """
    listed = coding.of(published) if coding is not None else None
    found = search(published, reader, progress, listed)
    compared, lost = _compare(published, reader, found, settings or Settings(), progress)
    found = replace(found, skipped=(*found.skipped, *lost))
    identical = still_identical(published, reader.sources, found)

    def rest(believed: Sequence[Candidate]) -> Answer:
        out = [*(i for i, _ in identical), *same_scene(compared)]
        return explained(published, believed, reader, found, progress, out, listed)

    settled = settle(published, found, compared, identical, skipped, rest)
    progress("looking for marks", 0, 1)
    findings = run_all(exhibit_of(published, settled))
    return conclude(published, settled, findings, statements)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """What the comparison of pixels says, before marks and people are heard."""

    verdict: Verdict
    sentence: str
    sources: tuple[Candidate, ...]
    """Nearest generation first."""
    copies: tuple[str, ...]
    answer: Answer
    """Which source explains which part; its further sources are the last of ``sources``."""
    found: Found
    not_examined: tuple[str, ...]


Rest = Callable[[Sequence[Candidate]], Answer]
"""From the sources believed, nearest first, to the map of the frame."""


def settle(
    published: Picture,
    found: Found,
    compared: Sequence[Candidate],
    identical: Sequence[tuple[int, str]],
    skipped: Sequence[Skipped] = (),
    rest: Rest = lambda _: NOTHING,
) -> Settled:
    """Order what was compared and name the verdict.

    Args:
        published: the questioned picture.
        found: the search's answer.
        compared: candidates compared in full, in the order of the leads.
        identical: index and name of candidates with the published file's own bytes.
        skipped: what was left out before the search.
        rest: finds who explains what the nearest source does not.
    """
    believed = order([c for c in compared if c.comparison.kind not in ("none", "same_scene")])
    unread = [s for s in (*skipped, *found.skipped) if s.kind == "unread"]
    names = tuple(name for _, name in identical)
    if not believed and identical:
        believed = [_identical(published, *identical[0])]
    featureless = found.features < FEW_FEATURES
    verdict, sentence = verdict_of(believed, compared, names, len(unread), featureless=featureless)
    left = _not_examined(published, found, unread, believed)
    if not believed:
        left = (*_not_trusted(compared), *left)
    answer = rest(believed)
    sources = (*believed, *answer.further)
    sentence += _others(answer.derivation)
    return Settled(verdict, sentence, sources, names, answer, found, left)


def same_scene(compared: Sequence[Candidate]) -> list[int]:
    """Indices of the candidates that are other photographs of the scene."""
    return [c.comparison.candidate for c in compared if c.comparison.kind == "same_scene"]


def explained(
    published: Picture,
    believed: Sequence[Candidate],
    reader: Reader,
    found: Found,
    progress: Progress,
    leave_out: Sequence[int] = (),
    shortlist: Shortlist | None = None,
) -> Answer:
    """Ask the candidates again for what the nearest source leaves unexplained.

    ``leave_out``: candidates not to ask; the published file itself, and other photographs of its
    scene, which look like any of its parts.  ``shortlist``: whom to ask; all without it.
    """
    near = [lead.index for lead in found.leads[:MAX_COMPARED]]
    known = {c.comparison.candidate: c for c in believed}

    def asked(area: Mask) -> list[Lead]:
        out = [*leave_out, *(c.comparison.candidate for c in believed[:1])]
        return look(
            published.pixels,
            area,
            reader,
            progress,
            near=near,
            leave_out=out,
            shortlist=shortlist,
        )

    def get(lead: Lead) -> Candidate | None:
        if lead.index in known:
            return known[lead.index]
        source = reader.sources[lead.index]
        try:
            original = picture(reader.pool.decode(source))
        except InputRefused:
            return None
        if original.digests.sha256 != lead.sha256:
            return None
        pending = Comparison(lead.index, NotAligned("not compared yet"), None, "none")
        return Candidate(source.name, original, pending)

    return explain(published, believed, asked, get)


def exhibit_of(published: Picture, settled: Settled) -> Exhibit:
    """What the signals get to see: the published picture and, if aligned, its nearest source."""
    anchors = trust.load().anchors
    nearest = settled.sources[0] if settled.sources else None
    if nearest is None or not isinstance(nearest.comparison.alignment, Alignment):
        return Exhibit(published, trust=anchors)
    aligned, edits = nearest.comparison.alignment, nearest.comparison.edits
    return Exhibit(published, nearest.picture, aligned, edits, anchors)


def conclude(
    published: Picture,
    settled: Settled,
    findings: Sequence[Finding],
    statements: Sequence[Statement],
) -> Examination:
    """Weigh everything and decide."""
    answer = settled.answer
    believed = settled.sources[: len(settled.sources) - len(answer.further)]
    chain = _edited_before(settled.verdict, believed, answer.derivation)
    pair = Pair(settled.verdict, settled.sentence, chain, _donor(answer.derivation))
    read, decision = decide(pair, findings, statements, published.digests.sha256)
    return Examination(
        published,
        settled.verdict,
        settled.sentence,
        settled.sources,
        settled.copies,
        settled.answer.derivation,
        settled.found,
        tuple(findings),
        tuple(statements),
        read,
        decision,
        settled.not_examined,
    )


def still_identical(
    published: Picture, sources: Sequence[Source], found: Found
) -> tuple[tuple[int, str], ...]:
    """By the search's word (perhaps a cached one) they were; the files have the last one."""
    own = published.digests.sha256
    return tuple((i, sources[i].name) for i in found.identical if digest_of(sources[i]) == own)


def _compare(
    published: Picture,
    reader: Reader,
    found: Found,
    settings: Settings,
    progress: Progress,
) -> tuple[list[Candidate], list[Skipped]]:
    """Compare the leads in full; one that decodes no more is named, and the rest goes on."""
    out, lost = [], []
    leads = found.leads[:MAX_COMPARED]
    for done, lead in enumerate(leads):
        progress("comparing", done, len(leads))
        source = reader.sources[lead.index]
        try:
            original = picture(reader.pool.decode(source))
        except InputRefused as error:
            lost.append(Skipped(source.name, error.reason, "unread"))
            continue
        start: Verified | None = lead.verified
        if original.digests.sha256 != lead.sha256:
            # Another file than its features came from: cached ones were stale, or it was swapped.
            reader.forget(lead.index)
            start = verify(extract(original.pixels, QUICK), extract(published.pixels, QUICK))
        if start is None or start.effective < ENOUGH:
            reason = "was exchanged after it was read (its time stamps did not tell)"
            lost.append(Skipped(source.name, reason, "unread"))
            continue
        compared = compare(original, published, start, settings, lead.index)
        out.append(Candidate(source.name, original, compared))
    progress("comparing", len(leads), len(leads))
    return out, lost


def compare(
    original: Picture,
    published: Picture,
    start: Verified,
    settings: Settings | None = None,
    index: int = 0,
) -> Comparison:
    """Register one pair, localise, and name how the two are related.

    Args:
        original, published: decoded at full size.
        start: the transformation the features gave.
        settings: of the localiser; the fitted ones by default.
        index: of the candidate, kept in the result.
    """
    alignment = register(original.pixels, published.pixels, start)
    return localised(original, published, alignment, settings, index)


def localised(
    original: Picture,
    published: Picture,
    alignment: Alignment | NotAligned,
    settings: Settings | None = None,
    index: int = 0,
) -> Comparison:
    """The second half of ``compare``: from an alignment to a named relation."""
    edits = None
    if not isinstance(alignment, NotAligned):
        shown = published.pixels
        if colourless(original.pixels) and not colourless(shown):
            shown = lightness(shown)  # an original without colour says nothing about colour
        edits = localise(
            original.pixels,
            shown,
            alignment,
            published.facts.jpeg,
            settings or Settings(),
        )
    scale, alike = 1.0, Likeness()
    if isinstance(alignment, Alignment):
        scale = scale_of(alignment.original_to_published, original.shape)
        if edits is not None:
            alike = likeness(original, published, alignment, edits)
    modelled = published.facts.format not in UNMODELLED
    kind, reason = judge(alignment, edits, scale, codec_modelled=modelled, likeness=alike)
    return Comparison(index, alignment, edits, kind, reason)


def _identical(published: Picture, index: int, name: str) -> Candidate:
    """The published file itself lies among the candidates, and nothing else matches."""
    shape = published.shape
    alignment = Alignment(np.eye(3), False, 0, 0, 0.0, "integer")
    edits = EditMap(
        mask=np.zeros(shape, bool),
        comparable=np.ones(shape, bool),
        regions=(),
        exact=True,
        share=0.0,
        agreement=1.0,
        ring_unchanged=1.0,
        unexplained_db=None,
        noise_correlation_drop=None,
        unexplained_log=None,
        beside=0.0,
        colours=None,
        settings=Settings().name,
    )
    comparison = Comparison(index, alignment, edits, "copy", "the same bytes")
    return Candidate(name, published, comparison)


def _others(derivation: Derivation | None) -> str:
    """The other parts of the frame, for the sentence."""
    if derivation is None or len(derivation.parts) < 2:
        return ""
    said = [f"{p.source} explains {p.share:.1%} of the frame" for p in derivation.parts[1:]]
    return "; " + ", ".join(said)


def _donor(derivation: Derivation | None) -> str:
    """A fact about pixels; whose likeness came from where is for a person to say."""
    donors = derivation.donors if derivation else ()
    if not donors:
        return ""
    regions = " and ".join(f"{p.share:.1%} of the frame from {p.source}" for p in donors)
    return (
        f"a region inside the surroundings of S1 comes from another candidate: {regions}; which "
        "of these pictures shows the person is for a person to say"
    )


def _edited_before(
    verdict: Verdict, believed: Sequence[Candidate], derivation: Derivation | None
) -> str:
    """Why a copy is no plain copy: what speaks against "there was no edit"."""
    if verdict != "copy":
        return ""
    edits = believed[0].comparison.edits if believed else None
    if edits is not None and edits.beside > BESIDE:
        return (
            f"{edits.beside:.0%} of the frame shows something that S1 does not cover"
            + (_others(derivation) or " and that was not compared")
            + ": cut the parts of the collage or screenshot apart and examine each alone"
        )
    if edits is not None and edits.hidden_share > HIDDEN:
        return (
            f"{edits.hidden_share:.1%} of the frame is taken for something laid on top, and an "
            "edit there would not be seen: get an earlier post without it"
        )
    if edits is not None and edits.colours is not None:
        return (
            f"the published picture has only {edits.colours} colours, in which an edit may not "
            "show: get it from an earlier post"
        )
    if not any(c.comparison.kind in ("edit", "partial") for c in believed[1:]):
        return ""
    return (
        "it is a copy of one candidate and differs locally from another; which of those two came "
        "first is not shown, so examine it against the earlier one alone"
    )


def _not_examined(
    published: Picture,
    found: Found,
    unread: Sequence[Skipped],
    believed: Sequence[Candidate] = (),
) -> tuple[str, ...]:
    out = []
    for place, source in enumerate(believed, 1):
        if source.picture.facts.frames > 1:
            frames = source.picture.facts.frames
            out.append(f"of S{place}, only the first of {frames} frames was examined")
        hidden = _hidden(source)
        if place == 1 and hidden > _HIDDEN_WORTH_SAYING:
            out.append(
                f"{hidden:.1%} of the frame is hidden under what was laid on top (captions, bars, "
                "blurred boxes): an edit below it would not be seen"
            )
        if colourless(source.picture.pixels) and not colourless(published.pixels):
            out.append(f"S{place} has no colour: only lightness was compared with it")
    if found.unseen:
        out.append(
            f"{found.unseen} candidate(s) share too little with it, by their visual words, and "
            "were not looked at; --exhaustive looks at all"
        )
    if unread:
        out.append(f"{len(unread)} candidate(s) could not be examined; they are listed")
    if len(found.leads) > MAX_COMPARED:
        out.append(
            f"{len(found.leads) - MAX_COMPARED} weaker candidate(s) share features with it and "
            "were not compared in full"
        )
    if published.facts.frames > 1:
        out.append(f"only the first of {published.facts.frames} frames was examined")
    out += _also_in_the_file(published)
    out += published.facts.notes
    out.append("which of the two pictures came first is assumed, not examined")
    return tuple(out)


_HIDDEN_WORTH_SAYING = 0.01
"""Of the frame.  Chosen, not fitted: half of the smallest edit that ``testing.edits`` draws."""


def _hidden(source: Candidate) -> float:
    edits = source.comparison.edits
    return 0.0 if edits is None else edits.hidden_share


def _not_trusted(compared: Sequence[Candidate]) -> list[str]:
    """Why a candidate that shares features was not even compared; by digest, never by name."""
    return [
        f"the candidate with SHA-256 {c.picture.digests.sha256} shares features with it, "
        f"but their registration is not to be trusted: {c.comparison.alignment.reason}"
        for c in compared
        if isinstance(c.comparison.alignment, NotAligned)
    ]


_EXTRAS = {
    "exif_thumbnail": "an EXIF thumbnail",
    "further_picture": "further pictures",
    "gain_map": "a gain map",
    "trailing_bytes": "bytes after the end of the picture",
}


def _also_in_the_file(published: Picture) -> list[str]:
    """One line on what the file carries beside its picture; whoever passes it on should know."""
    kinds = dict.fromkeys(e.kind for e in published.facts.extras)
    named = [_EXTRAS[k] for k in kinds if k in _EXTRAS]
    if not named:
        return []
    return [f"the file also holds {', '.join(named)}: not examined, to be handled as sensitive"]
