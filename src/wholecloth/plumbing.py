"""The stages one at a time, JSON in and JSON out, so that a doubter can repeat any of them.

One document grows from step to step: ``decode`` → ``find`` → ``register`` → ``localise`` →
``signals`` → ``decide``.  Each step reads the files it needs again, checks that they are still the
ones the document speaks of, and adds its own part; the last one prints the record that ``examine``
would have written, with the same digest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from wholecloth.errors import UsageRefused, VerificationFailed
from wholecloth.intake.collect import Skipped, candidates_of, file_source
from wholecloth.intake.decode import WorkerPool, picture
from wholecloth.localisation.settings import Settings
from wholecloth.model.comparison import Candidate, Comparison
from wholecloth.model.evidence import Statement
from wholecloth.model.media import Picture
from wholecloth.pipeline import (
    MAX_COMPARED,
    Rest,
    Settled,
    conclude,
    exhibit_of,
    explained,
    localised,
    settle,
    still_identical,
)
from wholecloth.registration.refine import register as register_pair
from wholecloth.retrieval.linear import search
from wholecloth.retrieval.reading import Reader
from wholecloth.share import exchange
from wholecloth.share.exchange import Json
from wholecloth.share.record import record_of
from wholecloth.signals.registry import run_all
from wholecloth.weighing.derivation import Answer

FORMAT = 1
"""Of the document; a step refuses another."""
_ORDER = ("decode", "find", "register", "localise", "signals")


def hashes(paths: Sequence[Path], pool: WorkerPool) -> Json:
    """SHA-256, MD5 and PDQ of each file."""
    rows = []
    for path in paths:
        taken = exchange.picture_to(picture(pool.decode(file_source(path))), str(path))
        rows.append({k: v for k, v in taken.items() if k != "facts"})
    return {"files": rows}


def decode(path: Path, pool: WorkerPool) -> Json:
    """Start a document with one published file."""
    published = picture(pool.decode(file_source(path), credentials=True))
    return {
        "wholecloth_plumbing": FORMAT,
        "step": "decode",
        "published": exchange.picture_to(published, str(path)),
        "isolation": list(pool.isolation),
    }


def find(document: Json, among: Sequence[Path], pool: WorkerPool) -> Json:
    """Search the candidates; adds ``among``, ``left_out`` and ``found``."""
    published = _published(document, "decode", pool)
    collected = candidates_of(among, have_findings=False)
    reader = Reader(collected.sources, pool)
    with threadpool_limits(limits=1, user_api="blas"):
        found = search(published, reader, lambda *_: None)
    same = {i for i, _ in still_identical(published, collected.sources, found)}
    found = replace(found, identical=tuple(i for i in found.identical if i in same))
    names = [s.name for s in collected.sources]
    left_out = [{"name": s.name, "reason": s.reason, "kind": s.kind} for s in collected.skipped]
    return document | {
        "step": "find",
        "among": [str(a) for a in among],
        "left_out": left_out,
        "found": exchange.found_to(found, names),
    }


def register(document: Json, pool: WorkerPool) -> Json:
    """Register every lead; adds ``alignment`` to each."""
    published = _published(document, "find", pool)

    def one(lead: Json, original: Picture) -> Json:
        verified = exchange.found_from(document["found"] | {"leads": [lead]}).leads[0].verified
        alignment = register_pair(original.pixels, published.pixels, verified)
        return {"alignment": exchange.alignment_to(alignment)}

    return _each_lead(document, "register", pool, one)


def localise(document: Json, pool: WorkerPool) -> Json:
    """Localise the edit against every registered lead and name the relation.

    Adds ``edits`` (masks as PNG in base64, published frame), ``kind`` and ``because`` to each, and
    ``answer``: which source explains which part of the frame.
    """
    published = _published(document, "register", pool)

    def one(lead: Json, original: Picture) -> Json:
        alignment = exchange.alignment_from(lead["alignment"])
        done = localised(original, published, alignment, Settings(), lead["index"])
        edits = exchange.edits_to(done.edits)
        return {"edits": edits, "kind": done.kind, "because": done.reason}

    done = _each_lead(document, "localise", pool, one)
    collected = candidates_of([Path(a) for a in document["among"]], have_findings=False)
    reader = Reader(collected.sources, pool)

    def rest(believed: Sequence[Candidate]) -> Answer:
        found = exchange.found_from(document["found"])
        scenes = [k["index"] for k in done["found"]["leads"] if k.get("kind") == "same_scene"]
        out = [*found.identical, *scenes]
        return explained(published, believed, reader, found, lambda *_: None, out)

    with threadpool_limits(limits=1, user_api="blas"):
        answer = _settled_by(done, published, pool, rest).answer
    return done | {"answer": exchange.answer_to(answer)}


def signals(document: Json, pool: WorkerPool) -> Json:
    """Ask every installed signal about the pair; adds ``findings``."""
    published = _published(document, "localise", pool)
    with threadpool_limits(limits=1, user_api="blas"):
        found = run_all(exhibit_of(published, _settled(document, published, pool)))
    return document | {"step": "signals", "findings": [exchange.finding_to(f) for f in found]}


def decide(document: Json, statements: Sequence[Statement], pool: WorkerPool) -> Json:
    """Weigh and decide; returns the record."""
    published = _published(document, "signals", pool)
    findings = [exchange.finding_from(f) for f in document["findings"]]
    settled = _settled(document, published, pool)
    examination = conclude(published, settled, findings, statements)
    run = {"published": document["published"]["path"], "by": "plumbing"}
    left_out = exchange.skipped_from(document["left_out"])
    return record_of(examination, left_out, document["among"], pool.limits, run)


def _each_lead(
    document: Json, step: str, pool: WorkerPool, work: Callable[[Json, Picture], Json]
) -> Json:
    leads = []
    with threadpool_limits(limits=1, user_api="blas"):
        for number, lead in enumerate(document["found"]["leads"]):
            done = work(lead, _original(lead, pool)) if number < MAX_COMPARED else {}
            leads.append(lead | done)
    return document | {"step": step, "found": document["found"] | {"leads": leads}}


def _published(document: Mapping[str, Any], after: str, pool: WorkerPool) -> Picture:
    """The published picture, decoded again and checked against the document."""
    _expect(document, after)
    given = document["published"]
    published = picture(pool.decode(file_source(Path(given["path"])), credentials=True))
    if not exchange.facts_equal(published, given):
        remedy = "start again with `wholecloth plumbing decode`"
        raise VerificationFailed(given["path"], "is not the file that was decoded", remedy)
    return published


def _original(lead: Mapping[str, Any], pool: WorkerPool) -> Picture:
    original = picture(pool.decode(file_source(Path(lead["path"]))))
    if original.digests.sha256 != lead["sha256"]:
        remedy = "start again with `wholecloth plumbing find`"
        raise VerificationFailed(lead["path"], "is not the file that was found", remedy)
    return original


def _settled(document: Json, published: Picture, pool: WorkerPool) -> Settled:
    answer = exchange.answer_from(document["answer"], lambda row: _original(row, pool))
    return _settled_by(document, published, pool, lambda _: answer)


def _settled_by(document: Json, published: Picture, pool: WorkerPool, rest: Rest) -> Settled:
    """Order what a document says was compared; ``rest`` explains what the nearest does not."""
    found = exchange.found_from(document["found"])
    compared = []
    for lead in document["found"]["leads"][:MAX_COMPARED]:
        alignment = exchange.alignment_from(lead["alignment"])
        edits = exchange.edits_from(lead["edits"])
        comparison = Comparison(lead["index"], alignment, edits, lead["kind"], lead["because"])
        compared.append(Candidate(lead["path"], _original(lead, pool), comparison))
    identical = [(i["index"], i["path"]) for i in document["found"]["identical"]]
    left_out: tuple[Skipped, ...] = exchange.skipped_from(document["left_out"])
    return settle(published, found, compared, identical, left_out, rest)


def _expect(document: Mapping[str, Any], after: str) -> None:
    made_by = document.get("step")
    if document.get("wholecloth_plumbing") != FORMAT or made_by not in _ORDER:
        remedy = "pipe in what an earlier plumbing step printed"
        raise UsageRefused("input", "is no plumbing document of this version", remedy)
    if _ORDER.index(made_by) < _ORDER.index(after):
        remedy = f"run `wholecloth plumbing {after}` on it first"
        raise UsageRefused("input", f"was made by `{made_by}`, before `{after}`", remedy)
